"""From authentic evidence to a verdict: the policy's table of contents.

1. The root of trust is one that the policy names.
2. The endorsements are in date, and of a version that names its TEE.
3. The trusted computing base is as good as the policy asks for.
4. The enclave or trust domain is in production mode and is one that the policy names.
5. The report data is what the relying party expects.

What the caller still owes: a fresh nonce in `expected_report_data`, and acting on the verdict (`Appraisal.require`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache

from adyton.attest.result import AuthenticQuote
from adyton.errors import UsageError
from adyton.formats.check import Check, Outcome, Verdict
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.sgx import REPORT_DATA_SIZE, ReportBody
from adyton.policy import rules
from adyton.policy.appraisal import Appraisal
from adyton.policy.sgx_rules import appraise_enclave
from adyton.policy.tdx_rules import appraise_trust_domain


def appraise(
    evidence: AuthenticQuote, policy: AppraisalPolicy, *, expected_report_data: bytes | None, now: datetime
) -> Appraisal:
    """Appraise authentic evidence under a policy.

    Args:
        evidence: What `adyton.attest.authenticate` returned.
        policy: What its owner accepts.
        expected_report_data: The 64 bytes that the evidence has to carry; None leaves that comparison to the caller.
        now: The time to appraise for, with a time zone.

    Returns:
        The appraisal, accepted or denied, with every check.

    Raises:
        UsageError: `appraise.report_data` unless it is 64 bytes; `appraise.now` if `now` has no time zone.
    """
    _require_usable(expected_report_data, now)
    judged = tuple(_checks(evidence, policy, expected_report_data, now))
    denied = any(check.outcome is Outcome.FAILED for check in judged)
    return Appraisal(
        verdict=Verdict.DENIED if denied else Verdict.ACCEPTED,
        mode=evidence.root.mode,
        policy=policy.name,
        checks=evidence.checks + judged,
        evidence=evidence,
        evidence_digest=hashlib.sha256(evidence.quote.signed_bytes()).digest(),
        collateral_digest=evidence.collateral.digest,
        policy_digest=_digest(policy),
        appraised_at=now,
        expires=evidence.collateral.earliest_expiry,
    )


def _checks(
    evidence: AuthenticQuote, policy: AppraisalPolicy, expected_report_data: bytes | None, now: datetime
) -> Iterator[Check]:
    # 1
    yield rules.trusted_root(evidence, policy)
    # 2
    yield rules.collateral_in_date(evidence, policy, now)
    yield rules.collateral_already_valid(evidence, policy, now)
    yield rules.tcb_info_version(evidence, policy)
    # 3
    yield rules.tcb_status(evidence, policy)
    yield rules.tcb_evaluation(evidence, policy)
    yield rules.tcb_advisories(evidence, policy)
    # 4
    yield from _code_checks(evidence, policy)
    # 5
    yield rules.report_data(evidence, expected_report_data)


def _code_checks(evidence: AuthenticQuote, policy: AppraisalPolicy) -> Iterator[Check]:
    body = evidence.quote.body
    if isinstance(body, ReportBody):
        if policy.sgx is not None:
            yield from appraise_enclave(body, policy.sgx)
            return
    elif policy.tdx is not None:
        yield from appraise_trust_domain(body, policy.tdx)
        return
    yield rules.check(
        "tee.accepted",
        holds=False,
        expected=f"a policy with rules for {evidence.quote.tee}",
        actual=f"policy {policy.name} has none",
        remedy=f"add a section {evidence.quote.tee} to the policy",
    )


def _require_usable(expected_report_data: bytes | None, now: datetime) -> None:
    if expected_report_data is not None and len(expected_report_data) != REPORT_DATA_SIZE:
        raise UsageError(
            "appraise.report_data",
            f"expected {REPORT_DATA_SIZE} bytes of report data, found {len(expected_report_data)}",
            remedy="pad or hash it to 64 bytes exactly as the attester does; it is never cut or padded here",
        )
    if now.tzinfo is None:
        raise UsageError("appraise.now", "expected a time with a time zone", remedy="pass an aware datetime")


@lru_cache(maxsize=256)
def _digest(policy: AppraisalPolicy) -> bytes:
    return policy.digest()
