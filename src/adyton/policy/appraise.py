"""From authentic evidence to a verdict: the policy's table of contents.

1. The root of trust is one that the policy names.
2. The endorsements are in date, and of a version that names its TEE.
3. The trusted computing base is as good as the policy asks for.
4. The enclave or trust domain is in production mode and is one that the policy names.
5. The report data is what the relying party expects.

What the caller still owes: a fresh nonce in `expected_report_data`, and acting on the verdict (`Appraisal.require`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from adyton.attest.result import Authentic, AuthenticReport, VerifiedChip, VerifiedPlatform
from adyton.errors import UsageError
from adyton.formats.check import Check, Outcome, Verdict
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.quote import Tee
from adyton.formats.sgx import REPORT_DATA_SIZE, ReportBody
from adyton.policy import rules, sgx_rules, snp_rules, tdx_rules
from adyton.policy.appraisal import Appraisal
from adyton.policy.platform_rules import appraise_platform
from adyton.policy.snp_rules import NO_TCB_STATUS

STANDINGS_CAP: Final = 1024  # platforms under policies whose checks are remembered


def appraise(
    evidence: Authentic, policy: AppraisalPolicy, *, expected_report_data: bytes | None, now: datetime
) -> Appraisal:
    """Appraise authentic evidence under a policy.

    Args:
        evidence: What `adyton.attest.authenticate` or `authenticate_report` returned.
        policy: What its owner accepts.
        expected_report_data: The 64 bytes that the evidence has to carry; None leaves that comparison to the caller.
        now: The time to appraise for, with a time zone.

    Returns:
        The appraisal, accepted or denied, with every check.

    Raises:
        UsageError: `appraise.report_data` unless it is 64 bytes; `appraise.now` if `now` has no time zone.
    """
    _require_usable(expected_report_data, now)
    standing = _standing(evidence.basis, evidence.tee, policy)
    judged = (*standing.checks, *_moment_checks(evidence, policy, expected_report_data, now))
    denied = standing.denied or any(check.outcome is Outcome.FAILED for check in judged[len(standing.checks) :])
    return Appraisal(
        Verdict.DENIED if denied else Verdict.ACCEPTED,
        policy,
        judged,
        evidence,
        now,
        evidence.collateral.earliest_expiry,
    )


class _Standing(NamedTuple):
    """What a policy makes of a platform: the same for all of its evidence, at any time."""

    checks: tuple[Check, ...]
    denied: bool


@lru_cache(maxsize=STANDINGS_CAP)
def _standing(basis: VerifiedPlatform | VerifiedChip, tee: Tee, policy: AppraisalPolicy) -> _Standing:
    checks = tuple(_basis_checks(basis, tee, policy))
    return _Standing(checks, any(check.outcome is Outcome.FAILED for check in checks))


def _basis_checks(basis: VerifiedPlatform | VerifiedChip, tee: Tee, policy: AppraisalPolicy) -> Iterator[Check]:
    # 1
    yield rules.trusted_root(basis, policy)
    # 2
    if isinstance(basis, VerifiedChip):
        yield NO_TCB_STATUS
        return
    yield rules.tcb_info_version(basis, policy)
    # 3
    yield rules.tcb_status(basis, policy)
    yield from rules.tcb_shortfalls(basis, policy, tee)
    yield rules.tcb_evaluation(basis, policy)
    yield rules.tcb_advisories(basis, policy)
    yield from appraise_platform(basis.platform, policy.platform)


def _moment_checks(
    evidence: Authentic, policy: AppraisalPolicy, expected_report_data: bytes | None, now: datetime
) -> Iterator[Check]:
    # 2
    yield rules.collateral_in_date(evidence, policy, now)
    yield rules.collateral_already_valid(evidence, policy, now)
    yield rules.collateral_fresh(evidence, policy, now)
    # 4
    where = ""
    if isinstance(evidence, AuthenticReport):
        where = snp_rules.where("report_data")
        yield from snp_rules.appraise_guest(evidence, policy.snp) if policy.snp else _no_rules(evidence, policy)
    elif isinstance(body := evidence.quote.body, ReportBody):
        offset = evidence.quote.body_offset
        where = sgx_rules.where("report_data", offset)
        yield from (sgx_rules.appraise_enclave(body, policy.sgx, offset) if policy.sgx else _no_rules(evidence, policy))
    else:
        offset = evidence.quote.body_offset
        where = tdx_rules.where("report_data", offset)
        yield from (
            tdx_rules.appraise_trust_domain(body, policy.tdx, offset) if policy.tdx else _no_rules(evidence, policy)
        )
    # 5
    yield rules.report_data(evidence, expected_report_data, where)


def _no_rules(evidence: Authentic, policy: AppraisalPolicy) -> Iterator[Check]:
    yield rules.check(
        "tee.accepted",
        holds=False,
        expected=f"a policy with rules for {evidence.tee}",
        actual=f"policy {policy.name} has none",
        remedy=f"add a section {evidence.tee} to the policy",
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
