"""A quoting enclave: it signs reports of enclaves, and a platform's PCK vouches for it."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adyton.forge.keys import sign_raw
from adyton.forge.vendor import PckCredential
from adyton.formats.quote import PPID_SIZES, CertificationType, QeCertification, Quote, QuoteHeader, Tee
from adyton.formats.sgx import ReportBody
from adyton.formats.tdx import TdReport

_AUTH_DATA: Final = bytes(range(32))


class QuotingEnclave:
    """A quoting enclave with its attestation key.

    Args:
        pck: The platform's certified key.
        attestation_key: The key that signs quotes, P-256.
        report: The quoting enclave's report; its report data are replaced by the digest of the attestation key.
        auth_data: What is hashed with the key.
        certification: How the PCK is named: by its chain, or by the platform's id, for which a PCCS knows the chain.
    """

    def __init__(
        self,
        pck: PckCredential,
        attestation_key: ec.EllipticCurvePrivateKey,
        report: ReportBody,
        *,
        auth_data: bytes = _AUTH_DATA,
        certification: CertificationType = CertificationType.PCK_CHAIN,
    ) -> None:
        public = attestation_key.public_key()
        self._key = attestation_key
        self._public = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
        self._svn = report.isv_svn
        self._pce_svn = pck.platform.pce_svn
        binding = hashlib.sha256(self._public + auth_data).digest() + bytes(32)
        report = replace(report, report_data=binding)
        signature = sign_raw(pck.key, report.to_bytes())
        data = pck.chain if certification is CertificationType.PCK_CHAIN else _named(pck, certification)
        self._certification = QeCertification(report, signature, auth_data, certification, data)

    def quote(self, body: ReportBody | TdReport, *, version: int | None = None) -> Quote:
        """Sign a body.

        Args:
            body: What is said about an enclave or a trust domain.
            version: 3, 4 or 5; by default 3 for enclaves, 4 for TDX 1.0 and 5 for later bodies.
        """
        sgx = isinstance(body, ReportBody)
        plain = isinstance(body, ReportBody) or body.tee_tcb_svn2 is None
        version = version or (3 if sgx else 4 if plain else 5)
        svns = (self._svn, self._pce_svn) if version == 3 else (0, 0)
        header = QuoteHeader(version, Tee.SGX if sgx else Tee.TDX, *svns, bytes(20))
        unsigned = Quote(header, body, bytes(64), self._public, self._certification)
        signature = sign_raw(self._key, unsigned.signed_bytes())
        return Quote(header, body, signature, self._public, self._certification)


def _named(pck: PckCredential, kind: CertificationType) -> bytes:
    ppid = pck.platform.ppid.ljust(PPID_SIZES[kind], b"\x00")
    return ppid + pck.platform.cpu_svn + struct.pack("<H", pck.platform.pce_svn) + pck.platform.pce_id
