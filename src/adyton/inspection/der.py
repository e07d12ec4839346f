"""Walking DER by a table of shapes: an element's header, its parts or its content, every byte in one leaf.

A shape names an element and its parts by position; what it does not name is shown by its type. As in `layout`, whether
the structure is what it should be is the parser's to say; the walk stops where a length leads past the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from adyton.errors import MalformedEvidence
from adyton.formats.der import Tag
from adyton.inspection.elements import Element
from adyton.inspection.layout import Shown, Walked
from adyton.inspection.limits import View
from adyton.inspection.oids import oid_words
from adyton.inspection.tree import Node

_CONSTRUCTED: Final = 0x20
_LONG: Final = 0x80
_HIGH_TAG: Final = 0x1F
_LENGTH_BYTES: Final = 3
_SHOWN_SIZE: Final = 20  # of bytes in words: a key identifier

ShowElement = Callable[[Element, View], Shown]
_STRINGS: Final = (Tag.UTF8_STRING, Tag.PRINTABLE_STRING, Tag.IA5_STRING)


def by_type(element: Element, _view: View) -> Shown:
    """Show a value by its type."""
    try:
        if element.tag in _STRINGS:
            return Shown(element.text())
        words = _WORDS.get(element.tag)
        return Shown() if words is None else Shown(words(element.content))
    except MalformedEvidence as error:
        return Shown("not readable", (error.message,))


def _integer(content: bytes) -> str:
    return str(int.from_bytes(content, "big", signed=True)) if len(content) <= 8 else f"{len(content)} bytes"


def _octets(content: bytes) -> str:
    return content.hex() if len(content) <= _SHOWN_SIZE else f"{len(content)} bytes"


_WORDS: Final[dict[int, Callable[[bytes], str]]] = {
    Tag.OID: oid_words,
    Tag.INTEGER: _integer,
    Tag.ENUMERATED: _integer,
    Tag.BOOLEAN: lambda content: {b"\x00": "false", b"\xff": "true"}.get(content, "neither true nor false"),
    Tag.OCTET_STRING: _octets,
    Tag.BIT_STRING: lambda _content: "bits",
    Tag.UTC_TIME: lambda content: content.decode("ascii", "replace"),
    Tag.GENERALIZED_TIME: lambda content: content.decode("ascii", "replace"),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What an element is.

    Attributes:
        name: Its name.
        parts: Its parts by position; a part whose `tags` do not fit the element at hand is skipped.
        every: The shape of all its parts, if they are alike.
        show: How its value is shown, whole; also for one that has parts.
        tags: The identifier bytes that it may have; any, if empty.
        wraps: Whether its content is DER though its type is not constructed: an extension's value.
        choose: Its shape by its parts' bytes, in place of all else but the name: an extension by its identifier.
    """

    name: str
    parts: tuple[Shape, ...] = ()
    every: Shape | None = None
    show: ShowElement = by_type
    tags: tuple[int, ...] = ()
    wraps: bool = False
    choose: Callable[[bytes], Shape] | None = None


ANY: Final = Shape("element")


def walk_der(data: bytes, shape: Shape, view: View) -> Walked:
    """Read one element that is all of `data`."""
    walker = _Walker(data, view)
    node, stop = walker.element(shape, 0, len(data), 0)
    nodes = [node]
    if stop < len(data) and walker.stopped is None:
        walker.stopped = stop
        nodes.append(Node("trailing", stop, data[stop:], len(data) - stop, "bytes after the end"))
    return Walked(tuple(nodes), walker.stopped)


class _Walker:
    def __init__(self, data: bytes, view: View) -> None:
        self._data = data
        self._view = view
        self._budget = view.limits.nodes_count
        self.stopped: int | None = None

    def element(self, shape: Shape, at: int, end: int, depth: int) -> tuple[Node, int]:
        """Read one element; what does not fit is one leaf, and the walk stops there."""
        header = _header(self._data, at, end)
        if header is None:
            self.stopped = at
            return Node(shape.name, at, self._data[at:end], end - at, "cut short, or not DER"), end
        tag, start, stop = header
        self._budget -= 1
        if stop > end:
            return self._cut_short(shape, tag, at, start, end, depth)
        element = Element(tag, self._data[start:stop], self._data[at:stop])
        shape = shape.choose(element.content) if shape.choose is not None else shape
        shown = shape.show(element, self._view)
        children = self._children(shape, tag, at, start, stop, depth)
        raw = b"" if children else element.encoded
        return Node(shape.name, at, raw, stop - at, shown.meaning, shown.danger, children, shown.decoded), stop

    def _cut_short(self, shape: Shape, tag: int, at: int, start: int, end: int, depth: int) -> tuple[Node, int]:
        children = self._children(shape, tag, at, start, end, depth)
        if self.stopped is None:
            self.stopped = end
        return Node(shape.name, at, b"" if children else self._data[at:end], end - at, "cut short", (), children), end

    def _children(self, shape: Shape, tag: int, at: int, start: int, stop: int, depth: int) -> tuple[Node, ...]:
        inside = tag & _CONSTRUCTED or (shape.wraps and _is_der(self._data, start, stop))
        if not inside or depth >= self._view.limits.depth_count or self._budget <= 0 or start == stop:
            return ()
        nodes = [Node("header", at, self._data[at:start], start - at, f"type {tag:#04x}, {stop - start} bytes")]
        shapes = iter(shape.parts)
        while start < stop and self.stopped is None:
            if len(nodes) > self._view.limits.entries_count:
                nodes.append(Node("further", start, self._data[start:stop], stop - start, "entries that are not shown"))
                break
            part = shape.every or _next(shapes, self._data[start])
            node, start = self.element(part, start, stop, depth + 1)
            nodes.append(node)
        return tuple(nodes)


def _next(shapes: Iterator[Shape], tag: int) -> Shape:
    """Return the next shape that fits, and skip those of parts that are not there."""
    return next((shape for shape in shapes if not shape.tags or tag in shape.tags), ANY)


def _is_der(data: bytes, at: int, end: int) -> bool:
    """Whether bytes are elements from their first to their last."""
    while at < end:
        header = _header(data, at, end)
        if header is None or header[2] > end:
            return False
        at = header[2]
    return True


def _header(data: bytes, at: int, end: int) -> tuple[int, int, int] | None:
    """Return an element's type, where its content begins and where it ends; None if there is no header."""
    if at + 2 > end or data[at] & _HIGH_TAG == _HIGH_TAG:
        return None
    tag, length, start = data[at], data[at + 1], at + 2
    if length < _LONG:
        return tag, start, start + length
    count = length - _LONG
    if not 0 < count <= _LENGTH_BYTES or start + count > end:
        return None
    return tag, start + count, start + count + int.from_bytes(data[start : start + count], "big")


def oid_of(content: bytes) -> bytes:
    """Return the content of the identifier that a structure begins with; empty if it begins with none."""
    header = _header(content, 0, len(content))
    if header is None or header[0] != Tag.OID:
        return b""
    return content[header[1] : header[2]]


def first_inside(data: bytes) -> bytes:
    """Return what the first structure in a structure begins with: a certificate's or a list's first bytes.

    Returns:
        The identifier byte of a context tag, or the first three bytes of another; empty if there is none.
    """
    at = 0
    for _ in range(2):
        header = _header(data, at, len(data))
        if header is None or header[0] != Tag.SEQUENCE:
            return b""
        at = header[1]
    first = data[at : at + 3]
    return first[:1] if first[:1] == b"\xa0" else first


__all__ = ["ANY", "Shape", "ShowElement", "by_type", "first_inside", "oid_of", "walk_der"]
