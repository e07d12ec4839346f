"""Evidence that is authentic: every status, every way to it, every form that genuine data takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding

from adyton.conformance.cases import Case, Expected
from adyton.forge import Level, ModuleFacts, Validity, Vendor, VendorKeys
from adyton.forge.platform import QE, TRUST_DOMAIN, TRUST_DOMAIN_15, VALIDITY, ForgedPlatform
from adyton.formats.collateral import Collateral
from adyton.formats.quote import Quote

SEED: Final = b"adyton conformance, first edition"
BASE: Final = ForgedPlatform.of(SEED)
NOW: Final = VALIDITY.issued + timedelta(days=12)
STATUSES: Final = (
    "UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate",
    "OutOfDateConfigurationNeeded",
)  # fmt: skip
_OLD: Final = {
    "UpToDate": "OutOfDate", "SWHardeningNeeded": "OutOfDate", "ConfigurationNeeded": "OutOfDateConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded": "OutOfDateConfigurationNeeded", "OutOfDate": "OutOfDate",
    "OutOfDateConfigurationNeeded": "OutOfDateConfigurationNeeded",
}  # fmt: skip
_ALL: Final = (0,) * 16


def cases() -> Iterator[Case]:
    """Yield the sound cases of SGX and TDX."""
    yield from _statuses()
    yield from _components()
    yield from _forms()
    yield from _trust_domains()
    yield from _dates()


def case(  # noqa: PLR0913, one place for all that a case names
    name: str,
    platform: ForgedPlatform,
    expected: Expected,
    *,
    status: str | None = None,
    advisories: Sequence[str] = (),
    code: str = "",
    quote: Quote | bytes | None = None,
    collateral: Collateral | None = None,
    now: datetime = NOW,
    **parts: Any,  # noqa: ANN401, parts of a collateral
) -> Case:
    """Return a case of a forged platform, with some parts exchanged."""
    quote = platform.quote() if quote is None else quote
    return Case(
        id=name,
        tee="tdx" if platform.modules else "sgx",
        evidence=quote if isinstance(quote, bytes) else quote.to_bytes(),
        endorsements=replace(collateral or platform.collateral(), **parts),
        root=platform.vendor.root.public_bytes(Encoding.DER),
        now=now,
        expected=expected,
        status=status,
        advisories=tuple(advisories),
        code=code,
    )


def sound(name: str, platform: ForgedPlatform, status: str, advisories: Sequence[str] = (), **more: Any) -> Case:  # noqa: ANN401
    """Return a case that has to be accepted with a status."""
    return case(name, platform, Expected.ACCEPT, status=status, advisories=advisories, **more)


def _statuses() -> Iterator[Case]:
    for status in STATUSES:
        platform = replace(BASE, levels=(Level(_ALL, status, advisories=("SIM-SA-1",)),))
        yield sound(f"sgx.status.{status}", platform, status, ("SIM-SA-1",))
        old_qe = replace(platform, qe_levels=(Level((7,)), Level((0,), "OutOfDate", advisories=("SIM-SA-2",))))
        yield sound(f"sgx.qe_out_of_date.{status}", old_qe, _OLD[status], ("SIM-SA-1", "SIM-SA-2"))
    revoked = replace(BASE, levels=(Level(_ALL, "Revoked"),))
    yield case("sgx.revoked.platform_level", revoked, Expected.EITHER, status="Revoked")
    revoked = replace(BASE, qe_levels=(Level((0,), "Revoked"),))
    yield case("sgx.revoked.qe_level", revoked, Expected.EITHER, status="Revoked")


def _components() -> Iterator[Case]:
    low = Level(_ALL, "OutOfDate")
    for at in range(16):
        best = tuple(6 if at == place else 5 for place in range(16))
        yield sound(f"sgx.component_short.{at:02}", replace(BASE, levels=(Level(best), low)), "OutOfDate")
    yield sound("sgx.pce_svn_short", replace(BASE, levels=(Level(_ALL, pce_svn=12), low)), "OutOfDate")
    exact = replace(BASE, levels=(Level((5,) * 16, pce_svn=11), low))
    yield sound("sgx.level_exactly_reached", exact, "UpToDate")
    middle = (Level((6,) * 16), Level((5,) * 16, "SWHardeningNeeded"), low)
    yield sound("sgx.second_of_three_levels", replace(BASE, levels=middle), "SWHardeningNeeded")
    yield case(
        "sgx.no_level_reached", replace(BASE, levels=(Level((6,) * 16),)), Expected.REFUSE,
        code="dcap.tcb.no_matching_level",
    )  # fmt: skip


def _forms() -> Iterator[Case]:
    collateral = BASE.collateral()
    lower = collateral.tcb_info.replace(BASE.platform.fmspc.hex().upper().encode(), BASE.platform.fmspc.hex().encode())
    yield sound("sgx.form.fmspc_in_lower_case", BASE, "UpToDate", collateral=BASE.signed(tcb_info=lower))
    more = collateral.tcb_info[:-1] + b',"aFieldOfTomorrow":{"x":[1]}}'
    yield sound("sgx.form.unknown_signed_field", BASE, "UpToDate", collateral=BASE.signed(tcb_info=more))
    yield sound("sgx.form.evaluation_numbers_differ", replace(BASE, numbers=(18, 17)), "UpToDate")
    yield sound(
        "sgx.form.crl_with_other_serials", replace(BASE, revoked_by_pck_ca=(1, 1001), revoked_by_root=(77,)), "UpToDate"
    )
    yield case("sgx.form.tcb_info_version_2", replace(BASE, tcb_info_version=2), Expected.EITHER, status="UpToDate")
    reissued = Vendor(VendorKeys.of(SEED), since=datetime.fromisoformat("2026-02-02T00:00:00+00:00"))
    yield case(
        "sgx.form.root_reissued_with_the_same_key", BASE, Expected.EITHER, status="UpToDate",
        quote=replace(BASE, vendor=reissued).quote(),
    )  # fmt: skip
    yield case("sgx.form.pck_crl_chain_left_out", BASE, Expected.EITHER, status="UpToDate", pck_crl_chain=b"")


def _trust_domains() -> Iterator[Case]:
    base = BASE.tdx()
    yield sound("tdx.v4.up_to_date", base, "UpToDate")
    yield case("tdx.v5.td_10", base, Expected.EITHER, status="UpToDate", quote=base.quote(version=5))
    yield sound("tdx.v5.td_15", base, "UpToDate", quote=base.quote(TRUST_DOMAIN_15))
    for status in STATUSES:
        level = Level(_ALL, status, tdx=_ALL)
        old = replace(base, levels=(level,), modules=(ModuleFacts(1, (Level((6,)), Level((0,), "OutOfDate"))),))
        yield sound(f"tdx.module_out_of_date_alone.{status}", old, _OLD[status])
    revoked = replace(base, modules=(ModuleFacts(1, (Level((0,), "Revoked"),)),))
    yield case("tdx.revoked.module_level", revoked, Expected.EITHER, status="Revoked")
    for at in (0, 1):
        best = tuple(200 if at == place else 0 for place in range(16))
        platform = replace(base, levels=(Level(_ALL, tdx=best), Level(_ALL, "OutOfDate", tdx=_ALL)))
        yield sound(f"tdx.component_of_the_module_is_its_own.{at}", platform, "UpToDate")
    for at in range(2, 16):
        best = tuple(6 if at == place else 0 for place in range(16))
        platform = replace(base, levels=(Level(_ALL, tdx=best), Level(_ALL, "OutOfDate", tdx=_ALL)))
        yield sound(f"tdx.component_short.{at:02}", platform, "OutOfDate")
    unversioned = replace(base, modules=(ModuleFacts(0),))
    yield sound(
        "tdx.module_without_a_version",
        unversioned,
        "UpToDate",
        quote=unversioned.quote(replace(TRUST_DOMAIN, tee_tcb_svn=bytes((5, 0, *[5] * 14)))),
    )
    two = replace(base, modules=(ModuleFacts(1, (Level((6,)),)), ModuleFacts(3, (Level((2,)),))))
    third = replace(TRUST_DOMAIN, tee_tcb_svn=bytes((2, 3, *[5] * 14)))
    yield sound("tdx.module_of_the_quote_s_version", two, "UpToDate", quote=two.quote(third))
    yield from _relaunch(base)


def _relaunch(base: ForgedPlatform) -> Iterator[Case]:
    launched_old = replace(TRUST_DOMAIN_15, tee_tcb_svn=bytes((4, 1, *[4] * 14)))
    for status, now, expected in (
        ("OutOfDate", "UpToDate", "TDRelaunchAdvised"),
        ("OutOfDate", "SWHardeningNeeded", "TDRelaunchAdvised"),
        ("OutOfDate", "ConfigurationNeeded", "TDRelaunchAdvisedConfigurationNeeded"),
        ("OutOfDateConfigurationNeeded", "UpToDate", "TDRelaunchAdvisedConfigurationNeeded"),
        ("OutOfDate", "OutOfDate", "OutOfDate"),
    ):
        levels = (Level(_ALL, now, tdx=(5, 0, *[5] * 14)), Level(_ALL, status, tdx=_ALL))
        platform = replace(base, levels=levels, modules=(ModuleFacts(1, (Level((0,)),)),))
        yield sound(f"tdx.relaunch.{status}_then_{now}", platform, expected, quote=platform.quote(launched_old))


def _dates() -> Iterator[Case]:
    """Each boundary of a document's or list's validity, a second before and after it."""
    second = timedelta(seconds=1)
    early, late = VALIDITY.issued, VALIDITY.expires
    # Whether a list is still good in the second of its `nextUpdate` is read both ways.
    yield case("sgx.dates.last_second", BASE, Expected.EITHER, status="UpToDate", now=late)
    yield sound("sgx.dates.first_second", BASE, "UpToDate", now=early)
    for item in ("tcb_info", "qe_identity", "root_crl", "pck_crl"):
        longer = Validity(early - timedelta(days=1), timedelta(days=60))
        rest = replace(BASE, validity=longer).collateral()
        names = {item, f"{item}_signature"} if item in ("tcb_info", "qe_identity") else {item}
        only = replace(rest, **{name: getattr(BASE.collateral(), name) for name in names})
        kind = Expected.EITHER if item.endswith("crl") else Expected.ACCEPT
        yield case(f"sgx.dates.{item}.last_second", BASE, kind, status="UpToDate", collateral=only, now=late)
        yield case(
            f"sgx.dates.{item}.expired_by_a_second", BASE, Expected.DATED, status="UpToDate", collateral=only,
            now=late + second, code="collateral.expired",
        )  # fmt: skip
        yield sound(f"sgx.dates.{item}.first_second", BASE, "UpToDate", collateral=only, now=early)
        yield case(
            f"sgx.dates.{item}.issued_in_a_second", BASE, Expected.DATED, status="UpToDate", collateral=only,
            now=early - second, code="collateral.not_yet_valid",
        )  # fmt: skip


__all__ = ["BASE", "NOW", "QE", "SEED", "case", "cases", "sound"]
