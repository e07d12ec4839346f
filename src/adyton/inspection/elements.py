"""DER elements with their places (ITU-T X.690): what inspection walks, whether or not it is what it should be.

The road reads DER by declared structures (`adyton.formats.der`); here any element is shown, down to the byte that
is wrong. Kept here: definite lengths in their shortest form; no bytes after an element where it has to end; low tag
numbers only.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from adyton.errors import MalformedEvidence
from adyton.formats.der import Tag

_SHORT_LENGTH: Final = 0x7F
_ELEMENTS_CAP: Final = 1 << 20
_LENGTH_BYTES_CAP: Final = 3
_HIGH_TAG: Final = 0x1F
_new: Final = tuple.__new__
_STRINGS: Final[dict[int, str]] = {Tag.UTF8_STRING: "utf-8", Tag.PRINTABLE_STRING: "ascii", Tag.IA5_STRING: "ascii"}


class Element(NamedTuple):
    """One element: its tag, its content, and its bytes with the header before them.

    Attributes:
        tag: The identifier byte.
        content: The bytes that its length covers.
        encoded: Header and content.
    """

    tag: int
    content: bytes
    encoded: bytes

    def expect(self, tag: int) -> bytes:
        """Return the content of an element of this type.

        Raises:
            MalformedEvidence: `der.tag` if it is another type.
        """
        if self.tag != tag:
            name = Tag(tag).name if tag in Tag._value2member_map_ else f"tag {tag:#04x}"
            raise _malformed("tag", f"expected {name}, found tag {self.tag:#04x}")
        return self.content

    def children(self, tag: int = Tag.SEQUENCE) -> list[Element]:
        """Return the elements of a SEQUENCE, or of another constructed type.

        Raises:
            MalformedEvidence: `der.tag`, `der.length`.
        """
        return elements(self.expect(tag))

    def octets(self, size: int) -> bytes:
        """Return an OCTET STRING of an exact size.

        Raises:
            MalformedEvidence: `der.tag`, `der.length`.
        """
        content = self.expect(Tag.OCTET_STRING)
        if len(content) != size:
            raise _malformed("length", f"expected {size} bytes, found {len(content)}")
        return content

    def uint(self, tag: int = Tag.INTEGER, *, largest: int) -> int:
        """Return an INTEGER or ENUMERATED between 0 and `largest`.

        Raises:
            MalformedEvidence: `der.tag`; `der.integer` if it is negative, too large or not in its shortest form.
        """
        content = self.expect(tag)
        padded = len(content) > 1 and content[0] == 0 and content[1] <= _SHORT_LENGTH
        value = int.from_bytes(content, "big", signed=True)
        if not content or padded or not 0 <= value <= largest:
            raise _malformed("integer", f"expected 0 to {largest} in its shortest form, found {content[:8].hex()}")
        return value

    def text(self) -> str:
        """Return a character string.

        Raises:
            MalformedEvidence: `der.text` if it is another type, or its bytes are not characters.
        """
        encoding = _STRINGS.get(self.tag)
        try:
            if encoding is not None:
                return self.content.decode(encoding)
        except UnicodeDecodeError:
            pass
        raise _malformed("text", f"expected a character string, found tag {self.tag:#04x}")

    def boolean(self) -> bool:
        """Return a BOOLEAN.

        Raises:
            MalformedEvidence: `der.tag`; `der.boolean` unless it is 0x00 or 0xFF.
        """
        content = self.expect(Tag.BOOLEAN)
        if content not in (b"\x00", b"\xff"):
            raise _malformed("boolean", f"expected 00 or ff, found {content[:8].hex()}")
        return content == b"\xff"

    def bits(self) -> bytes:
        """Return a BIT STRING of whole bytes.

        Raises:
            MalformedEvidence: `der.tag`; `der.bits` if its last byte is not whole.
        """
        content = self.expect(Tag.BIT_STRING)
        if content[:1] != b"\x00":
            raise _malformed("bits", "expected a bit string of whole bytes")
        return content[1:]


def parse(data: bytes) -> Element:
    """Read one element that is all of `data`.

    Raises:
        MalformedEvidence: `der.length`, `der.trailing`, `der.tag`.
    """
    found = elements(data, most=1)
    if not found:
        raise _malformed("length", "an element needs 2 bytes, and there is none")
    return found[0]


def elements(content: bytes, *, most: int = _ELEMENTS_CAP) -> list[Element]:
    """Read elements, one after the other, that are all of `content`.

    Args:
        content: What to read.
        most: How many there may be.

    Raises:
        MalformedEvidence: `der.length`, `der.tag`; `der.trailing` if bytes follow the last that there may be.
    """
    found: list[Element] = []
    begin, end = 0, len(content)
    while begin < end:
        if most == 0:
            raise _malformed("trailing", f"{end - begin} bytes follow the element")
        most -= 1
        start = begin + 2
        if start > end:
            raise _malformed("length", f"an element needs 2 bytes at offset {begin}, {end - begin} are left")
        tag, length = content[begin], content[begin + 1]
        if tag & 0x1F == _HIGH_TAG:
            raise _malformed("tag", f"expected a low tag number, found {tag:#04x}")
        if length > _SHORT_LENGTH:
            length, start = _long_length(content, start, length & _SHORT_LENGTH)
        stop = start + length
        if stop > end:
            raise _malformed("length", f"an element of {length} bytes at offset {start} goes past the end")
        # Not through the class's own constructor, which costs as much as the rest of this loop.
        found.append(_new(Element, (tag, content[start:stop], content[begin:stop])))
        begin = stop
    return found


def _long_length(data: bytes, at: int, count: int) -> tuple[int, int]:
    length = int.from_bytes(data[at : at + count], "big")
    shortest = (length.bit_length() + 7) // 8
    if not 0 < count <= _LENGTH_BYTES_CAP or length <= _SHORT_LENGTH or count != shortest:
        raise _malformed("length", f"the length at offset {at - 1} is not in its shortest definite form")
    return length, at + count


def _malformed(suffix: str, found: str) -> MalformedEvidence:
    return MalformedEvidence(
        f"der.{suffix}", f"DER: {found}", remedy="use the certificate as its issuer made it, unchanged"
    )
