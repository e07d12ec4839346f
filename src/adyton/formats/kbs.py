"""The messages of the Key Broker Service attestation protocol (confidential containers, version 0.4).

Request, Challenge, Attestation, Response, one JSON document each. Read in the protocol's description and in the Rust
client: the runtime data that evidence binds are the RFC 8785 form of `additional-evidence`, `nonce` and `tee-pubkey`;
their SHA-384 is the report data, followed by 16 zero bytes. Supported here: TEE `sgx` and `tdx`, keys on P-256 with
ECDH-ES+A256KW, hash SHA-384. The Rust client itself has not been run against this implementation.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal, TypeVar

import msgspec

from adyton.errors import MalformedDocument

PROTOCOL: Final = "0.4.0"
MESSAGE_SIZE_CAP: Final = 256 * 1024
SESSION_COOKIE: Final = "kbs-session-id"
HASH_ALGORITHM: Final = "sha384"
ERROR_TYPE: Final = "https://github.com/confidential-containers/kbs/errors/"
_REPORT_DATA_SIZE: Final = 64
_T = TypeVar("_T")

_Coordinate = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{43}$(?!\n)")]
PathPart = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$(?!\n)")]


class KeyBrokerRequest(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """The first message: who asks, in which version."""

    version: Annotated[str, msgspec.Meta(max_length=32)]
    tee: Annotated[str, msgspec.Meta(max_length=32)]
    extra_params: msgspec.Raw = msgspec.Raw(b"{}")


class ChallengeParams(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """What the challenge settles: the hash that binds runtime data."""

    selected_hash_algorithm: str = HASH_ALGORITHM


class Challenge(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """The broker's answer: a nonce to put into the evidence."""

    nonce: str
    extra_params: ChallengeParams = ChallengeParams()


class TeePublicKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The public key that was made inside the TEE, as a JSON Web Key."""

    kty: Literal["EC"] = "EC"
    crv: Literal["P-256"] = "P-256"
    alg: Literal["ECDH-ES+A256KW"] = "ECDH-ES+A256KW"
    x: _Coordinate
    y: _Coordinate

    def thumbprint(self) -> str:
        """Return the key's RFC 7638 thumbprint, hex."""
        members = {"crv": self.crv, "kty": self.kty, "x": self.x, "y": self.y}
        return hashlib.sha256(msgspec.json.encode(members, order="sorted")).hexdigest()


class RuntimeData(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="kebab"):
    """What the evidence binds: the broker's nonce and the TEE's key."""

    nonce: Annotated[str, msgspec.Meta(max_length=128)]
    tee_pubkey: TeePublicKey

    def report_data(self, additional_evidence: str) -> bytes:
        """Return the 64 bytes that a quote has to carry."""
        bound = {
            "additional-evidence": additional_evidence,
            "nonce": self.nonce,
            "tee-pubkey": msgspec.to_builtins(self.tee_pubkey),
        }
        digest = hashlib.sha384(msgspec.json.encode(bound, order="sorted")).digest()
        return digest.ljust(_REPORT_DATA_SIZE, b"\x00")


class QuoteEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence of an SGX or TDX attester: its quote, base64 in JSON."""

    quote: bytes


class TeeEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence, and that of further devices, which is not supported."""

    primary_evidence: QuoteEvidence
    additional_evidence: Annotated[str, msgspec.Meta(max_length=1024)] = ""


class Attestation(
    msgspec.Struct, frozen=True, kw_only=True, rename={"runtime_data": "runtime-data", "tee_evidence": "tee-evidence"}
):
    """The second message: evidence, and what it binds."""

    runtime_data: RuntimeData
    tee_evidence: TeeEvidence


class EncryptedResource(msgspec.Struct, frozen=True, kw_only=True):
    """A released resource: a JWE in flattened JSON form, all of its header protected (RFC 7516 7.2.2)."""

    protected: str
    encrypted_key: str
    iv: str
    ciphertext: str
    tag: str

    @classmethod
    def of_compact(cls, compact: str) -> EncryptedResource:
        """Return the flattened form of a compact JWE."""
        protected, encrypted_key, iv, ciphertext, tag = compact.split(".")
        return cls(protected=protected, encrypted_key=encrypted_key, iv=iv, ciphertext=ciphertext, tag=tag)

    def to_compact(self) -> str:
        """Return the compact form."""
        return f"{self.protected}.{self.encrypted_key}.{self.iv}.{self.ciphertext}.{self.tag}"


class TokenResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an attestation."""

    token: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error: the protocol's fields, and what this project adds to explain it.

    Attributes:
        type: The protocol's error type.
        detail: The sentence.
        code: Stable dotted code: the check that decided.
        remedy: What to do.
        checks: Every check that was made, when there was an appraisal.
    """

    type: str
    detail: str
    code: str = ""
    remedy: str = ""
    checks: tuple[msgspec.Raw, ...] = ()


def parse(data: bytes, kind: type[_T]) -> _T:
    """Read a message.

    Raises:
        MalformedDocument: `kbs.message.size` over 256 KiB; `kbs.message.invalid`, with the field.
    """
    if len(data) > MESSAGE_SIZE_CAP:
        raise MalformedDocument(
            "kbs.message.size", f"a message has at most {MESSAGE_SIZE_CAP} bytes", remedy="send the evidence alone"
        )
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedDocument(
            "kbs.message.invalid",
            f"this is not a {kind.__name__} of the KBS attestation protocol: {error}",
            remedy=f"speak version {PROTOCOL} of the protocol, with a P-256 key",
        ) from error
