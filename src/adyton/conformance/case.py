"""A case: evidence, what it is checked with, and the answers that are right.

What a verifier is asked: would you let this evidence through, as you do when nothing is waived? A right verifier
refuses what is forged, revoked, of debug code or below every level; it accepts what is sound, and says in which state
the platform is.

Where sound verifiers differ by design, more than one answer is right, and the case says why: a refusal beside a status,
for endorsements past their date and for what a vendor's own library leaves to its caller.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

AUTHENTIC = "Authentic"
"""The one status of SNP evidence, for which AMD has no levels."""
REVOKED = "Revoked"


class Expectation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which answers are right.

    Attributes:
        status: The status of an answer that accepts; None if the evidence has to be refused.
        advisories: The advisories of such an answer, in any order; None if they are not compared.
        refusal_allowed: Whether a refusal is right too; why stands in `because`.
        expired_allowed: Whether something is past its date: a refusal is right, and so is an answer that accepts and
            says `"expired": true`.
        because: Why more than one answer is right.
    """

    status: str | None = None
    advisories: tuple[str, ...] | None = ()
    refusal_allowed: bool = False
    expired_allowed: bool = False
    because: str = ""


class Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a verifier is asked: one JSON object, one line. Bytes travel as base64.

    Attributes:
        id: The case's name; the answer repeats it.
        tee: `sgx`, `tdx` or `snp`.
        quote: The evidence.
        root: The root certificate that the verifier has to trust, and no other: DER.
        time: When the evidence is judged, Unix seconds.
        collateral: SGX and TDX: endorsements, as dcap-qvl has them in JSON.
        endorsements: SNP: `leaf`, `intermediate`, `root` and `crl`, base64 of DER.
        minimum_evaluation_number: The lowest `tcbEvaluationDataNumber` that is accepted.
        report_data: What the evidence has to carry, 64 bytes.
    """

    id: str
    tee: str
    quote: bytes
    root: bytes
    time: int
    collateral: dict[str, str] | None = None
    endorsements: dict[str, str] | None = None
    minimum_evaluation_number: int | None = None
    report_data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One case.

    Attributes:
        request: What the verifier is asked.
        expected: Which answers are right.
        title: What was tried, in a sentence.
        source: Where a verifier is known to have got it wrong; empty for the rest.
    """

    request: Request
    expected: Expectation
    title: str
    source: str = ""

    @property
    def id(self) -> str:
        """Its name."""
        return self.request.id

    def to_bytes(self) -> bytes:
        """Return the line that a verifier reads, without its end."""
        return msgspec.json.encode(self.request)

    def digest(self) -> str:
        """Return SHA-256 of that line, in hex: what the manifest holds."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a case says beside its evidence.

    Attributes:
        time: When it is judged.
        source: Where a verifier is known to have got it wrong.
        minimum_evaluation_number: The lowest that is accepted.
        report_data: What it has to carry.
    """

    time: datetime
    source: str = ""
    minimum_evaluation_number: int | None = None
    report_data: bytes | None = field(default=None)


REFUSE = Expectation()
"""It has to be refused."""


def accept(status: str, *advisories: str) -> Expectation:
    """Return that it has to be accepted, with this status and these advisories."""
    return Expectation(status, advisories)


def either(status: str, *advisories: str, because: str) -> Expectation:
    """Return that this status and a refusal are both right."""
    return Expectation(status, advisories, refusal_allowed=True, because=because)


def expired(status: str, *advisories: str) -> Expectation:
    """Return that something is past its date: refuse it, or say so."""
    return Expectation(status, advisories, expired_allowed=True)


def revoked(*advisories: str) -> Expectation:
    """Return that the vendor has withdrawn something: refuse it, or say `Revoked`."""
    return Expectation(REVOKED, advisories or None, refusal_allowed=True, because="revoked either way")
