"""How a rule of authenticity ends: with a passed check, or with the error that names it."""

from __future__ import annotations

from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from adyton.errors import UntrustedEvidence
from adyton.formats.check import Check, Outcome

_SHA256 = ec.ECDSA(hashes.SHA256())

X509_ERRORS: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What the X.509 library raises for a certificate or list that is not what it should be."""


def require(name: str, *, holds: bool, expected: str, actual: str, remedy: str) -> Check:
    """Return the passed check of a rule that holds.

    Raises:
        UntrustedEvidence: With the check's name as its code, if the rule does not hold.
    """
    if not holds:
        raise UntrustedEvidence(name, f"expected {expected}, found {actual}", remedy=remedy)
    return Check(name, Outcome.PASSED, expected, actual)


def verifies(key: ec.EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    """Return whether an ECDSA P-256 signature with SHA-256, r and s of 32 bytes each, verifies."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), message, _SHA256)
    except InvalidSignature:
        return False
    return True


def load_point(coordinates: bytes) -> ec.EllipticCurvePublicKey | None:
    """Return the P-256 key with these x and y, 64 bytes; None if they are not on the curve."""
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + coordinates)
    except ValueError:
        return None
