"""Keys of forged vendors, and signatures that come out the same each time.

A key is made by chance, or from a seed: then everything that is forged regenerates byte for byte. ECDSA nonces follow
RFC 6979; RSASSA-PSS takes its salt from the message (RFC 8017 9.1.1 with a salt that is a digest), because the library
draws it by chance.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_PUBLISHED: Final = "published-amd-keys.pem"
_SALT_SIZE: Final = 48
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def derive_key(seed: bytes, label: str, curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """Return the key that a seed gives under a label; P-256 unless another curve is named.

    The scalar is taken below the order of P-256 on every curve: enough for forged evidence, and for nothing else.
    """
    digest = hashlib.sha256(seed + b"\x00" + label.encode()).digest()
    return ec.derive_private_key(int.from_bytes(digest, "big") % (_P256_ORDER - 1) + 1, curve or ec.SECP256R1())


def sign_ecdsa(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Return a signature, DER: SHA-256 with P-256, SHA-384 with P-384."""
    digest = hashes.SHA256() if isinstance(key.curve, ec.SECP256R1) else hashes.SHA384()
    return key.sign(message, ec.ECDSA(digest, deterministic_signing=True))


def sign_raw(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Return a signature: r and s, big-endian, 32 bytes each with P-256 and 48 with P-384."""
    size = (key.key_size + 7) // 8
    r, s = decode_dss_signature(sign_ecdsa(key, message))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def sign_pss(key: rsa.RSAPrivateKey, message: bytes) -> bytes:
    """Return an RSASSA-PSS signature with SHA-384 and 48 bytes of salt (RFC 8017 8.1.1, 9.1.1)."""
    numbers = _numbers(key)
    bits = key.key_size - 1
    size = (bits + 7) // 8
    digest = hashlib.sha384(message).digest()
    salt = hashlib.sha384(b"salt" + digest).digest()[:_SALT_SIZE]
    hashed = hashlib.sha384(bytes(8) + digest + salt).digest()
    block = bytes(size - _SALT_SIZE - len(hashed) - 2) + b"\x01" + salt
    masked = bytearray(a ^ b for a, b in zip(block, _mgf1(hashed, len(block)), strict=True))
    masked[0] &= 0xFF >> (8 * size - bits)
    encoded = bytes(masked) + hashed + b"\xbc"
    return _rsa_private(int.from_bytes(encoded, "big"), numbers).to_bytes(key.key_size // 8, "big")


@cache
def _numbers(key: rsa.RSAPrivateKey) -> rsa.RSAPrivateNumbers:
    return key.private_numbers()


@cache
def published_rsa_keys() -> tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey, rsa.RSAPrivateKey]:
    """Return the three RSA-4096 keys that everybody has: ARK, ASK, ASVK."""
    text = resources.files("adyton.forge").joinpath(_PUBLISHED).read_bytes()
    blocks = [b"-----BEGIN" + part for part in text.split(b"-----BEGIN")[1:]]
    ark, ask, asvk = (_rsa(block) for block in blocks)
    return ark, ask, asvk


def _rsa(pem: bytes) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(_PUBLISHED)
    return key


def _rsa_private(message: int, numbers: rsa.RSAPrivateNumbers) -> int:
    """Raise to the private exponent by the Chinese remainder theorem (RFC 8017 5.1.2)."""
    one, other = pow(message, numbers.dmp1, numbers.p), pow(message, numbers.dmq1, numbers.q)
    return other + numbers.q * ((one - other) * numbers.iqmp % numbers.p)


def _mgf1(seed: bytes, size: int) -> bytes:
    blocks = (hashlib.sha384(seed + at.to_bytes(4, "big")).digest() for at in range(size // 48 + 1))
    return b"".join(blocks)[:size]
