"""The rules for TDX trust domains (Intel TDX Module Base Architecture Specification, TD attributes)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

from adyton.formats.check import Check
from adyton.formats.policy import TdxRules
from adyton.formats.quote import span_of
from adyton.formats.tdx import TD_REPORT_SPANS, TdAttributes, TdReport
from adyton.policy.rules import Fact, accepted_code, check

_FIELDS: Final = ("mr_config_id", "mr_owner", "mr_owner_config", "mr_seam")
_UNDER_DEBUG: Final = 0xFF  # bits 0 to 7, "TD under debug": if any is set, the trust domain's state is open to the host
_KNOWN: Final = sum(TdAttributes)


def appraise_trust_domain(body: TdReport, rules: TdxRules, offset: int) -> Iterator[Check]:
    """Yield every check about a trust domain, in order.

    Args:
        body: What the TDX module says about it.
        rules: What is accepted.
        offset: Where the body begins in the quote, bytes.
    """
    yield not_debug(body, rules, offset)
    yield septve_disabled(body, rules, offset)
    yield known_attributes(body, rules, offset)
    yield no_service_td(body, rules, offset)
    yield from accepted_trust_domain(body, rules, offset)


def not_debug(body: TdReport, rules: TdxRules, offset: int) -> Check:
    """A trust domain under debug, or profiled, is the host's to read."""
    bits = body.td_attributes & _UNDER_DEBUG
    return check(
        "tdx.attributes.debug",
        where=where("td_attributes", offset),
        holds=bits == 0,
        expected="no debug or profiling attribute",
        actual=f"attributes {body.td_attributes:#018x}",
        remedy="launch the trust domain without debugging and profiling",
        waived=rules.dangerous_allow_debug,
    )


def septve_disabled(body: TdReport, rules: TdxRules, offset: int) -> Check:
    """Without SEPT_VE_DISABLE the host can inject exceptions on memory access (Linux kernel, TDX security notes)."""
    return check(
        "tdx.attributes.sept_ve_disable",
        where=where("td_attributes", offset),
        holds=bool(body.td_attributes & TdAttributes.SEPT_VE_DISABLE),
        expected="SEPT_VE_DISABLE set",
        actual=f"attributes {body.td_attributes:#018x}",
        remedy="launch the trust domain with sept-ve-disable on",
        waived=rules.dangerous_allow_sept_ve,
    )


def known_attributes(body: TdReport, rules: TdxRules, offset: int) -> Check:
    """Reserved attributes are zero: what they would mean is not known here."""
    unknown = body.td_attributes & ~_KNOWN
    return check(
        "tdx.attributes.reserved",
        where=where("td_attributes", offset),
        holds=unknown == 0,
        expected="no reserved attribute",
        actual=f"reserved bits {unknown:#018x}" if unknown else "none",
        remedy="use a TDX module whose attributes this version knows",
        waived=rules.dangerous_allow_unknown_attributes,
    )


def no_service_td(body: TdReport, rules: TdxRules, offset: int) -> Check:
    """A bound service trust domain can migrate this one, and then shares its trust."""
    bound = bool(body.mr_service_td and any(body.mr_service_td)) or (
        body.extension is not None and body.extension.binds_service_td
    )
    migratable = bool(body.td_attributes & TdAttributes.MIGRATABLE)
    return check(
        "tdx.service_td",
        where=where("mr_service_td" if body.mr_service_td else "td_attributes", offset),
        holds=not bound and not migratable,
        expected="no service trust domain bound, not migratable",
        actual=f"bound: {'yes' if bound else 'no'}, migratable: {'yes' if migratable else 'no'}",
        remedy="launch the trust domain without a service trust domain",
        waived=rules.dangerous_allow_service_td,
    )


def accepted_trust_domain(body: TdReport, rules: TdxRules, offset: int) -> Iterator[Check]:
    """The trust domain is one that the policy names."""
    registers = dict(zip(("rtmr0", "rtmr1", "rtmr2", "rtmr3"), body.rtmrs, strict=True))
    named = {"mr_td": body.mr_td} | registers | {name: getattr(body, name) for name in _FIELDS}
    return accepted_code(
        "tdx.trust_domain",
        "trust domain",
        anything=rules.dangerous_any_trust_domain,
        references=rules.trust_domains,
        facts={name: Fact(value, where(name, offset)) for name, value in named.items()},
        main="mr_td",
    )


@cache
def where(name: str, offset: int) -> str:
    """Return where a field of the body stands in a quote, in words."""
    begin, size = TD_REPORT_SPANS[name]
    return span_of("quote", offset + begin, size)
