"""A quoting enclave: it signs reports of enclaves, and a platform's PCK vouches for it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adyton.forge.vendor import PckCredential, sign_raw
from adyton.formats.quote import CertificationType, QeCertification, Quote, QuoteHeader, Tee
from adyton.formats.sgx import ReportBody

_AUTH_DATA: Final = bytes(range(32))


class QuotingEnclave:
    """A quoting enclave with its attestation key.

    Args:
        pck: The platform's certified key.
        attestation_key: The key that signs quotes, P-256.
        report: The quoting enclave's report; its report data are replaced by the digest of the attestation key.
        auth_data: What is hashed with the key.
    """

    def __init__(
        self,
        pck: PckCredential,
        attestation_key: ec.EllipticCurvePrivateKey,
        report: ReportBody,
        *,
        auth_data: bytes = _AUTH_DATA,
    ) -> None:
        public = attestation_key.public_key()
        self._key = attestation_key
        self._public = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
        self._svn = report.isv_svn
        self._pce_svn = pck.platform.pce_svn
        binding = hashlib.sha256(self._public + auth_data).digest() + bytes(32)
        report = replace(report, report_data=binding)
        signature = sign_raw(pck.key, report.to_bytes())
        self._certification = QeCertification(report, signature, auth_data, CertificationType.PCK_CHAIN, pck.chain)

    def quote(self, body: ReportBody) -> Quote:
        """Sign a report body: a quote of version 3."""
        header = QuoteHeader(3, Tee.SGX, self._svn, self._pce_svn, bytes(20))
        unsigned = Quote(header, body, bytes(64), self._public, self._certification)
        signature = sign_raw(self._key, unsigned.signed_bytes())
        return Quote(header, body, signature, self._public, self._certification)
