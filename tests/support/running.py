"""Running processors and enclaves for tests, ended with the test."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from datetime import date
from functools import cache
from pathlib import Path

from adyton.sdk import Enclave, EnclaveProject, SigningKey, build, sign

SAMPLE = Path(__file__).resolve().parent / "sample"
BUILT = date(2026, 1, 2)


@contextmanager
def processor(folder, *options):
    """Run a simulated processor; give its socket."""
    socket = folder / "cpu.sock"
    command = [sys.executable, "-m", "adyton.simcpu", "--state", folder / "state", "--socket", socket, *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        ready = json.loads(process.stdout.readline())
        assert ready == {"listening": str(socket)}, ready
        yield socket
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@cache
def signing_key():
    return SigningKey.generate()


@cache
def sample():
    """Return the sample enclave's project, image and signature."""
    project = EnclaveProject.load(SAMPLE)
    image = build(project)
    return project, image, sign(image, project.identity, signing_key(), built=BUILT)


@contextmanager
def sample_enclave(socket, **options):
    _, image, sigstruct = sample()
    with Enclave.create(image, sigstruct, processor=socket, **options) as enclave:
        yield enclave


def first_document(process):
    """Return the JSON object that a verb prints before it goes on serving."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("}"):
            break
    return json.loads("".join(lines))
