"""Which answers are right, and which mistakes are which."""

from __future__ import annotations

import pytest

from adyton.conformance.case import REFUSE, accept, either, expired, revoked
from adyton.conformance.examine import Group, describe, describe_expected, judge
from adyton.conformance.process import Answer, Misbehaviour

SAYS = {
    "good": Answer("x", status="UpToDate", advisories=("A", "B")),
    "good-twice": Answer("x", status="UpToDate", advisories=("B", "A", "B")),
    "bare": Answer("x", status="UpToDate"),
    "old": Answer("x", status="OutOfDate", advisories=("A", "B")),
    "late": Answer("x", status="UpToDate", advisories=("A", "B"), expired=True),
    "revoked": Answer("x", status="Revoked"),
    "no": Answer("x", error="no"),
}
GOOD = accept("UpToDate", "A", "B")


@pytest.mark.parametrize(
    ("expected", "said", "wrong"),
    [
        (GOOD, "good", None),
        (GOOD, "good-twice", None),
        (GOOD, "bare", Group.ADVISORIES),
        (GOOD, "old", Group.STATUS),
        (GOOD, "late", Group.STATUS),
        (GOOD, "revoked", Group.STATUS),
        (GOOD, "no", Group.REFUSED),
        (REFUSE, "no", None),
        (REFUSE, "good", Group.ACCEPTED),
        (REFUSE, "old", Group.ACCEPTED),
        (REFUSE, "late", Group.ACCEPTED),
        (REFUSE, "revoked", Group.STATUS),
        (revoked(), "revoked", None),
        (revoked(), "no", None),
        (revoked(), "good", Group.ACCEPTED),
        (revoked("A"), "revoked", Group.ADVISORIES),
        (expired("UpToDate", "A", "B"), "no", None),
        (expired("UpToDate", "A", "B"), "late", None),
        (expired("UpToDate", "A", "B"), "good", Group.ACCEPTED),
        (expired("OutOfDate", "A", "B"), "late", Group.STATUS),
        (either("UpToDate", "A", "B", because="x"), "no", None),
        (either("UpToDate", "A", "B", because="x"), "good", None),
        (either("UpToDate", "A", "B", because="x"), "old", Group.STATUS),
    ],
)
def test_an_answer_is_right_or_wrong_in_one_way(expected, said, wrong):
    assert judge(expected, SAYS[said]) is wrong


def test_no_answer_is_never_a_refusal():
    assert judge(REFUSE, Misbehaviour("crash", "exited with 1")) is Group.MISBEHAVED


def test_answers_and_expectations_are_told_in_words():
    assert describe(SAYS["late"]) == "UpToDate, A, B, expired"
    assert describe(SAYS["no"]) == "refused: no"
    assert describe_expected(REFUSE) == "a refusal"
    assert describe_expected(revoked("A")) == "Revoked, A or a refusal"
    assert describe_expected(expired("UpToDate")) == "a refusal, or UpToDate and that it is expired"
