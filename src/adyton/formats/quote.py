"""DCAP quotes: SGX v3, TDX v4, SGX and TDX v5; ECDSA P-256 attestation keys only.

Sources: Intel SGX ECDSA QuoteLibReference DCAP API, appendix A.4 (v3); Intel TDX DCAP Quoting Library API, appendix A.3
(v4, v5). A quote is a header, a body about the enclave or trust domain, a signature over both by the attestation key,
and the quoting enclave's report, which binds that key and is signed by the platform's PCK.

Kept here: version, key type, TEE type and quoting enclave's vendor are known values; every length field matches the
bytes there are; trailing bytes are an error; EPID is refused by name; `Quote.parse(data).to_bytes() == data`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, Self

from adyton.errors import MalformedEvidence
from adyton.formats.cursor import Cursor
from adyton.formats.sgx import REPORT_BODY_SIZE, ReportBody
from adyton.formats.tdx import TD_REPORT_10_SIZE, TD_REPORT_15_EX_SIZE, TD_REPORT_15_SIZE, TdReport

QUOTE_SIZE_CAP: Final = 64 * 1024
HEADER_SIZE: Final = 48
INTEL_QE_VENDOR_ID: Final = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
ECDSA_P256: Final = 2
_EPID_KEY_TYPES: Final = (0, 1)
_EPID_QUOTE_VERSIONS: Final = (1, 2)
_QE_REPORT_CERTIFICATION: Final = 6
_DESCRIPTOR_SIZE: Final = 6
_CERTIFICATION_HEADER_SIZE: Final = 6
_REMEDY: Final = "collect a DCAP quote: SGX version 3, or TDX version 4 or 5, with an ECDSA P-256 attestation key"


class Tee(StrEnum):
    """The technology that made a piece of evidence."""

    SGX = "sgx"
    TDX = "tdx"
    SNP = "snp"


class CertificationType(IntEnum):
    """How the quoting enclave's report is certified (v3 appendix A.4, table 9)."""

    PPID_PLAIN = 1
    PPID_RSA2048_OAEP = 2
    PPID_RSA3072_OAEP = 3
    PCK_LEAF = 4
    PCK_CHAIN = 5


PPID_SIZES: Final = {
    CertificationType.PPID_PLAIN: 16,
    CertificationType.PPID_RSA2048_OAEP: 256,
    CertificationType.PPID_RSA3072_OAEP: 384,
}


@dataclass(frozen=True, slots=True)
class PlatformCertification:
    """Certification data of types 1 to 3: it names the platform, and a PCCS knows its PCK chain.

    Attributes:
        kind: How the PPID is given.
        ppid: The platform's provisioning id, encrypted in types 2 and 3.
        cpu_svn: The platform's CPUSVN, 16 bytes.
        pce_svn: Security version of the provisioning certification enclave.
        pce_id: 2 bytes.
    """

    kind: CertificationType
    ppid: bytes
    cpu_svn: bytes
    pce_svn: int
    pce_id: bytes

    @classmethod
    def parse(cls, kind: CertificationType, data: bytes) -> Self:
        """Read certification data.

        Raises:
            MalformedEvidence: `dcap.certification.length`, `.trailing`; `dcap.certification.type` for a type that
                carries certificates.
        """
        cursor = Cursor(data, code="dcap.certification", what="certification data")
        if kind not in PPID_SIZES:
            raise cursor.malformed("type", f"expected type 1, 2 or 3, found {kind.value}")
        ppid = cursor.take(PPID_SIZES[kind], "the PPID")
        found = cls(kind, ppid, cursor.take(16, "CPUSVN"), cursor.uint(2, "PCESVN"), cursor.take(2, "PCEID"))
        cursor.finish()
        return found


class BodyType(IntEnum):
    """What follows the header of a v5 quote."""

    SGX_ENCLAVE = 1
    TD_10 = 2
    TD_15 = 3
    TD_15_EX = 4


_TEE_TYPES: Final = {0x00000000: Tee.SGX, 0x00000081: Tee.TDX}
_TEE_NUMBERS: Final = {tee: number for number, tee in _TEE_TYPES.items()}
_BODY_SIZES: Final = {
    BodyType.SGX_ENCLAVE: REPORT_BODY_SIZE,
    BodyType.TD_10: TD_REPORT_10_SIZE,
    BodyType.TD_15: TD_REPORT_15_SIZE,
    BodyType.TD_15_EX: TD_REPORT_15_EX_SIZE,
}


@dataclass(frozen=True, slots=True)
class QuoteHeader:
    """The first 48 bytes of a quote.

    Attributes:
        version: 3, 4 or 5.
        tee: What made the quote.
        qe_svn: Security version of the quoting enclave; v4 and v5 reserve it.
        pce_svn: Security version of the provisioning certification enclave; v4 and v5 reserve it.
        user_data: 20 bytes: the quoting enclave's platform identifier in the first 16.
        qe_vendor_id: Vendor of the quoting enclave, 16 bytes.
    """

    version: int
    tee: Tee
    qe_svn: int
    pce_svn: int
    user_data: bytes
    qe_vendor_id: bytes = INTEL_QE_VENDOR_ID

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a quote's header.

        Raises:
            MalformedEvidence: `dcap.quote.length`; `dcap.quote.epid`; `dcap.quote.version`; `dcap.quote.key_type`;
                `dcap.quote.tee_type`; `dcap.quote.qe_vendor`.
        """
        if len(data) != HEADER_SIZE:
            raise _malformed("length", f"a header has 48 bytes, found {len(data)}")
        version, key_type, tee_type, qe_svn, pce_svn, vendor, user_data = struct.unpack("<HHIHH16s20s", data)
        if version in _EPID_QUOTE_VERSIONS or (version == 3 and key_type in _EPID_KEY_TYPES):
            raise MalformedEvidence(
                "dcap.quote.epid",
                f"this is EPID evidence (quote version {version}, key type {key_type}); EPID is not supported, DCAP is",
                remedy=_REMEDY,
            )
        if version not in (3, 4, 5):
            raise _malformed("version", f"expected quote version 3, 4 or 5, found {version}")
        if key_type != ECDSA_P256:
            raise _malformed("key_type", f"expected attestation key type 2 (ECDSA P-256), found {key_type}")
        tee = _TEE_TYPES.get(tee_type)
        if tee is None or (version == 3 and tee is not Tee.SGX):
            raise _malformed("tee_type", f"TEE type {tee_type:#010x} is not one of quote version {version}")
        if vendor != INTEL_QE_VENDOR_ID:
            raise _malformed(
                "qe_vendor", f"expected quoting enclave vendor {INTEL_QE_VENDOR_ID.hex()}, found {vendor.hex()}"
            )
        return cls(version, tee, qe_svn, pce_svn, user_data, vendor)

    def to_bytes(self) -> bytes:
        """Return the 48 bytes."""
        return struct.pack(
            "<HHIHH16s20s",
            self.version,
            ECDSA_P256,
            _TEE_NUMBERS[self.tee],
            self.qe_svn,
            self.pce_svn,
            self.qe_vendor_id,
            self.user_data,
        )


@dataclass(frozen=True, slots=True)
class QeCertification:
    """The quoting enclave's report, and who vouches for it.

    Attributes:
        report: The quoting enclave's report; its data binds the attestation key.
        signature: ECDSA P-256 signature over the report by the PCK: r and s, 64 bytes.
        auth_data: What the quoting enclave hashed with its key, at most 65,535 bytes.
        kind: How the PCK is named.
        data: The certification data itself; for `PCK_CHAIN` three PEM certificates, leaf first.
    """

    report: ReportBody
    signature: bytes
    auth_data: bytes
    kind: CertificationType
    data: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a quoting enclave's certification.

        Raises:
            MalformedEvidence: `dcap.qe.length`, `.trailing`, `.certification_type`; those of `ReportBody`.
        """
        cursor = Cursor(data, code="dcap.qe", what="quoting enclave certification")
        report = ReportBody.parse(cursor.take(REPORT_BODY_SIZE, "the quoting enclave's report"))
        signature = cursor.take(64, "the signature over the quoting enclave's report")
        auth_data = cursor.take(cursor.uint(2, "the authentication data's size"), "the authentication data")
        number = cursor.uint(2, "the certification data's type")
        if not CertificationType.PPID_PLAIN <= number <= CertificationType.PCK_CHAIN:
            raise cursor.malformed("certification_type", f"expected type 1 to 5, found {number}")
        content = cursor.take(cursor.uint(4, "the certification data's size"), "the certification data")
        cursor.finish()
        return cls(report, signature, auth_data, CertificationType(number), content)

    def to_bytes(self) -> bytes:
        """Return the bytes as they stand in a quote."""
        return b"".join(
            (
                self.report.to_bytes(),
                self.signature,
                struct.pack("<H", len(self.auth_data)),
                self.auth_data,
                struct.pack("<HI", self.kind, len(self.data)),
                self.data,
            )
        )


@dataclass(frozen=True, slots=True)
class Quote:
    """Evidence as it was received: well formed, and nothing about it believed yet.

    Attributes:
        header: Version, TEE and quoting enclave.
        body: What the hardware says about the enclave or trust domain.
        signature: ECDSA P-256 signature over header and body by the attestation key: r and s, 64 bytes.
        attestation_key: The quoting enclave's public key: x and y, 64 bytes.
        qe: The quoting enclave's report and its certification.
    """

    header: QuoteHeader
    body: ReportBody | TdReport
    signature: bytes
    attestation_key: bytes
    qe: QeCertification

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a quote.

        Raises:
            MalformedEvidence: `dcap.quote.size` over 64 KiB; `dcap.quote.length`, `.trailing`, `.body_type`,
                `.certification_type`; those of `QuoteHeader`, `ReportBody`, `TdReport` and `QeCertification`.
        """
        if len(data) > QUOTE_SIZE_CAP:
            raise _malformed("size", f"a quote has at most {QUOTE_SIZE_CAP} bytes, found {len(data)}")
        cursor = Cursor(data, code="dcap.quote", what="DCAP quote")
        header = QuoteHeader.parse(cursor.take(HEADER_SIZE, "the header"))
        body = _parse_body(header, cursor)
        signature_data = Cursor(
            cursor.take(cursor.uint(4, "the signature data's size"), "the signature data"),
            code="dcap.quote",
            what="DCAP quote signature data",
        )
        cursor.finish()
        signature = signature_data.take(64, "the signature")
        attestation_key = signature_data.take(64, "the attestation key")
        if header.version > 3:
            _enter_qe_certification(signature_data)
        return cls(header, body, signature, attestation_key, QeCertification.parse(signature_data.rest()))

    def to_bytes(self) -> bytes:
        """Return the quote's bytes."""
        qe = self.qe.to_bytes()
        if self.header.version > 3:
            qe = struct.pack("<HI", _QE_REPORT_CERTIFICATION, len(qe)) + qe
        signature_data = self.signature + self.attestation_key + qe
        return self.signed_bytes() + struct.pack("<I", len(signature_data)) + signature_data

    def signed_bytes(self) -> bytes:
        """Return what the attestation key signs: the header, the body, and between them the descriptor of v5."""
        body = self.body.to_bytes()
        if self.header.version < 5:
            return self.header.to_bytes() + body
        return self.header.to_bytes() + struct.pack("<HI", self.body_type, len(body)) + body

    @property
    def tee(self) -> Tee:
        """What made the quote."""
        return self.header.tee

    @property
    def body_offset(self) -> int:
        """Where the body begins: behind the header, and behind the descriptor of v5."""
        return HEADER_SIZE if self.header.version < 5 else HEADER_SIZE + _DESCRIPTOR_SIZE

    @property
    def qe_offset(self) -> int:
        """Where the quoting enclave's report begins."""
        outer = 0 if self.header.version == 3 else _CERTIFICATION_HEADER_SIZE
        return self.body_offset + _BODY_SIZES[self.body_type] + 4 + 64 + 64 + outer

    @property
    def body_type(self) -> BodyType:
        """The body's type in the numbering of v5."""
        if isinstance(self.body, ReportBody):
            return BodyType.SGX_ENCLAVE
        if self.body.extension is not None:
            return BodyType.TD_15_EX
        return BodyType.TD_10 if self.body.tee_tcb_svn2 is None else BodyType.TD_15


def span_of(what: str, offset: int, size: int) -> str:
    """Return a place in evidence, in words."""
    return f"{what} byte {offset}" if size == 1 else f"{what} bytes {offset} to {offset + size - 1}"


def _parse_body(header: QuoteHeader, cursor: Cursor) -> ReportBody | TdReport:
    kind = BodyType.SGX_ENCLAVE if header.tee is Tee.SGX else BodyType.TD_10
    if header.version == 5:
        kind = _parse_descriptor(header, cursor)
    content = cursor.take(_BODY_SIZES[kind], "the body")
    return ReportBody.parse(content) if kind is BodyType.SGX_ENCLAVE else TdReport.parse(content)


def _parse_descriptor(header: QuoteHeader, cursor: Cursor) -> BodyType:
    number, size = cursor.uint(2, "the body's type"), cursor.uint(4, "the body's size")
    if not BodyType.SGX_ENCLAVE <= number <= BodyType.TD_15_EX:
        raise cursor.malformed("body_type", f"expected body type 1 to 4, found {number}")
    kind = BodyType(number)
    if size != _BODY_SIZES[kind] or (kind is BodyType.SGX_ENCLAVE) != (header.tee is Tee.SGX):
        raise cursor.malformed("body_type", f"body type {number} of {size} bytes does not fit TEE {header.tee}")
    return kind


def _enter_qe_certification(signature_data: Cursor) -> None:
    number, size = signature_data.uint(2, "the outer certification type"), signature_data.uint(4, "its size")
    if number != _QE_REPORT_CERTIFICATION:
        raise signature_data.malformed("certification_type", f"expected outer type 6, found {number}")
    if size != signature_data.left:
        raise signature_data.malformed(
            "length", f"certification data says {size} bytes, {signature_data.left} are left"
        )


def _malformed(suffix: str, found: str) -> MalformedEvidence:
    return MalformedEvidence(f"dcap.quote.{suffix}", found, remedy=_REMEDY)
