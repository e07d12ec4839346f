"""What the ledger records, and the receipt that proves it to whoever was not there.

A receipt is an entry, its place, the audit path to a root, and the head in which the broker signed that root. It is
checked with the broker's public key alone (`adyton.broker.receipt`). Entries hold digests and names, never secrets.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from adyton.errors import MalformedDocument
from adyton.formats.check import Mode

RECEIPT_SIZE_CAP: Final = 1024 * 1024
_SIZE_CAP: Final = (1 << 63) - 1
_HEAD_CONTEXT: Final = b"adyton.dev/v1 tree head\x00"


class LedgerEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One thing that the broker did or refused.

    Attributes:
        kind: What it was.
        at: When, UTC.
        party: Who asked, if it was a party.
        secret: The secret's path.
        version: The secret's version.
        policy: The policy's name.
        policy_digest: SHA-256 of the policy, hex.
        evidence_digest: SHA-256 of the quote's signed part, hex.
        collateral_digest: SHA-256 that names the endorsements, hex.
        measurement: MRENCLAVE or MRTD, hex.
        tcb_status: Intel's word for the platform.
        mode: Hardware or simulated.
        root: The root of trust, by name.
        key_thumbprint: RFC 7638 thumbprint of the key that it was released to, hex.
        check: The check that decided a denial.
        expected: What that check expected.
        found: What it found.
    """

    kind: Literal["party-enrolled", "secret-put", "release", "denial"]
    at: datetime
    party: str = ""
    secret: str = ""
    version: int = 0
    policy: str = ""
    policy_digest: str = ""
    evidence_digest: str = ""
    collateral_digest: str = ""
    measurement: str = ""
    tcb_status: str = ""
    mode: Mode | None = None
    root: str = ""
    key_thumbprint: str = ""
    check: str = ""
    expected: str = ""
    found: str = ""

    def to_bytes(self) -> bytes:
        """Return the canonical form: JSON, keys sorted."""
        return msgspec.json.encode(self, order="sorted")


class TreeHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The ledger at a moment, as the broker signed it; bytes are base64.

    Attributes:
        size: How many entries.
        root: The tree's root, 32 bytes.
        at: When it was signed, UTC.
        signature: ECDSA P-256 with SHA-256 over `signed_bytes`: r and s, 64 bytes.
    """

    size: Annotated[int, msgspec.Meta(ge=0, le=_SIZE_CAP)]
    root: bytes
    at: datetime
    signature: bytes = b""

    def signed_bytes(self) -> bytes:
        """Return what is signed."""
        return _HEAD_CONTEXT + self.size.to_bytes(8, "big") + self.root + self.at.isoformat().encode()


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The proof of one entry; bytes are base64.

    Attributes:
        entry: The entry's canonical form, exactly as it is in the tree.
        position: Its place, from 0.
        proof: The audit path to the head's root.
        head: The head that it is proven in.
        api_version: `adyton.dev/v1`.
        kind: `Receipt`.
    """

    entry: bytes
    position: Annotated[int, msgspec.Meta(ge=0, le=_SIZE_CAP)]
    proof: tuple[bytes, ...]
    head: TreeHead
    api_version: Literal["adyton.dev/v1"] = "adyton.dev/v1"
    kind: Literal["Receipt"] = "Receipt"

    @classmethod
    def parse(cls, data: bytes) -> Receipt:
        """Read a receipt.

        Raises:
            MalformedDocument: `receipt.size` over 1 MiB; `receipt.invalid`.
        """
        if len(data) > RECEIPT_SIZE_CAP:
            raise _malformed("size", f"a receipt has at most {RECEIPT_SIZE_CAP} bytes, found {len(data)}")
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _malformed("invalid", f"this is not a receipt: {error}") from error

    def to_bytes(self) -> bytes:
        """Return the document."""
        return msgspec.json.encode(self)

    def content(self) -> LedgerEntry:
        """Return the entry, read.

        Raises:
            MalformedDocument: `receipt.invalid`.
        """
        try:
            return msgspec.json.decode(self.entry, type=LedgerEntry)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _malformed("invalid", f"its entry does not parse: {error}") from error


def _malformed(suffix: str, found: str) -> MalformedDocument:
    return MalformedDocument(f"receipt.{suffix}", found, remedy="fetch the receipt from its broker again")
