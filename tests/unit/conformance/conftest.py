"""The verifier that is known to be broken, in an environment of its own, built once and kept outside the tree."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from places import REPOSITORY

REQUIREMENTS = REPOSITORY / "requirements" / "known-bad.txt"
PIP = ["-m", "pip", "--disable-pip-version-check", "--quiet", "--timeout", "15", "--retries", "1"]


@pytest.fixture(scope="session")
def known_bad_python():
    """The Python of an environment with a broken dcap-qvl and nothing else."""
    environment = _cache() / f"known-bad-{_key()}"
    if not (environment / "complete").exists():
        reason = _build(environment)
        if reason and "known-bad" in os.environ.get("ADYTON_REQUIRE", "").split(","):
            pytest.fail(f"ADYTON_REQUIRE asks for known-bad: {reason}", pytrace=False)
        if reason:
            pytest.skip(reason)
    return environment / "bin" / "python"


def _cache():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "adyton"


def _key():
    named = REQUIREMENTS.read_bytes() + sys.version.encode() + sys.executable.encode()
    return hashlib.sha256(named).hexdigest()[:16]


def _build(environment):
    """Build the environment; return why that was not possible, or nothing."""
    environment.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(environment, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=environment.parent) as folder:
        made = Path(folder) / "environment"
        subprocess.run([sys.executable, "-m", "venv", made], check=True, capture_output=True)
        command = [made / "bin" / "python", *PIP, "install", "--require-hashes", "--no-deps", "-r", REQUIREMENTS]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if "DO NOT MATCH THE HASHES" in done.stderr:
            pytest.fail(
                f"an index gave other bytes than requirements/known-bad.txt names: {done.stderr}", pytrace=False
            )
        if done.returncode:
            last = done.stderr.strip().rpartition("\n")[2]
            return f"pip could not install requirements/known-bad.txt: {last}"
        (made / "complete").touch()
        # Another run may have been first: its environment is as good.
        if not environment.exists():
            made.rename(environment)
            Path(folder, "environment").mkdir()
    return ""
