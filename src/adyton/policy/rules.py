"""The rules that hold for every TEE: root of trust, endorsements, trusted computing base, report data.

A rule is a function that yields one named check. Rules never raise and never stop each other: an appraisal lists all.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from adyton.attest.result import AuthenticQuote, CollateralItem
from adyton.formats.check import Check, Outcome
from adyton.formats.policy import AppraisalPolicy


def check(name: str, *, holds: bool, expected: str, actual: str, remedy: str, waived: bool = False) -> Check:
    """Make a check from a rule's result.

    Args:
        name: The check's id.
        holds: Whether the rule holds.
        expected: What the rule asks for.
        actual: What was found.
        remedy: What to do if it fails; left out of a check that passed.
        waived: Whether the policy names an exception from this rule.
    """
    if holds:
        return Check(name, Outcome.PASSED, expected, actual)
    return Check(name, Outcome.WAIVED if waived else Outcome.FAILED, expected, actual, remedy)


def accepted_code(
    name: str, what: str, *, anything: bool, references: Sequence[Iterable[Check]], measurement: bytes
) -> Iterator[Check]:
    """One of the policy's references holds; of several, the one that fits best is shown field by field.

    Args:
        name: The check's id while no reference is compared, such as `sgx.enclave`.
        what: What a reference names, such as "enclave".
        anything: Whether the policy accepts whatever code runs.
        references: The comparison with each reference.
        measurement: What was measured.
    """
    if anything:
        yield Check(name, Outcome.WAIVED, f"any {what}: the policy asks for none", measurement.hex())
        return
    if not references:
        yield check(
            name,
            holds=False,
            expected=f"code that the policy names: it names no {what}",
            actual=measurement.hex(),
            remedy=f"name the {what} in the policy",
        )
        return
    candidates = [tuple(checks) for checks in references]
    yield from max(candidates, key=lambda checks: (all(c.holds for c in checks), sum(c.holds for c in checks)))


def trusted_root(evidence: AuthenticQuote, policy: AppraisalPolicy) -> Check:
    """The policy names the root; a simulated platform only by its fingerprint."""
    return check(
        "trust.root",
        holds=evidence.root.name in policy.roots,
        expected=" or ".join(policy.roots),
        actual=evidence.root.name,
        remedy="use evidence from a platform that the policy names; "
        "to accept a simulated platform, name its fingerprint in the policy's roots",
    )


def collateral_in_date(evidence: AuthenticQuote, policy: AppraisalPolicy, now: datetime) -> Check:
    """No endorsement is past its date (`notAfter`, `nextUpdate`); the last second counts as in date."""
    facts = evidence.collateral
    holds = now <= facts.earliest_expiry
    late = facts.items if holds else tuple(item for item in facts.items if item.expires < now)
    return check(
        "collateral.expired",
        holds=holds,
        expected=f"every endorsement valid at {_time(now)}",
        actual=f"the first expires {_time(facts.earliest_expiry)}" if holds else _dates(late, "expired"),
        remedy="fetch the collateral again, or set --at to the time that the evidence was made",
        waived=policy.collateral.dangerous_allow_expired,
    )


def collateral_already_valid(evidence: AuthenticQuote, policy: AppraisalPolicy, now: datetime) -> Check:
    """No endorsement is from the future (`notBefore`, `thisUpdate`, `issueDate`)."""
    facts = evidence.collateral
    holds = facts.latest_issue <= now
    early = () if holds else tuple(item for item in facts.items if item.issued > now)
    return check(
        "collateral.not_yet_valid",
        holds=holds,
        expected=f"every endorsement issued by {_time(now)}",
        actual=f"the last was issued {_time(facts.latest_issue)}" if holds else _dates(early, "issued"),
        remedy="check this machine's clock, or set --at to a time when all endorsements were valid",
        waived=policy.collateral.dangerous_allow_not_yet_valid,
    )


def tcb_info_version(evidence: AuthenticQuote, policy: AppraisalPolicy) -> Check:
    """TCB info is version 3: version 2 does not name its TEE."""
    version = evidence.collateral.tcb_info_version
    return check(
        "collateral.tcb_info_version",
        holds=version == 3,
        expected="TCB info version 3",
        actual=f"version {version}",
        remedy="fetch the TCB info with version 4 of the vendor's API",
        waived=policy.collateral.dangerous_allow_tcb_info_v2,
    )


def tcb_status(evidence: AuthenticQuote, policy: AppraisalPolicy) -> Check:
    """The platform's TCB status is one that the policy accepts."""
    tcb = evidence.tcb
    named = f" ({', '.join(tcb.advisories)})" if tcb.advisories else ""
    return check(
        "tcb.status",
        holds=tcb.status in policy.tcb.accepted_statuses,
        expected=" or ".join(policy.tcb.accepted_statuses) or "no status at all",
        actual=f"{tcb.status}{named}",
        remedy="update the platform's firmware and microcode, then collect a new quote; "
        "to accept this status, name it in the policy's tcb.accepted_statuses",
    )


def tcb_evaluation(evidence: AuthenticQuote, policy: AppraisalPolicy) -> Check:
    """The TCB was evaluated by rules that are new enough (`tcbEvaluationDataNumber`)."""
    return check(
        "tcb.evaluation_number",
        holds=evidence.tcb.evaluation_number >= policy.tcb.minimum_evaluation_number,
        expected=f"at least {policy.tcb.minimum_evaluation_number}",
        actual=str(evidence.tcb.evaluation_number),
        remedy="fetch newer collateral",
    )


def tcb_advisories(evidence: AuthenticQuote, policy: AppraisalPolicy) -> Check:
    """No advisory that the policy rejects applies."""
    rejected = [advisory for advisory in evidence.tcb.advisories if advisory in policy.tcb.rejected_advisories]
    return check(
        "tcb.advisories",
        holds=not rejected,
        expected=f"none of {', '.join(policy.tcb.rejected_advisories)}"
        if policy.tcb.rejected_advisories
        else "whatever advisories apply: the policy rejects none",
        actual=", ".join(rejected or evidence.tcb.advisories) or "none",
        remedy="follow the advisory's mitigation on the platform, then collect a new quote",
    )


def report_data(evidence: AuthenticQuote, expected: bytes | None) -> Check:
    """The report data is what the relying party derived: whole, never cut or padded."""
    found = evidence.quote.body.report_data
    if expected is None:
        return Check("report_data", Outcome.NOT_APPLICABLE, "no value was given to compare with", found.hex())
    return check(
        "report_data",
        holds=hmac.compare_digest(found, expected),
        expected=expected.hex(),
        actual=found.hex(),
        remedy="collect a new quote over this session's nonce and key: an old quote cannot be used again",
    )


def _dates(items: tuple[CollateralItem, ...], verb: str) -> str:
    if verb == "expired":
        return ", ".join(f"{item.name} expired {_time(item.expires)}" for item in items)
    return ", ".join(f"{item.name} issued {_time(item.issued)}" for item in items)


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
