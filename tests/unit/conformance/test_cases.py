"""The cases: always the same bytes, each with a name of its own, and enough of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import msgspec
import pytest
from places import REPOSITORY

from adyton.attest import TcbStatus
from adyton.conformance import all_cases
from adyton.conformance.adapter import answer
from adyton.conformance.case import AUTHENTIC, Request
from adyton.conformance.cases import snp, sound
from adyton.conformance.examine import judge
from adyton.conformance.manifest import PATH, manifest
from adyton.conformance.process import Answer
from adyton.conformance.stage import SGX, TDX

CASES = all_cases()
# Known bugs of verifiers (each a case or more), by a word of their source.
KNOWN_BUGS = (
    "CVE-2026-22696", "dcap-qvl #124", "dcap-qvl #127", "dcap-qvl #134", "taikoxyz/taiko-mono #21822",
    "bitrouter #566", "steward #112", "gramine #815", "automata-on-chain-pccs #22", "automata-on-chain-pccs #15",
    "automata-dcap-attestation #140", "attestation-rs #67", "Trustee snp/mod.rs:597",
    "TEE-Attestation-Verification #152", "veraison/services #427",
)  # fmt: skip


def named(word):
    return [case for case in CASES if word in case.id]


def test_the_manifest_regenerates_without_a_difference():
    assert manifest(CASES) == PATH.read_bytes(), (
        "run `python -m adyton.conformance.manifest` and look at the difference"
    )


def test_there_are_enough_cases_of_every_kind_and_every_name_is_one_case_s():
    counts = Counter((case.request.tee, case.expected.status is None) for case in CASES)
    assert len(CASES) >= 100
    assert all(counts[tee, refused] >= 10 for tee in ("sgx", "tdx", "snp") for refused in (True, False))
    assert len({case.id for case in CASES}) == len(CASES)
    assert len({case.to_bytes() for case in CASES}) == len(CASES)


@pytest.mark.parametrize("bug", KNOWN_BUGS)
def test_every_known_bug_of_verifiers_has_a_case_that_is_named_after_it(bug):
    assert any(bug in case.source for case in CASES)


def test_every_status_of_the_vendor_is_expected_somewhere():
    assert {case.expected.status for case in CASES} == {*TcbStatus, AUTHENTIC, None}


def test_whatever_has_more_than_one_right_answer_says_why():
    assert all(case.expected.because for case in CASES if case.expected.refusal_allowed)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_our_verifier_answers_rightly(case):
    said = answer(json_request(case))
    assert judge(case.expected, Answer(**said)) is None, said


def json_request(case):
    """Return the request as it comes out of the line that a verifier reads."""
    return msgspec.json.decode(case.to_bytes(), type=Request)


def test_a_forged_case_differs_from_the_sound_one_in_what_it_forges_alone():
    base = json.loads(next(case for case in CASES if case.id == "sgx.sound.quote-v3").to_bytes())
    forged = json.loads(next(case for case in CASES if case.id == "sgx.qe-identity.edited").to_bytes())
    assert base["quote"] == forged["quote"]
    changed = {name for name, value in base["collateral"].items() if forged["collateral"][name] != value}
    assert changed == {"qe_identity"}


def test_no_case_is_made_from_genuine_evidence():
    intel = bytes.fromhex("0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5")
    assert all(intel not in case.request.root for case in CASES)


def test_the_groups_are_generators_that_can_be_run_twice():
    assert [case.to_bytes() for case in sound.cases()] == [case.to_bytes() for case in sound.cases()]
    assert [case.digest() for case in snp.cases()][:3] == [case.digest() for case in snp.cases()][:3]


def test_the_manifest_holds_no_path_of_a_machine():
    assert str(REPOSITORY) not in PATH.read_text()


def test_the_two_stages_share_their_root_so_that_a_mixed_up_document_is_genuinely_signed():
    assert SGX.vendor.root_der == TDX.vendor.root_der


def test_the_reference_names_the_number_of_cases():
    page = (REPOSITORY / "docs" / "reference" / "conformance.md").read_text()
    assert f"There are {len(CASES)} cases" in page
    assert f"CONFORMS: {len(CASES)} of {len(CASES)} cases right, 0 wrong, 0 unsupported" in page


def test_the_kit_is_importable_without_the_extras_of_other_rooms():
    blocked = ("joserfc", "sqlalchemy", "starlette", "granian", "httpx2", "numpy", "onnxruntime", "magika", "dcap_qvl")
    program = f"import sys\nfor name in {blocked!r}: sys.modules[name] = None\nimport adyton.conformance.adapter"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
