"""From security versions to a TCB status (Intel QVL `EvaluateTcb.cpp`, `TDRelaunchCheck.cpp`, July 2026).

1. Platform: the first level whose sixteen SGX components and PCESVN are all reached; for TDX also the sixteen TDX
   components, from index 2 on when the TDX module has a version of its own (TEE_TCB_SVN[1] > 0).
2. TDX module: the first level of its identity whose version TEE_TCB_SVN[0] reaches.
3. Quoting enclave: the first level of its identity whose ISVSVN is reached.
4. Convergence: a part that is out of date makes the whole out of date; a revoked part makes it revoked.
5. TDX 1.5: out of date at launch and good by now means that a relaunch is advised.

No matching level is an error and not a status: the vendor says nothing about such a platform.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import lt
from typing import Final

from adyton.attest.result import Shortfall, Tcb, TcbPart
from adyton.errors import UntrustedEvidence
from adyton.formats.pck import PckExtension
from adyton.formats.tcb import QeIdentity, SvnLevel, TcbInfo, TcbLevel, TcbStatus, TdxModule

NO_MATCHING_LEVEL: Final = "dcap.tcb.no_matching_level"
_FIRMWARE: Final = "BIOS and microcode"
_PCE: Final = "provisioning certification enclave"
_QE: Final = "quoting enclave"
_MODULE: Final = "TDX module"
_MODULE_VERSION: Final = 1
_MODULE_SVN: Final = 0

_OUT_OF_DATE: Final = {
    TcbStatus.UP_TO_DATE: TcbStatus.OUT_OF_DATE,
    TcbStatus.SW_HARDENING_NEEDED: TcbStatus.OUT_OF_DATE,
    TcbStatus.CONFIGURATION_NEEDED: TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
    TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED: TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
}
_GOOD_NOW: Final = frozenset(_OUT_OF_DATE)
_RELAUNCH: Final = frozenset({TcbStatus.OUT_OF_DATE, TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED})
_CONFIGURATION: Final = frozenset(
    {
        TcbStatus.CONFIGURATION_NEEDED,
        TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED,
        TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED,
    }
)


def evaluate(
    svns: tuple[bytes, bytes | None] | None,
    platform: PckExtension,
    tcb_info: TcbInfo,
    qe_identity: QeIdentity,
    qe_svn: int,
) -> Tcb:
    """Evaluate the trusted computing base under a quote.

    Args:
        svns: TEE_TCB_SVN of a trust domain at launch and, from TDX 1.5 on, now; None for an enclave.
        platform: What the PCK certificate says.
        tcb_info: Levels of the platform and its TDX modules.
        qe_identity: Levels of the quoting enclave.
        qe_svn: The quoting enclave's ISVSVN.

    Raises:
        UntrustedEvidence: `dcap.tcb.no_matching_level`.
    """
    qe = _part(_svn_level(qe_identity.levels, qe_svn, "quoting enclave ISVSVN"))
    if svns is None:
        tcb = _converge(_platform_level(tcb_info, platform, None), None, qe, tcb_info, qe_identity)
        return _explain(tcb, platform, None, tcb_info, qe_identity, qe_svn)
    at_launch, now = svns
    launch = _evaluate_tdx(at_launch, platform, tcb_info, qe, qe_identity)
    launch = _explain(launch, platform, at_launch, tcb_info, qe_identity, qe_svn)
    if now is None:
        return launch
    return _advise_relaunch(launch, _evaluate_tdx(now, platform, tcb_info, qe, qe_identity))


def _explain(
    tcb: Tcb, platform: PckExtension, svns: bytes | None, tcb_info: TcbInfo, qe_identity: QeIdentity, qe_svn: int
) -> Tcb:
    """Add what keeps it from being up to date."""
    if tcb.status is TcbStatus.UP_TO_DATE:
        return tcb
    short = _missing(tcb_info, platform, svns)
    short += _missing_svn("dcap.qe.isv_svn", qe_identity.levels, qe_svn, _QE)
    module = None if svns is None or svns[_MODULE_VERSION] == 0 else module_identity(tcb_info, svns)
    if svns is not None and module is not None:
        short += _missing_svn("tdx.module.isv_svn", module.levels, svns[_MODULE_SVN], _MODULE)
    return replace(tcb, shortfalls=short)


def module_identity(tcb_info: TcbInfo, tee_tcb_svn: bytes) -> TdxModule | None:
    """Return what the TDX module has to be, by its version in TEE_TCB_SVN[1]; None if TCB info does not say."""
    version = tee_tcb_svn[_MODULE_VERSION]
    if version == 0:
        return tcb_info.module
    return next((module for module in tcb_info.modules if module.id.upper() == f"TDX_{version:02X}"), None)


def _evaluate_tdx(svns: bytes, platform: PckExtension, tcb_info: TcbInfo, qe: TcbPart, qe_identity: QeIdentity) -> Tcb:
    level = _platform_level(tcb_info, platform, svns)
    if svns[_MODULE_VERSION] == 0:
        return _converge(level, None, qe, tcb_info, qe_identity)
    identity = module_identity(tcb_info, svns)
    levels = () if identity is None else identity.levels
    module = _part(_svn_level(levels, svns[_MODULE_SVN], f"TDX module {svns[_MODULE_VERSION]} SVN"))
    return _converge(level, module, qe, tcb_info, qe_identity)


def _platform_level(tcb_info: TcbInfo, platform: PckExtension, svns: bytes | None) -> TcbLevel:
    for level in tcb_info.levels:
        if _reaches(level, platform, svns):
            return level
    lowest = tcb_info.levels[-1]
    raise UntrustedEvidence(
        NO_MATCHING_LEVEL,
        f"expected the lowest TCB level of platform {tcb_info.fmspc.hex()}, found "
        f"{'; '.join(map(str, _shortfalls(tcb_info, lowest, platform, svns)))}",
        remedy="update the platform's firmware and microcode; the vendor does not vouch for this state of it",
    )


def _shortfalls(
    tcb_info: TcbInfo, level: TcbLevel, platform: PckExtension, svns: bytes | None
) -> tuple[Shortfall, ...]:
    """Return what the platform lacks for a level."""
    sgx, tdx = tcb_info.component_kinds()
    short = _short_components("sgx.tcb.component", level.sgx_components, platform.components, 0, sgx)
    if platform.pce_svn < level.pce_svn:
        short.append(Shortfall("sgx.tcb.pce_svn", level.pce_svn, platform.pce_svn, _PCE))
    if svns is not None and level.tdx_components is not None:
        start = 2 if svns[_MODULE_VERSION] > 0 else 0
        short += _short_components("tdx.tcb.component", level.tdx_components, svns, start, tdx)
    return tuple(short)


def _short_components(
    name: str, needed: tuple[int, ...], has: Sequence[int], start: int, kinds: Sequence[str]
) -> list[Shortfall]:
    pairs = zip(needed, has, strict=True)
    return [
        Shortfall(f"{name}[{at}]", need, svn, kinds[at] if at < len(kinds) and kinds[at] else _FIRMWARE)
        for at, (need, svn) in enumerate(pairs)
        if at >= start and svn < need
    ]


def _reaches(level: TcbLevel, platform: PckExtension, svns: bytes | None) -> bool:
    """Return whether a platform reaches a level; what it lacks is asked of one level alone."""
    if platform.pce_svn < level.pce_svn or any(map(lt, platform.components, level.sgx_components)):
        return False
    if svns is None or level.tdx_components is None:
        return True
    start = 2 if svns[_MODULE_VERSION] > 0 else 0
    return not any(map(lt, svns[start:], level.tdx_components[start:]))


def _missing(tcb_info: TcbInfo, platform: PckExtension, svns: bytes | None) -> tuple[Shortfall, ...]:
    """Return what the platform lacks for the best level: the first that is up to date, if there is one."""
    best = next((level for level in tcb_info.levels if level.status is TcbStatus.UP_TO_DATE), tcb_info.levels[0])
    return _shortfalls(tcb_info, best, platform, svns)


def _missing_svn(name: str, levels: tuple[SvnLevel, ...], svn: int, what: str) -> tuple[Shortfall, ...]:
    best = next((level for level in levels if level.status is TcbStatus.UP_TO_DATE), None)
    return (Shortfall(name, best.isv_svn, svn, what),) if best is not None and svn < best.isv_svn else ()


def _svn_level(levels: tuple[SvnLevel, ...], svn: int, what: str) -> SvnLevel:
    for level in levels:
        if svn >= level.isv_svn:
            return level
    lowest = f"at least {levels[-1].isv_svn}" if levels else "a version that TCB info knows"
    raise UntrustedEvidence(
        NO_MATCHING_LEVEL,
        f"expected {what} {lowest}, found {svn}",
        remedy="update the platform's software; the vendor does not vouch for this version of it",
    )


def _part(level: TcbLevel | SvnLevel) -> TcbPart:
    return TcbPart(level.status, level.date, level.advisories)


def _converge(level: TcbLevel, module: TcbPart | None, qe: TcbPart, tcb_info: TcbInfo, qe_identity: QeIdentity) -> Tcb:
    platform = _part(level)
    others = (qe,) if module is None else (qe, module)
    status = platform.status
    if any(part.status is TcbStatus.OUT_OF_DATE for part in others):
        status = _OUT_OF_DATE.get(status, status)
    if any(part.status is TcbStatus.REVOKED for part in others):
        status = TcbStatus.REVOKED
    parts = (platform, *others)
    return Tcb(
        status=status,
        date=min(part.date for part in parts),
        advisories=tuple(dict.fromkeys(advisory for part in parts for advisory in part.advisories)),
        evaluation_number=min(tcb_info.evaluation_number, qe_identity.evaluation_number),
        platform=platform,
        qe=qe,
        module=module,
    )


def _advise_relaunch(launch: Tcb, current: Tcb) -> Tcb:
    if launch.status not in _RELAUNCH or current.status not in _GOOD_NOW:
        return launch
    configure = launch.status in _CONFIGURATION or current.status in _CONFIGURATION
    status = TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED if configure else TcbStatus.TD_RELAUNCH_ADVISED
    return replace(launch, status=status)
