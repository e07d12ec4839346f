"""A result that carries its own proof: bytes, the key that signed them, and a quote that names that key.

An enclave makes the key, asks for a quote over it, and signs with it. So whoever holds the document can find out, with
collateral and a policy, which code said this, without having talked to that code.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from adyton.errors import MalformedDocument
from adyton.formats.policy import API_VERSION

RESULT_SIZE_CAP: Final = 16 * 1024 * 1024
_KIND: Final = "SignedResult"
_KEY_CONTEXT: Final = b"adyton.dev/v1 result key\x00"


def result_report_data(point: bytes) -> bytes:
    """Return the 64 bytes that bind a result key to its enclave: SHA-512 of a context and the public key.

    Args:
        point: The P-256 public key, uncompressed, 65 bytes.
    """
    return hashlib.sha512(_KEY_CONTEXT + point).digest()


class SignedResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A result, as one JSON document; bytes are base64.

    Attributes:
        api_version: `adyton.dev/v1`.
        kind: `SignedResult`.
        payload: What the enclave said, exactly as signed.
        point: The enclave's result key: an uncompressed P-256 point, 65 bytes.
        signature: ECDSA P-256 with SHA-256 over `payload`: r and s, 64 bytes.
        quote: A quote whose report data is `result_report_data(point)`.
        collateral: Endorsements for the quote, if the sender had them; they are signed by themselves.
    """

    payload: bytes
    point: bytes
    signature: bytes
    quote: bytes
    collateral: bytes | None = None
    api_version: str = API_VERSION
    kind: str = _KIND

    @classmethod
    def parse(cls, data: bytes) -> SignedResult:
        """Read a result.

        Raises:
            MalformedDocument: `result.document.size` over 16 MiB; `result.document.invalid`.
        """
        if len(data) > RESULT_SIZE_CAP:
            raise _malformed("size", f"a result has at most {RESULT_SIZE_CAP} bytes, found {len(data)}")
        try:
            result = msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _malformed("invalid", f"this is not a signed result: {error}") from error
        if (result.api_version, result.kind) != (API_VERSION, _KIND):
            raise _malformed(
                "invalid", f"expected {_KIND} of {API_VERSION}, found {result.kind} of {result.api_version}"
            )
        if (len(result.point), len(result.signature)) != (65, 64):
            raise _malformed("invalid", "expected a key of 65 bytes and a signature of 64")
        return result

    def to_bytes(self) -> bytes:
        """Return the document."""
        return msgspec.json.encode(self)


def _malformed(suffix: str, found: str) -> MalformedDocument:
    return MalformedDocument(
        f"result.document.{suffix}", found, remedy="pass the whole document that the enclave's host saved"
    )
