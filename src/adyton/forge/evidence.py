"""A quoting enclave: it signs reports of enclaves and trust domains, and a platform's PCK vouches for it."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from adyton.forge.keys import EcSigner
from adyton.forge.vendor import PckCredential
from adyton.formats.pck import PckExtension
from adyton.formats.quote import CertificationType, QeCertification, Quote, QuoteHeader, Tee
from adyton.formats.sgx import ReportBody
from adyton.formats.tdx import TdReport

_AUTH_DATA: Final = bytes(range(32))
_ENCRYPTED_SIZES: Final = {CertificationType.PPID_RSA2048_OAEP: 256, CertificationType.PPID_RSA3072_OAEP: 384}
Certification = tuple[CertificationType, bytes]
Body = ReportBody | TdReport


class QuotingEnclave:
    """A quoting enclave with its attestation key; for TDX it stands for the TD quoting enclave.

    Args:
        pck: The platform's certified key.
        attestation_key: The key that signs quotes, P-256.
        report: The quoting enclave's report; its report data are replaced by the digest of the attestation key.
        auth_data: What is hashed with the key.
        certification: How its quotes name the PCK; None puts the PCK chain into them.
        deterministic: Whether it signs the same bytes with the same signature (RFC 6979).
    """

    def __init__(
        self,
        pck: PckCredential,
        attestation_key: ec.EllipticCurvePrivateKey,
        report: ReportBody,
        *,
        auth_data: bytes = _AUTH_DATA,
        certification: Certification | None = None,
        deterministic: bool = False,
    ) -> None:
        self._signer = EcSigner(attestation_key, deterministic)
        self._public = self._signer.point[1:]
        self._svn = report.isv_svn
        self._pce_svn = pck.platform.pce_svn
        kind, data = certification or (CertificationType.PCK_CHAIN, pck.chain)
        report = replace(report, report_data=hashlib.sha256(self._public + auth_data).digest() + bytes(32))
        signature = EcSigner(pck.key, deterministic).sign_raw(report.to_bytes())
        self._certification = QeCertification(report, signature, auth_data, kind, data)

    def quote(self, body: Body, *, version: int | None = None) -> Quote:
        """Sign a report body.

        Args:
            body: What the quote is about.
            version: 3 to 5; None takes 3 for an enclave and 4 for a trust domain.
        """
        sgx = isinstance(body, ReportBody)
        version = version or (3 if sgx else 4)
        # Versions 4 and 5 reserve what version 3 has for these two.
        svns = (self._svn, self._pce_svn) if version == 3 else (0, 0)
        return self.sign(QuoteHeader(version, Tee.SGX if sgx else Tee.TDX, *svns, bytes(20)), body)

    def sign(self, header: QuoteHeader, body: Body) -> Quote:
        """Sign a report body under a header, whatever it says."""
        unsigned = Quote(header, body, bytes(64), self._public, self._certification)
        return replace(unsigned, signature=self._signer.sign_raw(unsigned.signed_bytes()))


def named_platform(platform: PckExtension, kind: CertificationType) -> Certification:
    """Return certification data of types 1 to 3: they name the platform, and its PCK chain is beside the quote.

    An encrypted PPID is zeros here: only Intel's provisioning service could read it.
    """
    size = _ENCRYPTED_SIZES.get(kind)
    ppid = platform.ppid if size is None else bytes(size)
    return kind, ppid + platform.cpu_svn + struct.pack("<H", platform.pce_svn) + platform.pce_id
