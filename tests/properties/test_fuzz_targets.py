"""Each fuzz target, briefly and with a fixed seed; `make fuzz` runs them for longer."""

from __future__ import annotations

import importlib
import sys

import pytest
from places import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "fuzz"))
TARGETS = sorted(path.stem for path in (REPOSITORY / "fuzz").glob("fuzz_*.py"))


@pytest.mark.parametrize("name", TARGETS)
def test_changed_input_leads_to_this_project_s_errors_and_no_others(name):
    harness = importlib.import_module("harness")
    target = importlib.import_module(name)
    seeds = target.seeds()
    for seed in seeds:
        target.one_input(seed)
    harness.run(target.one_input, seeds, runs=1500, seed=20260601)


def test_the_harness_reports_a_fault():
    harness = importlib.import_module("harness")

    def faulty(data):
        assert len(data) % 7, "a fault"

    with pytest.raises(AssertionError):
        harness.run(faulty, [bytes(20)], runs=500, seed=1)


def test_there_is_a_target_for_each_reader():
    assert {"fuzz_authenticate", "fuzz_collateral", "fuzz_der", "fuzz_enclave", "fuzz_messages", "fuzz_quote"} <= set(
        TARGETS
    )
