"""Endorsements that a simulated vendor issues, in Intel's own formats (PCS API v3 and v4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from adyton.forge.vendor import Vendor
from adyton.formats.collateral import Collateral
from adyton.formats.sgx import Attributes, ReportBody

_ATTRIBUTES_MASK: Final = bytes.fromhex("fbffffffffffffff0000000000000000")


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when an endorsement is valid.

    Attributes:
        issued: Issue date, UTC.
        life: How long it is valid.
    """

    issued: datetime
    life: timedelta = timedelta(days=30)

    @property
    def expires(self) -> datetime:
        """When it ends to be valid."""
        return self.issued + self.life


@dataclass(frozen=True, slots=True)
class Level:
    """One TCB level.

    Attributes:
        svn: The lowest version: sixteen components for a platform, one ISVSVN for an enclave.
        status: Intel's word.
        date: TCB date.
        advisories: Advisories that apply.
        pce_svn: The lowest PCESVN of a platform's level.
        tdx_svn: The lowest sixteen TDX component versions of a platform's level; empty for SGX.
    """

    svn: Sequence[int]
    status: str = "UpToDate"
    date: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    advisories: Sequence[str] = ()
    pce_svn: int = 0
    tdx_svn: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class QeFacts:
    """What a quoting enclave is.

    Attributes:
        mr_signer: Its signer, 32 bytes.
        isv_prod_id: Its product.
        attributes: Its attributes.
    """

    mr_signer: bytes
    isv_prod_id: int
    attributes: Attributes

    @classmethod
    def of(cls, report: ReportBody) -> QeFacts:
        """Read them from the quoting enclave's report."""
        return cls(report.mr_signer, report.isv_prod_id, report.attributes)


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """What a TDX module is.

    Attributes:
        version: Its major version, TEE_TCB_SVN[1]; 0 is the module of TCB info before versions, which has no levels.
        levels: Its levels, best first.
        mr_signer: Its signer, 48 bytes; zero for Intel.
        attributes: Its attributes, 8 bytes.
    """

    version: int
    levels: Sequence[Level] = ()
    mr_signer: bytes = bytes(48)
    attributes: bytes = bytes(8)


def tcb_info(
    fmspc: bytes,
    levels: Iterable[Level],
    validity: Validity,
    *,
    evaluation_number: int = 1,
    pce_id: bytes = bytes(2),
    version: int = 3,
    modules: Sequence[ModuleFacts] = (),
) -> bytes:
    """Return TCB info, ready to be signed.

    Args:
        fmspc: The platform family, 6 bytes.
        levels: The platform's levels, best first.
        validity: Its dates.
        evaluation_number: `tcbEvaluationDataNumber`.
        pce_id: 2 bytes.
        version: 2 (SGX only) or 3.
        modules: TDX modules; any makes it TCB info for TDX.
    """
    named = {} if version == 2 else {"id": "TDX" if modules else "SGX"}
    document = {
        **named,
        "version": version,
        **_dates(validity),
        "fmspc": fmspc.hex().upper(),
        "pceId": pce_id.hex().upper(),
        "tcbType": 0,
        "tcbEvaluationDataNumber": evaluation_number,
        **_modules(modules),
        "tcbLevels": [{"tcb": _platform_tcb(level, version), **_worth(level)} for level in levels],
    }
    return msgspec.json.encode(document)


def qe_identity(
    qe: QeFacts, levels: Iterable[Level], validity: Validity, *, evaluation_number: int = 1, kind: str = "QE"
) -> bytes:
    """Return a quoting enclave's identity version 2, ready to be signed; `kind` is `QE`, or `TD_QE` for TDX."""
    attributes = qe.attributes.to_bytes()
    document = {
        "id": kind,
        "version": 2,
        **_dates(validity),
        "tcbEvaluationDataNumber": evaluation_number,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        # As Intel has it: only bits under the mask, because its library compares them with no further mask.
        "attributes": bytes(byte & bits for byte, bits in zip(attributes, _ATTRIBUTES_MASK, strict=True)).hex().upper(),
        "attributesMask": _ATTRIBUTES_MASK.hex().upper(),
        "mrsigner": qe.mr_signer.hex().upper(),
        "isvprodid": qe.isv_prod_id,
        "tcbLevels": _enclave_levels(levels),
    }
    return msgspec.json.encode(document)


def collateral(
    vendor: Vendor,
    info: bytes,
    identity: bytes,
    validity: Validity,
    *,
    pck_crl_validity: Validity | None = None,
    revoked_by_root: Iterable[int] = (),
    revoked_by_pck_ca: Iterable[int] = (),
    crl_number: int = 1,
) -> Collateral:
    """Return a vendor's endorsements: signed documents and revocation lists, both of one validity unless told."""
    pck = pck_crl_validity or validity
    return Collateral(
        tcb_info=info,
        tcb_info_signature=vendor.sign(info),
        tcb_info_chain=vendor.tcb_chain,
        qe_identity=identity,
        qe_identity_signature=vendor.sign(identity),
        qe_identity_chain=vendor.tcb_chain,
        root_crl=vendor.root_crl(validity.issued, validity.expires, number=crl_number, revoked=revoked_by_root),
        pck_crl=vendor.pck_crl(pck.issued, pck.expires, number=crl_number, revoked=revoked_by_pck_ca),
        pck_crl_chain=vendor.pck_crl_chain,
    )


def _platform_tcb(level: Level, version: int) -> dict[str, object]:
    if version == 2:
        named = {f"sgxtcbcomp{number:02}svn": svn for number, svn in enumerate(level.svn, 1)}
        return {**named, "pcesvn": level.pce_svn}
    tdx = {"tdxtcbcomponents": _components(level.tdx_svn)} if level.tdx_svn else {}
    return {"sgxtcbcomponents": _components(level.svn), **tdx, "pcesvn": level.pce_svn}


def _components(svns: Sequence[int]) -> list[dict[str, int]]:
    return [{"svn": svn} for svn in svns]


def _modules(modules: Sequence[ModuleFacts]) -> dict[str, object]:
    first = [_module(module) for module in modules if module.version == 0]
    later = [
        {"id": f"TDX_{module.version:02X}", **_module(module), "tcbLevels": _enclave_levels(module.levels)}
        for module in modules
        if module.version
    ]
    return ({"tdxModule": first[0]} if first else {}) | ({"tdxModuleIdentities": later} if later else {})


def _module(module: ModuleFacts) -> dict[str, object]:
    return {
        "mrsigner": module.mr_signer.hex().upper(),
        "attributes": module.attributes.hex().upper(),
        "attributesMask": "FF" * 8,
    }


def _enclave_levels(levels: Iterable[Level]) -> list[dict[str, object]]:
    return [{"tcb": {"isvsvn": level.svn[0]}, **_worth(level)} for level in levels]


def _dates(validity: Validity) -> dict[str, str]:
    return {"issueDate": _time(validity.issued), "nextUpdate": _time(validity.expires)}


def _worth(level: Level) -> dict[str, object]:
    worth: dict[str, object] = {"tcbDate": _time(level.date), "tcbStatus": level.status}
    if level.advisories:
        worth["advisoryIDs"] = list(level.advisories)
    return worth


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
