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
from functools import lru_cache
from typing import Final, Self

from adyton.errors import MalformedEvidence
from adyton.formats.cursor import Cursor
from adyton.formats.sgx import REPORT_BODY_SIZE, ReportBody
from adyton.formats.tdx import TD_REPORT_10_SIZE, TD_REPORT_15_EX_SIZE, TD_REPORT_15_SIZE, TdReport

QUOTE_SIZE_CAP: Final = 64 * 1024
CERTIFICATIONS_CAP: Final = 1024  # quoting enclaves whose header and certification are remembered
HEADER_SIZE: Final = 48
INTEL_QE_VENDOR_ID: Final = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
ECDSA_P256: Final = 2
_EPID_KEY_TYPES: Final = (0, 1)
_EPID_QUOTE_VERSIONS: Final = (1, 2)
_QE_REPORT_CERTIFICATION: Final = 6
_DESCRIPTOR: Final = struct.Struct("<HI")  # type and size: before the body of v5, and before certification data
_HEADER: Final = struct.Struct("<HHIHH16s20s")
_SIGNATURE_HEAD: Final = struct.Struct("<I64s64s")  # size of what follows, signature, attestation key
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
        version, key_type, tee_type, qe_svn, pce_svn, vendor, user_data = _HEADER.unpack(data)
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
        return _HEADER.pack(
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

    # Equal certifications are equal; but what is remembered of one is looked up without reading all of it.
    __hash__ = object.__hash__

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
        header = _header(data[:HEADER_SIZE])
        body, end = _parse_body(header, data)
        if len(data) < end + _SIGNATURE_HEAD.size:
            raise _malformed("length", f"a signature needs {_SIGNATURE_HEAD.size} bytes at offset {end}, found fewer")
        size, signature, attestation_key = _SIGNATURE_HEAD.unpack_from(data, end)
        if end + 4 + size != len(data):
            suffix = "length" if end + 4 + size > len(data) else "trailing"
            raise _malformed(suffix, f"signature data says {size} bytes, {len(data) - end - 4} follow")
        certification = data[end + _SIGNATURE_HEAD.size :]
        if header.version > 3:
            certification = _inner_certification(certification)
        return cls(header, body, signature, attestation_key, _certification(certification))

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
        return HEADER_SIZE if self.header.version < 5 else HEADER_SIZE + _DESCRIPTOR.size

    @property
    def qe_offset(self) -> int:
        """Where the quoting enclave's report begins."""
        outer = 0 if self.header.version == 3 else _DESCRIPTOR.size
        return self.body_offset + _BODY_SIZES[self.body_type] + 4 + 64 + 64 + outer

    @property
    def body_type(self) -> BodyType:
        """The body's type in the numbering of v5."""
        if isinstance(self.body, ReportBody):
            return BodyType.SGX_ENCLAVE
        if self.body.extension is not None:
            return BodyType.TD_15_EX
        return BodyType.TD_10 if self.body.tee_tcb_svn2 is None else BodyType.TD_15


@lru_cache(maxsize=CERTIFICATIONS_CAP)
def _header(data: bytes) -> QuoteHeader:
    """Read a header once: it names the quoting enclave, and nothing of the quote."""
    return QuoteHeader.parse(data)


@lru_cache(maxsize=CERTIFICATIONS_CAP)
def _certification(data: bytes) -> QeCertification:
    """Read a certification once: it is the same in every quote of one quoting enclave."""
    return QeCertification.parse(data)


def span_of(what: str, offset: int, size: int) -> str:
    """Return a place in evidence, in words."""
    return f"{what} byte {offset}" if size == 1 else f"{what} bytes {offset} to {offset + size - 1}"


def _parse_body(header: QuoteHeader, data: bytes) -> tuple[ReportBody | TdReport, int]:
    """Return the body and where it ends."""
    begin, kind = HEADER_SIZE, BodyType.SGX_ENCLAVE if header.tee is Tee.SGX else BodyType.TD_10
    if header.version == 5:
        begin, kind = HEADER_SIZE + _DESCRIPTOR.size, _parse_descriptor(header, data)
    end = begin + _BODY_SIZES[kind]
    if len(data) < end:
        raise _malformed(
            "length", f"the body needs {end - begin} bytes at offset {begin}, {len(data) - begin} are left"
        )
    content = data[begin:end]
    return ReportBody.parse(content) if kind is BodyType.SGX_ENCLAVE else TdReport.parse(content), end


def _parse_descriptor(header: QuoteHeader, data: bytes) -> BodyType:
    if len(data) < HEADER_SIZE + _DESCRIPTOR.size:
        raise _malformed("length", f"the body's descriptor needs {_DESCRIPTOR.size} bytes at offset {HEADER_SIZE}")
    number, size = _DESCRIPTOR.unpack_from(data, HEADER_SIZE)
    if not BodyType.SGX_ENCLAVE <= number <= BodyType.TD_15_EX:
        raise _malformed("body_type", f"expected body type 1 to 4, found {number}")
    kind = BodyType(number)
    if size != _BODY_SIZES[kind] or (kind is BodyType.SGX_ENCLAVE) != (header.tee is Tee.SGX):
        raise _malformed("body_type", f"body type {number} of {size} bytes does not fit TEE {header.tee}")
    return kind


def _inner_certification(data: bytes) -> bytes:
    """Return the quoting enclave's certification out of the one that v4 and v5 wrap around it."""
    if len(data) < _DESCRIPTOR.size:
        raise _malformed("length", f"certification data needs {_DESCRIPTOR.size} bytes, {len(data)} are left")
    number, size = _DESCRIPTOR.unpack_from(data)
    if number != _QE_REPORT_CERTIFICATION:
        raise _malformed("certification_type", f"expected outer type 6, found {number}")
    if size != len(data) - _DESCRIPTOR.size:
        raise _malformed("length", f"certification data says {size} bytes, {len(data) - _DESCRIPTOR.size} are left")
    return data[_DESCRIPTOR.size :]


def _malformed(suffix: str, found: str) -> MalformedEvidence:
    return MalformedEvidence(f"dcap.quote.{suffix}", found, remedy=_REMEDY)
