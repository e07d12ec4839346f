"""What every test shares: where the vectors are, and how a test says that a machine lacks something.

A test that cannot run here is skipped with its reason in words. `ADYTON_REQUIRE=vectors,landlock,...` turns such a skip
into a failure: a machine that has a thing cannot lose its tests unnoticed.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, settings
from places import VECTORS

settings.register_profile(
    "adyton", deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", parent=settings.get_profile("adyton"), max_examples=2000, derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "adyton"))

_REQUIRED = frozenset(filter(None, os.environ.get("ADYTON_REQUIRE", "").split(",")))
_MARKERS = {
    "vectors": "reads genuine evidence from ../shared/vectors",
    "landlock": "needs a kernel with landlock",
    "userns": "needs unprivileged user namespaces",
    "memfd_secret": "needs memfd_secret",
    "root": "needs to be root, to act as another user",
    "model": "needs the magika model and onnxruntime",
}


def pytest_configure(config):
    for name, meaning in _MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def pytest_runtest_setup(item):
    for name in _MARKERS:
        if item.get_closest_marker(name) is None:
            continue
        reason = _lacking(name)
        if reason is not None and name in _REQUIRED:
            pytest.fail(f"ADYTON_REQUIRE asks for {name}: {reason}", pytrace=False)
        if reason is not None:
            pytest.skip(reason)


_found: dict[str, str | None] = {}


def _lacking(name):
    if name not in _found:
        _found[name] = _PROBES[name]()
    return _found[name]


def _needs(program, reason):
    """Run a few lines in a process of their own: a probe of a wall may not wall in the tests."""

    def probe():
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
        return None if done.returncode == 0 else reason

    return probe


_SYSCALL = "import ctypes,os,sys; libc=ctypes.CDLL(None,use_errno=True); sys.exit(libc.syscall({}) < 0)"
_PROBES = {
    "vectors": lambda: None if VECTORS.is_dir() else "no genuine evidence beside this checkout (../shared/vectors)",
    "landlock": _needs(_SYSCALL.format("444,None,0,1"), "this kernel has no landlock"),
    "memfd_secret": _needs(_SYSCALL.format("447,0"), "this kernel has no memfd_secret"),
    "userns": _needs(
        "import ctypes,sys; sys.exit(ctypes.CDLL(None).unshare(0x10000000) != 0)",
        "this machine allows no unprivileged user namespaces",
    ),
    "root": lambda: None if os.geteuid() == 0 else "not root, so this test cannot act as another user",
    "model": _needs("import magika, onnxruntime", "the extra `demo` is not installed"),
}


@pytest.fixture(scope="session")
def vectors():
    """The folder of genuine evidence; a test that takes it is marked `vectors`."""
    return VECTORS
