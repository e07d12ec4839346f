"""Running cases through a verifier, and saying what it gets wrong.

The protocol: the verifier is a command. It reads one JSON object a line (`Case.message`) and answers each with one JSON
object a line:

    {"id": ..., "status": "UpToDate", "advisories": [...], "expired": false}    accepted; SNP has no status
    {"id": ..., "error": "..."}                                                 refused
    {"id": ..., "unsupported": "why"}                                           not looked at

A verifier that hangs, ends, or says anything else has failed that case, and is started again for the next one.
"""

from __future__ import annotations

import selectors
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from adyton.conformance.cases import Case, Expected
from adyton.errors import UsageError

_LINE_CAP: Final = 1024 * 1024
_SHOWN: Final = 200


class Grade(StrEnum):
    """How a verifier did on a case, the worst first."""

    ACCEPTED_WRONGLY = "accepted what has to be refused"
    WRONG_STATUS = "accepted with another status"
    WRONG_ADVISORIES = "accepted with other advisories"
    REFUSED_WRONGLY = "refused what is sound"
    NO_ANSWER = "gave no answer"
    UNSUPPORTED = "did not look at it"
    RIGHT = "right"


_WRONG: Final = frozenset(Grade) - {Grade.RIGHT, Grade.UNSUPPORTED}


@dataclass(frozen=True, slots=True)
class Finding:
    """What a verifier did with a case.

    Attributes:
        case: The case's id.
        grade: How that is.
        detail: What it said, and what was expected.
    """

    case: str
    grade: Grade
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a verifier did with all cases."""

    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """The findings that are wrong, the worst first."""
        order = list(Grade)
        found = (finding for finding in self.findings if finding.grade in _WRONG)
        return tuple(sorted(found, key=lambda finding: order.index(finding.grade)))

    def count(self, grade: Grade) -> int:
        """Return how many findings are of a grade."""
        return sum(finding.grade is grade for finding in self.findings)

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong and at least one case was looked at."""
        return not self.wrong and self.count(Grade.RIGHT) > 0


class _Answer(msgspec.Struct, frozen=True):
    id: str
    status: str | None = None
    advisories: tuple[str, ...] = ()
    expired: bool = False
    error: str | None = None
    unsupported: str | None = None


def run(command: Sequence[str], cases: Iterable[Case], *, seconds_per_case: float = 20.0) -> Report:
    """Run cases through a verifier.

    Args:
        command: The verifier and its arguments.
        cases: What to run.
        seconds_per_case: How long an answer may take.

    Raises:
        UsageError: `conformance.command` if the command cannot be started.
    """
    verifier = _Verifier(command, seconds_per_case)
    try:
        return Report(tuple(grade(case, verifier.ask(case)) for case in cases))
    finally:
        verifier.stop()


def grade(case: Case, answer: _Answer | str) -> Finding:
    """Compare an answer with what a case expects; a text says why there is no answer."""
    if isinstance(answer, str):
        return Finding(case.id, Grade.NO_ANSWER, answer)
    if answer.unsupported is not None:
        return Finding(case.id, Grade.UNSUPPORTED, _shown(answer.unsupported))
    if answer.error is not None:
        wrong = case.expected is Expected.ACCEPT
        return Finding(case.id, Grade.REFUSED_WRONGLY if wrong else Grade.RIGHT, _shown(answer.error))
    return Finding(case.id, *_grade_acceptance(case, answer))


def _grade_acceptance(case: Case, answer: _Answer) -> tuple[Grade, str]:
    dated = case.expected is Expected.DATED and not answer.expired
    if case.expected is Expected.REFUSE or dated:
        return Grade.ACCEPTED_WRONGLY, f"expected {'a refusal, or to be told' if dated else 'a refusal'} ({case.code})"
    if answer.status != case.status:
        return Grade.WRONG_STATUS, f"expected {case.status}, found {answer.status}"
    if case.expected is Expected.ACCEPT and sorted(answer.advisories) != sorted(case.advisories):
        return Grade.WRONG_ADVISORIES, f"expected {case.advisories}, found {answer.advisories}"
    return Grade.RIGHT, answer.status or "accepted"


def _shown(error: str) -> str:
    return " ".join(error.partition("Stack backtrace")[0].split())[:_SHOWN]


class _Verifier:
    """A verifier's process, started again when it is needed."""

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self._command, self._seconds = list(command), seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def ask(self, case: Case) -> _Answer | str:
        """Return the answer to a case, or why there is none."""
        process = self._running()
        try:
            assert process.stdin is not None  # noqa: S101, it was started with pipes
            process.stdin.write(case.message() + b"\n")
            process.stdin.flush()
            line = self._line(process)
        except OSError as error:
            self.stop()
            return f"the verifier ended: {error.strerror}"
        if line is None:
            self.stop()
            return f"no answer within {self._seconds:g} s, or the verifier ended"
        try:
            answer = msgspec.json.decode(line, type=_Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self.stop()
            return f"expected one JSON object a line, found {line[:_SHOWN]!r}"
        if answer.id != case.id or (answer.error is None) + (answer.unsupported is None) == 0:
            self.stop()
            return f"expected an answer to {case.id}, found {line[:_SHOWN]!r}"
        return answer

    def stop(self) -> None:
        """End the process."""
        process, self._process, self._rest = self._process, None, b""
        if process is None:
            return
        process.kill()
        with suppress(OSError):
            process.communicate(timeout=self._seconds)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.stop()
            try:
                self._process = subprocess.Popen(  # noqa: S603, the caller's own command
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
                )
            except OSError as error:
                raise UsageError(
                    "conformance.command",
                    f"expected to run {self._command[0]}: {error.strerror}",
                    remedy="name the verifier's command behind `--`",
                ) from error
        return self._process

    def _line(self, process: subprocess.Popen[bytes]) -> bytes | None:
        """Return the next line, or None if it does not come in time or the output ends."""
        assert process.stdout is not None  # noqa: S101, it was started with pipes
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._rest and len(self._rest) < _LINE_CAP:
                if not ready.select(self._seconds):
                    return None
                data = process.stdout.read(65536)
                if not data:
                    return None
                self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line
