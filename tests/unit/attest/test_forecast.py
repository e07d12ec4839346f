"""Forecasts: which platforms a TCB recovery stops, when, and what they lack; on forged and on genuine recoveries."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from forged import NOW, UP_TO_DATE, Forged
from places import VECTORS

from adyton.attest import TcbStatus, TrustRoots
from adyton.attest.forecast import forecast
from adyton.attest.select import choose, fitting
from adyton.errors import NotFound, UntrustedEvidence
from adyton.forge import Level
from adyton.formats.collateral import Collateral
from adyton.formats.quote import Quote

FORGED = Forged()
RAISED = Level((5, 5, 6, *[5] * 13), pce_svn=12)


def judge(coming):
    return forecast(FORGED.quote(), FORGED.collateral(), coming.collateral(), roots=FORGED.roots, now=NOW)


def test_a_platform_that_stays_up_to_date_does_not_worsen():
    assert not judge(FORGED).worsens


def test_a_platform_that_the_next_recovery_stops_is_named_with_what_it_lacks():
    found = judge(replace(FORGED, levels=(RAISED, Level((0,) * 16, "OutOfDate"))))
    assert (found.now.status, found.then.status) == (TcbStatus.UP_TO_DATE, TcbStatus.OUT_OF_DATE)
    assert found.worsens
    assert [str(short) for short in found.then.shortfalls] == [
        "sgx.tcb.component[2] needs 6, has 5; update BIOS and microcode",
        "sgx.tcb.pce_svn needs 12, has 11; update provisioning certification enclave",
    ]
    assert found.until == FORGED.validity.expires


def test_a_platform_that_falls_below_every_level_worsens():
    found = judge(replace(FORGED, levels=(RAISED,)))
    assert found.then.status is None
    assert found.worsens
    assert "sgx.tcb.component[2] needs 6, has 5" in found.then.missing


def test_a_platform_that_was_out_of_date_before_is_no_news():
    old = replace(FORGED, levels=(RAISED, *UP_TO_DATE[1:]))
    same = forecast(FORGED.quote(), old.collateral(), old.collateral(), roots=FORGED.roots, now=NOW)
    assert not same.worsens


def test_a_forecast_from_forged_collateral_is_refused():
    with pytest.raises(UntrustedEvidence):
        judge(Forged(levels=(RAISED,)))


def test_collateral_is_chosen_by_tee_and_platform_family():
    other = replace(FORGED, platform=replace(FORGED.platform, fmspc=bytes(6)))
    sets = [other.collateral(), FORGED.collateral(tcb_info=b"{}"), FORGED.collateral()]
    assert choose(FORGED.quote(), sets) == sets[2]
    assert fitting(FORGED.quote(), sets[:2]) == []
    with pytest.raises(NotFound, match=r"collateral\.unknown"):
        choose(FORGED.quote(), sets[:2])


# Intel's recovery of 2025: the same genuine platforms under evaluation 17 (or 15) and under 18.
RECOVERY = [
    ("quotes/00b2526ab1.bin", "collateral/06ce86b094.json", "collateral/334a842ff8.json", 17),
    ("quotes/12b401a88a.bin", "collateral/2684b30e6f.json", "collateral/51cdb494e3.json", 15),
]


@pytest.mark.vectors
@pytest.mark.parametrize(("quote", "before", "after", "number"), RECOVERY)
def test_a_genuine_recovery_is_foretold_with_the_versions_that_are_short(quote, before, after, number):
    folder = VECTORS / "dcap"
    raw, current, coming = ((folder / name).read_bytes() for name in (quote, before, after))
    found = forecast(Quote.parse(raw), Collateral.parse(current), Collateral.parse(coming), roots=TrustRoots(), now=NOW)
    assert (found.now.status, found.now.evaluation_number) == (TcbStatus.UP_TO_DATE, number)
    assert (found.then.status, found.then.evaluation_number) == (TcbStatus.OUT_OF_DATE, 18)
    named = {short.id: short for short in found.then.shortfalls}
    first = json.loads(json.loads(coming)["tcb_info"])["tcbLevels"][0]["tcb"]
    for at, component in enumerate(first["sgxtcbcomponents"]):
        short = named.get(f"sgx.tcb.component[{at}]")
        assert short is None or short.needs == component["svn"] > short.has
    assert named["sgx.tcb.component[1]"].what == "SGX Late Microcode Update"
