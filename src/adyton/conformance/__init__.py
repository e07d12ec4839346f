"""The conformance kit: cases that show what a verifier of evidence gets wrong, whoever wrote it.

Sound evidence of every kind, and evidence that is forged, revoked, expired or mixed up, each case named after the bug
that it looks for. A verifier is a process that answers one JSON line with another (`adyton.conformance.case`). All
cases are made on the spot under a root of their own, from keys that everybody has: the same bytes on every run.
"""

from adyton.conformance.case import Case, Expectation, Request
from adyton.conformance.cases import all_cases
from adyton.conformance.examine import Finding, Group, Report, examine
from adyton.conformance.genuine import genuine_cases
from adyton.conformance.process import KitLimits, Verifier

__all__ = [
    "Case",
    "Expectation",
    "Finding",
    "Group",
    "KitLimits",
    "Report",
    "Request",
    "Verifier",
    "all_cases",
    "examine",
    "genuine_cases",
]
