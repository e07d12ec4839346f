"""The kit against our own verifier with one check left out: each is noticed."""

from __future__ import annotations

from functools import cache

import pytest

from adyton.attest import chains, endorsements, platform, revocation, signatures, snp
from adyton.attest.require import require
from adyton.conformance import all_cases
from adyton.conformance.adapter import answer
from adyton.conformance.examine import Group, judge
from adyton.conformance.process import Answer
from adyton.formats.check import Check, Outcome
from adyton.policy import rules

CHECKS = (
    "dcap.certification.pce_id", "dcap.pck.revoked", "dcap.pck_ca.revoked", "dcap.pck_chain.names",
    "dcap.pck_chain.signature", "dcap.pck_crl.issuer", "dcap.qe.identity", "dcap.qe.report_data",
    "dcap.qe.report_signature", "dcap.qe_identity.signature", "dcap.qe_identity.tee", "dcap.qe_identity_chain.revoked",
    "dcap.qe_identity_chain.signature", "dcap.root_crl.issuer", "dcap.tcb_info.fmspc", "dcap.tcb_info.pce_id",
    "dcap.tcb_info.signature", "dcap.tcb_info.tee", "dcap.tcb_info_chain.signature", "dcap.tdx.module",
    "snp.ask.revoked", "snp.chain.untrusted_root", "snp.chip_id", "snp.crl.issuer", "snp.product", "snp.reported_tcb",
    "snp.vcek_chain.signature", "snp.vlek_chain.signature",
)  # fmt: skip
MODULES = (chains, endorsements, platform, revocation, snp)


@cache
def refused_by():
    """Return the cases that each check refuses, by the check's name."""
    found = {}
    for case in all_cases():
        said = answer(case.request)
        if "error" in said:
            found.setdefault(said["error"].partition(":")[0], []).append(case)
    return found


def wrong(cases):
    return {judge(case.expected, Answer(**answer(case.request))) for case in cases} - {None}


@pytest.mark.parametrize("name", CHECKS)
def test_a_verifier_without_one_check_is_noticed(monkeypatch, name):
    cases = refused_by()[name]
    assert not wrong(cases)

    def left_out(check, *, holds, **words):
        return require(check, holds=holds or check == name, **words)

    for module in MODULES:
        monkeypatch.setattr(module, "require", left_out)
    if name.endswith("untrusted_root"):
        # The policy looks at the root as well: a second wall, which is taken away here.
        monkeypatch.setattr(rules, "trusted_root", lambda *_: Check("trust.root", Outcome.PASSED, "", ""))
    assert Group.ACCEPTED in wrong(cases)


def test_a_verifier_that_verifies_no_signature_of_quotes_and_reports_is_noticed(monkeypatch):
    cases = [*refused_by()["dcap.quote.signature"], *refused_by()["snp.report.signature"]]
    monkeypatch.setattr(signatures.LoadedKey, "verifies", lambda *_: True)
    assert len(cases) > 20
    assert wrong(cases) == {Group.ACCEPTED}
