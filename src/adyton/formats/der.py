"""The little of DER (ITU-T X.690) that TEE extensions need: strict, and bounded by the input.

Kept here: definite lengths in their shortest form; no bytes after an element where it has to end; low tag numbers only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from adyton.errors import MalformedEvidence

_LONG_LENGTH: Final = 0x80
_LENGTH_BYTES_CAP: Final = 3
_HIGH_TAG: Final = 0x1F


class Tag(IntEnum):
    """The types that TEE extensions use."""

    BOOLEAN = 0x01
    INTEGER = 0x02
    OCTET_STRING = 0x04
    OID = 0x06
    ENUMERATED = 0x0A
    SEQUENCE = 0x30


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag and its content.

    Attributes:
        tag: The identifier byte.
        content: The bytes that its length covers.
    """

    tag: int
    content: bytes

    def expect(self, tag: Tag) -> bytes:
        """Return the content of an element of this type.

        Raises:
            MalformedEvidence: `der.tag` if it is another type.
        """
        if self.tag != tag:
            raise _malformed("tag", f"expected {tag.name}, found tag {self.tag:#04x}")
        return self.content

    def children(self) -> tuple[Element, ...]:
        """Return the elements of a SEQUENCE.

        Raises:
            MalformedEvidence: `der.tag`, `der.length`.
        """
        content, found, at = self.expect(Tag.SEQUENCE), [], 0
        while at < len(content):
            element, at = _read(content, at)
            found.append(element)
        return tuple(found)

    def octets(self, size: int) -> bytes:
        """Return an OCTET STRING of an exact size.

        Raises:
            MalformedEvidence: `der.tag`, `der.length`.
        """
        content = self.expect(Tag.OCTET_STRING)
        if len(content) != size:
            raise _malformed("length", f"expected {size} bytes, found {len(content)}")
        return content

    def uint(self, tag: Tag = Tag.INTEGER, *, largest: int) -> int:
        """Return an INTEGER or ENUMERATED between 0 and `largest`.

        Raises:
            MalformedEvidence: `der.tag`; `der.integer` if it is negative, too large or not in its shortest form.
        """
        content = self.expect(tag)
        padded = len(content) > 1 and content[0] == 0 and content[1] < _LONG_LENGTH
        value = int.from_bytes(content, "big", signed=True)
        if not content or padded or not 0 <= value <= largest:
            raise _malformed("integer", f"expected 0 to {largest} in its shortest form, found {content[:8].hex()}")
        return value

    def boolean(self) -> bool:
        """Return a BOOLEAN.

        Raises:
            MalformedEvidence: `der.tag`; `der.boolean` unless it is 0x00 or 0xFF.
        """
        content = self.expect(Tag.BOOLEAN)
        if content not in (b"\x00", b"\xff"):
            raise _malformed("boolean", f"expected 00 or ff, found {content[:8].hex()}")
        return content == b"\xff"


def parse(data: bytes) -> Element:
    """Read one element that is all of `data`.

    Raises:
        MalformedEvidence: `der.length`, `der.trailing`, `der.tag`.
    """
    element, end = _read(data, 0)
    if end != len(data):
        raise _malformed("trailing", f"{len(data) - end} bytes follow the element")
    return element


def _read(data: bytes, at: int) -> tuple[Element, int]:
    if len(data) - at < 2:
        raise _malformed("length", f"an element needs 2 bytes at offset {at}, {len(data) - at} are left")
    tag, length, start = data[at], data[at + 1], at + 2
    if tag & _HIGH_TAG == _HIGH_TAG:
        raise _malformed("tag", f"expected a low tag number, found {tag:#04x}")
    if length & _LONG_LENGTH:
        count = length & ~_LONG_LENGTH
        length, start = int.from_bytes(data[start : start + count], "big"), start + count
        shortest = 1 if length < 0x100 else (length.bit_length() + 7) // 8
        if not 0 < count <= _LENGTH_BYTES_CAP or length < _LONG_LENGTH or count != shortest:
            raise _malformed("length", f"the length at offset {at + 1} is not in its shortest definite form")
    if start + length > len(data):
        raise _malformed("length", f"an element of {length} bytes at offset {start} goes past the end")
    return Element(tag, data[start : start + length]), start + length


def _malformed(suffix: str, found: str) -> MalformedEvidence:
    return MalformedEvidence(
        f"der.{suffix}", f"DER: {found}", remedy="use the certificate as its issuer made it, unchanged"
    )
