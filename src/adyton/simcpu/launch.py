"""Starting an enclave's process: the measured program, three descriptors, nothing else."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Final

from adyton import linux
from adyton.formats.image import EnclaveImage

_ENVIRONMENT: Final = {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_STDERR_SHOWN: Final = 2000
_END_TIMEOUT: Final = 10.0


@dataclass(frozen=True, slots=True)
class EnclaveProcess:
    """An enclave's process.

    Attributes:
        process: The process.
        processor: The processor's end of the enclave's own socket.
        calls: The host's end of the call socket.
        complaints: What the enclave wrote to its standard error: its own words, to be believed by nobody.
    """

    process: subprocess.Popen[bytes]
    processor: socket.socket
    calls: socket.socket
    complaints: IO[bytes]

    def last_words(self) -> str:
        """Return the end of what the enclave complained of."""
        size = self.complaints.seek(0, os.SEEK_END)
        self.complaints.seek(max(0, size - _STDERR_SHOWN))
        return self.complaints.read().decode("utf-8", "replace").strip()

    def end(self) -> None:
        """End the process and free what it held."""
        self.processor.close()
        self.calls.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(_END_TIMEOUT)
        self.complaints.close()


def launch(image: EnclaveImage, package_paths: Sequence[str]) -> EnclaveProcess:
    """Start the program at the image's entry point in a process of its own.

    Raises:
        MalformedDocument: The image has no entry point.
        OSError: The process cannot be started.
    """
    program = image.read_text(image.entry)
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as born:
        processor, enclave_processor = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        calls, enclave_calls = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        file = linux.sealed_file(image.stream, "enclave-image")
        complaints = ours.enter_context(tempfile.TemporaryFile())
        ours.callback(processor.close)
        ours.callback(calls.close)
        born.callback(os.close, file)
        born.callback(enclave_processor.close)
        born.callback(enclave_calls.close)
        born_with = (file, enclave_processor.fileno(), enclave_calls.fileno())
        process = subprocess.Popen(  # noqa: S603, the measured program is what is run
            [sys.executable, "-I", "-S", "-c", program, *map(str, born_with), *package_paths],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            pass_fds=born_with,
            env=_ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
        # From here on they belong to the process's record, which closes them at its end.
        ours.pop_all()
    return EnclaveProcess(process, processor, calls, complaints)
