"""What the kit says of verifiers: ours, one that was published broken, and some that do not keep to the protocol."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from places import REPOSITORY, VECTORS

from adyton.cli import main
from adyton.conformance import Group, KitLimits, Verifier, all_cases, examine, genuine_cases
from adyton.errors import UsageError

OURS = [sys.executable, "-m", "adyton.conformance.adapter"]
PEER = REPOSITORY / "src" / "adyton" / "conformance" / "peer_dcap_qvl.py"
QUICK = KitLimits(answer_seconds=0.5, stop_seconds=0.5, failures_in_a_row=3)
FORGED_IDENTITY = {f"{tee}.qe-identity.{name}" for tee in ("sgx", "tdx") for name in ("forged", "other-tee")}
SOME = [case for case in all_cases() if case.id.startswith(("sgx.sound.", "sgx.qe-identity.", "sgx.dates.tcb-info"))]


def script(body):
    """Return the command of a verifier whose loop has this body."""
    program = f"import json, os, sys, time\nfor line in sys.stdin:\n    request = json.loads(line)\n    {body}\n"
    return [sys.executable, "-c", program]


def says(answer):
    return script(f"print(json.dumps({{'id': request['id'], **{answer!r}}}), flush=True)")


def examined(command, cases=SOME, limits=QUICK):
    with Verifier(command, limits) as verifier:
        return examine(cases, verifier)


def groups(report):
    return {finding.group for finding in report.findings}


def test_our_verifier_conforms():
    report = examined(OURS, all_cases(), KitLimits())
    assert report.findings == ()
    assert (report.passed, report.unsupported) == (len(all_cases()), ())
    assert report.conforms


@pytest.mark.vectors
def test_our_verifier_conforms_on_genuine_and_on_tampered_genuine_evidence():
    report = examined(OURS, genuine_cases(VECTORS), KitLimits())
    assert report.findings == ()
    assert report.cases > 100


def test_the_kit_fails_a_published_verifier_that_does_not_check_the_qe_identity(known_bad_python):
    report = examined([str(known_bad_python), str(PEER)], all_cases(), KitLimits())
    accepted = {finding.id for finding in report.of(Group.ACCEPTED)}
    assert accepted >= FORGED_IDENTITY
    assert not report.conforms


@pytest.mark.vectors
def test_the_kit_fails_it_on_genuine_evidence_too_for_those_who_trust_no_other_root(known_bad_python):
    report = examined([str(known_bad_python), str(PEER)], genuine_cases(VECTORS), KitLimits())
    accepted = {finding.id for finding in report.of(Group.ACCEPTED)}
    assert accepted >= {
        "sgx.tampered.forged-qe-identity", "tdx.tampered.forged-qe-identity", "tdx.tampered.sgx-qe-identity",
    }  # fmt: skip


def test_a_later_version_of_the_same_verifier_refuses_the_forged_qe_identity():
    report = examined([sys.executable, str(PEER)], all_cases(), KitLimits())
    found = {finding.id for finding in report.findings}
    assert not found & FORGED_IDENTITY
    assert not report.of(Group.STATUS)
    assert not report.of(Group.ADVISORIES)
    assert not report.of(Group.REFUSED)
    assert not report.of(Group.MISBEHAVED)


def test_what_a_verifier_does_not_support_is_no_pass():
    report = examined(says({"unsupported": "nothing is"}))
    assert (report.passed, len(report.unsupported), report.findings) == (0, len(SOME), ())
    assert not report.conforms


def test_a_verifier_that_always_accepts_is_caught():
    report = examined(says({"status": "UpToDate"}))
    assert report.findings[0].group is Group.ACCEPTED
    assert {finding.id for finding in report.of(Group.ACCEPTED)} >= {
        "sgx.qe-identity.forged",
        "sgx.dates.tcb-info-expired",
    }


def test_a_verifier_that_always_refuses_is_caught():
    report = examined(says({"error": "no"}))
    assert groups(report) == {Group.REFUSED}


def test_a_verifier_that_always_says_revoked_is_caught():
    assert groups(examined(says({"status": "Revoked"}))) == {Group.STATUS}


def test_a_verifier_that_drops_the_status_is_caught():
    cases = [case for case in all_cases() if case.id == "sgx.status.OutOfDate"]
    assert groups(examined(says({"status": "UpToDate", "advisories": ["SIM-SA-00001"]}), cases)) == {Group.STATUS}


def test_a_verifier_that_forgets_advisories_is_caught():
    cases = [case for case in all_cases() if case.id == "sgx.status.OutOfDate"]
    assert groups(examined(says({"status": "OutOfDate"}), cases)) == {Group.ADVISORIES}


@pytest.mark.parametrize(
    "body",
    [
        "print('hello', flush=True)",
        "print('[1]', flush=True)",
        "print('{}', flush=True)",
        "print(json.dumps({'id': request['id']}), flush=True)",
        "print(json.dumps({'id': request['id'], 'status': 'UpToDate', 'error': 'no'}), flush=True)",
        "print(json.dumps({'id': 'another', 'error': 'no'}), flush=True)",
        "print(json.dumps({'id': request['id'], 'status': 3}), flush=True)",
        "print('[' * 100000, flush=True)",
        "os.write(1, b'\\xff\\xfe\\n')",
        "os.write(1, b'x' * (3 << 20) + b'\\n')",
    ],
)
def test_a_verifier_that_prints_garbage_is_caught(body):
    report = examined(script(body))
    assert groups(report) == {Group.MISBEHAVED, Group.NOT_RUN}
    assert "garbage" in report.findings[0].found


def test_a_verifier_that_never_ends_its_line_is_stopped_at_the_limit():
    report = examined(script("[os.write(1, b'x' * 65536) for _ in iter(int, 1)]"), SOME[:1])
    assert "garbage" in report.findings[0].found


def test_a_verifier_that_says_more_than_it_was_asked_is_caught():
    more = "os.write(1, (json.dumps({'id': request['id'], 'error': 'no'}) + '\\nand more\\n').encode())"
    report = examined(script(more))
    assert "extra" in report.findings[0].found


def test_a_verifier_that_speaks_after_its_last_answer_is_caught():
    program = "print(json.dumps({'id': request['id'], 'error': 'no'}), flush=True)\nprint('bye', flush=True)"
    report = examined(script(program), [case for case in SOME if case.expected.status is None][:1])
    assert [finding.id for finding in report.findings] == ["end"]


def test_a_verifier_that_hangs_is_caught_in_bounded_time():
    start = time.monotonic()
    report = examined(script("time.sleep(600)"))
    assert time.monotonic() - start < 30
    assert groups(report) == {Group.MISBEHAVED, Group.NOT_RUN}
    assert "timeout" in report.findings[0].found
    assert len(report.of(Group.NOT_RUN)) == len(SOME) - QUICK.failures_in_a_row


def test_a_verifier_that_reads_nothing_is_caught():
    report = examined([sys.executable, "-c", "import time; time.sleep(600)"], SOME[:1])
    assert "timeout" in report.findings[0].found


def test_a_verifier_that_crashes_is_caught_with_what_it_said():
    report = examined(script("sys.exit('out of order')"))
    assert "crash" in report.findings[0].found
    assert "out of order" in report.findings[0].found


def test_a_verifier_that_dies_by_a_signal_is_caught():
    report = examined(script("os.abort()"), SOME[:1])
    assert f"died by signal {signal.SIGABRT.value}" in report.findings[0].found


def test_a_crash_on_one_case_costs_that_case_alone():
    refuses = "print(json.dumps({'id': request['id'], 'error': 'no'}), flush=True)"
    report = examined(script(f"sys.exit(1) if 'forged' in request['id'] else {refuses}"))
    assert [finding.id for finding in report.of(Group.MISBEHAVED)] == ["sgx.qe-identity.forged"]
    assert not report.of(Group.NOT_RUN)


def test_a_stopped_verifier_leaves_no_child_behind(tmp_path):
    note = tmp_path / "child"
    start = "import subprocess; child = subprocess.Popen(['sleep', '600'])"
    body = f"{start}; open({str(note)!r}, 'w').write(str(child.pid)); time.sleep(600)"
    # An interpreter that shares the machine takes a while to start.
    examined(script(body), SOME[:1], KitLimits(answer_seconds=5, failures_in_a_row=1))
    state = Path(f"/proc/{note.read_text()}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_a_flood_on_standard_error_blocks_nobody():
    body = "os.write(2, b'noise\\n' * 100000)\n    print(json.dumps({'id': request['id'], 'error': 'no'}), flush=True)"
    cases = [case for case in SOME if case.expected.status is None][:2]
    assert examined(script(body), cases, KitLimits()).findings == ()


def test_a_command_that_is_not_there_is_wrong_usage():
    with pytest.raises(UsageError, match=r"conformance\.command"):
        examined(["/nowhere/verifier"])


def test_a_folder_without_genuine_evidence_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match=r"conformance\.vectors"):
        list(genuine_cases(tmp_path))


def run(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    printed = capsys.readouterr()
    return ended.value.code or 0, printed.out, printed.err


def test_the_verb_lists_cases_and_asks_nobody(capsys):
    code, out, _ = run(capsys, "conformance", "--list")
    assert code == 0
    assert "sgx.qe-identity.forged" in out
    code, out, _ = run(capsys, "conformance", "--list", "--json")
    listed = json.loads(out)["cases"]
    assert (code, len(listed)) == (0, len(all_cases()))


def test_the_verb_without_a_verifier_says_what_to_do(capsys):
    code, _, err = run(capsys, "conformance")
    assert code == 3
    assert "conformance.command" in err
    code, out, _ = run(capsys, "conformance", "--json", "--", "/nowhere/verifier")
    assert (code, json.loads(out)["error"]["code"]) == (3, "conformance.command")


def test_the_verb_prints_the_worst_first_and_exits_with_one(capsys):
    code, out, _ = run(capsys, "conformance", "--", *says({"status": "UpToDate"}))
    assert code == 1
    assert out.startswith("accepted what must be refused")
    assert "DOES NOT CONFORM" in out


def test_the_verb_prints_one_json_object(capsys):
    code, out, _ = run(capsys, "conformance", "--json", "--", *says({"unsupported": "\x1b[31mred"}))
    shown = json.loads(out)
    assert (code, shown["conforms"], shown["report"]["passed"]) == (1, False, 0)
    code, out, _ = run(capsys, "conformance", "--", *says({"unsupported": "\x1b[31mred"}))
    assert "\x1b" not in out


def test_the_peer_needs_nothing_of_this_project():
    source = PEER.read_text()
    assert "adyton." not in source.replace("adyton conformance", "")


def test_the_example_adapter_of_the_reference_speaks_the_protocol(tmp_path):
    page = (REPOSITORY / "docs" / "reference" / "conformance.md").read_text()
    example = page.partition("```python\n")[2].partition("```")[0]
    path = tmp_path / "adapter.py"
    path.write_text(example)
    (tmp_path / "my_verifier.py").write_text("def verify(*_):\n    raise ValueError('no')\n")
    report = examined([sys.executable, str(path)], limits=KitLimits())
    assert groups(report) == {Group.REFUSED}
    assert len(example.strip().splitlines()) <= 20
    assert os.access(path, os.R_OK)
