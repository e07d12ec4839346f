"""The rules for TDX trust domains (Intel TDX Module Base Architecture Specification, TD attributes)."""

from __future__ import annotations

from collections.abc import Iterator

from adyton.formats.check import Check
from adyton.formats.policy import TdxRules, TrustDomainReference
from adyton.formats.tdx import TdAttributes, TdReport
from adyton.policy.rules import accepted_code, check

_UNDER_DEBUG = 0xFF  # bits 0 to 7, "TD under debug": if any is set, the trust domain's state is open to the host
_KNOWN = sum(TdAttributes)


def appraise_trust_domain(body: TdReport, rules: TdxRules) -> Iterator[Check]:
    """Yield every check about a trust domain, in order."""
    yield not_debug(body, rules)
    yield septve_disabled(body, rules)
    yield known_attributes(body, rules)
    yield no_service_td(body, rules)
    yield from accepted_trust_domain(body, rules)


def not_debug(body: TdReport, rules: TdxRules) -> Check:
    """A trust domain under debug, or profiled, is the host's to read."""
    bits = body.td_attributes & _UNDER_DEBUG
    return check(
        "tdx.attributes.debug",
        holds=bits == 0,
        expected="no debug or profiling attribute",
        actual=f"attributes {body.td_attributes:#018x}",
        remedy="launch the trust domain without debugging and profiling",
        waived=rules.dangerous_allow_debug,
    )


def septve_disabled(body: TdReport, rules: TdxRules) -> Check:
    """Without SEPT_VE_DISABLE the host can inject exceptions on memory access (Linux kernel, TDX security notes)."""
    return check(
        "tdx.attributes.sept_ve_disable",
        holds=bool(body.td_attributes & TdAttributes.SEPT_VE_DISABLE),
        expected="SEPT_VE_DISABLE set",
        actual=f"attributes {body.td_attributes:#018x}",
        remedy="launch the trust domain with sept-ve-disable on",
        waived=rules.dangerous_allow_sept_ve,
    )


def known_attributes(body: TdReport, rules: TdxRules) -> Check:
    """Reserved attributes are zero: what they would mean is not known here."""
    unknown = body.td_attributes & ~_KNOWN
    return check(
        "tdx.attributes.reserved",
        holds=unknown == 0,
        expected="no reserved attribute",
        actual=f"reserved bits {unknown:#018x}" if unknown else "none",
        remedy="use a TDX module whose attributes this version knows",
        waived=rules.dangerous_allow_unknown_attributes,
    )


def no_service_td(body: TdReport, rules: TdxRules) -> Check:
    """A bound service trust domain can migrate this one, and then shares its trust."""
    bound = bool(body.mr_service_td and any(body.mr_service_td))
    migratable = bool(body.td_attributes & TdAttributes.MIGRATABLE)
    return check(
        "tdx.service_td",
        holds=not bound and not migratable,
        expected="no service trust domain bound, not migratable",
        actual=f"bound: {'yes' if bound else 'no'}, migratable: {'yes' if migratable else 'no'}",
        remedy="launch the trust domain without a service trust domain",
        waived=rules.dangerous_allow_service_td,
    )


def accepted_trust_domain(body: TdReport, rules: TdxRules) -> Iterator[Check]:
    """The trust domain is one that the policy names."""
    return accepted_code(
        "tdx.trust_domain",
        "trust domain",
        anything=rules.dangerous_any_trust_domain,
        references=[_compare(body, reference) for reference in rules.trust_domains],
        measurement=body.mr_td,
    )


def _compare(body: TdReport, reference: TrustDomainReference) -> Iterator[Check]:
    for name, wanted, found in (
        ("mr_td", reference.mr_td, body.mr_td),
        ("rtmr0", reference.rtmr0, body.rtmrs[0]),
        ("rtmr1", reference.rtmr1, body.rtmrs[1]),
        ("rtmr2", reference.rtmr2, body.rtmrs[2]),
        ("rtmr3", reference.rtmr3, body.rtmrs[3]),
        ("mr_config_id", reference.mr_config_id, body.mr_config_id),
        ("mr_owner", reference.mr_owner, body.mr_owner),
        ("mr_owner_config", reference.mr_owner_config, body.mr_owner_config),
        ("mr_seam", reference.mr_seam, body.mr_seam),
    ):
        if wanted is not None:
            actual = found.hex()
            yield check(
                f"tdx.{name}",
                holds=actual == wanted,
                expected=wanted,
                actual=actual,
                remedy="run the image that the owner named, or ask the owner to accept this one",
            )
