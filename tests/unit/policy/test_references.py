"""References that nest: sets, ranges, all_of, any_of, and the ways to write one that would accept too much."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from evidence import ENCLAVE, NOW, authentic

from adyton.errors import MalformedDocument
from adyton.formats.policy import (
    ALTERNATIVES_CAP,
    API_VERSION,
    AppraisalPolicy,
    CollateralRules,
    EnclaveReference,
    PlatformRules,
    SgxRules,
    TcbRules,
)
from adyton.policy import appraise

SIGNER, OURS = ENCLAVE.mr_signer.hex(), ENCLAVE.mr_enclave.hex()


def policy(*enclaves, **sections):
    rules = SgxRules(enclaves=enclaves) if enclaves else SgxRules(dangerous_any_enclave=True)
    return AppraisalPolicy(api_version=API_VERSION, kind="AppraisalPolicy", name="test", sgx=rules, **sections)


def failed(rules, evidence=None, now=NOW):
    found = appraise(evidence or authentic(), rules, expected_report_data=None, now=now)
    return [check.id for check in found.failed]


def test_any_value_of_a_set_will_do():
    assert failed(policy(EnclaveReference(mr_enclave=("01" * 32, OURS)))) == []
    assert failed(policy(EnclaveReference(mr_enclave=("01" * 32, "02" * 32)))) == ["sgx.mr_enclave"]


def test_a_range_has_both_ends():
    for least, most, expected in ((3, 3, []), (1, 2, ["sgx.isv_svn"]), (4, 9, ["sgx.isv_svn"]), (0, 9, [])):
        line = EnclaveReference(mr_signer=SIGNER, isv_prod_id=(6, 7), minimum_isv_svn=least, maximum_isv_svn=most)
        assert failed(policy(line)) == expected


def test_all_of_asks_for_every_part_and_any_of_for_one():
    signed = EnclaveReference(mr_signer=SIGNER)
    product = EnclaveReference(isv_prod_id=7, minimum_isv_svn=1)
    other = EnclaveReference(isv_prod_id=8, minimum_isv_svn=1)
    assert failed(policy(EnclaveReference(all_of=(signed, product)))) == []
    assert failed(policy(EnclaveReference(all_of=(signed, other)))) == ["sgx.isv_prod_id"]
    either = EnclaveReference(mr_signer=SIGNER, any_of=(other, product))
    assert failed(policy(either)) == []
    assert failed(policy(either), authentic(replace(ENCLAVE, isv_prod_id=9))) == ["sgx.isv_prod_id"]


def test_of_nested_alternatives_the_closest_explains_the_denial():
    far = EnclaveReference(mr_enclave="01" * 32, isv_prod_id=1)
    near = EnclaveReference(mr_enclave=OURS, isv_prod_id=1)
    assert failed(policy(EnclaveReference(any_of=(far, near)))) == ["sgx.isv_prod_id"]


@pytest.mark.parametrize("empty", ["all_of", "any_of", "mr_enclave"])
def test_an_empty_list_is_an_error_since_vacuous_truth_accepts_everything(empty):
    document = msgspec.to_builtins(policy(EnclaveReference(mr_enclave=OURS)))
    document["sgx"]["enclaves"][0][empty] = []
    with pytest.raises(MalformedDocument, match=r"policy\.document\.invalid"):
        AppraisalPolicy.parse(msgspec.json.encode(document))


def test_a_signer_that_is_named_in_one_of_several_ways_alone_is_an_error():
    loose = EnclaveReference(any_of=(EnclaveReference(mr_enclave=OURS), EnclaveReference(mr_signer=SIGNER)))
    with pytest.raises(ValueError, match="every product of a signer"):
        SgxRules(enclaves=(loose,))
    product = EnclaveReference(isv_prod_id=7, minimum_isv_svn=1)
    SgxRules(
        enclaves=(
            EnclaveReference(
                any_of=(EnclaveReference(mr_enclave=OURS), EnclaveReference(mr_signer=SIGNER, all_of=(product,)))
            ),
        )
    )


@pytest.mark.parametrize(
    "reference",
    [
        EnclaveReference(),
        EnclaveReference(isv_prod_id=7),
        EnclaveReference(all_of=(EnclaveReference(config_id="00" * 64),)),
    ],
)
def test_a_reference_that_names_no_code_is_an_error(reference):
    with pytest.raises(ValueError, match="an enclave is named by"):
        SgxRules(enclaves=(reference,))


def test_more_references_than_there_may_be_are_an_error():
    many = (EnclaveReference(mr_enclave=OURS),) * (ALTERNATIVES_CAP + 1)
    with pytest.raises(ValueError, match=str(ALTERNATIVES_CAP)):
        SgxRules(enclaves=many)


@pytest.mark.parametrize("value", ["AA" * 32, "aa" * 31, "aa" * 32 + "\n", "zz" * 32, ""])
def test_a_single_value_of_another_form_is_an_error(value):
    with pytest.raises(ValueError, match="mr_enclave is 32 bytes"):
        EnclaveReference(mr_enclave=value)


def test_a_policy_with_references_keeps_its_digest_through_json_and_yaml():
    known = policy(
        EnclaveReference(any_of=(EnclaveReference(mr_enclave=(OURS,)), EnclaveReference(mr_enclave="01" * 32)))
    )
    again = AppraisalPolicy.parse(msgspec.yaml.encode(known))
    assert again.digest() == AppraisalPolicy.parse(known.to_bytes()).digest() == known.digest()


def test_the_machine_is_of_a_type_that_the_policy_accepts():
    wanted = PlatformRules(accepted_sgx_types=("scalable-with-integrity",))
    assert failed(policy(platform=wanted)) == ["platform.sgx_type"]


@pytest.mark.parametrize("feature", ["dynamic_platform", "cached_keys", "smt_enabled"])
def test_a_certificate_that_does_not_say_is_taken_to_say_yes(feature):
    assert failed(policy(platform=PlatformRules(rejected_features=(feature,)))) == [f"platform.{feature}"]
    assert failed(policy()) == []


def test_collateral_that_is_older_than_the_policy_allows_is_denied_while_it_is_in_date():
    assert failed(policy(collateral=CollateralRules(maximum_age_days=9))) == ["collateral.age"]
    assert failed(policy(collateral=CollateralRules(maximum_age_days=10))) == []


def test_a_status_that_is_accepted_still_lists_what_is_short_as_waived():
    rules = policy(tcb=TcbRules(accepted_statuses=("OutOfDate",)))
    assert failed(rules, authentic(status="OutOfDate")) == []
