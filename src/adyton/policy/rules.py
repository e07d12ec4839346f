"""The rules that hold for every TEE: root of trust, endorsements, trusted computing base, report data.

A rule is a function that yields one named check. Rules never raise and never stop each other: an appraisal lists all.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from adyton.attest.result import Authentic, CollateralItem, PlatformState, VerifiedChip
from adyton.formats.check import Check, Outcome
from adyton.formats.moment import time_text
from adyton.formats.policy import AppraisalPolicy, Reference, reference_values
from adyton.formats.quote import Tee

TIMES_CAP: Final = 4096  # times in words that are remembered
_REISSUED: Final = frozenset({"tcb_info", "qe_identity", "root_crl", "pck_crl", "crl"})
_NO_AGE_LIMIT: Final = Check(
    "collateral.age", Outcome.NOT_APPLICABLE, "whatever is in date: the policy sets no age", "", where="collateral"
)


def check(
    name: str, *, holds: bool, expected: str, actual: str, remedy: str, waived: bool = False, where: str = ""
) -> Check:
    """Make a check from a rule's result.

    Args:
        name: The check's id.
        holds: Whether the rule holds.
        expected: What the rule asks for.
        actual: What was found.
        remedy: What to do if it fails; left out of a check that passed.
        waived: Whether the policy names an exception from this rule.
        where: The place that was looked at.
    """
    if holds:
        return Check(name, Outcome.PASSED, expected, actual, "", where)
    return Check(name, Outcome.WAIVED if waived else Outcome.FAILED, expected, actual, remedy, where)


class Fact(NamedTuple):
    """What evidence says in one field that a reference can name.

    Attributes:
        value: Bytes, or a version.
        where: The field's place.
    """

    value: bytes | int
    where: str


def accepted_code(
    name: str, what: str, *, anything: bool, references: Sequence[Reference], facts: Mapping[str, Fact], main: str
) -> Iterator[Check]:
    """One of the policy's references holds; of several, the one that fits best is shown field by field.

    Args:
        name: The check's id while no reference is compared, such as `sgx.enclave`; its first part begins the others'.
        what: What a reference names, such as "enclave".
        anything: Whether the policy accepts whatever code runs.
        references: What the policy names.
        facts: What the evidence says, by the names of a reference's fields.
        main: The field that is shown while no reference is compared.
    """
    measurement, where = facts[main]
    if anything:
        yield Check(name, Outcome.WAIVED, f"any {what}: the policy asks for none", _shown(measurement), "", where)
        return
    if not references:
        yield check(
            name,
            holds=False,
            expected=f"code that the policy names: it names no {what}",
            actual=_shown(measurement),
            remedy=f"name the {what} in the policy",
            where=where,
        )
        return
    prefix = name.partition(".")[0]
    yield from _closest(tuple(_compare(reference, facts, prefix)) for reference in references)


def _closest(candidates: Iterable[tuple[Check, ...]]) -> tuple[Check, ...]:
    return max(candidates, key=lambda checks: (all(c.holds for c in checks), sum(c.holds for c in checks)))


def _compare(reference: Reference, facts: Mapping[str, Fact], prefix: str) -> Iterator[Check]:
    for name, fact in facts.items():
        wanted = getattr(reference, name, None)
        if wanted is not None:
            values = tuple(map(str, reference_values(wanted)))
            yield _compared(name, prefix, fact, _shown(fact.value) in values, " or ".join(values))
        least, most = getattr(reference, f"minimum_{name}", None), getattr(reference, f"maximum_{name}", None)
        if isinstance(fact.value, int) and (least is not None or most is not None):
            holds = (least is None or fact.value >= least) and (most is None or fact.value <= most)
            bounds = [f"at least {least}"] * (least is not None) + [f"at most {most}"] * (most is not None)
            yield _compared(name, prefix, fact, holds, " and ".join(bounds))
    for inner in reference.all_of or ():
        yield from _compare(inner, facts, prefix)
    if reference.any_of is not None:
        yield from _closest(tuple(_compare(inner, facts, prefix)) for inner in reference.any_of)


def _compared(name: str, prefix: str, fact: Fact, holds: bool, expected: str) -> Check:  # noqa: FBT001, one caller
    remedy = "run the code that the owner named, or ask the owner to accept this one"
    return check(
        f"{prefix}.{name}", holds=holds, expected=expected, actual=_shown(fact.value), remedy=remedy, where=fact.where
    )


def _shown(value: bytes | int) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def trusted_root(state: PlatformState | VerifiedChip, policy: AppraisalPolicy) -> Check:
    """The policy names the root; a simulated platform only by its fingerprint."""
    return check(
        "trust.root",
        where="certificate chain",
        holds=state.root.name in policy.roots,
        expected=" or ".join(policy.roots),
        actual=state.root.name,
        remedy="use evidence from a platform that the policy names; "
        "to accept a simulated platform, name its fingerprint in the policy's roots",
    )


def collateral_in_date(evidence: Authentic, policy: AppraisalPolicy, now: datetime) -> Check:
    """No endorsement is past its date (`notAfter`, `nextUpdate`); the last second counts as in date."""
    facts = evidence.collateral
    holds = now <= facts.earliest_expiry
    late = facts.items if holds else tuple(item for item in facts.items if item.expires < now)
    return check(
        "collateral.expired",
        where="collateral",
        holds=holds,
        expected=f"every endorsement valid at {_time(now)}",
        actual=f"the first expires {_time(facts.earliest_expiry)}" if holds else _dates(late, "expired"),
        remedy="fetch the collateral again, or set --at to the time that the evidence was made",
        waived=policy.collateral.dangerous_allow_expired,
    )


def collateral_already_valid(evidence: Authentic, policy: AppraisalPolicy, now: datetime) -> Check:
    """No endorsement is from the future (`notBefore`, `thisUpdate`, `issueDate`)."""
    facts = evidence.collateral
    holds = facts.latest_issue <= now
    early = () if holds else tuple(item for item in facts.items if item.issued > now)
    return check(
        "collateral.not_yet_valid",
        where="collateral",
        holds=holds,
        expected=f"every endorsement issued by {_time(now)}",
        actual=f"the last was issued {_time(facts.latest_issue)}" if holds else _dates(early, "issued"),
        remedy="check this machine's clock, or set --at to a time when all endorsements were valid",
        waived=policy.collateral.dangerous_allow_not_yet_valid,
    )


def collateral_fresh(evidence: Authentic, policy: AppraisalPolicy, now: datetime) -> Check:
    """No document or list is older than the policy allows, whatever its own date of expiry says."""
    days = policy.collateral.maximum_age_days
    if days is None:
        return _NO_AGE_LIMIT
    signed = [item for item in evidence.collateral.items if item.name in _REISSUED]
    old = [item for item in signed if item.issued + timedelta(days=days) < now]
    return check(
        "collateral.age",
        holds=bool(signed) and not old,
        expected=f"every document and list issued in the last {days} days",
        actual=_dates(tuple(old), "issued") if old else "all were" if signed else "none was given",
        remedy="fetch the collateral again",
        where="collateral",
    )


def tcb_info_version(state: PlatformState, policy: AppraisalPolicy) -> Check:
    """TCB info is version 3: version 2 does not name its TEE."""
    version = state.collateral.tcb_info_version
    return check(
        "collateral.tcb_info_version",
        where="TCB info, version",
        holds=version == 3,
        expected="TCB info version 3",
        actual=f"version {version}",
        remedy="fetch the TCB info with version 4 of the vendor's API",
        waived=policy.collateral.dangerous_allow_tcb_info_v2,
    )


def tcb_status(state: PlatformState, policy: AppraisalPolicy) -> Check:
    """The platform's TCB status is one that the policy accepts."""
    tcb = state.tcb
    named = f" ({', '.join(tcb.advisories)})" if tcb.advisories else ""
    return check(
        "tcb.status",
        where="TCB info, tcbLevels",
        holds=tcb.status in policy.tcb.accepted_statuses,
        expected=" or ".join(policy.tcb.accepted_statuses) or "no status at all",
        actual=f"{tcb.status}{named}",
        remedy="update the platform's firmware and microcode, then collect a new quote; "
        "to accept this status, name it in the policy's tcb.accepted_statuses",
    )


def tcb_shortfalls(state: PlatformState, policy: AppraisalPolicy, tee: Tee) -> Iterator[Check]:
    """Say for each version that is too low what the best level needs: why the status is what it is."""
    accepted = state.tcb.status in policy.tcb.accepted_statuses
    for short in state.tcb.shortfalls:
        yield check(
            short.id,
            holds=False,
            expected=f"at least {short.needs}",
            actual=str(short.has),
            remedy=f"update {short.what}",
            waived=accepted,
            where="PCK certificate" if short.id.startswith("sgx.tcb") else f"{tee} quote",
        )


def tcb_evaluation(state: PlatformState, policy: AppraisalPolicy) -> Check:
    """The TCB was evaluated by rules that are new enough (`tcbEvaluationDataNumber`)."""
    return check(
        "tcb.evaluation_number",
        where="TCB info and QE identity, tcbEvaluationDataNumber",
        holds=state.tcb.evaluation_number >= policy.tcb.minimum_evaluation_number,
        expected=f"at least {policy.tcb.minimum_evaluation_number}",
        actual=str(state.tcb.evaluation_number),
        remedy="fetch newer collateral",
    )


def tcb_advisories(state: PlatformState, policy: AppraisalPolicy) -> Check:
    """No advisory that the policy rejects applies."""
    rejected = [advisory for advisory in state.tcb.advisories if advisory in policy.tcb.rejected_advisories]
    return check(
        "tcb.advisories",
        where="TCB info and QE identity, advisoryIDs",
        holds=not rejected,
        expected=f"none of {', '.join(policy.tcb.rejected_advisories)}"
        if policy.tcb.rejected_advisories
        else "whatever advisories apply: the policy rejects none",
        actual=", ".join(rejected or state.tcb.advisories) or "none",
        remedy="follow the advisory's mitigation on the platform, then collect a new quote",
    )


def report_data(evidence: Authentic, expected: bytes | None, where: str) -> Check:
    """The report data is what the relying party derived: whole, never cut or padded."""
    found = evidence.report_data
    if expected is None:
        return Check(
            "report_data", Outcome.NOT_APPLICABLE, "no value was given to compare with", found.hex(), where=where
        )
    return check(
        "report_data",
        holds=hmac.compare_digest(found, expected),
        expected=expected.hex(),
        actual=found.hex(),
        remedy="collect a new quote over this session's nonce and key: an old quote cannot be used again",
        where=where,
    )


def _dates(items: tuple[CollateralItem, ...], verb: str) -> str:
    if verb == "expired":
        return ", ".join(f"{item.name} expired {_time(item.expires)}" for item in items)
    return ", ".join(f"{item.name} issued {_time(item.issued)}" for item in items)


_time: Final = lru_cache(maxsize=TIMES_CAP)(time_text)
