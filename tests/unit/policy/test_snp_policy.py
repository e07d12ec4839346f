"""Each rule for SEV-SNP guests, as an attacker or a careless author would try it."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from snp import CHIPS, NOW, REPORT, TCB, endorsements, roots

from adyton.attest import authenticate_report
from adyton.formats.check import Outcome, Verdict
from adyton.formats.policy import API_VERSION, AppraisalPolicy, GuestReference, SnpRules, SnpTcb
from adyton.formats.snp import GuestPolicyBits
from adyton.policy import appraise, builtin_policy

CHIP = CHIPS["Milan"]
KNOWN = GuestReference(measurement=REPORT.measurement.hex())


def authentic(**changes):
    evidence = authenticate_report(CHIP.report(), endorsements(CHIP, crl=CHIP.crl()), roots=roots(CHIP), now=NOW)
    return replace(evidence, report=replace(evidence.report, **changes))


def policy(**rules):
    (root,) = roots(CHIP).names
    known = {"guests": (KNOWN,)} | rules
    return AppraisalPolicy(
        api_version=API_VERSION, kind="AppraisalPolicy", name="guests", roots=(root,), snp=SnpRules(**known)
    )


def failed(evidence, rules=None, *, report_data=None):
    found = appraise(evidence, rules or policy(), expected_report_data=report_data, now=NOW)
    return [check.id for check in found.failed]


def test_a_sound_guest_that_the_policy_names_is_accepted():
    assert failed(authentic()) == []


@pytest.mark.parametrize(
    ("changes", "check", "exception"),
    [
        ({"policy": REPORT.policy | GuestPolicyBits.DEBUG}, "snp.policy.debug", "dangerous_allow_debug"),
        (
            {"policy": REPORT.policy | GuestPolicyBits.MIGRATE_MA},
            "snp.policy.migration",
            "dangerous_allow_migration_agent",
        ),
        ({"policy": REPORT.policy | 1 << 40}, "snp.policy.reserved", "dangerous_allow_unknown_policy"),
        ({"policy": int(GuestPolicyBits.SMT)}, "snp.policy.reserved", "dangerous_allow_unknown_policy"),
        (
            {"committed_tcb": replace(TCB, snp=1).to_bytes()},
            "snp.firmware.committed",
            "dangerous_allow_provisional_firmware",
        ),
        ({"committed_version": (0, 55, 1)}, "snp.firmware.committed", "dangerous_allow_provisional_firmware"),
    ],
)
def test_an_unsafe_guest_is_denied_unless_the_policy_names_the_exception(changes, check, exception):
    assert failed(authentic(**changes)) == [check]
    waived = appraise(authentic(**changes), policy(**{exception: True}), expected_report_data=None, now=NOW)
    assert {item.id: item.outcome for item in waived.judged}[check] is Outcome.WAIVED
    assert waived.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("vmpl", [1, 3, 0xFFFFFFFF])
def test_a_report_of_a_lower_privilege_level_is_denied_though_the_measurement_is_the_guest_s(vmpl):
    assert failed(authentic(vmpl=vmpl)) == ["snp.vmpl"]
    assert failed(authentic(vmpl=vmpl), policy(maximum_vmpl=vmpl)) == []


def test_certificates_without_a_revocation_list_are_denied_by_strict():
    bare = authenticate_report(CHIP.report(), endorsements(CHIP, crl=b""), roots=roots(CHIP), now=NOW)
    assert failed(bare) == ["snp.crl.missing"]
    assert failed(bare, policy(dangerous_allow_missing_crl=True)) == []


@pytest.mark.parametrize("part", ["boot_loader", "snp", "microcode"])
def test_firmware_below_the_policy_s_minimum_is_denied_by_its_name(part):
    least = {"Milan": SnpTcb(**{part: getattr(TCB, part) + 1})}
    assert failed(authentic(), policy(minimum_tcb=least)) == [f"snp.tcb.{part}"]
    assert failed(authentic(), policy(minimum_tcb={"Genoa": SnpTcb(**{part: 255})})) == []


def test_a_platform_s_features_are_required_and_rejected_by_name():
    assert failed(authentic(), policy(required_platform=("ciphertext_hiding_dram",))) == [
        "snp.platform.ciphertext_hiding_dram"
    ]
    assert failed(authentic(), policy(rejected_platform=("smt_enabled",))) == ["snp.platform.smt_enabled"]


def test_another_guest_is_denied_with_both_measurements():
    (check,) = appraise(authentic(measurement=b"\x01" * 48), policy(), expected_report_data=None, now=NOW).failed
    assert (check.id, check.expected, check.actual) == ("snp.measurement", "dd" * 48, "01" * 48)
    assert check.where == "report bytes 144 to 191"


def test_a_report_replayed_with_a_fresh_nonce_is_denied():
    assert failed(authentic(), report_data=b"\x01" * 64) == ["report_data"]


def test_a_policy_without_rules_for_snp_denies_it():
    plain = msgspec.structs.replace(policy(), snp=None)
    assert failed(authentic(), plain) == ["tee.accepted"]


@pytest.mark.parametrize("name", ["strict", "dangerous-authentic"])
def test_every_builtin_policy_denies_a_simulated_chip(name):
    assert "trust.root" in failed(authentic(), builtin_policy(name))


def test_rules_for_snp_under_intel_s_root_alone_are_an_error():
    with pytest.raises(ValueError, match="add amd"):
        AppraisalPolicy(api_version=API_VERSION, kind="AppraisalPolicy", name="x", snp=SnpRules())


def test_a_guest_named_by_its_identity_key_needs_a_minimum_version():
    with pytest.raises(ValueError, match="minimum_guest_svn"):
        SnpRules(guests=(GuestReference(id_key_digest="04" * 48),))
    line = GuestReference(id_key_digest="00" * 48, minimum_guest_svn=1)
    assert failed(authentic(guest_svn=0), policy(guests=(line,))) == ["snp.guest_svn"]
    assert failed(authentic(guest_svn=1), policy(guests=(line,))) == []
