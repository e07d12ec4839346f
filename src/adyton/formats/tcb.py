"""The vendor's signed documents: TCB info, and the identity of its quoting enclave.

Source: Intel SGX and TDX Provisioning Certification Service API v3 and v4.

Kept here: every time has a zone; component lists have exactly sixteen entries; unknown statuses are errors. Unknown
fields are left out, not refused: the vendor adds fields, and others cannot add any to what is signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

import msgspec

from adyton.formats.endorsement import Hex, decode, malformed, octets

_COMPONENTS: Final = 16

_Svn = Annotated[int, msgspec.Meta(ge=0, le=255)]
_WideSvn = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class TcbStatus(StrEnum):
    """Intel's words for the state of a trusted computing base (PCS API v4, `tcbStatus`; Intel QVL for TD relaunch)."""

    UP_TO_DATE = "UpToDate"
    SW_HARDENING_NEEDED = "SWHardeningNeeded"
    CONFIGURATION_NEEDED = "ConfigurationNeeded"
    CONFIGURATION_AND_SW_HARDENING_NEEDED = "ConfigurationAndSWHardeningNeeded"
    OUT_OF_DATE = "OutOfDate"
    OUT_OF_DATE_CONFIGURATION_NEEDED = "OutOfDateConfigurationNeeded"
    TD_RELAUNCH_ADVISED = "TDRelaunchAdvised"
    TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED = "TDRelaunchAdvisedConfigurationNeeded"
    REVOKED = "Revoked"


_IssuedStatus = Literal[
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "Revoked",
]


@dataclass(frozen=True, slots=True)
class TcbLevel:
    """One level of a platform's TCB: what it takes, and what it is worth.

    Attributes:
        sgx_components: The sixteen lowest SGX component versions.
        tdx_components: The sixteen lowest TDX component versions; None in TCB info for SGX.
        pce_svn: The lowest PCESVN.
        status: What a platform at this level is.
        date: TCB date, UTC.
        advisories: Security advisories that apply at this level.
    """

    sgx_components: tuple[int, ...]
    tdx_components: tuple[int, ...] | None
    pce_svn: int
    status: TcbStatus
    date: datetime
    advisories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SvnLevel:
    """One level of an enclave's or a TDX module's TCB.

    Attributes:
        isv_svn: The lowest security version.
        status: What an enclave at this level is.
        date: TCB date, UTC.
        advisories: Security advisories that apply at this level.
    """

    isv_svn: int
    status: TcbStatus
    date: datetime
    advisories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TdxModule:
    """What a TDX module has to be.

    Attributes:
        id: `TDX_xx` by major version, xx in hex; empty for the one identity of TCB info before versions.
        mr_signer: The module's signer, 48 bytes.
        attributes: The module's attributes, 8 bytes.
        attributes_mask: Which bits of them count, 8 bytes.
        levels: Levels by minor version, best first.
    """

    id: str
    mr_signer: bytes
    attributes: bytes
    attributes_mask: bytes
    levels: tuple[SvnLevel, ...]


@dataclass(frozen=True, slots=True)
class TcbInfo:
    """The vendor's word on a family of platforms.

    Attributes:
        id: `SGX` or `TDX`; version 2 does not name it and is for SGX.
        version: 2 or 3.
        issued: Issue date, UTC.
        next_update: When it ends to be valid, UTC.
        fmspc: The family, 6 bytes.
        pce_id: 2 bytes.
        evaluation_number: `tcbEvaluationDataNumber`.
        levels: The platform's levels, best first.
        module: The one TDX module identity; None for SGX.
        modules: TDX module identities by major version; empty for SGX and in older documents.
        content: The document.
    """

    id: str
    version: int
    issued: datetime
    next_update: datetime
    fmspc: bytes
    pce_id: bytes
    evaluation_number: int
    levels: tuple[TcbLevel, ...]
    module: TdxModule | None
    modules: tuple[TdxModule, ...]
    content: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a TCB info document.

        Raises:
            MalformedEvidence: `dcap.tcb_info.format`.
        """
        document = decode(data, _TcbInfo, "tcb_info")
        if (document.version == 2) != (document.id is None):
            raise malformed("tcb_info.format", "version 3 names SGX or TDX, and version 2 does not")
        return cls(
            id=document.id or "SGX",
            version=document.version,
            issued=document.issue_date,
            next_update=document.next_update,
            fmspc=octets(document.fmspc, 6, "tcb_info.format"),
            pce_id=octets(document.pce_id, 2, "tcb_info.format"),
            evaluation_number=document.tcb_evaluation_data_number,
            levels=tuple(_tcb_level(level, document) for level in document.tcb_levels),
            module=None if document.tdx_module is None else _module(document.tdx_module),
            modules=tuple(_module(module) for module in document.tdx_module_identities),
            content=data,
        )

    def component_kinds(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what the SGX and the TDX components are, in the vendor's words: `BIOS`, `Early Microcode Update`.

        The document is read again for it: only an explanation asks. Empty where the document does not say.
        """
        if not self.content:
            return (), ()
        tcb = decode(self.content, _Described, "tcb_info").tcb_levels[0].tcb
        sgx, tdx = (
            tuple(part.type or part.category for part in parts)
            for parts in (tcb.sgxtcbcomponents, tcb.tdxtcbcomponents)
        )
        return sgx, tdx


@dataclass(frozen=True, slots=True)
class QeIdentity:
    """The vendor's word on its quoting enclave.

    Attributes:
        id: `QE` for SGX, `TD_QE` for TDX.
        version: 2.
        issued: Issue date, UTC.
        next_update: When it ends to be valid, UTC.
        evaluation_number: `tcbEvaluationDataNumber`.
        misc_select: 4 bytes, as in a report.
        misc_select_mask: Which bits of it count.
        attributes: 16 bytes, as in a report.
        attributes_mask: Which bits of them count.
        mr_signer: The quoting enclave's signer, 32 bytes.
        isv_prod_id: Its product.
        levels: Levels by ISVSVN, best first.
    """

    id: str
    version: int
    issued: datetime
    next_update: datetime
    evaluation_number: int
    misc_select: bytes
    misc_select_mask: bytes
    attributes: bytes
    attributes_mask: bytes
    mr_signer: bytes
    isv_prod_id: int
    levels: tuple[SvnLevel, ...]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read an enclave identity document.

        Raises:
            MalformedEvidence: `dcap.qe_identity.format`.
        """
        code = "qe_identity.format"
        document = decode(data, _QeIdentity, "qe_identity")
        return cls(
            id=document.id,
            version=document.version,
            issued=document.issue_date,
            next_update=document.next_update,
            evaluation_number=document.tcb_evaluation_data_number,
            misc_select=octets(document.miscselect, 4, code),
            misc_select_mask=octets(document.miscselect_mask, 4, code),
            attributes=octets(document.attributes, 16, code),
            attributes_mask=octets(document.attributes_mask, 16, code),
            mr_signer=octets(document.mrsigner, 32, code),
            isv_prod_id=document.isvprodid,
            levels=tuple(_svn_level(level) for level in document.tcb_levels),
        )


# The documents' own spelling of their fields.


class _Component(msgspec.Struct, frozen=True):
    svn: _Svn


class _PlatformTcb(msgspec.Struct, frozen=True):
    pcesvn: _WideSvn
    sgxtcbcomponents: tuple[_Component, ...] | None = None
    tdxtcbcomponents: tuple[_Component, ...] | None = None
    sgxtcbcomp01svn: _Svn | None = None
    sgxtcbcomp02svn: _Svn | None = None
    sgxtcbcomp03svn: _Svn | None = None
    sgxtcbcomp04svn: _Svn | None = None
    sgxtcbcomp05svn: _Svn | None = None
    sgxtcbcomp06svn: _Svn | None = None
    sgxtcbcomp07svn: _Svn | None = None
    sgxtcbcomp08svn: _Svn | None = None
    sgxtcbcomp09svn: _Svn | None = None
    sgxtcbcomp10svn: _Svn | None = None
    sgxtcbcomp11svn: _Svn | None = None
    sgxtcbcomp12svn: _Svn | None = None
    sgxtcbcomp13svn: _Svn | None = None
    sgxtcbcomp14svn: _Svn | None = None
    sgxtcbcomp15svn: _Svn | None = None
    sgxtcbcomp16svn: _Svn | None = None


class _DescribedComponent(msgspec.Struct, frozen=True):
    category: str = ""
    type: str = ""


class _DescribedTcb(msgspec.Struct, frozen=True):
    sgxtcbcomponents: tuple[_DescribedComponent, ...] = ()
    tdxtcbcomponents: tuple[_DescribedComponent, ...] = ()


class _DescribedLevel(msgspec.Struct, frozen=True):
    tcb: _DescribedTcb


class _Described(msgspec.Struct, frozen=True, rename="camel"):
    tcb_levels: Annotated[tuple[_DescribedLevel, ...], msgspec.Meta(min_length=1)]


class _PlatformLevel(msgspec.Struct, frozen=True, rename="camel"):
    tcb: _PlatformTcb
    tcb_date: _Time
    tcb_status: _IssuedStatus
    advisory_ids: tuple[str, ...] = msgspec.field(default=(), name="advisoryIDs")


class _EnclaveTcb(msgspec.Struct, frozen=True):
    isvsvn: _WideSvn


class _EnclaveLevel(msgspec.Struct, frozen=True, rename="camel"):
    tcb: _EnclaveTcb
    tcb_date: _Time
    tcb_status: _IssuedStatus
    advisory_ids: tuple[str, ...] = msgspec.field(default=(), name="advisoryIDs")


class _Module(msgspec.Struct, frozen=True, rename="camel"):
    mrsigner: Hex
    attributes: Hex
    attributes_mask: Hex
    id: str = ""
    tcb_levels: tuple[_EnclaveLevel, ...] = ()


class _TcbInfo(msgspec.Struct, frozen=True, rename="camel"):
    version: Literal[2, 3]
    issue_date: _Time
    next_update: _Time
    fmspc: Hex
    pce_id: Hex
    tcb_evaluation_data_number: Annotated[int, msgspec.Meta(ge=0)]
    tcb_levels: Annotated[tuple[_PlatformLevel, ...], msgspec.Meta(min_length=1)]
    id: Literal["SGX", "TDX"] | None = None
    tdx_module: _Module | None = None
    tdx_module_identities: tuple[_Module, ...] = ()


class _QeIdentity(msgspec.Struct, frozen=True, rename="camel"):
    id: Literal["QE", "TD_QE"]
    version: Literal[2]
    issue_date: _Time
    next_update: _Time
    tcb_evaluation_data_number: Annotated[int, msgspec.Meta(ge=0)]
    miscselect: Hex
    miscselect_mask: Hex
    attributes: Hex
    attributes_mask: Hex
    mrsigner: Hex
    isvprodid: _WideSvn
    tcb_levels: Annotated[tuple[_EnclaveLevel, ...], msgspec.Meta(min_length=1)]


def _tcb_level(level: _PlatformLevel, document: _TcbInfo) -> TcbLevel:
    sgx = _named_components(level.tcb) if document.version == 2 else _components(level.tcb.sgxtcbcomponents, "SGX")
    tdx = _components(level.tcb.tdxtcbcomponents, "TDX") if document.id == "TDX" else None
    status = TcbStatus(level.tcb_status)
    return TcbLevel(sgx, tdx, level.tcb.pcesvn, status, level.tcb_date, level.advisory_ids)


def _components(components: tuple[_Component, ...] | None, what: str) -> tuple[int, ...]:
    if components is None or len(components) != _COMPONENTS:
        found = 0 if components is None else len(components)
        raise malformed("tcb_info.format", f"expected {_COMPONENTS} {what} components in a TCB level, found {found}")
    return tuple([component.svn for component in components])


def _named_components(tcb: _PlatformTcb) -> tuple[int, ...]:
    named = [getattr(tcb, f"sgxtcbcomp{number:02}svn") for number in range(1, _COMPONENTS + 1)]
    if None in named:
        raise malformed("tcb_info.format", f"expected {_COMPONENTS} named components in a TCB level")
    return tuple(named)


def _svn_level(level: _EnclaveLevel) -> SvnLevel:
    return SvnLevel(level.tcb.isvsvn, TcbStatus(level.tcb_status), level.tcb_date, level.advisory_ids)


def _module(module: _Module) -> TdxModule:
    code = "tcb_info.format"
    return TdxModule(
        module.id,
        octets(module.mrsigner, 48, code),
        octets(module.attributes, 8, code),
        octets(module.attributes_mask, 8, code),
        tuple(_svn_level(level) for level in module.tcb_levels),
    )
