"""The rules for SEV-SNP guests (AMD 56860, guest policy and platform information).

The measurement covers neither the guest's policy nor the privilege level that asked for the report, so each has a rule
of its own: a verifier that pins the measurement alone accepts debug guests, and reports from the lowest level.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

from adyton.attest.result import SnpPlatform, VerifiedChip
from adyton.formats.check import Check, Outcome
from adyton.formats.policy import SnpRules, SnpTcb
from adyton.formats.quote import span_of
from adyton.formats.snp import SNP_REPORT_SPANS, GuestPolicyBits, PlatformInfoBits, SnpReport
from adyton.policy.rules import Fact, accepted_code, check

_FIELDS: Final = (
    "measurement", "host_data", "id_key_digest", "author_key_digest", "family_id", "image_id", "guest_svn"
)  # fmt: skip
_ABI_BITS: Final = 0xFFFF
_KNOWN_POLICY: Final = _ABI_BITS | sum(GuestPolicyBits)


def appraise_chip(chip: VerifiedChip, rules: SnpRules) -> Iterator[Check]:
    """Yield every check about a chip and its endorsements, in order."""
    yield revocation_known(chip, rules)
    yield from minimum_tcb(chip.platform, rules)


def appraise_guest(report: SnpReport, rules: SnpRules) -> Iterator[Check]:
    """Yield every check about a guest and what runs under it, in order."""
    yield firmware_committed(report, rules)
    yield from platform_features(report, rules)
    yield not_debug(report, rules)
    yield not_migratable(report, rules)
    yield known_policy(report, rules)
    yield privilege_level(report, rules)
    yield from accepted_guest(report, rules)


def revocation_known(chip: VerifiedChip, rules: SnpRules) -> Check:
    """A list of the ARK's says that the certificates are not revoked: no list is not a good list."""
    given = bool(chip.collateral.crl_numbers)
    return check(
        "snp.crl.missing",
        holds=given,
        expected="the ARK's revocation list",
        actual="given" if given else "none was given",
        remedy="fetch the product's revocation list from AMD's KDS and add it to the endorsements as `crl`",
        waived=rules.dangerous_allow_missing_crl,
        where="endorsements, crl",
    )


def firmware_committed(report: SnpReport, rules: SnpRules) -> Check:
    """Firmware that runs but is not committed can be rolled back by its platform under the guest."""
    holds = (report.current_tcb, report.current_version) == (report.committed_tcb, report.committed_version)
    return check(
        "snp.firmware.committed",
        holds=holds,
        expected="firmware that runs and is committed",
        actual=f"runs {report.current_tcb.hex()}, committed {report.committed_tcb.hex()}",
        remedy="have the platform's operator commit its firmware (SNP_COMMIT)",
        waived=rules.dangerous_allow_provisional_firmware,
        where=where("committed_tcb"),
    )


def minimum_tcb(platform: SnpPlatform, rules: SnpRules) -> Iterator[Check]:
    """Each firmware version is at least the policy's, for this product."""
    least = rules.minimum_tcb.get(platform.product, SnpTcb())  # type: ignore[call-overload]  # a product may be unknown
    for name, has in platform.reported_tcb.named():
        needs = getattr(least, name)
        yield check(
            f"snp.tcb.{name}",
            holds=has >= needs,
            expected=f"at least {needs}",
            actual=str(has),
            remedy=f"update the platform's firmware ({platform.product}, {name})",
            where=where("reported_tcb"),
        )


def platform_features(report: SnpReport, rules: SnpRules) -> Iterator[Check]:
    """What the policy requires is switched on, and what it rejects is not."""
    for names, wanted in ((rules.required_platform, True), (rules.rejected_platform, False)):
        for name in names:
            switched_on = bool(report.platform_info & PlatformInfoBits[name.upper()])
            yield check(
                f"snp.platform.{name}",
                holds=switched_on is wanted,
                expected="on" if wanted else "off",
                actual="on" if switched_on else "off",
                remedy="use a platform that is set up so, or change the policy",
                where=where("platform_info"),
            )


def not_debug(report: SnpReport, rules: SnpRules) -> Check:
    """A guest whose policy allows debugging is the host's to read (SNP_DBG_DECRYPT)."""
    return check(
        "snp.policy.debug",
        holds=not report.debug,
        expected="a guest policy without DEBUG",
        actual=f"guest policy {report.policy:#x}",
        remedy="launch the guest with a policy that forbids debugging",
        waived=rules.dangerous_allow_debug,
        where=where("policy"),
    )


def not_migratable(report: SnpReport, rules: SnpRules) -> Check:
    """A migration agent that is bound can take the guest's memory to another machine."""
    agent = bool(report.policy & GuestPolicyBits.MIGRATE_MA)
    return check(
        "snp.policy.migration",
        holds=not agent,
        expected="a guest policy without MIGRATE_MA",
        actual=f"guest policy {report.policy:#x}",
        remedy="launch the guest with a policy that forbids migration agents",
        waived=rules.dangerous_allow_migration_agent,
        where=where("policy"),
    )


def known_policy(report: SnpReport, rules: SnpRules) -> Check:
    """Reserved bits are as AMD reserves them: what they would mean is not known here."""
    reserved = report.policy & ~_KNOWN_POLICY
    return check(
        "snp.policy.reserved",
        holds=reserved == 0 and bool(report.policy & GuestPolicyBits.RESERVED_ONE),
        expected="bit 17 set, and no bit that is reserved",
        actual=f"guest policy {report.policy:#x}",
        remedy="use firmware whose guest policy this version knows",
        waived=rules.dangerous_allow_unknown_policy,
        where=where("policy"),
    )


def privilege_level(report: SnpReport, rules: SnpRules) -> Check:
    """The report is from a level that the policy trusts to speak for the guest."""
    return check(
        "snp.vmpl",
        holds=report.vmpl <= rules.maximum_vmpl,
        expected=f"privilege level {rules.maximum_vmpl} or higher (0 is the highest)",
        actual=str(report.vmpl) if report.vmpl <= _LOWEST_VMPL else f"{report.vmpl:#x}, asked for by the host",
        remedy="ask for the report at that level, or name this one in the policy's snp.maximum_vmpl",
        where=where("vmpl"),
    )


def accepted_guest(report: SnpReport, rules: SnpRules) -> Iterator[Check]:
    """The guest is one that the policy names."""
    return accepted_code(
        "snp.guest",
        "guest",
        anything=rules.dangerous_any_guest,
        references=rules.guests,
        facts={name: Fact(getattr(report, name), where(name)) for name in _FIELDS},
        main="measurement",
    )


@cache
def where(name: str) -> str:
    """Return where a field stands in a report, in words."""
    return span_of("report", *SNP_REPORT_SPANS[name])


NO_TCB_STATUS: Final = Check(
    "tcb.status",
    Outcome.NOT_APPLICABLE,
    "AMD gives no status: the policy's snp.minimum_tcb says what is enough",
    "",
    where=span_of("report", *SNP_REPORT_SPANS["reported_tcb"]),
)
_LOWEST_VMPL: Final = 3
