"""The conformance kit: it regenerates, it passes ours, and it fails every verifier that is bad in a known way."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from places import REPOSITORY

from adyton.attest import TrustRoot, TrustRoots, authenticate, authenticate_report
from adyton.attest.signatures import PublicKey
from adyton.conformance import Expected, all_cases, run
from adyton.conformance.cases import committed_manifest, manifest
from adyton.conformance.run import Grade
from adyton.errors import AdytonError, UsageError
from adyton.formats.collateral import Collateral
from adyton.formats.quote import Quote
from adyton.formats.snp import SnpReport
from adyton.formats.x509 import Certificate

CASES = all_cases()
PEER = REPOSITORY / "src" / "adyton" / "conformance" / "peer_dcap_qvl.py"


def ours(case):
    key = PublicKey.of(Certificate.parse(case.root).public_key)
    roots = TrustRoots.named([TrustRoot.of(key.data).name])
    if case.tee == "snp":
        return authenticate_report(SnpReport.parse(case.evidence), case.endorsements, roots=roots, now=case.now)
    collateral = Collateral.parse(case.endorsements.to_bytes())
    return authenticate(Quote.parse(case.evidence), collateral, roots=roots, now=case.now)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_ours_gives_the_status_or_refuses_with_the_check_that_the_case_is_about(case):
    if case.expected is Expected.REFUSE or (case.expected is Expected.EITHER and case.code):
        with pytest.raises(AdytonError) as caught:
            ours(case)
        assert caught.value.code == case.code
        assert caught.value.remedy
        return
    found = ours(case)
    if case.tee != "snp":
        assert found.tcb.status == case.status
        if case.expected is Expected.ACCEPT:
            assert sorted(found.tcb.advisories) == sorted(case.advisories)
    if case.expected is Expected.DATED:
        assert found.collateral.earliest_expiry < case.now or found.collateral.latest_issue > case.now


def test_the_cases_regenerate_without_a_diff():
    assert manifest() == committed_manifest()


def test_no_two_cases_have_one_name():
    assert len({case.id for case in CASES}) == len(CASES) > 200


def test_the_kit_passes_ours():
    report = run([sys.executable, "-m", "adyton.conformance.adapter"], CASES)
    assert [finding for finding in report.findings if finding.grade is not Grade.RIGHT] == []
    assert report.passed


def saying(answer):
    """Return a verifier that gives one answer to every case."""
    return (
        "import sys,json\nfor line in sys.stdin:\n"
        f"    print(json.dumps({{'id': json.loads(line)['id']}} | {answer!r}), flush=True)"
    )


VERIFIERS = {
    "always says that all is well": (saying({"status": "UpToDate"}), Grade.ACCEPTED_WRONGLY),
    "always refuses": (saying({"error": "no"}), Grade.REFUSED_WRONGLY),
    "prints something else": ("import sys\nfor line in sys.stdin: print('hello', flush=True)", Grade.NO_ANSWER),
    "answers for another case": (saying({"id": "x", "status": "UpToDate"}), Grade.NO_ANSWER),
    "hangs": ("import time; time.sleep(600)", Grade.NO_ANSWER),
    "ends": ("raise SystemExit(3)", Grade.NO_ANSWER),
    "never ends its line": ("import sys\nwhile True: sys.stdout.write('x' * 65536)", Grade.NO_ANSWER),
}


@pytest.mark.parametrize("name", VERIFIERS)
def test_a_verifier_is_caught_that(name):
    program, grade = VERIFIERS[name]
    some = [CASES[0], next(case for case in CASES if case.expected is Expected.REFUSE)]
    report = run([sys.executable, "-c", program], some, seconds_per_case=1.0 if name == "hangs" else 20.0)
    assert not report.passed
    assert grade in {finding.grade for finding in report.findings}


def test_a_verifier_that_looks_at_nothing_does_not_pass():
    program = saying({"unsupported": ""})
    assert not run([sys.executable, "-c", program], CASES[:2]).passed


def test_a_command_that_is_not_there_is_an_error():
    with pytest.raises(UsageError, match=r"conformance\.command"):
        run(["/nothing/here"], CASES[:1])


@pytest.mark.known_bad
def test_the_kit_fails_the_dcap_qvl_that_accepts_a_forged_qe_identity(known_bad):
    report = run([known_bad, str(PEER)], CASES)
    accepted = {finding.case for finding in report.findings if finding.grade is Grade.ACCEPTED_WRONGLY}
    assert not report.passed
    assert {
        "bug.cve_2026_22696.forged_qe_identity",
        "bug.cve_2026_22696.qe_identity_of_another_vendor",
        "bug.cve_2026_22696.sgx_qe_identity_for_a_trust_domain",
        "bug.svn_list_truncated_by_zip.15",
    } <= accepted


def test_the_mended_dcap_qvl_refuses_the_forged_qe_identity():
    some = [case for case in CASES if "cve_2026_22696" in case.id]
    assert run([sys.executable, str(PEER)], some).passed


def test_the_command_prints_what_is_wrong_and_exits_1(tmp_path):
    program = tmp_path / "verifier.py"
    program.write_text(VERIFIERS["always says that all is well"][0])
    adyton = [sys.executable, "-c", "from adyton.cli import main; main()"]
    words = ["conformance", "--only", "sgx.no_level", "--json", "--", sys.executable, str(program)]
    done = subprocess.run([*adyton, *words], capture_output=True, check=False)
    shown = json.loads(done.stdout)
    assert done.returncode == 1
    assert shown["passed"] is False
    assert [finding["case"] for finding in shown["findings"]] == ["sgx.no_level_reached"]
