"""Genuine Intel evidence, at fixed times, against what Intel's own verifier and dcap-qvl say of it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from places import VECTORS

from adyton.attest import TrustRoots, VerificationCache, authenticate
from adyton.errors import UntrustedEvidence
from adyton.formats.check import Outcome, Verdict
from adyton.formats.collateral import Collateral
from adyton.formats.quote import Quote
from adyton.policy import appraise, builtin_policy

pytestmark = pytest.mark.vectors

INTEL_STATUS = {
    "STATUS_OK": "UpToDate",
    "STATUS_TCB_SW_HARDENING_NEEDED": "SWHardeningNeeded",
    "STATUS_TCB_CONFIGURATION_NEEDED": "ConfigurationNeeded",
    "STATUS_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED": "ConfigurationAndSWHardeningNeeded",
    "STATUS_TCB_OUT_OF_DATE": "OutOfDate",
    "STATUS_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED": "OutOfDateConfigurationNeeded",
    "STATUS_TCB_TD_RELAUNCH_ADVISED": "TDRelaunchAdvised",
    "STATUS_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED": "TDRelaunchAdvisedConfigurationNeeded",
    "STATUS_TCB_REVOKED": "Revoked",
    "STATUS_TCB_NOT_SUPPORTED": "dcap.tcb.no_matching_level",
}
# What dcap-qvl refuses and Intel's verifier lets pass, and the check of ours that denies it under `strict`.
STRICTER = {
    "Debug mode is enabled": ("sgx.attributes.debug", "tdx.attributes.debug"),
    "SEPT_VE_DISABLE is not enabled": ("tdx.attributes.sept_ve_disable",),
    "missing field `sgxtcbcomponents`": ("collateral.tcb_info_version",),
    "CertNotValidYet": ("collateral.not_yet_valid",),
}


def load_cases():
    path = VECTORS / "dcap" / "cases.json"
    return json.loads(path.read_text()) if path.exists() else []


CASES = load_cases()
IDS = [f"{case['quote'][7:-4]}-{case['collateral'][11:-5]}" for case in CASES]
NOT_SUPPORTED = "STATUS_TCB_NOT_SUPPORTED"


def each(which):
    """Run a test for each case that `which` picks."""
    # Without the vectors there is one case that is skipped, or fails, before it is looked at.
    picked = [(case, name) for case, name in zip(CASES, IDS, strict=True) if which(case)] or [(None, "missing")]
    return pytest.mark.parametrize("case", [case for case, _ in picked], ids=[name for _, name in picked])


def intel(case):
    return case["expected"]["intel_qvl"]["quote"]


def dcap_qvl(case):
    return case["expected"]["dcap_qvl_0_7_0"]


def stricter(case):
    """Return the checks of ours that stand for what dcap-qvl refuses and Intel's verifier lets pass."""
    refusal = dcap_qvl(case).get("refused", "")
    return {name for text, ids in STRICTER.items() if text in refusal for name in ids}


def authenticated(case, cache=None):
    quote = Quote.parse((VECTORS / "dcap" / case["quote"]).read_bytes())
    collateral = Collateral.parse((VECTORS / "dcap" / case["collateral"]).read_bytes())
    now = datetime.fromtimestamp(case["time"], UTC)
    return authenticate(quote, collateral, roots=TrustRoots(), now=now, cache=cache)


@each(intel)
def test_the_status_equals_that_of_intel_s_verifier(case):
    expected = INTEL_STATUS[intel(case)]
    try:
        found = authenticated(case).tcb.status
    except UntrustedEvidence as error:
        found = error.code
    assert found == expected


@each(lambda case: "status" in dcap_qvl(case))
def test_where_dcap_qvl_accepts_its_advisories_are_ours(case):
    tcb = authenticated(case).tcb
    assert tcb.status == dcap_qvl(case)["status"]
    assert Counter(tcb.advisories) == Counter(dcap_qvl(case)["advisory_ids"])


@each(lambda case: intel(case) != NOT_SUPPORTED and stricter(case))
def test_strict_denies_whatever_dcap_qvl_refuses_and_names_the_check(case):
    evidence = authenticated(case)
    strict = builtin_policy("strict")
    appraisal = appraise(evidence, strict, expected_report_data=None, now=evidence.authenticated_at)
    assert appraisal.verdict is Verdict.DENIED
    assert {check.id for check in appraisal.failed} & stricter(case)


@each(lambda case: intel(case) != NOT_SUPPORTED)
def test_dangerous_authentic_accepts_whatever_is_authentic(case):
    evidence = authenticated(case)
    policy = builtin_policy("dangerous-authentic")
    appraisal = appraise(evidence, policy, expected_report_data=None, now=evidence.authenticated_at)
    assert appraisal.failed == ()
    assert all(check.outcome is not Outcome.FAILED for check in evidence.checks)


def test_a_cache_changes_no_result():
    cache = VerificationCache()
    for case in [*CASES, *CASES]:
        outcomes = []
        for memory in (None, cache):
            try:
                outcomes.append(authenticated(case, memory))
            except UntrustedEvidence as error:
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1]
    assert len(cache.platforms) > 10
