"""The kernel's walls, by ctypes: what Python's standard library has no name for.

Sources: the manual pages prctl(2), unshare(2), landlock(7), seccomp(2), memfd_secret(2); the kernel's UAPI headers.
Each function does one call, raises `StateError` with the call's and the error's name, and says so when a kernel lacks
the call. It imports nothing but the standard library, because it runs in enclaves before anything else is trusted.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import platform
import struct
from collections.abc import Iterable, Iterator
from enum import IntFlag
from pathlib import Path
from typing import Final

from adyton.errors import StateError

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2
_MEMFD_SECRET: Final = 447
_CLONE: Final = 56
_CLONE3: Final = 435
_CLONE_THREAD: Final = 0x00010000
_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_ADD_RULE: Final = 445
_LANDLOCK_RESTRICT_SELF: Final = 446
_LANDLOCK_RULE_PATH_BENEATH: Final = 1
_LANDLOCK_READ: Final = (1 << 2) | (1 << 3)  # READ_FILE, READ_DIR
_LANDLOCK_READ_FILE: Final = 1 << 2
# Rights that a ruleset can deny, by the version of landlock that brought them: file system (1: 13 rights, 2: REFER,
# 3: TRUNCATE, 5: IOCTL_DEV), network (4: bind and connect TCP), scopes (6: abstract sockets, signals).
_LANDLOCK_FS_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}


class Namespace(IntFlag):
    """What a process can have for itself (unshare(2))."""

    UTS = 0x04000000
    IPC = 0x08000000
    USER = 0x10000000
    NETWORK = 0x40000000


def unshare(namespaces: Namespace) -> None:
    """Leave the shared namespaces for new, empty ones.

    Raises:
        StateError: `linux.unshare.<errno>`: the kernel or its configuration does not allow it.
    """
    _check("unshare", _libc.unshare(ctypes.c_int(int(namespaces))))


def set_parent_death_signal(number: int) -> None:
    """Have the kernel send this process a signal when the thread that started it ends."""
    _prctl("set_pdeathsig", _PR_SET_PDEATHSIG, number)


def set_no_new_privileges() -> None:
    """Give up privileges by exec for good: set-user-id programs gain nothing."""
    _prctl("set_no_new_privs", _PR_SET_NO_NEW_PRIVS, 1)


def set_not_dumpable() -> None:
    """Keep processes of the same user from tracing this one and from reading its memory."""
    _prctl("set_dumpable", _PR_SET_DUMPABLE, 0)


def sealed_file(content: bytes, name: str) -> int:
    """Return a descriptor of a memory file with this content, which nobody can change or grow any more."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    fcntl.fcntl(
        descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    )
    return descriptor


def replace_file(path: Path, content: bytes, *, mode: int) -> None:
    """Replace a file as a whole, and have it on disk before returning: a kill leaves the old content or the new.

    Raises:
        OSError: The folder cannot be written to.
    """
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def secret_memory(content: bytes) -> Iterator[memoryview]:
    """Hold a secret in memory that the kernel itself does not map (memfd_secret(2)), and wipe it at the end.

    Where the kernel has no such memory, ordinary memory is used. What the caller copies out of the view is ordinary.
    """
    memory = _secret_mapping(max(len(content), 1))
    whole = memoryview(memory)
    secret = whole[: len(content)]
    try:
        secret[:] = content
        yield secret
    finally:
        whole[:] = bytes(len(whole))
        with contextlib.suppress(BufferError):
            # Somebody may hold a slice still: it shows zeros from now on.
            secret.release()
            whole.release()
            memory.close()


def has_secret_memory() -> bool:
    """Return whether the kernel has memory that it does not map itself."""
    descriptor = _libc.syscall(_MEMFD_SECRET, 0)
    if descriptor < 0:
        return False
    os.close(descriptor)
    return True


def landlock_version() -> int:
    """Return the kernel's version of landlock, 0 if it has none."""
    return max(0, int(_libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, 1)))


def restrict_files(readable: Iterable[str]) -> None:
    """Allow this process to read files beneath these paths, and no other use of any file, for good (landlock(7)).

    TCP, abstract sockets and signals to others are denied too where the kernel's landlock knows them. Paths that do not
    exist are left out. Set `set_no_new_privileges` before.

    Raises:
        StateError: `linux.landlock.<errno>`.
    """
    version = landlock_version()
    if version == 0:
        raise StateError(
            "linux.landlock.missing",
            "this kernel has no landlock",
            remedy="use a kernel of 5.13 or later with landlock",
        )
    files = (1 << _LANDLOCK_FS_RIGHTS.get(version, 16)) - 1
    network = 0b11 if version >= 4 else 0
    scopes = 0b11 if version >= 6 else 0
    attributes = struct.pack("=QQQ", files, network, scopes)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _check(
        "landlock", _libc.syscall(_LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    )
    try:
        for path in readable:
            _allow_reading(ruleset, path)
        _check("landlock", _libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def restrict_system_calls(allowed: Iterable[int]) -> None:
    """Allow only these system calls, and threads; any other call ends in EPERM, a foreign architecture's in the end.

    Threads may be started and processes may not: `clone` needs CLONE_THREAD, and `clone3`, whose flags a filter cannot
    see, answers ENOSYS, at which the C library turns to `clone`.

    Set `set_no_new_privileges` before.

    Raises:
        StateError: `linux.seccomp.<errno>`; `linux.seccomp.architecture` on a machine whose calls are not known here.
    """
    if platform.machine() != "x86_64":
        raise StateError(
            "linux.seccomp.architecture",
            f"expected x86_64, found {platform.machine()}: its system calls are not known here",
            remedy="run simulated enclaves on x86-64 Linux",
        )
    program = _filter(sorted(set(allowed)))
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    _check("seccomp", _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0))


def _filter(allowed: list[int]) -> bytes:
    """Return a classic BPF program over `struct seccomp_data`: architecture, then one comparison for each call."""
    load, jump_equal, jump_more, jump_set, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    kill, deny, allow = 0x80000000, 0x00050000 | errno.EPERM, 0x7FFF0000
    audit_x86_64, x32_bit = 0xC000003E, 0x40000000
    steps = [(load, 0, 0, 4), (jump_equal, 1, 0, audit_x86_64), (answer, 0, 0, kill), (load, 0, 0, 0)]
    steps += [(jump_more, 0, 1, x32_bit), (answer, 0, 0, kill)]
    steps += [(jump_equal, 0, 1, _CLONE3), (answer, 0, 0, 0x00050000 | errno.ENOSYS)]
    steps += [(jump_equal, 0, 4, _CLONE), (load, 0, 0, 16), (jump_set, 0, 1, _CLONE_THREAD), (answer, 0, 0, allow)]
    steps.append((answer, 0, 0, deny))
    for number in allowed:
        steps += [(jump_equal, 0, 1, number), (answer, 0, 0, allow)]
    steps.append((answer, 0, 0, deny))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _allow_reading(ruleset: int, path: str) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        rights = _LANDLOCK_READ if os.path.isdir(path) else _LANDLOCK_READ_FILE  # noqa: PTH112, no pathlib in enclaves
        rule = struct.pack("=Qi", rights, descriptor)
        _check("landlock", _libc.syscall(_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_RULE_PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _secret_mapping(size: int) -> mmap.mmap:
    descriptor = _libc.syscall(_MEMFD_SECRET, 0)
    if descriptor < 0:
        return mmap.mmap(-1, size)
    try:
        os.ftruncate(descriptor, size)
        return mmap.mmap(descriptor, size)
    except OSError:
        # RLIMIT_MEMLOCK is used up: ordinary memory is what is left.
        return mmap.mmap(-1, size)
    finally:
        os.close(descriptor)


def _prctl(name: str, option: int, value: int) -> None:
    _check(name, _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def _check(name: str, result: int) -> int:
    if result >= 0:
        return result
    number = ctypes.get_errno()
    raise StateError(
        f"linux.{name}.{errno.errorcode.get(number, 'unknown').lower()}",
        f"the kernel refused {name}: {os.strerror(number)}",
        remedy="allow it for this process, or use a kernel that has it",
    )
