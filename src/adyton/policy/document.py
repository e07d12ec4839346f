"""An appraisal as a document: what `adyton verify --json` prints, and what an appraisal record keeps.

Kept here: the same appraisal gives the same bytes, on any machine, at any later time.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from adyton.attest.result import AuthenticReport, CollateralFacts
from adyton.errors import AdytonError, ErrorReport
from adyton.formats.check import Check, Mode, Outcome, Verdict
from adyton.formats.moment import time_text
from adyton.formats.quote import Tee
from adyton.policy.appraisal import Appraisal, Claims


class TcbDocument(msgspec.Struct, frozen=True):
    """The trusted computing base of SGX and TDX."""

    status: str
    date: str
    advisories: tuple[str, ...]
    evaluation_number: int


class ItemDocument(msgspec.Struct, frozen=True):
    """One endorsement: its name, SHA-256 in hex, and dates; its age at the time of the appraisal, in whole days."""

    name: str
    digest: str
    issued: str
    expires: str
    age_days: int


class CollateralDocument(msgspec.Struct, frozen=True):
    """The endorsements, and whether any was past its date."""

    earliest_issue: str
    earliest_expiry: str
    expired: bool
    digest: str
    items: tuple[ItemDocument, ...]
    crl_numbers: dict[str, int]

    @classmethod
    def of(cls, facts: CollateralFacts, now: datetime) -> CollateralDocument:
        """Describe endorsements as they are at a time."""
        items = tuple(
            ItemDocument(
                item.name,
                facts.digests[item.name].hex(),
                time_text(item.issued),
                time_text(item.expires),
                (now - item.issued).days,
            )
            for item in facts.items
        )
        return cls(
            time_text(facts.earliest_issue),
            time_text(facts.earliest_expiry),
            facts.earliest_expiry < now,
            facts.digest.hex(),
            items,
            dict(facts.crl_numbers),
        )


class AppraisalDocument(msgspec.Struct, frozen=True):
    """One appraisal, or the error that there was instead.

    Attributes:
        verdict: Accepted or denied; an error is a denial.
        mode: Hardware or simulated; None if that was not found out.
        tee: What made the evidence; None if that was not found out.
        tcb: State of the trusted computing base; None for SNP and after an error.
        checks: Every check, in order.
        collateral: The endorsements; None after an error.
        claims: What the evidence says of itself; None after an error.
        error: Why the evidence is malformed or not authentic; None if it is neither.
        policy: The policy's name.
        policy_digest: SHA-256 of its canonical form, hex.
        evidence_digest: SHA-256 of the evidence's signed part, hex; None after an error.
        root: The root of trust; None after an error.
        appraised_at: The time that it was appraised for, UTC.
    """

    verdict: Verdict
    mode: Mode | None
    tee: Tee | None
    tcb: TcbDocument | None
    checks: tuple[Check, ...]
    collateral: CollateralDocument | None
    claims: Claims | None
    error: ErrorReport | None
    policy: str
    policy_digest: str
    evidence_digest: str | None
    root: str | None
    appraised_at: str

    @classmethod
    def of(cls, appraisal: Appraisal) -> AppraisalDocument:
        """Describe an appraisal."""
        evidence, now = appraisal.evidence, appraisal.appraised_at
        return cls(
            verdict=appraisal.verdict,
            mode=appraisal.mode,
            tee=evidence.tee,
            tcb=_tcb(appraisal),
            checks=appraisal.checks,
            collateral=CollateralDocument.of(evidence.collateral, now),
            claims=appraisal.claims,
            error=None,
            policy=appraisal.policy.name,
            policy_digest=appraisal.policy_digest.hex(),
            evidence_digest=appraisal.evidence_digest.hex(),
            root=evidence.root.name,
            appraised_at=time_text(now),
        )

    @classmethod
    def of_error(
        cls, error: AdytonError, *, tee: Tee | None, policy: str, policy_digest: bytes, now: datetime
    ) -> AppraisalDocument:
        """Describe that evidence was malformed or is not authentic."""
        failed = Check(error.code, Outcome.FAILED, "authentic evidence", error.message, error.remedy)
        return cls(
            verdict=Verdict.DENIED,
            mode=None,
            tee=tee,
            tcb=None,
            checks=(failed,),
            collateral=None,
            claims=None,
            error=error.report(),
            policy=policy,
            policy_digest=policy_digest.hex(),
            evidence_digest=None,
            root=None,
            appraised_at=time_text(now),
        )

    def to_bytes(self) -> bytes:
        """Return the document: JSON, always the same for the same appraisal."""
        return msgspec.json.encode(self)


def _tcb(appraisal: Appraisal) -> TcbDocument | None:
    if isinstance(appraisal.evidence, AuthenticReport):
        return None
    tcb = appraisal.evidence.tcb
    return TcbDocument(tcb.status, time_text(tcb.date), tcb.advisories, tcb.evaluation_number)
