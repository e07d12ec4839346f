"""The messages of the owner's and the auditor's interface (`/v1`)."""

from __future__ import annotations

from datetime import datetime

import msgspec

from adyton.formats.policy import AppraisalPolicy
from adyton.formats.receipt import LedgerEntry


class BrokerDescription(msgspec.Struct, frozen=True, kw_only=True):
    """Who a broker is.

    Attributes:
        issuer: Its name in tokens.
        signing_key: Signs its tokens and tree heads, JWK.
        upload_key: Secrets are encrypted to it on their way there, JWK.
        roots: The roots of trust that it knows, by name; a simulated one says so.
    """

    issuer: str
    signing_key: dict[str, str]
    upload_key: dict[str, str]
    roots: tuple[str, ...]


class SecretUpload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A secret on its way to the broker.

    Attributes:
        envelope: The value, a compact JWE to the upload key.
        policy: Whose code it is for.
    """

    envelope: str
    policy: AppraisalPolicy


class SecretDescription(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a secret: all but its value.

    Attributes:
        path: `<repository>/<type>/<tag>`.
        version: From 1.
        state: NIST SP 800-57's word.
        policy: The policy's name.
        policy_digest: Its digest, hex.
        created: When it was put, UTC.
    """

    path: str
    version: int
    state: str
    policy: str
    policy_digest: str
    created: datetime


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the ledger, in a listing.

    Attributes:
        position: Its place, from 0.
        receipt: The name of its receipt.
        entry: What it says.
    """

    position: int
    receipt: str
    entry: LedgerEntry


class ConsistencyProof(msgspec.Struct, frozen=True, kw_only=True):
    """The proof that the ledger was only added to; bytes are base64.

    Attributes:
        old: The older size.
        new: The newer size.
        proof: The hashes (RFC 6962 2.1.2).
    """

    old: int
    new: int
    proof: tuple[bytes, ...]
