"""The road up to a verdict, in one place: a parsed quote goes in, an appraisal comes out."""

from __future__ import annotations

from datetime import datetime

from adyton.attest import TrustRoots, VerificationCache, authenticate
from adyton.formats.collateral import Collateral
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.quote import Quote
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
) -> Appraisal:
    """Authenticate a quote and appraise it.

    Args:
        quote: Evidence as it was received (`Quote.parse`).
        collateral: The endorsements to check it with (`Collateral.parse`).
        policy: What its owner accepts.
        roots: The roots of trust that it may chain to.
        expected_report_data: The 64 bytes that it has to carry; None leaves that comparison to the caller.
        now: The time to verify for, with a time zone.
        cache: What was verified before; it changes the speed and never the result.

    Raises:
        MalformedEvidence: Endorsements are not what they claim to be.
        UntrustedEvidence: The quote is not authentic.
        UsageError: As `appraise`.
    """
    evidence = authenticate(quote, collateral, roots=roots, now=now, cache=cache)
    return appraise(evidence, policy, expected_report_data=expected_report_data, now=now)
