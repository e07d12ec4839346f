"""What the SGX processor instructions read and write: attributes, report, target information, key request.

Sources: Intel SDM Vol. 3D chapter 38 (data structures) and 39 (EREPORT, EGETKEY); names are Intel's in snake case.

Kept here: exact lengths; reserved bytes are zero; `X.parse(data).to_bytes() == data`. The report body's reserved areas
carry nothing in any processor that Intel has shipped, so a set byte there is not evidence that this code understands.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Final, Self

from adyton.errors import MalformedEvidence
from adyton.formats.cursor import Cursor

REPORT_BODY_SIZE: Final = 384
REPORT_SIZE: Final = 432
TARGET_INFO_SIZE: Final = 512
KEY_REQUEST_SIZE: Final = 512
REPORT_DATA_SIZE: Final = 64

# In order: CPUSVN, MISCSELECT, reserved, ISVEXTPRODID, ATTRIBUTES as FLAGS and XFRM, MRENCLAVE, reserved, MRSIGNER,
# reserved, CONFIGID, ISVPRODID, ISVSVN, CONFIGSVN, reserved, ISVFAMILYID, REPORTDATA (SDM Vol. 3D table 38-21).
_REPORT_BODY: Final = struct.Struct("<16s I 12s 16s Q Q 32s 32s 32s 32s 64s H H H 42s 16s 64s")
_REPORT_BODY_RESERVED: Final = (bytes(12), bytes(32), bytes(32), bytes(42))


REPORT_BODY_SPANS: Final = {
    "cpu_svn": (0, 16), "isv_ext_prod_id": (32, 16), "attributes": (48, 16), "mr_enclave": (64, 32),
    "mr_signer": (128, 32), "config_id": (192, 64), "isv_prod_id": (256, 2), "isv_svn": (258, 2),
    "config_svn": (260, 2), "isv_family_id": (304, 16), "report_data": (320, 64),
}  # fmt: skip
"""Where fields stand in a report body: offset and size, bytes."""


class AttributeFlags(IntFlag):
    """ATTRIBUTES.FLAGS, bits 0 to 63 (SDM Vol. 3D table 38-3)."""

    INIT = 1 << 0
    DEBUG = 1 << 1
    MODE64BIT = 1 << 2
    PROVISION_KEY = 1 << 4
    EINITTOKEN_KEY = 1 << 5
    CET = 1 << 6
    KSS = 1 << 7
    AEX_NOTIFY = 1 << 10


_DEBUG: Final = int(AttributeFlags.DEBUG)  # a plain number: an enumeration's operators cost a warm appraisal 1 %


@dataclass(frozen=True, slots=True)
class Attributes:
    """An enclave's attributes: 16 bytes.

    Attributes:
        flags: Bits of `AttributeFlags`; unknown bits are kept.
        xfrm: Extended processor features that the enclave may use (as XCR0).
    """

    flags: int
    xfrm: int

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read 16 bytes.

        Raises:
            MalformedEvidence: `sgx.attributes.length`.
        """
        cursor = Cursor(data, code="sgx.attributes", what="SGX attributes")
        attributes = cls(cursor.uint(8, "FLAGS"), cursor.uint(8, "XFRM"))
        cursor.finish()
        return attributes

    def to_bytes(self) -> bytes:
        """Return the 16 bytes."""
        return struct.pack("<QQ", self.flags, self.xfrm)

    @property
    def debug(self) -> bool:
        """Whether the host may read and write the enclave's memory (EDBGRD, EDBGWR)."""
        return self.flags & _DEBUG != 0


@dataclass(frozen=True, slots=True)
class ReportBody:
    """What the processor says about an enclave: the 384 bytes that a report authenticates and a quote signs.

    Attributes:
        cpu_svn: Security version of the processor: 16 bytes, one a component.
        misc_select: Extended features of the state save area, 32 bits.
        isv_ext_prod_id: Extended product id, 16 bytes (zero without KSS).
        attributes: Enclave attributes; `DEBUG` lets the host read its memory.
        mr_enclave: SHA-256 of how the enclave's pages were built, 32 bytes.
        mr_signer: SHA-256 of the modulus that signed it, 32 bytes.
        config_id: 64 bytes that the launcher chose (zero without KSS).
        isv_prod_id: Product number, 16 bits, chosen by the signer.
        isv_svn: Security version of the enclave, 16 bits, chosen by the signer.
        config_svn: Security version of `config_id`, 16 bits.
        isv_family_id: Product family, 16 bytes.
        report_data: 64 bytes that the enclave chose, such as a digest of its key and a nonce.
    """

    cpu_svn: bytes
    misc_select: int
    isv_ext_prod_id: bytes
    attributes: Attributes
    mr_enclave: bytes
    mr_signer: bytes
    config_id: bytes
    isv_prod_id: int
    isv_svn: int
    config_svn: int
    isv_family_id: bytes
    report_data: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a report body.

        Raises:
            MalformedEvidence: `sgx.report.length` or `sgx.report.trailing` unless exactly 384 bytes;
                `sgx.report.reserved` if a reserved byte is set.
        """
        if len(data) != REPORT_BODY_SIZE:
            suffix = "length" if len(data) < REPORT_BODY_SIZE else "trailing"
            raise _malformed_report(suffix, f"expected {REPORT_BODY_SIZE} bytes, found {len(data)}")
        (
            cpu_svn, misc_select, reserved1, isv_ext_prod_id, flags, xfrm, mr_enclave, reserved2, mr_signer, reserved3,
            config_id, isv_prod_id, isv_svn, config_svn, reserved4, isv_family_id, report_data,
        ) = _REPORT_BODY.unpack(data)  # fmt: skip
        if (reserved1, reserved2, reserved3, reserved4) != _REPORT_BODY_RESERVED:
            raise _malformed_report("reserved", "the reserved areas have to be zero, and are not")
        return cls(
            cpu_svn,
            misc_select,
            isv_ext_prod_id,
            Attributes(flags, xfrm),
            mr_enclave,
            mr_signer,
            config_id,
            isv_prod_id,
            isv_svn,
            config_svn,
            isv_family_id,
            report_data,
        )

    def to_bytes(self) -> bytes:
        """Return the 384 bytes."""
        reserved1, reserved2, reserved3, reserved4 = _REPORT_BODY_RESERVED
        return _REPORT_BODY.pack(
            self.cpu_svn, self.misc_select, reserved1, self.isv_ext_prod_id, self.attributes.flags,
            self.attributes.xfrm, self.mr_enclave, reserved2, self.mr_signer, reserved3, self.config_id,
            self.isv_prod_id, self.isv_svn, self.config_svn, reserved4, self.isv_family_id, self.report_data,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """What EREPORT writes: a body, and a MAC that only the target enclave's report key verifies; 432 bytes.

    Attributes:
        body: What the processor says about the enclave.
        key_id: Wear-out value of the report key, 32 bytes.
        mac: AES-128-CMAC over the body, 16 bytes.
    """

    body: ReportBody
    key_id: bytes
    mac: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a report.

        Raises:
            MalformedEvidence: `sgx.report.length`, `sgx.report.trailing`, `sgx.report.reserved`.
        """
        cursor = Cursor(data, code="sgx.report", what="SGX report")
        body = ReportBody.parse(cursor.take(REPORT_BODY_SIZE, "the body"))
        report = cls(body, cursor.take(32, "KEYID"), cursor.take(16, "MAC"))
        cursor.finish()
        return report

    def to_bytes(self) -> bytes:
        """Return the 432 bytes."""
        return self.body.to_bytes() + self.key_id + self.mac


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """Whom a report is for: what EREPORT needs to derive the target's report key; 512 bytes.

    Attributes:
        mr_enclave: The target's measurement, 32 bytes.
        attributes: The target's attributes.
        config_svn: The target's CONFIGSVN.
        misc_select: The target's MISCSELECT.
        config_id: The target's CONFIGID, 64 bytes.
    """

    mr_enclave: bytes
    attributes: Attributes
    config_svn: int = 0
    misc_select: int = 0
    config_id: bytes = field(default=bytes(64))

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read target information.

        Raises:
            MalformedEvidence: `sgx.target_info.length`, `.trailing`, `.reserved`.
        """
        cursor = Cursor(data, code="sgx.target_info", what="SGX target information")
        mr_enclave = cursor.take(32, "MEASUREMENT")
        attributes = Attributes.parse(cursor.take(16, "ATTRIBUTES"))
        cursor.zeros(2, "the reserved area after ATTRIBUTES")
        config_svn = cursor.uint(2, "CONFIGSVN")
        misc_select = cursor.uint(4, "MISCSELECT")
        cursor.zeros(8, "the reserved area after MISCSELECT")
        config_id = cursor.take(64, "CONFIGID")
        cursor.zeros(384, "the reserved area after CONFIGID")
        cursor.finish()
        return cls(mr_enclave, attributes, config_svn, misc_select, config_id)

    def to_bytes(self) -> bytes:
        """Return the 512 bytes."""
        middle = struct.pack("<2xHI8x", self.config_svn, self.misc_select)
        return self.mr_enclave + self.attributes.to_bytes() + middle + self.config_id + bytes(384)


class KeyName(IntEnum):
    """Which key EGETKEY derives (SDM Vol. 3D table 38-22)."""

    EINITTOKEN = 0
    PROVISION = 1
    PROVISION_SEAL = 2
    REPORT = 3
    SEAL = 4


class KeyPolicy(IntFlag):
    """What a seal key is bound to (SDM Vol. 3D table 38-23)."""

    MRENCLAVE = 0x01
    MRSIGNER = 0x02
    NOISVPRODID = 0x04
    CONFIGID = 0x08
    ISVFAMILYID = 0x10
    ISVEXTPRODID = 0x20


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """What an enclave hands to EGETKEY: 512 bytes.

    Attributes:
        key_name: Which key.
        key_policy: What it is bound to; only seal keys read it.
        isv_svn: Security version of the key: at most the enclave's own.
        cpu_svn: Processor version of the key: at most the processor's own; 16 bytes.
        attribute_mask: Which attributes the key depends on.
        key_id: Wear-out value, 32 bytes.
        misc_mask: Which bits of MISCSELECT the key depends on.
        config_svn: Security version of CONFIGID: at most the enclave's own.
    """

    key_name: KeyName
    key_policy: int
    isv_svn: int
    cpu_svn: bytes
    attribute_mask: Attributes
    key_id: bytes
    misc_mask: int = 0
    config_svn: int = 0

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a key request.

        Raises:
            MalformedEvidence: `sgx.key_request.length`, `.trailing`, `.reserved`, `.key_name`.
        """
        cursor = Cursor(data, code="sgx.key_request", what="SGX key request")
        name = cursor.uint(2, "KEYNAME")
        if name > KeyName.SEAL:
            raise cursor.malformed("key_name", f"KEYNAME is 0 to 4, found {name}")
        policy = cursor.uint(2, "KEYPOLICY")
        isv_svn = cursor.uint(2, "ISVSVN")
        cursor.zeros(2, "the reserved area after ISVSVN")
        cpu_svn = cursor.take(16, "CPUSVN")
        mask = Attributes.parse(cursor.take(16, "ATTRIBUTEMASK"))
        key_id = cursor.take(32, "KEYID")
        misc_mask = cursor.uint(4, "MISCMASK")
        config_svn = cursor.uint(2, "CONFIGSVN")
        cursor.zeros(434, "the reserved area after CONFIGSVN")
        cursor.finish()
        return cls(KeyName(name), policy, isv_svn, cpu_svn, mask, key_id, misc_mask, config_svn)

    def to_bytes(self) -> bytes:
        """Return the 512 bytes."""
        head = struct.pack("<HHH2x", self.key_name, self.key_policy, self.isv_svn)
        tail = struct.pack("<IH434x", self.misc_mask, self.config_svn)
        return head + self.cpu_svn + self.attribute_mask.to_bytes() + self.key_id + tail


def _malformed_report(suffix: str, found: str) -> MalformedEvidence:
    return MalformedEvidence(
        f"sgx.report.{suffix}", f"SGX report body: {found}", remedy="check that the whole file was copied, unchanged"
    )
