"""A check: one rule, what it expected, what it found, and what to do. The unit in which every decision is explained."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    WAIVED = "waived"  # it would have failed, and the policy names an exception for it
    NOT_APPLICABLE = "not-applicable"  # the evidence has nothing that the rule speaks of


class Mode(StrEnum):
    """What the evidence's root of trust is."""

    HARDWARE = "hardware"
    SIMULATED = "simulated"


class Verdict(StrEnum):
    """What an appraisal comes to."""

    ACCEPTED = "accepted"
    DENIED = "denied"


class Check(msgspec.Struct, frozen=True):
    """One rule's result.

    Attributes:
        id: Stable dotted name, such as `sgx.attributes.debug`.
        outcome: How it ended.
        expected: What the rule asks for, in words or hex.
        actual: What was found.
        remedy: What to do when it failed; empty when it passed.
        where: The place in the evidence or the endorsements that was looked at, such as `quote bytes 112 to 143`; empty
            where it is no single place.
    """

    id: str
    outcome: Outcome
    expected: str
    actual: str
    remedy: str = ""
    where: str = ""

    @property
    def holds(self) -> bool:
        """Whether the check stands in the way of nothing."""
        return self.outcome is not Outcome.FAILED
