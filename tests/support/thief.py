"""A process of the same user that wants an enclave's memory: `thief.py PID ADDRESS`.

It gives up root's capabilities first, and shows that it can steal by stealing from an unprotected process of its own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys
from pathlib import Path

CAPABILITY_VERSION_3 = 0x20080522
PTRACE_ATTACH = 16
SIZE = 6

libc = ctypes.CDLL(None)


def steal(pid, address):
    """Try three ways to read memory; say how each ended."""
    buffer, one = ctypes.create_string_buffer(SIZE), ctypes.c_ulong(1)
    local, remote = struct.pack("QQ", ctypes.addressof(buffer), SIZE), struct.pack("QQ", address, SIZE)
    read = libc.process_vm_readv(pid, local, one, remote, one, ctypes.c_ulong(0))
    try:
        with Path(f"/proc/{pid}/mem").open("rb") as memory:
            memory.seek(address)
            by_file = len(memory.read(SIZE))
    except OSError:
        by_file = -1
    trace = libc.ptrace(PTRACE_ATTACH, pid, None, None)
    return f"read: {_word(read)}, trace: {_word(trace)}, mem: {_word(by_file)}"


def _word(result):
    return "refused" if result < 0 else "got it"


def main():
    if libc.capset(struct.pack("Ii", CAPABILITY_VERSION_3, 0), bytes(24)):
        sys.exit("could not give up capabilities")
    victim_memory = ctypes.create_string_buffer(b"secret")
    victim = os.fork()
    if victim == 0:
        signal.pause()
    print("an unprotected process:", steal(victim, ctypes.addressof(victim_memory)))
    os.kill(victim, signal.SIGKILL)
    print("the enclave:", steal(int(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
