"""A small enclave for tests: honest functions, and the attempts of a dependency that turned against its host."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import Literal

import msgspec

from adyton import linux
from adyton.errors import StateError
from adyton.formats.sgx import Attributes, KeyName, KeyPolicy, KeyRequest
from adyton.guest.enclave import current, ecall

_kept = []


@ecall
def add(one: int, other: int) -> int:
    return one + other


@ecall
def echo(content: bytes) -> bytes:
    return content


@ecall
def quote(report_data: bytes) -> bytes:
    return current().quote(report_data)


@ecall
def seal_key(policy: int, key_id: bytes, isv_svn: int) -> bytes:
    mask = Attributes(0xFFFFFFFFFFFFFFFF, 0)
    request = KeyRequest(KeyName.SEAL, policy or KeyPolicy.MRSIGNER, isv_svn, bytes(16), mask, key_id)
    return current().key(request)


@ecall
def keep(secret: bytes) -> list[int]:
    """Keep a secret in secret memory and in ordinary memory; return the addresses of both."""
    holder = linux.secret_memory(secret)
    view, ordinary = holder.__enter__(), ctypes.create_string_buffer(secret)
    _kept.append((holder, view, ordinary))
    return [ctypes.addressof(ctypes.c_char.from_buffer(view)), ctypes.addressof(ordinary)]


@ecall
def attempt(what: str) -> str:
    """Try something that the walls forbid; return the error's name, or what was got."""
    try:
        return str(_ATTEMPTS[what]())
    except OSError as error:
        return type(error).__name__


@ecall
def fail(how: str) -> int:
    if how == "own":
        raise StateError("sample.state", "expected this", remedy="do that")
    if how == "secret":
        raise ValueError("the secret is hunter2")
    if how == "decode":
        return msgspec.json.decode(b'"the secret is hunter2"', type=Literal["open"]) == "open"
    if how == "crash":
        os._exit(9)
    return 0


@ecall
def count_in_threads(number: int) -> int:
    counted = []
    threads = [threading.Thread(target=counted.append, args=(1,)) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(counted)


def _trace_again():
    return ctypes.CDLL(None).prctl(4, ctypes.c_ulong(1), 0, 0, 0)


_ATTEMPTS = {
    "read /etc/passwd": lambda: Path("/etc/passwd").read_text(),
    "read /proc/1/environ": lambda: Path("/proc/1/environ").read_bytes(),
    "list /root": lambda: list(Path("/root").iterdir()),
    "write /tmp": lambda: Path("/tmp/from-the-enclave").write_text("x"),
    "open a socket": socket.socket,
    "run a program": lambda: subprocess.run(["/bin/true"], check=True),
    "fork": os.fork,
    "signal its parent": lambda: os.kill(os.getppid(), 0),
    "become dumpable": _trace_again,
}
