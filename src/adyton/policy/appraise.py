"""From authentic evidence to a verdict: the policy's table of contents.

1. The root of trust is one that the policy names.
2. The endorsements are in date, and of a version that names its TEE.
3. The trusted computing base is as good as the policy asks for.
4. The enclave or trust domain is in production mode and is one that the policy names.
5. The report data is what the relying party expects.

What the caller still owes: a fresh nonce in `expected_report_data`, and acting on the verdict (`Appraisal.require`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from adyton.attest.cache import Memory
from adyton.attest.result import Authentic, AuthenticReport, PlatformState, VerifiedChip
from adyton.errors import UsageError
from adyton.formats.check import Check, Outcome, Verdict
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.quote import Tee
from adyton.formats.sgx import REPORT_DATA_SIZE, ReportBody
from adyton.formats.snp import SNP_REPORT_SPANS
from adyton.formats.tdx import TD_REPORT_SPANS
from adyton.policy import rules, sgx_rules, snp_rules, tdx_rules
from adyton.policy.appraisal import Appraisal
from adyton.policy.platform_rules import appraise_platform
from adyton.policy.snp_rules import NO_TCB_STATUS

STANDINGS_CAP: Final = 1024  # platforms, and code, under policies whose checks are remembered
_FAILED: Final = Outcome.FAILED


# What is remembered here depends on exact bytes and on no time, as in `adyton.attest.cache`; without it the results
# are the same.


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
    standing = _standing(evidence.basis.state, evidence.tee, policy)
    code = _STANDINGS_OF_CODE.get((_code(evidence), policy), lambda: _Standing.of(_code_checks(evidence, policy)))
    dates = (
        rules.collateral_in_date(evidence, policy, now),
        rules.collateral_already_valid(evidence, policy, now),
        rules.collateral_fresh(evidence, policy, now),
    )
    bound = rules.report_data(evidence, expected_report_data, _where_report_data(evidence))
    denied = standing.denied or code.denied or _FAILED in [check.outcome for check in (*dates, bound)]
    return Appraisal(
        Verdict.DENIED if denied else Verdict.ACCEPTED,
        policy,
        (*standing.checks, *dates, *code.checks, bound),
        evidence,
        now,
        evidence.collateral.earliest_expiry,
    )


class _Standing(NamedTuple):
    """What a policy makes of a platform, or of code: the same each time, whenever it is asked."""

    checks: tuple[Check, ...]
    denied: bool

    @classmethod
    def of(cls, checks: Iterable[Check]) -> _Standing:
        """Sum checks up."""
        listed = tuple(checks)
        return cls(listed, _FAILED in [check.outcome for check in listed])


_STANDINGS_OF_CODE: Final[Memory[_Standing]] = Memory(STANDINGS_CAP)


@lru_cache(maxsize=STANDINGS_CAP)
def _standing(state: PlatformState | VerifiedChip, tee: Tee, policy: AppraisalPolicy) -> _Standing:
    return _Standing.of(_state_checks(state, tee, policy))


def _state_checks(state: PlatformState | VerifiedChip, tee: Tee, policy: AppraisalPolicy) -> Iterator[Check]:
    # 1
    yield rules.trusted_root(state, policy)
    # 2
    if isinstance(state, VerifiedChip):
        yield NO_TCB_STATUS
        if policy.snp is not None:
            yield from snp_rules.appraise_chip(state, policy.snp)
        return
    yield rules.tcb_info_version(state, policy)
    # 3
    yield rules.tcb_status(state, policy)
    yield from rules.tcb_shortfalls(state, policy, tee)
    yield rules.tcb_evaluation(state, policy)
    yield rules.tcb_advisories(state, policy)
    yield from appraise_platform(state.platform, policy.platform)


def _code(evidence: Authentic) -> tuple[object, ...]:
    """Return what names the code, all that `_code_checks` reads: the signed body without its report data."""
    if isinstance(evidence, AuthenticReport):
        signed = evidence.report.signed_bytes()
        begin, size = SNP_REPORT_SPANS["report_data"]
        return signed[:begin], signed[begin + size :]
    body = evidence.quote.body
    signed = body.to_bytes()
    if isinstance(body, ReportBody):
        return evidence.quote.body_offset, signed[:-REPORT_DATA_SIZE]
    begin, size = TD_REPORT_SPANS["report_data"]
    return evidence.quote.body_offset, signed[:begin], signed[begin + size :]


def _code_checks(evidence: Authentic, policy: AppraisalPolicy) -> Iterator[Check]:
    # 4
    if isinstance(evidence, AuthenticReport):
        if policy.snp is not None:
            return snp_rules.appraise_guest(evidence.report, policy.snp)
    elif isinstance(body := evidence.quote.body, ReportBody):
        if policy.sgx is not None:
            return sgx_rules.appraise_enclave(body, policy.sgx, evidence.quote.body_offset)
    elif policy.tdx is not None:
        return tdx_rules.appraise_trust_domain(body, policy.tdx, evidence.quote.body_offset)
    return _no_rules(evidence, policy)


def _where_report_data(evidence: Authentic) -> str:
    if isinstance(evidence, AuthenticReport):
        return snp_rules.where("report_data")
    where = sgx_rules.where if isinstance(evidence.quote.body, ReportBody) else tdx_rules.where
    return where("report_data", evidence.quote.body_offset)


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
