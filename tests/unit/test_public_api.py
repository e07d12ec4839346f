"""The Python API is as public as the command: importable without the extras of rooms one does not use, and typed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from places import REPOSITORY

EXTRAS = ("joserfc", "sqlalchemy", "starlette", "granian", "httpx2", "numpy", "onnxruntime", "magika")
BLOCKER = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
"""


def without_extras(program):
    return subprocess.run([sys.executable, "-c", BLOCKER + program], capture_output=True, check=False, text=True)


@pytest.mark.parametrize(
    "module",
    ["formats.quote", "attest", "policy", "forge", "sdk", "simcpu.daemon", "guest.enclave", "guest.dataset", "cli"],
)
def test_a_room_is_importable_without_the_extras_of_others(module):
    done = without_extras(f"import adyton.{module}")
    assert done.returncode == 0, done.stderr


def test_a_verb_whose_extra_is_missing_says_which(tmp_path):
    done = without_extras(f"from adyton.cli import main; main(['up', '--state', {str(tmp_path)!r}])")
    assert (done.returncode, "pip install 'adyton[broker]'" in done.stderr) == (3, True)


def test_verify_works_without_any_extra():
    done = without_extras("from adyton.cli import main; main(['verify', '/dev/null', '--collateral', '/dev/null'])")
    assert (done.returncode, "cli.file.empty" in done.stderr) == (2, True)


def test_the_package_says_that_it_is_typed():
    assert (REPOSITORY / "src" / "adyton" / "py.typed").exists()


def test_lock_files_carry_hashes_and_no_address():
    for name in ("demo.lock", "dev.lock"):
        text = (REPOSITORY / "requirements" / name).read_text()
        assert "://" not in text
        assert "index-url" not in text
        packages = [line for line in text.splitlines() if "==" in line and not line.startswith(("#", " "))]
        assert len(packages) > 10
        assert all(line.rstrip().endswith("\\") for line in packages)
