"""Endorsements that a simulated vendor issues, in Intel's own formats (PCS API v4)."""

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
        tdx: The lowest versions of the sixteen TDX components; zeros if it is left out.
    """

    svn: Sequence[int]
    status: str = "UpToDate"
    date: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    advisories: Sequence[str] = ()
    pce_svn: int = 0
    tdx: Sequence[int] = (0,) * 16


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """What a TDX module is.

    Attributes:
        version: Its major version; 0 for the one identity of documents before versions.
        levels: Levels by minor version, best first.
        mr_signer: Its signer, 48 bytes; zero for Intel.
        attributes: Its attributes, 8 bytes.
    """

    version: int = 0
    levels: Sequence[Level] = ()
    mr_signer: bytes = bytes(48)
    attributes: bytes = bytes(8)


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


def tcb_info(
    fmspc: bytes,
    levels: Iterable[Level],
    validity: Validity,
    *,
    evaluation_number: int = 1,
    pce_id: bytes = bytes(2),
    modules: Sequence[ModuleFacts] = (),
    version: int = 3,
) -> bytes:
    """Return TCB info, ready to be signed.

    Args:
        fmspc: The platform family, 6 bytes.
        levels: TCB levels, best first.
        validity: Its dates.
        evaluation_number: `tcbEvaluationDataNumber`.
        pce_id: 2 bytes.
        modules: TDX modules; with any, the document is for TDX.
        version: 3; or 2, which is for SGX and does not name it.
    """
    document = {
        **({} if version == 2 else {"id": "TDX" if modules else "SGX"}),
        "version": version,
        **_dates(validity),
        "fmspc": fmspc.hex().upper(),
        "pceId": pce_id.hex().upper(),
        "tcbType": 0,
        "tcbEvaluationDataNumber": evaluation_number,
        **_modules(modules),
        "tcbLevels": [{"tcb": _components(level, version, tdx=bool(modules)), **_worth(level)} for level in levels],
    }
    return msgspec.json.encode(document)


def _components(level: Level, version: int, *, tdx: bool) -> dict[str, object]:
    if version == 2:
        named = {f"sgxtcbcomp{at:02}svn": svn for at, svn in enumerate(level.svn, 1)}
        return {**named, "pcesvn": level.pce_svn}
    components: dict[str, object] = {"sgxtcbcomponents": [{"svn": svn} for svn in level.svn], "pcesvn": level.pce_svn}
    if tdx:
        components["tdxtcbcomponents"] = [{"svn": svn} for svn in level.tdx]
    return components


def _modules(modules: Sequence[ModuleFacts]) -> dict[str, object]:
    if not modules:
        return {}
    described = [
        {
            "id": f"TDX_{module.version:02X}",
            "mrsigner": module.mr_signer.hex().upper(),
            "attributes": module.attributes.hex().upper(),
            "attributesMask": "FF" * 8,
            "tcbLevels": [{"tcb": {"isvsvn": level.svn[0]}, **_worth(level)} for level in module.levels],
        }
        for module in modules
    ]
    plain = {name: described[0][name] for name in ("mrsigner", "attributes", "attributesMask")}
    return {
        "tdxModule": plain,
        "tdxModuleIdentities": [module for module, facts in zip(described, modules, strict=True) if facts.version > 0],
    }


def qe_identity(
    qe: QeFacts, levels: Iterable[Level], validity: Validity, *, evaluation_number: int = 1, name: str = "QE"
) -> bytes:
    """Return a quoting enclave's identity version 2, ready to be signed; `name` is `QE`, or `TD_QE` for TDX."""
    document = {
        "id": name,
        "version": 2,
        **_dates(validity),
        "tcbEvaluationDataNumber": evaluation_number,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": _masked(qe.attributes.to_bytes()).hex().upper(),
        "attributesMask": _ATTRIBUTES_MASK.hex().upper(),
        "mrsigner": qe.mr_signer.hex().upper(),
        "isvprodid": qe.isv_prod_id,
        "tcbLevels": [{"tcb": {"isvsvn": level.svn[0]}, **_worth(level)} for level in levels],
    }
    return msgspec.json.encode(document)


def collateral(
    vendor: Vendor,
    info: bytes,
    identity: bytes,
    validity: Validity,
    *,
    revoked_by_root: Iterable[int] = (),
    revoked_by_pck_ca: Iterable[int] = (),
    crl_number: int = 1,
) -> Collateral:
    """Return a vendor's endorsements: signed documents and revocation lists."""
    issued, expires = validity.issued, validity.expires
    return Collateral(
        tcb_info=info,
        tcb_info_signature=vendor.sign(info),
        tcb_info_chain=vendor.tcb_chain,
        qe_identity=identity,
        qe_identity_signature=vendor.sign(identity),
        qe_identity_chain=vendor.tcb_chain,
        root_crl=vendor.root_crl(issued, expires, number=crl_number, revoked=revoked_by_root),
        pck_crl=vendor.pck_crl(issued, expires, number=crl_number, revoked=revoked_by_pck_ca),
        pck_crl_chain=vendor.pck_crl_chain,
    )


def _masked(attributes: bytes) -> bytes:
    """Intel's documents hold the attributes under their mask, and verifiers compare with that."""
    return bytes(byte & bits for byte, bits in zip(attributes, _ATTRIBUTES_MASK, strict=True))


def _dates(validity: Validity) -> dict[str, str]:
    return {"issueDate": _time(validity.issued), "nextUpdate": _time(validity.expires)}


def _worth(level: Level) -> dict[str, object]:
    worth: dict[str, object] = {"tcbDate": _time(level.date), "tcbStatus": level.status}
    if level.advisories:
        worth["advisoryIDs"] = list(level.advisories)
    return worth


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
