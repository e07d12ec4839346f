"""Appraising bytes from beginning to end, keeping a record of it, and doing it again from the record.

1. Evidence and endorsements are parsed (`adyton.formats`).
2. The evidence is authenticated (`adyton.attest`).
3. It is appraised (`adyton.policy.appraise`).
4. What came of it is a document; an error is one too.

Nothing here asks for the time or the network, so the same inputs give the same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import msgspec

from adyton import __version__
from adyton.attest import TrustRoots
from adyton.errors import AdytonError, MalformedDocument, MalformedEvidence, UntrustedEvidence
from adyton.formats.collateral import Collateral
from adyton.formats.moment import read_time, time_text
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.quote import Quote, Tee
from adyton.formats.record import AppraisalRecord, RecordDigests
from adyton.formats.snp import SnpEndorsements, SnpReport
from adyton.policy.appraisal import Appraisal
from adyton.policy.document import AppraisalDocument
from adyton.policy.verify import verify, verify_report

_MADE_BY: Final = f"adyton {__version__}"
Technology = Literal["dcap", "snp"]


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that an appraisal depends on.

    Attributes:
        technology: `dcap` for SGX and TDX, `snp` for SEV-SNP.
        evidence: The quote or report as received.
        endorsements: The collateral file or endorsements file as received.
        policy: What its owner accepts; its roots are those that are trusted.
        report_data: The 64 bytes that the evidence has to carry, or None.
        now: The time to appraise for, with a time zone.
        tee: What the caller expects to have made the evidence; None for any that the technology has.
    """

    technology: Technology
    evidence: bytes
    endorsements: bytes
    policy: AppraisalPolicy
    report_data: bytes | None
    now: datetime
    tee: Tee | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case.

    Attributes:
        document: The appraisal or the error, as a document.
        appraisal: The appraisal; None after an error.
        error: The error; None if there was none.
    """

    document: AppraisalDocument
    appraisal: Appraisal | None
    error: AdytonError | None = None

    @classmethod
    def of_error(cls, error: AdytonError, tee: Tee | None, policy: AppraisalPolicy, now: datetime) -> Outcome:
        """Return the outcome of a case that ended with an error."""
        document = AppraisalDocument.of_error(
            error, tee=tee, policy=policy.name, policy_digest=policy.digest(), now=now
        )
        return cls(document, None, error)


def judge(case: Case) -> Outcome:
    """Take evidence down the whole road.

    Raises:
        UsageError: As `adyton.policy.appraise`. What is wrong with the evidence is an outcome.
    """
    tee: Tee | None = Tee.SNP if case.technology == "snp" else None
    try:
        if case.technology == "snp":
            appraisal = _judge_report(case)
        else:
            quote = Quote.parse(case.evidence)
            tee = quote.tee
            appraisal = _judge_quote(case, quote)
    except (MalformedEvidence, UntrustedEvidence) as error:
        return Outcome.of_error(error, tee, case.policy, case.now)
    return Outcome(AppraisalDocument.of(appraisal), appraisal)


def make_record(case: Case, outcome: Outcome) -> AppraisalRecord:
    """Return the record of a case and what came of it."""
    result, collateral = outcome.document.to_bytes(), outcome.document.collateral
    items = () if collateral is None else collateral.items
    digests = RecordDigests(
        evidence=hashlib.sha256(case.evidence).hexdigest(),
        endorsements=hashlib.sha256(case.endorsements).hexdigest(),
        collateral={item.name: item.digest for item in items},
        policy=case.policy.digest().hex(),
        result=hashlib.sha256(result).hexdigest(),
    )
    return AppraisalRecord(
        appraised_at=time_text(case.now),
        technology=case.technology,
        evidence=case.evidence,
        endorsements=case.endorsements,
        policy=case.policy,
        report_data=None if case.report_data is None else case.report_data.hex(),
        digests=digests,
        result=msgspec.Raw(result),
        made_by=_MADE_BY,
    )


def case_of(record: AppraisalRecord) -> Case:
    """Return the case that a record is of.

    Raises:
        MalformedDocument: `record.invalid` if its time or its report data cannot be read.
    """
    try:
        now = read_time(record.appraised_at)
        report_data = None if record.report_data is None else bytes.fromhex(record.report_data)
    except ValueError as error:
        raise _malformed(str(error)) from error
    return Case(record.technology, record.evidence, record.endorsements, record.policy, report_data, now)


def replay(record: AppraisalRecord) -> Outcome:
    """Appraise again what a record holds, for the time that it names.

    Returns:
        The outcome; its document's bytes are the record's result, unless the record is of a program that judges
        otherwise: `Outcome.document.to_bytes() == bytes(record.result)` says which.

    Raises:
        MalformedDocument: `record.invalid`.
    """
    return judge(case_of(record))


def _judge_quote(case: Case, quote: Quote) -> Appraisal:
    _require_tee(case, quote.tee)
    return verify(
        quote,
        Collateral.parse(case.endorsements),
        case.policy,
        roots=TrustRoots.named(case.policy.roots),
        expected_report_data=case.report_data,
        now=case.now,
    )


def _judge_report(case: Case) -> Appraisal:
    _require_tee(case, Tee.SNP)
    return verify_report(
        SnpReport.parse(case.evidence),
        SnpEndorsements.parse(case.endorsements),
        case.policy,
        roots=TrustRoots.named(case.policy.roots),
        expected_report_data=case.report_data,
        now=case.now,
    )


def _require_tee(case: Case, found: Tee) -> None:
    """The evidence does not choose what it is taken for."""
    if case.tee is not None and case.tee is not found:
        raise UntrustedEvidence(
            "evidence.tee",
            f"expected evidence of {case.tee}, found evidence of {found}",
            remedy="ask for the TEE that this evidence is of, or collect evidence of the other one",
        )


def _malformed(found: str) -> MalformedDocument:
    return MalformedDocument("record.invalid", found, remedy="use the record as `adyton verify --record` wrote it")
