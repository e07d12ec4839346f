"""How a rule of authenticity ends: with a passed check, or with the error that names it."""

from __future__ import annotations

from adyton.errors import UntrustedEvidence
from adyton.formats.check import Check, Outcome


def require(name: str, *, holds: bool, expected: str, actual: str, remedy: str, where: str = "") -> Check:
    """Return the passed check of a rule that holds.

    Raises:
        UntrustedEvidence: With the check's name as its code, if the rule does not hold.
    """
    if not holds:
        found = f"{actual} ({where})" if where else actual
        raise UntrustedEvidence(name, f"expected {expected}, found {found}", remedy=remedy)
    return Check(name, Outcome.PASSED, expected, actual, where=where)
