"""Every state that a platform can be in: the status and the advisories have to be right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from adyton.conformance.case import REFUSE, Case, Expectation, Terms, accept, revoked
from adyton.conformance.stage import MODULES, NOW, SGX, TD_10, TD_15, TDX, Stage, after, case
from adyton.forge import Level, ModuleFacts

_STATUSES = (
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "Revoked",
)
_WITH_OUT_OF_DATE = {
    "UpToDate": "OutOfDate",
    "SWHardeningNeeded": "OutOfDate",
    "ConfigurationNeeded": "OutOfDateConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded": "OutOfDateConfigurationNeeded",
    "OutOfDate": "OutOfDate",
    "OutOfDateConfigurationNeeded": "OutOfDateConfigurationNeeded",
}
_DROPPED = "bitrouter #566, near/mpc #581: status dropped"
_TRUNCATED = "dcap-qvl #134: component lists cut by zip"
_MODULE = "dcap-qvl #124: TDX module identity not evaluated"
_PLATFORM, _QE, _MODULE_ADVISORY = "SIM-SA-00001", "SIM-SA-00002", "SIM-SA-00003"
_NONE = (0,) * 16


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for stage in (SGX, TDX):
        yield from _platform(stage)
        yield from _quoting_enclave(stage)
        yield from _short(stage)
        yield from _below(stage)
    yield from _module()
    yield from _relaunch()
    yield from _rollback()


def _expected(status: str, *advisories: str) -> Expectation:
    return revoked(*advisories) if status == "Revoked" else accept(status, *advisories)


def _platform(stage: Stage) -> Iterator[Case]:
    for status in _STATUSES:
        there = replace(stage, levels=_one(stage, status))
        title = f"a platform at a level that is {status}"
        yield case(f"status.{status}", title, _expected(status, _PLATFORM), there, terms=after(_DROPPED))


def _one(stage: Stage, status: str, *advisories: str) -> tuple[Level, ...]:
    return (replace(stage.levels[0], status=status, advisories=advisories or (_PLATFORM,)),)


def _quoting_enclave(stage: Stage) -> Iterator[Case]:
    for status, expected in _WITH_OUT_OF_DATE.items():
        old = (Level((7,)), Level((6,), "OutOfDate", advisories=(_QE,)))
        there = replace(stage, levels=_one(stage, status), qe_levels=old)
        title = f"a quoting enclave that is out of date, on a platform that is {status}"
        yield case(f"status.qe-out-of-date-on-{status}", title, accept(expected, _PLATFORM, _QE), there)
    withdrawn = (Level((7,)), Level((6,), "Revoked", advisories=(_QE,)))
    title = "a quoting enclave whose level is revoked"
    yield case("status.qe-revoked", title, revoked(_QE), replace(stage, qe_levels=withdrawn))
    same = replace(
        stage, levels=_one(stage, "OutOfDate", _QE), qe_levels=(Level((6,), "OutOfDate", advisories=(_QE,)),)
    )
    yield case("status.one-advisory-twice", "an advisory that two levels name", accept("OutOfDate", _QE), same)


def _short(stage: Stage) -> Iterator[Case]:
    out = accept("OutOfDate", _PLATFORM)
    best = stage.levels[0]
    lowest = replace(
        best, svn=_NONE, pce_svn=0, tdx_svn=best.tdx_svn and _NONE, status="OutOfDate", advisories=(_PLATFORM,)
    )
    for at in (0, 7, 15):
        needed = replace(best, svn=_raised(best.svn, at))
        title = f"a platform that falls one short in SGX component {at}"
        there = replace(stage, levels=(needed, lowest))
        yield case(f"status.short-sgx-component-{at}", title, out, there, terms=after(_TRUNCATED))
    needed = replace(best, pce_svn=best.pce_svn + 1)
    title = "a platform whose provisioning enclave falls one short"
    yield case("status.short-pce-svn", title, out, replace(stage, levels=(needed, lowest)))
    for at in (2, 15) if stage is TDX else ():
        needed = replace(best, tdx_svn=_raised(best.tdx_svn, at))
        title = f"a trust domain that falls one short in TDX component {at}"
        there = replace(stage, levels=(needed, lowest))
        yield case(f"status.short-tdx-component-{at}", title, out, there, terms=after(_TRUNCATED))
    between = replace(best, status="SWHardeningNeeded", advisories=("SIM-SA-00004",))
    there = replace(stage, levels=(replace(best, svn=_raised(best.svn, 3)), between, lowest))
    title = "the second of three levels: the first that is reached decides"
    yield case("status.second-level", title, accept("SWHardeningNeeded", "SIM-SA-00004"), there)


def _raised(svns: Sequence[int], at: int) -> tuple[int, ...]:
    return tuple(svn + (place == at) for place, svn in enumerate(svns))


def _below(stage: Stage) -> Iterator[Case]:
    best = stage.levels[0]
    high = replace(stage, levels=(replace(best, svn=_raised(best.svn, 9)),))
    yield case("status.below-every-level", "a platform below every level", REFUSE, high)
    old = replace(stage, qe_levels=(Level((7,)),))
    yield case("status.qe-below-every-level", "a quoting enclave below every level", revoked(), old)


def _module() -> Iterator[Case]:
    old = (ModuleFacts(0), ModuleFacts(1, (Level((5,)), Level((4,), "OutOfDate", advisories=(_MODULE_ADVISORY,)))))
    for status, expected in _WITH_OUT_OF_DATE.items():
        there = replace(TDX, levels=_one(TDX, status), modules=old)
        title = f"a TDX module that is out of date, on a platform that is {status}"
        right = accept(expected, _PLATFORM, _MODULE_ADVISORY)
        yield case(f"status.module-out-of-date-on-{status}", title, right, there, terms=after(_MODULE))
    withdrawn = (ModuleFacts(0), ModuleFacts(1, (Level((4,), "Revoked", advisories=(_MODULE_ADVISORY,)),)))
    title = "a TDX module whose level is revoked"
    there = replace(TDX, modules=withdrawn)
    yield case("status.module-revoked", title, revoked(_MODULE_ADVISORY), there, terms=after(_MODULE))
    for name, title, stage in (
        ("module-below-every-level", "a TDX module below every level of its identity",
         replace(TDX, modules=(ModuleFacts(0), ModuleFacts(1, (Level((5,)),))))),
        ("module-unknown", "a TDX module of a version that TCB info does not know",
         replace(TDX, modules=(ModuleFacts(0), ModuleFacts(3, (Level((0,)),))))),
        ("module-foreign-signer", "a TDX module of another signer",
         replace(TDX, body=replace(TD_10, mr_signer_seam=b"\x66" * 48))),
        ("module-attributes", "a TDX module with attributes",
         replace(TDX, body=replace(TD_10, seam_attributes=1))),
        ("module-identity-of-another-signer", "a TDX module that is not its identity's",
         replace(TDX, modules=(ModuleFacts(0), replace(MODULES[1], mr_signer=b"\x66" * 48)))),
    ):  # fmt: skip
        yield case(f"status.{name}", title, REFUSE, stage, terms=after(_MODULE))


def _relaunch() -> Iterator[Case]:
    """TDX 1.5: out of date at launch; what runs now decides whether a relaunch helps."""
    best = TDX.levels[0]
    levels = (
        replace(best, tdx_svn=(0, 0, 6, *[0] * 13)),
        replace(best, status="OutOfDate", tdx_svn=(0, 0, 4, *[0] * 13), advisories=(_PLATFORM,)),
    )
    launched = replace(TD_15, tee_tcb_svn=bytes((4, 1, 5)) + bytes(13))
    now_good = replace(launched, tee_tcb_svn2=bytes((4, 1, 6)) + bytes(13))
    stage = replace(TDX, version=5, body=now_good, levels=levels)
    terms = after("Intel QVL TDRelaunchCheck.cpp")
    advised = accept("TDRelaunchAdvised", _PLATFORM)
    yield case("status.relaunch-advised", "out of date at launch, and updated since", advised, stage, terms=terms)
    title = "out of date at launch, and still so"
    still = replace(stage, body=replace(launched, tee_tcb_svn2=launched.tee_tcb_svn))
    yield case("status.relaunch-of-no-use", title, accept("OutOfDate", _PLATFORM), still, terms=terms)
    configure = replace(stage, levels=(replace(levels[0], status="ConfigurationNeeded"), levels[1]))
    right = accept("TDRelaunchAdvisedConfigurationNeeded", _PLATFORM)
    title = "out of date at launch, updated since, and now to be configured"
    yield case("status.relaunch-advised-configuration", title, right, configure, terms=terms)
    both = replace(stage, levels=(levels[0], replace(levels[1], status="OutOfDateConfigurationNeeded")))
    title = "out of date and to be configured at launch, and updated since"
    yield case("status.relaunch-advised-configuration-at-launch", title, right, both, terms=terms)
    good = replace(stage, body=replace(now_good, tee_tcb_svn=now_good.tee_tcb_svn2 or b""))
    yield case("status.relaunch-not-needed", "up to date at launch and now", accept("UpToDate"), good, terms=terms)


def _rollback() -> Iterator[Case]:
    source = "automata-on-chain-pccs #15: collateral rollback"
    for stage in (SGX, TDX):
        for name, numbers in (("tcb-info", (16, 17)), ("qe-identity", (17, 16)), ("both", (16, 16))):
            old = replace(stage, evaluation_numbers=numbers)
            terms = Terms(NOW, source, minimum_evaluation_number=17)
            title = f"endorsements of an earlier TCB evaluation than is asked for: {name}"
            yield case(f"rollback.{name}", title, REFUSE, old, terms=terms)
        terms = Terms(NOW, source, minimum_evaluation_number=17)
        title = "endorsements of exactly the TCB evaluation that is asked for"
        yield case("rollback.none", title, accept("UpToDate"), stage, terms=terms)
