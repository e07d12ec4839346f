"""The road up to a verdict, in one place: parsed evidence goes in, an appraisal comes out."""

from __future__ import annotations

from concurrent.futures import Executor
from datetime import datetime

from adyton.attest import TrustRoots, VerificationCache, authenticate, authenticate_report
from adyton.formats.collateral import Collateral
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.quote import Quote
from adyton.formats.snp import SnpEndorsements, SnpReport
from adyton.policy.appraisal import Appraisal
from adyton.policy.appraise import appraise


def verify(
    quote: Quote,
    collateral: Collateral,
    policy: AppraisalPolicy,
    *,
    roots: TrustRoots,
    expected_report_data: bytes | None,
    now: datetime,
    cache: VerificationCache | None = None,
    executor: Executor | None = None,
) -> Appraisal:
    """Authenticate an SGX or TDX quote and appraise it.

    Args:
        quote: Evidence as it was received (`Quote.parse`).
        collateral: The endorsements to check it with (`Collateral.parse`).
        policy: What its owner accepts.
        roots: The roots of trust that it may chain to.
        expected_report_data: The 64 bytes that it has to carry; None leaves that comparison to the caller.
        now: The time to verify for, with a time zone.
        cache: What was verified before; it changes the speed and never the result.
        executor: Threads that verify signatures beside this one; the same holds for it.

    Raises:
        MalformedEvidence: Endorsements are not what they claim to be.
        UntrustedEvidence: The quote is not authentic.
        UsageError: As `appraise`.
    """
    evidence = authenticate(quote, collateral, roots=roots, now=now, cache=cache, executor=executor)
    return appraise(evidence, policy, expected_report_data=expected_report_data, now=now)


def verify_report(
    report: SnpReport,
    endorsements: SnpEndorsements,
    policy: AppraisalPolicy,
    *,
    roots: TrustRoots,
    expected_report_data: bytes | None,
    now: datetime,
    cache: VerificationCache | None = None,
) -> Appraisal:
    """Authenticate an SEV-SNP report and appraise it.

    Args:
        report: Evidence as it was received (`SnpReport.parse`).
        endorsements: The certificates to check it with (`SnpEndorsements.parse`).
        policy: What its owner accepts.
        roots: The roots of trust that it may chain to.
        expected_report_data: The 64 bytes that it has to carry; None leaves that comparison to the caller.
        now: The time to verify for, with a time zone.
        cache: What was verified before; it changes the speed and never the result.

    Raises:
        MalformedEvidence: Certificates or the list are not what they claim to be.
        UntrustedEvidence: The report is not authentic.
        UsageError: As `appraise`.
    """
    evidence = authenticate_report(report, endorsements, roots=roots, now=now, cache=cache)
    return appraise(evidence, policy, expected_report_data=expected_report_data, now=now)
