"""What a policy accepts and what it denies, one rule a test."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from evidence import ENCLAVE, NOW, SIMULATED_ROOT, TRUST_DOMAIN, authentic, collateral, debug

from adyton.attest import TcbStatus
from adyton.errors import PolicyDenied, UsageError
from adyton.formats.check import Mode, Outcome, Verdict
from adyton.formats.policy import (
    API_VERSION,
    AppraisalPolicy,
    CollateralRules,
    EnclaveReference,
    SgxRules,
    TcbRules,
    TdxRules,
    TrustDomainReference,
)
from adyton.formats.public_signers import PUBLIC_SIGNERS
from adyton.formats.tdx import TdAttributes
from adyton.policy import BUILTIN_NAMES, appraise, builtin_policy

ANY_SGX = SgxRules(dangerous_any_enclave=True)
ANY_TDX = TdxRules(dangerous_any_trust_domain=True)
REFERENCE = EnclaveReference(mr_enclave=ENCLAVE.mr_enclave.hex())
LINE = EnclaveReference(mr_signer=ENCLAVE.mr_signer.hex(), isv_prod_id=7, minimum_isv_svn=3)


def policy(**fields):
    base = {"sgx": SgxRules(enclaves=(REFERENCE,)), "tdx": ANY_TDX}
    return AppraisalPolicy(api_version=API_VERSION, kind="AppraisalPolicy", name="test", **(base | fields))


def judge(evidence, rules=None, *, report_data=None, now=NOW):
    return appraise(evidence, rules or policy(), expected_report_data=report_data, now=now)


def decided_by(appraisal):
    return [check.id for check in appraisal.failed]


def test_a_sound_enclave_that_the_policy_names_is_accepted():
    appraisal = judge(authentic(), report_data=ENCLAVE.report_data)
    assert appraisal.verdict is Verdict.ACCEPTED
    assert appraisal.mode is Mode.HARDWARE
    assert appraisal.require() is appraisal


def test_a_line_of_enclaves_is_accepted_from_its_minimum_version_on():
    rules = policy(sgx=SgxRules(enclaves=(LINE,)))
    assert decided_by(judge(authentic(replace(ENCLAVE, isv_svn=4)), rules)) == []
    assert decided_by(judge(authentic(replace(ENCLAVE, isv_svn=2)), rules)) == ["sgx.isv_svn"]


@pytest.mark.parametrize("name", BUILTIN_NAMES)
def test_every_builtin_policy_denies_a_simulated_platform(name):
    appraisal = judge(authentic(root=SIMULATED_ROOT), builtin_policy(name))
    assert "trust.root" in decided_by(appraisal)
    assert appraisal.mode is Mode.SIMULATED


def test_a_simulated_platform_is_accepted_by_its_fingerprint_alone_and_says_so():
    appraisal = judge(authentic(root=SIMULATED_ROOT), policy(roots=(SIMULATED_ROOT.name,)))
    assert appraisal.verdict is Verdict.ACCEPTED
    assert appraisal.mode is Mode.SIMULATED


def test_naming_a_simulated_platform_does_not_accept_hardware_on_the_side():
    assert decided_by(judge(authentic(), policy(roots=(SIMULATED_ROOT.name,)))) == ["trust.root"]


@pytest.mark.parametrize("body", [ENCLAVE, TRUST_DOMAIN])
def test_a_debug_launch_of_the_right_code_is_denied(body):
    appraisal = judge(authentic(debug(body)))
    assert [name.endswith("debug") for name in decided_by(appraisal)] == [True]


def test_profiling_counts_as_debugging_a_trust_domain():
    body = replace(TRUST_DOMAIN, td_attributes=TRUST_DOMAIN.td_attributes | TdAttributes.PERF_PROF)
    assert decided_by(judge(authentic(body))) == ["tdx.attributes.debug"]


@pytest.mark.parametrize("mr_signer", PUBLIC_SIGNERS, ids=lambda signer: signer.hex()[:8])
def test_an_enclave_signed_with_a_publicly_known_key_is_denied_even_if_its_measurement_is_named(mr_signer):
    appraisal = judge(authentic(replace(ENCLAVE, mr_signer=mr_signer)))
    assert decided_by(appraisal) == ["sgx.mr_signer.public"]
    assert PUBLIC_SIGNERS[mr_signer] in appraisal.failed[0].actual


def test_one_changed_bit_of_the_measurement_is_denied_with_both_values():
    other = bytes([ENCLAVE.mr_enclave[0] ^ 1]) + ENCLAVE.mr_enclave[1:]
    (check,) = judge(authentic(replace(ENCLAVE, mr_enclave=other))).failed
    assert (check.id, check.expected, check.actual) == ("sgx.mr_enclave", ENCLAVE.mr_enclave.hex(), other.hex())
    assert check.remedy


def test_of_several_references_the_closest_explains_the_denial():
    far = EnclaveReference(mr_signer="11" * 32, isv_prod_id=1, minimum_isv_svn=1)
    rules = policy(sgx=SgxRules(enclaves=(far, replace_reference(LINE, minimum_isv_svn=9))))
    assert decided_by(judge(authentic(), rules)) == ["sgx.isv_svn"]


def replace_reference(reference, **fields):
    known = {name: getattr(reference, name) for name in reference.__struct_fields__}
    return EnclaveReference(**(known | fields))


def test_a_policy_that_names_no_enclave_accepts_none():
    assert decided_by(judge(authentic(), policy(sgx=SgxRules()))) == ["sgx.enclave"]
    assert decided_by(judge(authentic(TRUST_DOMAIN), policy(tdx=TdxRules()))) == ["tdx.trust_domain"]


@pytest.mark.parametrize(("body", "section"), [(ENCLAVE, "sgx"), (TRUST_DOMAIN, "tdx")])
def test_a_policy_without_rules_for_the_tee_denies_it(body, section):
    assert decided_by(judge(authentic(body), policy(**{section: None}))) == ["tee.accepted"]


@pytest.mark.parametrize("status", [status for status in TcbStatus if status is not TcbStatus.UP_TO_DATE])
def test_every_status_but_up_to_date_is_denied_unless_named(status):
    evidence = authentic(status=status, advisories=("INTEL-SA-00001",))
    (check,) = judge(evidence).failed
    assert check.id == "tcb.status"
    assert status in check.actual
    assert decided_by(judge(evidence, policy(tcb=TcbRules(accepted_statuses=(status,))))) == []


def test_an_advisory_that_the_policy_rejects_denies_an_accepted_status():
    rules = policy(tcb=TcbRules(accepted_statuses=("OutOfDate",), rejected_advisories=("INTEL-SA-2",)))
    evidence = authentic(status=TcbStatus.OUT_OF_DATE, advisories=("INTEL-SA-1", "INTEL-SA-2"))
    (check,) = judge(evidence, rules).failed
    assert (check.id, check.actual) == ("tcb.advisories", "INTEL-SA-2")


def test_a_rolled_back_evaluation_is_denied_where_the_policy_has_a_minimum():
    rules = policy(tcb=TcbRules(minimum_evaluation_number=18))
    assert decided_by(judge(authentic(number=17), rules)) == ["tcb.evaluation_number"]
    assert decided_by(judge(authentic(number=18), rules)) == []


@pytest.mark.parametrize(("seconds", "denied"), [(-1, ["collateral.expired"]), (0, []), (1, [])])
def test_an_endorsement_is_in_date_up_to_and_with_its_last_second(seconds, denied):
    evidence = authentic(facts=collateral(expires=NOW + timedelta(seconds=seconds)))
    assert decided_by(judge(evidence)) == denied


@pytest.mark.parametrize(("seconds", "denied"), [(1, ["collateral.not_yet_valid"]), (0, []), (-1, [])])
def test_an_endorsement_is_valid_from_its_first_second_on(seconds, denied):
    evidence = authentic(facts=collateral(issued=NOW + timedelta(seconds=seconds)))
    assert decided_by(judge(evidence)) == denied


def test_an_expired_endorsement_is_named_with_its_date():
    late = collateral(expires=NOW - timedelta(days=1))
    (check,) = judge(authentic(facts=late)).failed
    assert "tcb_info expired 2026-05-31T00:00:00Z" in check.actual
    assert "root_crl" not in check.actual


def test_tcb_info_of_version_2_is_denied():
    assert decided_by(judge(authentic(facts=collateral(version=2)))) == ["collateral.tcb_info_version"]


def test_each_exception_waives_its_own_rule_and_says_so():
    rules = policy(
        sgx=SgxRules(dangerous_any_enclave=True, dangerous_allow_debug=True),
        collateral=CollateralRules(dangerous_allow_expired=True),
    )
    appraisal = judge(authentic(debug(ENCLAVE), facts=collateral(expires=NOW - timedelta(days=1))), rules)
    waived = {check.id for check in appraisal.checks if check.outcome is Outcome.WAIVED}
    assert appraisal.verdict is Verdict.ACCEPTED
    assert waived == {"sgx.attributes.debug", "collateral.expired", "sgx.enclave"}


@pytest.mark.parametrize(
    ("change", "decides"),
    [
        ({"td_attributes": 0}, "tdx.attributes.sept_ve_disable"),
        ({"td_attributes": TdAttributes.SEPT_VE_DISABLE | 1 << 20}, "tdx.attributes.reserved"),
        ({"td_attributes": TdAttributes.SEPT_VE_DISABLE | TdAttributes.MIGRATABLE}, "tdx.service_td"),
        ({"tee_tcb_svn2": bytes(16), "mr_service_td": b"\x01" * 48}, "tdx.service_td"),
    ],
)
def test_an_unsafe_trust_domain_is_denied(change, decides):
    assert decided_by(judge(authentic(replace(TRUST_DOMAIN, **change)))) == [decides]


def test_a_trust_domain_is_compared_register_by_register():
    wanted = TrustDomainReference(mr_td=TRUST_DOMAIN.mr_td.hex(), rtmr1="00" * 48)
    (check,) = judge(authentic(TRUST_DOMAIN), policy(tdx=TdxRules(trust_domains=(wanted,)))).failed
    assert (check.id, check.actual) == ("tdx.rtmr1", (b"\x11" * 48).hex())


def test_a_quote_replayed_with_a_fresh_nonce_is_denied():
    (check,) = judge(authentic(), report_data=b"\x01" * 64).failed
    assert (check.id, check.expected) == ("report_data", "01" * 64)


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_an_expected_report_data_of_another_length_is_an_error_and_never_cut_or_padded(size):
    with pytest.raises(UsageError, match=r"appraise\.report_data"):
        judge(authentic(), report_data=bytes(size))


def test_a_time_without_a_zone_is_an_error():
    with pytest.raises(UsageError, match=r"appraise\.now"):
        judge(authentic(), now=NOW.replace(tzinfo=None))


def test_a_denial_raises_with_the_check_that_decided():
    with pytest.raises(PolicyDenied) as caught:
        judge(authentic(debug(ENCLAVE))).require()
    assert caught.value.code == "sgx.attributes.debug"
    assert "expected a production enclave, found a debug enclave" in caught.value.message
    assert caught.value.remedy


def test_all_failures_are_listed_and_none_hides_another():
    evidence = authentic(debug(ENCLAVE), root=SIMULATED_ROOT, status=TcbStatus.OUT_OF_DATE)
    assert decided_by(judge(evidence, report_data=bytes(64))) == [
        "trust.root",
        "tcb.status",
        "sgx.attributes.debug",
        "report_data",
    ]
