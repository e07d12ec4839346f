"""TCB levels of trust domains: components, modules, relaunch (Intel QVL `EvaluateTcb.cpp`, `TDRelaunchCheck.cpp`)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from evidence import TRUST_DOMAIN
from forged import PLATFORM, Forged

from adyton.attest.platform import _vendors_module
from adyton.attest.tcb import evaluate
from adyton.errors import UntrustedEvidence
from adyton.formats.tcb import QeIdentity, SvnLevel, TcbInfo, TcbLevel, TcbStatus, TdxModule

DATE = datetime(2026, 1, 1, tzinfo=UTC)
GOOD, OLD = TcbStatus.UP_TO_DATE, TcbStatus.OUT_OF_DATE


def svn_level(svn, status=GOOD, advisories=()):
    return SvnLevel(svn, status, DATE, tuple(advisories))


def module(*levels, name="TDX_01", mr_signer=bytes(48), attributes=bytes(8)):
    return TdxModule(name, mr_signer, attributes, b"\xff" * 8, levels)


def tcb_info(*levels, modules=(), plain=None):
    return TcbInfo("TDX", 3, DATE, DATE, PLATFORM.fmspc, bytes(2), 17, levels, plain or module(name=""), tuple(modules))


def level(tdx, status=GOOD, sgx=(0,) * 16, pce=0):
    components = (*tdx, *[0] * (16 - len(tdx)))
    return TcbLevel(sgx, components, pce, status, DATE, (f"ADVISORY-{status}",) if status is not GOOD else ())


QE = QeIdentity("TD_QE", 2, DATE, DATE, 16, bytes(4), bytes(4), bytes(16), bytes(16), bytes(32), 2, (svn_level(0),))


def domain(*svns, now=None):
    svn2 = None if now is None else bytes((*now, *[0] * (16 - len(now))))
    changes = {} if svn2 is None else {"tee_tcb_svn2": svn2, "mr_service_td": bytes(48)}
    return replace(TRUST_DOMAIN, tee_tcb_svn=bytes((*svns, *[0] * (16 - len(svns)))), **changes)


def svns(body):
    return body.tee_tcb_svn, body.tee_tcb_svn2


def on_quote(body):
    return replace(Forged().quote(), body=body)


def status(body, info, qe=QE):
    return evaluate(svns(body), PLATFORM, info, qe, 5).status


def test_all_sixteen_tdx_components_count_when_the_module_has_no_version():
    info = tcb_info(level((5, 0, 2)), level((0,), OLD))
    assert status(domain(5, 0, 2), info) is GOOD
    assert status(domain(4, 0, 2), info) is OLD
    assert status(domain(5, 0, 1), info) is OLD


def test_the_first_two_components_are_the_module_s_own_when_it_has_a_version():
    info = tcb_info(level((5, 0, 2)), level((0,), OLD), modules=[module(svn_level(3))])
    assert status(domain(3, 1, 2), info) is GOOD
    assert status(domain(3, 1, 1), info) is OLD


def test_a_module_that_alone_is_out_of_date_makes_the_whole_out_of_date():
    outdated = module(svn_level(9), svn_level(0, OLD, ["MODULE"]))
    tcb = evaluate(svns(domain(3, 1, 2)), PLATFORM, tcb_info(level((0,)), modules=[outdated]), QE, 5)
    assert (tcb.status, tcb.module.status, tcb.platform.status) == (OLD, OLD, GOOD)
    assert tcb.advisories == ("MODULE",)
    assert tcb.evaluation_number == 16, "the lower of both documents"


def test_a_revoked_module_revokes_the_whole():
    revoked = module(svn_level(0, TcbStatus.REVOKED))
    assert status(domain(3, 1), tcb_info(level((0,), OLD), modules=[revoked])) is TcbStatus.REVOKED


@pytest.mark.parametrize("body", [domain(3, 2), domain(0, 1)], ids=["unknown version", "below every level"])
def test_a_module_that_the_vendor_does_not_speak_of_has_no_level(body):
    with pytest.raises(UntrustedEvidence, match=r"dcap\.tcb\.no_matching_level"):
        status(body, tcb_info(level((0,)), modules=[module(svn_level(3))]))


def test_a_quoting_enclave_below_every_level_has_no_level():
    with pytest.raises(UntrustedEvidence, match="quoting enclave ISVSVN at least 6, found 5"):
        status(domain(0), tcb_info(level((0,))), replace(QE, levels=(svn_level(6),)))


@pytest.mark.parametrize(
    ("launch", "current", "expected"),
    [
        ("OutOfDate", "UpToDate", "TDRelaunchAdvised"),
        ("OutOfDate", "SWHardeningNeeded", "TDRelaunchAdvised"),
        ("OutOfDate", "ConfigurationNeeded", "TDRelaunchAdvisedConfigurationNeeded"),
        ("OutOfDateConfigurationNeeded", "UpToDate", "TDRelaunchAdvisedConfigurationNeeded"),
        ("OutOfDate", "OutOfDate", "OutOfDate"),
        ("UpToDate", "UpToDate", "UpToDate"),
        ("SWHardeningNeeded", "UpToDate", "SWHardeningNeeded"),
        ("Revoked", "UpToDate", "Revoked"),
    ],
)
def test_out_of_date_at_launch_and_good_by_now_advises_a_relaunch(launch, current, expected):
    info = tcb_info(level((0, 0, 9), TcbStatus(current)), level((0,), TcbStatus(launch)))
    assert status(domain(0, 0, 0, now=(0, 0, 9)), info) == expected


def test_an_enclave_s_level_asks_for_no_tdx_components():
    info = replace(tcb_info(level((255,) * 16)), id="SGX")
    assert evaluate(None, PLATFORM, info, QE, 5).status is GOOD


@pytest.mark.parametrize(
    "change",
    [
        {"mr_signer_seam": b"\x01" * 48},
        {"seam_attributes": 1},
        {"tee_tcb_svn": bytes((0, 7, *[0] * 14))},
    ],
)
def test_a_tdx_module_that_is_not_the_vendor_s_is_refused(change):
    info = tcb_info(level((0,)), modules=[module(svn_level(0))])
    assert _vendors_module(on_quote(domain(0, 1)), info).holds
    with pytest.raises(UntrustedEvidence, match=r"dcap\.tdx\.module"):
        _vendors_module(on_quote(replace(domain(0, 1), **change)), info)
