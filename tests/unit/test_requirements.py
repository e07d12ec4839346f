"""A machine that has a thing cannot lose its tests unnoticed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from places import REPOSITORY


def run_alone(tmp_path, **environment):
    """Run the vectors' tests in a checkout without vectors beside it."""
    checkout = tmp_path / "checkout"
    for name in ("tests/vectors", "tests/support"):
        shutil.copytree(REPOSITORY / name, checkout / name)
    for name in ("tests/conftest.py", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, checkout / name)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/vectors"]
    variables = {name: value for name, value in os.environ.items() if name != "ADYTON_REQUIRE"} | environment
    return subprocess.run(command, cwd=checkout, env=variables, capture_output=True, check=False, text=True)


def test_what_a_machine_lacks_is_skipped_with_its_reason(tmp_path):
    done = run_alone(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "no genuine evidence beside this checkout" in done.stdout
    assert "passed" not in done.stdout


def test_what_is_required_and_lacking_fails(tmp_path):
    done = run_alone(tmp_path, ADYTON_REQUIRE="vectors")
    assert done.returncode == 1
    assert "ADYTON_REQUIRE asks for vectors" in done.stdout
    assert "skipped" not in done.stdout
