"""Putting the cases to a verifier, and telling what it got wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

import msgspec

from adyton.conformance.case import REVOKED, Case, Expectation
from adyton.conformance.process import Answer, Misbehaviour, Verifier


class Group(StrEnum):
    """What kind of mistake it is, the worst first."""

    ACCEPTED = "accepted what must be refused"
    REFUSED = "refused what must be accepted"
    STATUS = "wrong status"
    ADVISORIES = "wrong advisories"
    MISBEHAVED = "no answer in the protocol"
    NOT_RUN = "not run"


class Finding(msgspec.Struct, frozen=True):
    """One case that a verifier got wrong.

    Attributes:
        group: What kind of mistake it is.
        id: The case's name.
        title: What was tried.
        source: Where another verifier got it wrong; empty if it is no known bug.
        expected: The right answers, in words.
        found: What the verifier did, in words.
    """

    group: Group
    id: str
    title: str
    source: str
    expected: str
    found: str


class Unsupported(msgspec.Struct, frozen=True):
    """One case that a verifier does not judge: no pass, and no mistake.

    Attributes:
        id: The case's name.
        why: The verifier's own words.
    """

    id: str
    why: str


class Report(msgspec.Struct, frozen=True):
    """What came out.

    Attributes:
        command: The verifier's command.
        cases: How many cases there were.
        passed: How many were answered rightly.
        findings: What was wrong, the worst first.
        unsupported: What the verifier does not judge.
    """

    command: tuple[str, ...]
    cases: int
    passed: int
    findings: tuple[Finding, ...]
    unsupported: tuple[Unsupported, ...]

    @property
    def conforms(self) -> bool:
        """Whether nothing is wrong; a verifier that judges nothing does not conform."""
        return not self.findings and self.passed > 0

    def of(self, group: Group) -> tuple[Finding, ...]:
        """Return the findings of a group."""
        return tuple(finding for finding in self.findings if finding.group is group)


def examine(cases: Iterable[Case], verifier: Verifier, progress: Callable[[int], None] = lambda _: None) -> Report:
    """Put cases to a verifier, one after the other.

    Args:
        cases: The cases.
        verifier: The verifier; its input is ended here.
        progress: Called with the number of cases done.

    Raises:
        UsageError: `conformance.command` if the verifier cannot be started.
    """
    cases = tuple(cases)
    findings: list[Finding] = []
    unsupported: list[Unsupported] = []
    failures = 0
    for number, case in enumerate(cases, 1):
        if failures >= verifier.limits.failures_in_a_row:
            found = f"{failures} cases before it got no answer"
            findings.append(_finding(case, Group.NOT_RUN, found))
            continue
        answer = verifier.ask(case)
        failures = failures + 1 if isinstance(answer, Misbehaviour) else 0
        if isinstance(answer, Answer) and answer.unsupported is not None:
            unsupported.append(Unsupported(case.id, answer.unsupported))
        elif (wrong := judge(case.expected, answer)) is not None:
            findings.append(_finding(case, wrong, describe(answer)))
        progress(number)
    passed = len(cases) - len(findings) - len(unsupported)
    if (late := verifier.finish()) is not None:
        findings.append(
            Finding(Group.MISBEHAVED, "end", "the end of input", "", "nothing", f"{late.kind}: {late.what}")
        )
    order = list(Group)
    findings.sort(key=lambda finding: order.index(finding.group))
    return Report(verifier.command, len(cases), passed, tuple(findings), tuple(unsupported))


def judge(expected: Expectation, answer: Answer | Misbehaviour) -> Group | None:
    """Return what is wrong with an answer; None if it is right."""
    if isinstance(answer, Misbehaviour):
        return Group.MISBEHAVED
    if answer.status is None:
        right = expected.status is None or expected.refusal_allowed or expected.expired_allowed
        return None if right else Group.REFUSED
    if _is_let_through(expected, answer):
        return Group.ACCEPTED
    if answer.status != expected.status or (answer.expired and not _may_be_expired(expected)):
        return Group.STATUS
    if expected.advisories is not None and set(answer.advisories) != set(expected.advisories):
        return Group.ADVISORIES
    return None


def _is_let_through(expected: Expectation, answer: Answer) -> bool:
    """Whether an answer accepts what nobody may accept; to call evidence revoked is not to accept it."""
    if answer.status == REVOKED:
        return False
    past_its_date = expected.expired_allowed and not answer.expired
    return expected.status in (None, REVOKED) or past_its_date


def _may_be_expired(expected: Expectation) -> bool:
    return expected.expired_allowed or expected.refusal_allowed


def describe(answer: Answer | Misbehaviour) -> str:
    """Return an answer in words."""
    if isinstance(answer, Misbehaviour):
        return f"{answer.kind}: {answer.what}"
    if answer.status is None:
        return f"refused: {answer.error or answer.unsupported}"
    advisories = f", {', '.join(answer.advisories)}" if answer.advisories else ""
    return f"{answer.status}{advisories}{', expired' if answer.expired else ''}"


def describe_expected(expected: Expectation) -> str:
    """Return the right answers in words."""
    if expected.status is None:
        return "a refusal"
    advisories = f", {', '.join(expected.advisories)}" if expected.advisories else ""
    if expected.expired_allowed:
        return f"a refusal, or {expected.status}{advisories} and that it is expired"
    return f"{expected.status}{advisories}{' or a refusal' if expected.refusal_allowed else ''}"


def _finding(case: Case, group: Group, found: str) -> Finding:
    return Finding(group, case.id, case.title, case.source, describe_expected(case.expected), found)
