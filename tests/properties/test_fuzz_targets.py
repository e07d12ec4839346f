"""Each fuzz target, briefly and with a fixed seed; `make fuzz` runs them guided by coverage, and for longer."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest
from places import REPOSITORY

import adyton.formats

sys.path.insert(0, str(REPOSITORY / "fuzz"))
TARGETS = importlib.import_module("targets").TARGETS
harness = importlib.import_module("harness")

# Modules of `formats` without a reader of foreign bytes, and those whose readers a target of another name covers.
_NO_READER = {"api", "check", "cursor", "endorsement", "ledger", "public_signers", "status"}
_COVERED_BY = {
    "enclave": "enclave-manifest",
    "pck": "pck-extension",
    "policy": "policy-yaml",
    "policy_test": "policy-test",
    "result": "signed-result",
    "sgx": "sgx-structures",
    "snp": "snp-report",
    "tcb": "tcb-info",
    "tdx": "td-report",
    "vcek": "chip-extensions",
    "x509": "certificate",
    "yaml": "policy-yaml",
}


@pytest.mark.parametrize("name", TARGETS)
def test_changed_input_leads_to_this_project_s_errors_and_no_others(name):
    target = TARGETS[name]
    seeds = target.seeds()
    if not seeds:
        pytest.skip(target.needs)
    for seed in (*seeds, *harness.regressions(name)):
        target.one_input(seed)
    harness.run(
        target.one_input, seeds, runs=150 if name.startswith("authenticate-") else 600, seed=20260601, raw=target.raw
    )


def test_the_harness_reports_a_fault():
    def faulty(data):
        assert len(data) % 7, "a fault"

    with pytest.raises(AssertionError):
        harness.run(faulty, [bytes(20)], runs=500, seed=1)


def test_every_module_of_formats_that_reads_bytes_has_a_target():
    modules = {module.name for module in pkgutil.iter_modules(adyton.formats.__path__)}
    missing = {name for name in modules - _NO_READER if _COVERED_BY.get(name, name) not in TARGETS}
    assert missing == set()


def test_the_fuzzer_s_lock_file_carries_hashes_and_no_address():
    text = (REPOSITORY / "requirements" / "fuzz.lock").read_text()
    assert "atheris==" in text
    assert "--hash=sha256:" in text
    assert "://" not in text


def test_a_target_runs_from_the_command_line():
    command = [sys.executable, REPOSITORY / "fuzz" / "harness.py", "sigstruct", "--runs", "50", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert (done.returncode, "sigstruct" in done.stdout) == (0, True), done.stderr
