"""Results that leave a TEE with their proof (`adyton.formats.result`)."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adyton.formats.result import SignedResult, result_report_data
from adyton.guest.evidence import EvidenceProvider


class ResultSigner:
    """Signs results with a key that is born in the TEE, named in a quote, and never leaves.

    Args:
        provider: Makes the quote, once.
    """

    def __init__(self, provider: EvidenceProvider) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self._quote = provider.quote(result_report_data(self._point))

    def sign(self, payload: bytes) -> SignedResult:
        """Sign a result."""
        r, s = decode_dss_signature(self._key.sign(payload, ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return SignedResult(payload=payload, point=self._point, signature=signature, quote=self._quote)
