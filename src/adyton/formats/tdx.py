"""The TD report body: what a TDX quote signs about a trust domain.

Source: Intel TDX DCAP Quoting Library API, appendix A.3 (quote v4 and v5 bodies). TDX 1.0 bodies are 584 bytes; TDX 1.5
bodies add TEE_TCB_SVN_2 and MRSERVICETD and are 648 bytes; the extended 1.5 bodies add what the trust domain was first
launched on and which service trust domain is bound now, and are 885 bytes (Intel QVL `QuoteStructures.h`, 2026-07).

Kept here: exact lengths; `TdReport.parse(data).to_bytes() == data`. Attribute bits are kept as found: which of them may
be set is policy's to say.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntFlag
from typing import Final, Self

from adyton.formats.cursor import Cursor

TD_REPORT_10_SIZE: Final = 584
TD_REPORT_15_SIZE: Final = 648
TD_REPORT_15_EX_SIZE: Final = 885


TD_REPORT_SPANS: Final = {
    "tee_tcb_svn": (0, 16), "mr_seam": (16, 48), "mr_signer_seam": (64, 48), "seam_attributes": (112, 8),
    "td_attributes": (120, 8), "xfam": (128, 8), "mr_td": (136, 48), "mr_config_id": (184, 48), "mr_owner": (232, 48),
    "mr_owner_config": (280, 48), "rtmr0": (328, 48), "rtmr1": (376, 48), "rtmr2": (424, 48), "rtmr3": (472, 48),
    "report_data": (520, 64), "tee_tcb_svn2": (584, 16), "mr_service_td": (600, 48),
}  # fmt: skip
"""Where fields stand in a TD report body: offset and size, bytes."""


class TdAttributes(IntFlag):
    """TDATTRIBUTES (Intel TDX Module Base Architecture Specification, TD attributes)."""

    DEBUG = 1 << 0
    HGS_PLUS_PROF = 1 << 4
    PERF_PROF = 1 << 5
    PMT_PROF = 1 << 6
    ICSSD = 1 << 16
    LASS = 1 << 27
    SEPT_VE_DISABLE = 1 << 28
    MIGRATABLE = 1 << 29
    PKS = 1 << 30
    KL = 1 << 31
    TPA = 1 << 62
    PERFMON = 1 << 63


# In the order of the class below.
_EXTENSION: Final = struct.Struct("<B 32s 48s 48s Q 16s 16s 12s 48s Q")


@dataclass(frozen=True, slots=True)
class TdReportExtension:
    """What an extended TDX 1.5 body adds: 237 bytes.

    Attributes:
        vmid: Which of a trust domain's virtual machines made the report; 0 unless it is partitioned.
        td_id: The trust domain's identifier, 32 bytes.
        dev_info: What devices are bound, 48 bytes.
        init_service_td_hash: Service trust domains that were bound at first launch, 48 bytes.
        init_service_td_attributes: Their attributes, 64 bits.
        init_cpu_svn: CPUSVN of the platform of first launch, 16 bytes.
        init_tee_tcb_svn: Security versions of its TDX module, 16 bytes.
        init_tee_fmspc: Its family, 12 bytes.
        cur_service_td_hash: Service trust domains that are bound now, 48 bytes.
        cur_service_td_attributes: Their attributes, 64 bits.
    """

    vmid: int
    td_id: bytes
    dev_info: bytes
    init_service_td_hash: bytes
    init_service_td_attributes: int
    init_cpu_svn: bytes
    init_tee_tcb_svn: bytes
    init_tee_fmspc: bytes
    cur_service_td_hash: bytes
    cur_service_td_attributes: int

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the 237 bytes.

        Raises:
            MalformedEvidence: `tdx.report.length`.
        """
        if len(data) != _EXTENSION.size:
            cursor = Cursor(data, code="tdx.report", what="TD report extension")
            raise cursor.malformed("length", f"expected {_EXTENSION.size} bytes, found {len(data)}")
        return cls(*_EXTENSION.unpack(data))

    def to_bytes(self) -> bytes:
        """Return the 237 bytes."""
        return _EXTENSION.pack(*(getattr(self, name) for name in self.__slots__))

    @property
    def binds_service_td(self) -> bool:
        """Whether a service trust domain is, or was at first launch, bound to this one."""
        return any(self.init_service_td_hash) or any(self.cur_service_td_hash)


@dataclass(frozen=True, slots=True)
class TdReport:
    """What the TDX module says about a trust domain.

    Attributes:
        tee_tcb_svn: Security versions of the TDX module and its components at launch, 16 bytes.
        mr_seam: Measurement of the TDX module, 48 bytes.
        mr_signer_seam: Signer of the TDX module, 48 bytes; zero for Intel.
        seam_attributes: Attributes of the TDX module, 64 bits.
        td_attributes: Bits of `TdAttributes`.
        xfam: Extended features that the trust domain may use.
        mr_td: Measurement of the initial contents, 48 bytes.
        mr_config_id: Configuration that is not the owner's, 48 bytes.
        mr_owner: Owner of the trust domain, 48 bytes.
        mr_owner_config: Configuration by the owner, 48 bytes.
        rtmrs: The four runtime measurement registers, 48 bytes each.
        report_data: 64 bytes that the trust domain chose.
        tee_tcb_svn2: Security versions now, 16 bytes; None in a TDX 1.0 body.
        mr_service_td: Measurement of bound service trust domains, 48 bytes; None in a TDX 1.0 body.
        extension: What an extended TDX 1.5 body adds; None in the others.
    """

    tee_tcb_svn: bytes
    mr_seam: bytes
    mr_signer_seam: bytes
    seam_attributes: int
    td_attributes: int
    xfam: int
    mr_td: bytes
    mr_config_id: bytes
    mr_owner: bytes
    mr_owner_config: bytes
    rtmrs: tuple[bytes, bytes, bytes, bytes]
    report_data: bytes
    tee_tcb_svn2: bytes | None = None
    mr_service_td: bytes | None = None
    extension: TdReportExtension | None = None

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a TDX 1.0, 1.5 or extended 1.5 body; its length tells which.

        Raises:
            MalformedEvidence: `tdx.report.length` unless 584, 648 or 885 bytes.
        """
        cursor = Cursor(data, code="tdx.report", what="TD report body")
        if len(data) not in (TD_REPORT_10_SIZE, TD_REPORT_15_SIZE, TD_REPORT_15_EX_SIZE):
            raise cursor.malformed("length", f"expected 584, 648 or 885 bytes, found {len(data)}")
        take = cursor.take
        tee_tcb_svn, mr_seam, mr_signer_seam = take(16, "TEE_TCB_SVN"), take(48, "MRSEAM"), take(48, "MRSIGNERSEAM")
        seam, attributes, xfam = struct.unpack("<QQQ", take(24, "SEAMATTRIBUTES, TDATTRIBUTES and XFAM"))
        mr_td, mr_config_id = take(48, "MRTD"), take(48, "MRCONFIGID")
        mr_owner, mr_owner_config = take(48, "MROWNER"), take(48, "MROWNERCONFIG")
        rtmrs = (take(48, "RTMR0"), take(48, "RTMR1"), take(48, "RTMR2"), take(48, "RTMR3"))
        report_data = take(64, "REPORTDATA")
        later = cursor.left > 0
        return cls(
            tee_tcb_svn,
            mr_seam,
            mr_signer_seam,
            seam,
            attributes,
            xfam,
            mr_td,
            mr_config_id,
            mr_owner,
            mr_owner_config,
            rtmrs,
            report_data,
            take(16, "TEE_TCB_SVN_2") if later else None,
            take(48, "MRSERVICETD") if later else None,
            TdReportExtension.parse(cursor.rest()) if cursor.left else None,
        )

    def to_bytes(self) -> bytes:
        """Return the 584, 648 or 885 bytes."""
        return b"".join(
            (
                self.tee_tcb_svn,
                self.mr_seam,
                self.mr_signer_seam,
                struct.pack("<QQQ", self.seam_attributes, self.td_attributes, self.xfam),
                self.mr_td,
                self.mr_config_id,
                self.mr_owner,
                self.mr_owner_config,
                *self.rtmrs,
                self.report_data,
                self.tee_tcb_svn2 or b"",
                self.mr_service_td or b"",
                b"" if self.extension is None else self.extension.to_bytes(),
            )
        )

    @property
    def debug(self) -> bool:
        """Whether the host may read and write the trust domain's memory."""
        return bool(self.td_attributes & TdAttributes.DEBUG)
