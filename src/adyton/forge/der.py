"""Writing DER (ITU-T X.690): the inverse of `adyton.formats.der`.

Kept here: definite lengths in their shortest form; integers, times and identifiers in their one form.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from adyton.formats.der import Tag, element

__all__ = [
    "bits",
    "boolean",
    "element",
    "explicit",
    "ia5",
    "identifier",
    "integer",
    "moment",
    "octets",
    "printable",
    "sequence",
    "utf8",
]

_SEVEN_BITS: Final = 7
_CONTEXT: Final = 0xA0
_UTC_TIME_YEARS: Final = range(1950, 2050)  # RFC 5280 4.1.2.5


def sequence(*parts: bytes) -> bytes:
    """Return a SEQUENCE of encoded elements."""
    return element(Tag.SEQUENCE, b"".join(parts))


def integer(value: int) -> bytes:
    """Return an INTEGER that is not negative."""
    return element(Tag.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def boolean(*, value: bool) -> bytes:
    """Return a BOOLEAN."""
    return element(Tag.BOOLEAN, b"\xff" if value else b"\x00")


def octets(content: bytes) -> bytes:
    """Return an OCTET STRING."""
    return element(Tag.OCTET_STRING, content)


def bits(content: bytes, *, unused: int = 0) -> bytes:
    """Return a BIT STRING whose last byte has `unused` bits that do not count."""
    return element(Tag.BIT_STRING, bytes((unused,)) + content)


def identifier(dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER from its dotted form."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return element(Tag.OID, b"".join(_arc(arc) for arc in (first * 40 + second, *rest)))


def utf8(text: str) -> bytes:
    """Return a UTF8String."""
    return element(Tag.UTF8_STRING, text.encode())


def ia5(text: str) -> bytes:
    """Return an IA5String."""
    return element(Tag.IA5_STRING, text.encode("ascii"))


def printable(text: str) -> bytes:
    """Return a PrintableString."""
    return element(Tag.PRINTABLE_STRING, text.encode("ascii"))


def moment(time: datetime) -> bytes:
    """Return a time as certificates write it: UTCTime up to 2049, GeneralizedTime from then on (RFC 5280 4.1.2.5)."""
    time = time.astimezone(UTC)
    if time.year in _UTC_TIME_YEARS:
        return element(Tag.UTC_TIME, f"{time:%y%m%d%H%M%SZ}".encode())
    return element(Tag.GENERALIZED_TIME, f"{time:%Y%m%d%H%M%SZ}".encode())


def explicit(number: int, content: bytes) -> bytes:
    """Return a constructed element of a context's own tag."""
    return element(_CONTEXT | number, content)


def _arc(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> _SEVEN_BITS:
        groups.append(0x80 | value & 0x7F)
    return bytes(reversed(groups))
