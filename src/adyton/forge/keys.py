"""Keys of the forge: fresh ones, or those that a seed names; and how each kind signs.

Two kinds of signer, as the vendors have them: ECDSA on P-256 with SHA-256 and on P-384 with SHA-384, and RSA-4096 with
PSS, SHA-384 and 48 bytes of salt.

A key from a seed is no secret, and makes the forge's output the same on every run: ECDSA then takes its nonce from key
and message (RFC 6979), and PSS has a fixed salt. Such keys are for tests and the conformance kit; a simulated platform
has fresh ones.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adyton.forge import der

# The orders of the curves' groups (SEC 2, 2.4.2 and 2.5.1), and what each signs with.
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_P384_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
_SALT_SIZE: Final = 48
_SHA384: Final = "2.16.840.1.101.3.4.2.2"
_PSS: Final = "1.2.840.113549.1.1.10"
_MGF1: Final = "1.2.840.113549.1.1.8"
_ECDSA_SHA256: Final = "1.2.840.10045.4.3.2"
_ECDSA_SHA384: Final = "1.2.840.10045.4.3.3"
_NULL: Final = b"\x05\x00"


class Signer(Protocol):
    """A key that signs."""

    @property
    def algorithm(self) -> bytes:
        """The AlgorithmIdentifier of its signatures, DER."""

    @property
    def public_key(self) -> bytes:
        """Its SubjectPublicKeyInfo, DER."""

    def sign(self, message: bytes) -> bytes:
        """Return a signature, as certificates carry it."""


@dataclass(frozen=True, slots=True)
class EcSigner:
    """An ECDSA key on P-256 or P-384.

    Attributes:
        key: The key.
        deterministic: Whether the nonce comes from key and message (RFC 6979).
    """

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    deterministic: bool = False

    @property
    def algorithm(self) -> bytes:
        """ECDSA with SHA-256 or SHA-384."""
        return der.sequence(der.identifier(_ECDSA_SHA256 if self._size == 32 else _ECDSA_SHA384))

    @property
    def public_key(self) -> bytes:
        """Its SubjectPublicKeyInfo, DER."""
        return _public_key(self.key)

    @property
    def point(self) -> bytes:
        """Its public key: an uncompressed point."""
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(self, message: bytes) -> bytes:
        """Return a signature, DER."""
        digest = hashes.SHA256() if self._size == 32 else hashes.SHA384()
        return self.key.sign(message, ec.ECDSA(digest, deterministic_signing=self.deterministic))

    def sign_raw(self, message: bytes) -> bytes:
        """Return a signature as evidence carries it: r and s, big-endian, of the curve's size each."""
        r, s = decode_dss_signature(self.sign(message))
        return r.to_bytes(self._size, "big") + s.to_bytes(self._size, "big")

    @property
    def _size(self) -> int:
        return (self.key.key_size + 7) // 8


@dataclass(frozen=True, slots=True)
class PssSigner:
    """An RSA key that signs with PSS, SHA-384 and 48 bytes of salt.

    Attributes:
        key: The key.
        salt: A fixed salt of 48 bytes; None takes a fresh one each time.
    """

    key: rsa.RSAPrivateKey = field(repr=False)
    salt: bytes | None = None

    @property
    def algorithm(self) -> bytes:
        """RSASSA-PSS with its parameters (RFC 4055 3.1), the default trailer spelt out as AMD does."""
        digest = der.sequence(der.identifier(_SHA384), _NULL)
        mask = der.sequence(der.identifier(_MGF1), digest)
        salt, trailer = der.integer(_SALT_SIZE), der.integer(1)
        parameters = (digest, mask, salt, trailer)
        tagged = (der.explicit(number, value) for number, value in enumerate(parameters))
        return der.sequence(der.identifier(_PSS), der.sequence(*tagged))

    @property
    def public_key(self) -> bytes:
        """Its SubjectPublicKeyInfo, DER."""
        return _public_key(self.key)

    def sign(self, message: bytes) -> bytes:
        """Return a signature, as long as the modulus."""
        if self.salt is not None:
            return _sign_pss(self.key, message, self.salt)
        scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=_SALT_SIZE)
        return self.key.sign(message, scheme, hashes.SHA384())


def new_p256() -> ec.EllipticCurvePrivateKey:
    """Return a fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def seeded_p256(seed: bytes, label: str) -> ec.EllipticCurvePrivateKey:
    """Return the P-256 key of a seed and a label."""
    return ec.derive_private_key(_scalar(seed, label, _P256_ORDER), ec.SECP256R1())


def seeded_p384(seed: bytes, label: str) -> ec.EllipticCurvePrivateKey:
    """Return the P-384 key of a seed and a label."""
    return ec.derive_private_key(_scalar(seed, label, _P384_ORDER), ec.SECP384R1())


def stream(seed: bytes, label: str, size: int) -> bytes:
    """Return the `size` bytes that a seed and a label name (SHAKE-256)."""
    return hashlib.shake_256(len(seed).to_bytes(4, "big") + seed + label.encode()).digest(size)


def _scalar(seed: bytes, label: str, order: int) -> int:
    # Sixteen bytes beyond the order's make the remainder's bias too small to matter (NIST SP 800-56A, 5.6.1.2.1).
    size = (order.bit_length() + 7) // 8 + 16
    return int.from_bytes(stream(seed, label, size), "big") % (order - 1) + 1


def _public_key(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _sign_pss(key: rsa.RSAPrivateKey, message: bytes, salt: bytes) -> bytes:
    """Return an RSASSA-PSS signature with this salt (RFC 8017, 8.1.1 and 9.1.1)."""
    bits = key.key_size - 1
    size = (bits + 7) // 8
    digest = hashlib.sha384(bytes(8) + hashlib.sha384(message).digest() + salt).digest()
    block = (b"\x01" + salt).rjust(size - len(digest) - 1, b"\x00")
    masked = bytearray(a ^ b for a, b in zip(block, _mgf1(digest, len(block)), strict=True))
    masked[0] &= 0xFF >> (8 * size - bits)
    return _private(key, bytes(masked) + digest + b"\xbc").to_bytes((key.key_size + 7) // 8, "big")


def _private(key: rsa.RSAPrivateKey, block: bytes) -> int:
    """Return the RSA private operation, by the Chinese remainder theorem (RFC 8017, 5.2.1)."""
    numbers, message = key.private_numbers(), int.from_bytes(block, "big")
    at_q = pow(message, numbers.dmq1, numbers.q)
    difference = (pow(message, numbers.dmp1, numbers.p) - at_q) * numbers.iqmp % numbers.p
    return at_q + difference * numbers.q


def _mgf1(seed: bytes, size: int) -> bytes:
    blocks = (hashlib.sha384(seed + counter.to_bytes(4, "big")).digest() for counter in range(size // 48 + 1))
    return b"".join(blocks)[:size]
