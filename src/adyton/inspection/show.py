"""How single values are shown: numbers, words for numbers, bits by name, reserved bytes, dates."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from enum import IntFlag
from typing import Final

from adyton.formats.public_signers import where_public
from adyton.inspection.layout import Field, Show, Shown, Values
from adyton.inspection.limits import View

_NONE: Final[Mapping[int, str]] = {}


def note(words: str) -> Show:
    """Show bytes as they are, with a remark."""
    return lambda _raw, _values, _view: Shown(words)


def number(unit: str = "") -> Show:
    """Show a little-endian integer."""
    return lambda raw, _values, _view: Shown(f"{int.from_bytes(raw, 'little'):,} {unit}".strip())


def words(names: Mapping[int, str], *, danger: Mapping[int, str] = _NONE) -> Show:
    """Show an integer by its name; one without a name is wrong."""

    def show(raw: bytes, _values: Values, _view: View) -> Shown:
        value = int.from_bytes(raw, "little")
        why = (danger[value],) if value in danger else ()
        return Shown(names.get(value, f"{value} is not one of {sorted(names)}"), why, wrong=value not in names)

    return show


def names(known: Mapping[int, str]) -> Show:
    """Show an integer by its name if it has one; any is allowed."""
    return lambda raw, _values, _view: Shown(known.get(int.from_bytes(raw, "little"), "unknown"))


def constant(expected: bytes, meaning: str) -> Show:
    """Show bytes that can have one value only."""
    return lambda raw, _values, _view: Shown(
        meaning if raw == expected else f"expected {expected.hex()}", wrong=raw != expected
    )


def reserved(name: str, size: int) -> Field:
    """Return a field of bytes that have to be zero."""
    return Field(name, size, zeros)


def zeros(raw: bytes, _values: Values, _view: View) -> Shown:
    """Show bytes that have to be zero."""
    wrong = any(raw)
    return Shown("reserved, and not zero" if wrong else "reserved", wrong=wrong)


def bits(kind: type[IntFlag], *, danger: Mapping[int, str] = _NONE, missing: Mapping[int, str] = _NONE) -> Show:
    """Show bits by name.

    Args:
        kind: Their names.
        danger: Why a bit that is set is a danger.
        missing: Why a bit that is not set is one.
    """

    def show(raw: bytes, _values: Values, _view: View) -> Shown:
        value = int.from_bytes(raw, "little")
        why = (*(danger[bit] for bit in danger if value & bit), *(missing[bit] for bit in missing if not value & bit))
        return Shown(bit_names(value, kind), why)

    return show


def bit_names(value: int, kind: type[IntFlag]) -> str:
    """Return the names of the bits that are set, and the rest as a number."""
    known = [member for member in kind if value & member]
    rest = value & ~sum(known)
    names = [str(member.name) for member in known] + ([f"unknown bits {rest:#x}"] if rest else [])
    return ", ".join(names) or "none"


def versions(raw: bytes, _values: Values, _view: View) -> Shown:
    """Show one security version a byte."""
    return Shown("versions " + " ".join(map(str, raw)))


def signer(raw: bytes, _values: Values, _view: View) -> Shown:
    """Show MRSIGNER, and where its private key is public."""
    where = where_public(raw)
    return Shown("SHA-256 of the signer's modulus", () if where is None else (public_signer(where),))


def public_signer(where: str) -> str:
    """Return the danger of a signer whose private key is public."""
    return f"anybody can sign as this signer: its private key is public ({where})"


def set_bytes(when_set: str, when_zero: str, *, danger: str = "") -> Show:
    """Show bytes that say something by being set at all."""

    def show(raw: bytes, _values: Values, _view: View) -> Shown:
        if not any(raw):
            return Shown(when_zero)
        return Shown(when_set, (danger,) if danger else ())

    return show


def begins(moment: datetime, view: View) -> tuple[str, ...]:
    """Return the danger of a date from which something is valid."""
    return ("not yet valid at the time asked for",) if view.at is not None and view.at < moment else ()


def ends(moment: datetime, view: View) -> tuple[str, ...]:
    """Return the danger of a date until which something is valid."""
    return ("expired at the time asked for",) if view.at is not None and view.at > moment else ()


def unless(allowed: Callable[[Values], Collection[int]], names: Mapping[int, str]) -> Show:
    """Show an integer by its name, wrong unless the integers before it allow it."""

    def show(raw: bytes, values: Values, _view: View) -> Shown:
        value = int.from_bytes(raw, "little")
        fits = value in allowed(values)
        return Shown(
            names.get(value, str(value)) if fits else f"{value} does not fit what stands before", wrong=not fits
        )

    return show
