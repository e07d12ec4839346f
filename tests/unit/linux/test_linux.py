"""The kernel's walls, each put up in a process of its own and then leaned on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from adyton import linux
from adyton.errors import StateError


def behind(program):
    """Run a few lines behind walls; give what they printed."""
    head = "import os, socket, sys, threading\nfrom pathlib import Path\nfrom adyton import linux\n"
    done = subprocess.run([sys.executable, "-c", head + program], capture_output=True, check=False, text=True)
    return done.stdout.strip() or f"ended with {done.returncode}"


@pytest.mark.landlock
def test_landlock_leaves_the_named_paths_readable_and_nothing_else(tmp_path):
    (tmp_path / "file").write_text("readable")
    program = f"""
linux.set_no_new_privileges()
linux.restrict_files([{str(tmp_path)!r}, "/no/such/path"])
print(Path({str(tmp_path / "file")!r}).read_text())
for path, mode in (("/etc/passwd", "r"), ({str(tmp_path / "file")!r}, "w"), ({str(tmp_path / "new")!r}, "w")):
    try:
        open(path, mode)
        print("opened", path)
    except PermissionError:
        print("refused")
"""
    assert behind(program).split() == ["readable", "refused", "refused", "refused"]


@pytest.mark.landlock
def test_landlock_closes_tcp_where_the_kernel_knows_how():
    program = """
linux.set_no_new_privileges()
linux.restrict_files([])
try:
    socket.create_server(("127.0.0.1", 0))
    print("bound")
except PermissionError:
    print("refused")
"""
    assert behind(program) == ("refused" if linux.landlock_version() >= 4 else "bound")


def test_seccomp_allows_what_is_named_and_threads_and_nothing_else():
    calls = "[0, 1, 3, 9, 10, 11, 12, 13, 14, 24, 28, 60, 186, 202, 228, 231, 234, 262, 273, 334]"
    program = f"""
linux.set_no_new_privileges()
linux.restrict_system_calls({calls})
thread = threading.Thread(target=lambda: os.write(1, b"thread "))
thread.start()
thread.join()
for attempt in (os.fork, socket.socket, os.getppid):
    try:
        os.write(1, b"allowed " if attempt() else b"child ")
    except PermissionError:
        os.write(1, b"refused ")
os._exit(0)
"""
    # getppid cannot fail: a filter's error is what Python shows as its result.
    assert behind(program).split()[:3] == ["thread", "refused", "refused"]


def test_a_process_that_is_not_dumpable_cannot_be_read_back_by_its_user():
    program = "linux.set_not_dumpable()\nprint(os.stat(f'/proc/{os.getpid()}/maps').st_uid)"
    assert behind(program) == "0"


def test_a_sealed_file_cannot_be_changed():
    descriptor = linux.sealed_file(b"content", "test")
    try:
        assert os.pread(descriptor, 100, 0) == b"content"
        for change in (lambda: os.write(descriptor, b"x"), lambda: os.ftruncate(descriptor, 0)):
            with pytest.raises(PermissionError):
                change()
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("content", [b"", b"secret", b"x" * 10_000])
def test_secret_memory_holds_its_content_and_wipes_it(content):
    with linux.secret_memory(content) as view:
        assert bytes(view) == content
    with pytest.raises(ValueError, match="released"):
        bytes(view)


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    linux.replace_file(path, b"old", mode=0o600)
    linux.replace_file(path, b"new", mode=0o600)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o600)
    with pytest.raises(OSError, match="No such file"):
        linux.replace_file(tmp_path / "no" / "folder", b"", mode=0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_kernel_refuses_is_an_error_with_the_call_s_name():
    with pytest.raises(StateError, match=r"linux\.unshare\.einval"):
        linux.unshare(0x1)
