"""The first and the last second of every endorsement, and years later.

What is past its date may be refused, or be accepted with `"expired": true`; accepting it as if it were current is
wrong. What is not valid yet may be refused: Intel's library looks at no issue date.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from adyton.conformance.case import Case, Expectation, accept, either, expired
from adyton.conformance.stage import NOW, SGX, TDX, Dates, Stage, at, case
from adyton.forge import Validity
from adyton.forge.vendor import PROFILES

_EVER = "automata-dcap-attestation #140: expired TCB info usable for ever; gramine #815"
_BEGIN = NOW - timedelta(hours=1)
_END = NOW + timedelta(hours=1)
_GOOD = accept("UpToDate")
_EARLY = "some verifiers look at no issue date"


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for stage in (SGX, TDX):
        for name, short in _short_lived(stage):
            yield from _boundaries(name, short)
        years = at(datetime(2031, 1, 1, tzinfo=UTC), source=_EVER)
        yield case("dates.years-later", "endorsements that expired years ago", expired("UpToDate"), stage, terms=years)


def _boundaries(name: str, stage: Stage) -> Iterator[Case]:
    early = either("UpToDate", because=_EARLY)
    late = at(_END, seconds=1, source=_EVER)
    yield case(
        f"dates.{name}-too-early", f"{name}, a second before it is valid", early, stage, terms=at(_BEGIN, seconds=-1)
    )
    yield case(
        f"dates.{name}-first", f"{name}, a second after it became valid", _GOOD, stage, terms=at(_BEGIN, seconds=1)
    )
    yield case(f"dates.{name}-last", f"{name}, a second before it expires", _GOOD, stage, terms=at(_END, seconds=-1))
    yield case(f"dates.{name}-expired", f"{name}, a second after it expired", _past(name), stage, terms=late)


def _past(name: str) -> Expectation:
    if name == "root-certificate":
        return either("UpToDate", because="a verifier trusts the root's key, not its certificate (RFC 5280 6.1.1)")
    return expired("UpToDate")


def _short_lived(stage: Stage) -> Iterator[tuple[str, Stage]]:
    """Yield stages of which one endorsement is valid for two hours, and all others for longer."""
    short = Validity(_BEGIN, _END - _BEGIN)
    for field in Dates.__slots__:
        yield field.replace("_", "-"), replace(stage, dates=replace(Dates(), **{field: short}))
    for role, profile in PROFILES.items():
        yield (
            f"{role.replace('_', '-')}-certificate",
            replace(stage, profiles={role: replace(profile, not_before=_BEGIN, not_after=_END)}),
        )
