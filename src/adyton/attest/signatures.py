"""Public keys and signatures: the three algorithms that evidence uses, named by whoever certified the key.

A certificate's own algorithm identifier chooses nothing: it has to be the one that its issuer's kind of key signs with.

| key | signs | with |
| --- | --- | --- |
| ECDSA P-256 | Intel's certificates, lists, documents, quotes | SHA-256 |
| ECDSA P-384 | AMD's reports | SHA-384 |
| RSA-4096 | AMD's certificates and lists | PSS, SHA-384, 48 bytes of salt |

Signatures that an appraisal will need may be verified ahead of the rules that ask for them, on other cores: `expect`
says which, and `verifies` is then answered from memory. The answers are the same without it.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from adyton.formats.der import Tag, element
from adyton.formats.x509 import Signed

# What the SEQUENCE of a SubjectPublicKeyInfo begins with, and that of an algorithm identifier.
_P256_PREFIX: Final = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107034200")
_P384_PREFIX: Final = bytes.fromhex("301006072a8648ce3d020106052b81040022036200")
_RSA_4096_PREFIX: Final = bytes.fromhex("300d06092a864886f70d01010105000382020f00")
_ECDSA_SHA256: Final = bytes.fromhex("06082a8648ce3d040302")
# RSASSA-PSS with SHA-384, MGF1 with SHA-384 and 48 bytes of salt: with and without the default trailer spelt out.
_PSS_PARAMETERS: Final = (
    "a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130"
)
_PSS_SHA384: Final = frozenset(
    {
        bytes.fromhex("06092a864886f70d01010a3034" + _PSS_PARAMETERS),
        bytes.fromhex("06092a864886f70d01010a3039" + _PSS_PARAMETERS + "a303020101"),
    }
)

_PSS: Final = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)
_LIBRARY_ERRORS: Final = (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm)


class KeyKind(Enum):
    """The kinds of key that evidence uses."""

    P256 = "P-256"
    P384 = "P-384"
    RSA4096 = "RSA-4096"


_PREFIXES: Final = {_P256_PREFIX: KeyKind.P256, _P384_PREFIX: KeyKind.P384, _RSA_4096_PREFIX: KeyKind.RSA4096}
_CERTIFIES_WITH: Final = {
    KeyKind.P256: frozenset({_ECDSA_SHA256}),
    KeyKind.P384: frozenset[bytes](),
    KeyKind.RSA4096: _PSS_SHA384,
}


_DIGESTS: Final = {KeyKind.P256: ec.ECDSA(hashes.SHA256()), KeyKind.P384: ec.ECDSA(hashes.SHA384())}

_Asked = tuple["PublicKey", bytes, bytes]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key of a kind that evidence uses.

    Attributes:
        kind: Its kind.
        data: An uncompressed point for ECDSA, a DER SubjectPublicKeyInfo for RSA: what names the key.
    """

    kind: KeyKind
    data: bytes

    @classmethod
    def of(cls, public_key_info: bytes) -> Self | None:
        """Read what the SEQUENCE of a SubjectPublicKeyInfo holds, DER; None if it is of another kind."""
        for prefix, kind in _PREFIXES.items():
            if public_key_info.startswith(prefix):
                whole = kind is KeyKind.RSA4096
                return cls(kind, element(Tag.SEQUENCE, public_key_info) if whole else public_key_info[len(prefix) :])
        return None

    @classmethod
    def p256(cls, coordinates: bytes) -> Self:
        """Return the P-256 key with these x and y, 64 bytes; whether they are on the curve shows when it is used."""
        return cls(KeyKind.P256, b"\x04" + coordinates)

    def load(self) -> LoadedKey | None:
        """Make it ready for use; None if the library cannot: a point off its curve, a broken modulus."""
        try:
            if self.kind is KeyKind.RSA4096:
                loaded = load_der_public_key(self.data)
                return LoadedKey(self, loaded) if isinstance(loaded, rsa.RSAPublicKey) else None
            curve = ec.SECP256R1() if self.kind is KeyKind.P256 else ec.SECP384R1()
            return LoadedKey(self, ec.EllipticCurvePublicKey.from_encoded_point(curve, self.data))
        except _LIBRARY_ERRORS:
            return None


class _Handle(Protocol):
    """The library's key: its arguments after the message depend on the kind."""

    def verify(self, signature: bytes, data: bytes, *how: Any) -> None: ...  # noqa: ANN401


@dataclass(frozen=True, slots=True)
class LoadedKey:
    """A public key, ready for use.

    Attributes:
        public: The key.
        handle: The library's form of it.
    """

    public: PublicKey
    handle: _Handle

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Return whether a signature, DER encoded for ECDSA, verifies."""
        try:
            if self.public.kind is KeyKind.RSA4096:
                self.handle.verify(signature, message, _PSS, hashes.SHA384())
            else:
                self.handle.verify(signature, message, _DIGESTS[self.public.kind])
        except _LIBRARY_ERRORS:
            return False
        return True


class Signatures:
    """The signatures of one verification: each verified once.

    Args:
        executor: Where to verify ahead what was announced; None verifies when asked.
    """

    def __init__(self, executor: Executor | None = None) -> None:
        self._executor = executor
        self._pending: deque[_Asked] = deque()
        self._loaded: dict[bytes, LoadedKey | None] = {}
        self._known: dict[tuple[bytes, bytes, bytes], bool] = {}

    def beside(self) -> Signatures:
        """Return what knows all that is known here, and adds nothing to it."""
        other = Signatures(self._executor)
        other._loaded = self._loaded.copy()
        other._known = self._known.copy()
        return other

    @property
    def works_ahead(self) -> bool:
        """Whether announcing signatures is of use."""
        return self._executor is not None

    def expect(self, key: PublicKey, signature: bytes, message: bytes) -> None:
        """Announce a signature, DER encoded for ECDSA, that will be asked for."""
        self._pending.append((key, signature, message))

    def begin(self) -> None:
        """Start with what was announced, the last first: the rules begin at the other end."""
        if self._executor is not None and self._pending:
            self._executor.submit(self._work)

    def prepare(self, key: PublicKey) -> None:
        """Load a key that others will verify with beside this."""
        self._load(key)

    def verifies(self, key: PublicKey, signature: bytes, message: bytes) -> bool:
        """Return whether a signature, DER encoded for ECDSA, verifies."""
        name = (key.data, signature, message)
        known = self._known.get(name)
        if known is None:
            loaded = self._load(key)
            known = self._known[name] = loaded is not None and loaded.verifies(signature, message)
        return known

    def is_signed(self, signed: Signed, key: PublicKey) -> bool:
        """Return whether a CA's key signed a certificate or list, with the algorithm of its kind."""
        return signed.algorithm in _CERTIFIES_WITH[key.kind] and self.verifies(key, signed.signature, signed.content)

    def _load(self, key: PublicKey) -> LoadedKey | None:
        if key.data not in self._loaded:
            self._loaded[key.data] = key.load()
        return self._loaded[key.data]

    def _work(self) -> None:
        while self._pending:
            try:
                asked = self._pending.pop()
            except IndexError:
                return
            self.verifies(*asked)


def raw_signature(signature: bytes) -> bytes:
    """Return the DER form of an ECDSA signature that is r and s, big-endian, of equal size."""
    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
