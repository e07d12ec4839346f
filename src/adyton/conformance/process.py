"""A verifier as a process: one line in, one line out, and nothing that it does is our crash.

Kept here: an answer has a time limit and a size limit; a verifier that is late, dies or answers outside the protocol is
stopped with all its children and started anew for the next case; what it writes to standard error is kept only as far
as a message needs it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

import msgspec

from adyton.conformance.case import Case
from adyton.errors import UsageError

_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class KitLimits:
    """How long and how much the kit waits for a verifier.

    Attributes:
        answer_seconds: How long an answer may take, the verifier's start included.
        answer_bytes: How long an answer's line may be.
        stop_seconds: How long a verifier may take to end when its input has ended.
        failures_in_a_row: After how many cases without an answer the rest is not run.
        stderr_bytes: How much of the end of standard error is kept.
    """

    answer_seconds: float = 10.0
    answer_bytes: int = 1 << 20
    stop_seconds: float = 2.0
    failures_in_a_row: int = 10
    stderr_bytes: int = 2000


class Answer(msgspec.Struct, frozen=True):
    """What a verifier answered; exactly one of `status`, `error` and `unsupported` is there.

    Attributes:
        id: The case's name, repeated.
        status: It accepts, and this is the platform's state.
        advisories: The advisories that apply.
        expired: It accepts although something is past its date.
        error: It refuses, and this is why.
        unsupported: It cannot judge such evidence, and this is why.
    """

    id: str
    status: str | None = None
    advisories: tuple[str, ...] = ()
    expired: bool = False
    error: str | None = None
    unsupported: str | None = None


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """What a verifier did instead of answering.

    Attributes:
        kind: `timeout`, `crash`, `garbage`, or `extra` for output that nobody asked for.
        what: In words.
    """

    kind: Literal["timeout", "crash", "garbage", "extra"]
    what: str


class Verifier:
    """A verifier's command, started when it is first asked.

    Args:
        command: The command and its arguments; no shell is between.
        limits: How long to wait.
    """

    def __init__(self, command: Sequence[str], limits: KitLimits | None = None) -> None:
        self.command = tuple(command)
        self.limits = limits or KitLimits()
        self._process: subprocess.Popen[bytes] | None = None
        self._output = b""
        self._errors = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def ask(self, case: Case) -> Answer | Misbehaviour:
        """Put a case to the verifier.

        Raises:
            UsageError: `conformance.command` if the command cannot be started.
        """
        process = self._process or self._start()
        found = self._exchange(process, case.to_bytes() + b"\n")
        answer = self._extra_output() or _read(found, case.id) if isinstance(found, bytes) else found
        if isinstance(answer, Misbehaviour):
            self._stop()
        return answer

    def finish(self) -> Misbehaviour | None:
        """End the verifier's input, and return what it still had to say, if anything."""
        process = self._process
        if process is None or process.stdin is None:
            return None
        with contextlib.suppress(OSError):
            process.stdin.close()
        found = self._exchange(process, b"", until=self.limits.stop_seconds)
        self._stop()
        said = found if isinstance(found, bytes) else self._output
        return Misbehaviour("extra", f"output after the last answer: {_shown(said)}") if said else None

    def _start(self) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        try:
            # The command is the user's own, and runs without a shell.
            process = subprocess.Popen(  # noqa: S603
                self.command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, bufsize=0
            )
        except (OSError, ValueError) as error:
            raise UsageError(
                "conformance.command",
                f"expected to start {self.command[0]!r}: {error}",
                remedy="pass the verifier's command after `--`; see the conformance reference for how to write one",
            ) from error
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
        self._process, self._output, self._errors = process, b"", b""
        return process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # Its children too, whatever they are: it was started as the leader of a group of its own.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _exchange(
        self, process: subprocess.Popen[bytes], line: bytes, until: float | None = None
    ) -> bytes | Misbehaviour:
        """Write a line and read one."""
        seconds = until or self.limits.answer_seconds
        deadline = time.monotonic() + seconds
        with _selector(process, writes=bool(line)) as selector:
            while b"\n" not in self._output:
                if len(self._output) > self.limits.answer_bytes:
                    return Misbehaviour("garbage", f"a line of more than {self.limits.answer_bytes} bytes")
                left = deadline - time.monotonic()
                if left <= 0:
                    return Misbehaviour("timeout", f"no answer within {seconds:g} seconds")
                for key, _ in selector.select(left):
                    if key.data == "in":
                        line = _write(selector, key.fd, line)
                    elif not self._read_some(key.data, key.fd):
                        selector.unregister(key.fd)
                        if key.data == "out":
                            return self._crashed(process)
        answer, _, self._output = self._output.partition(b"\n")
        return answer

    def _read_some(self, stream: str, fd: int) -> bool:
        """Read what is there; return whether more can come."""
        try:
            chunk = os.read(fd, _CHUNK)
        except BlockingIOError:
            return True
        if stream == "out":
            self._output += chunk
        else:
            self._errors = (self._errors + chunk)[-self.limits.stderr_bytes :]
        return bool(chunk)

    def _crashed(self, process: subprocess.Popen[bytes]) -> Misbehaviour:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self.limits.stop_seconds)
        if process.stderr is not None:
            self._read_some("err", process.stderr.fileno())
        code = process.returncode
        ended = (
            "closed its output" if code is None else f"died by signal {-code}" if code < 0 else f"exited with {code}"
        )
        last = self._errors.decode(errors="replace").strip().rpartition("\n")[2]
        return Misbehaviour("crash", f"{ended} without an answer{': ' + last if last else ''}")

    def _extra_output(self) -> Misbehaviour | None:
        if self._process is not None and self._process.stdout is not None:
            self._read_some("out", self._process.stdout.fileno())
        return Misbehaviour("extra", f"output behind the answer: {_shown(self._output)}") if self._output else None


def _selector(process: subprocess.Popen[bytes], *, writes: bool) -> selectors.BaseSelector:
    selector = selectors.DefaultSelector()
    for stream, name, events in (
        (process.stdout, "out", selectors.EVENT_READ),
        (process.stderr, "err", selectors.EVENT_READ),
        (process.stdin if writes else None, "in", selectors.EVENT_WRITE),
    ):
        if stream is not None and not stream.closed:
            selector.register(stream.fileno(), events, name)
    return selector


def _write(selector: selectors.BaseSelector, fd: int, line: bytes) -> bytes:
    """Write some of a line; return the rest."""
    try:
        line = line[os.write(fd, line) :]
    except BlockingIOError:
        return line
    except OSError:
        # It reads no more: whether it died shows on its output.
        line = b""
    if not line:
        selector.unregister(fd)
    return line


def _read(line: bytes, name: str) -> Answer | Misbehaviour:
    try:
        answer = msgspec.json.decode(line, type=Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Misbehaviour("garbage", f"an answer that is none: {_shown(line)}")
    if answer.id != name:
        return Misbehaviour("garbage", f"an answer to {answer.id[:100]!r}")
    if sum(part is not None for part in (answer.status, answer.error, answer.unsupported)) != 1:
        return Misbehaviour("garbage", "expected one of status, error and unsupported")
    return answer


def _shown(data: bytes) -> str:
    return repr(data[:100].decode(errors="replace"))
