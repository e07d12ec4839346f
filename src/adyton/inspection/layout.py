"""Walking bytes by a table: the one reader of every binary format.

A format is a table of `Field`s. Sizes and nested tables stand in it, so every offset comes from the table, and the
leaves of what `walk` returns cover the bytes from the first to the last, each once. Where a value cannot be, or bytes
are missing, the walk stops: what was read until there is kept.

Whether the bytes are well formed is not judged here: the format's own parser says that, and gives the error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from adyton.inspection.limits import View
from adyton.inspection.tree import Node

Values = Mapping[str, int]
_NUMBER_SIZE: Final = 8


@dataclass(frozen=True, slots=True)
class Shown:
    """How a value is shown.

    Attributes:
        meaning: In words.
        danger: Why not to rely on it.
        parts: Smaller ranges of the same bytes, with offsets from the value's first byte.
        decoded: The same bytes in another form.
        wrong: Whether the format forbids this value.
    """

    meaning: str = ""
    danger: tuple[str, ...] = ()
    parts: tuple[Node, ...] = ()
    decoded: tuple[Node, ...] = ()
    wrong: bool = False


Show = Callable[[bytes, Values, View], Shown]


def plain(_raw: bytes, _values: Values, _view: View) -> Shown:
    """Show bytes as they are."""
    return Shown()


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a table.

    Attributes:
        name: The field's name.
        size: How many bytes; the name of an integer before it that says so; None for as many as its parts have.
        show: How its value is shown.
        parts: The table of what is inside, or how to choose it by the integers before; empty for a leaf.
    """

    name: str
    size: int | str | None
    show: Show = plain
    parts: Layout | Callable[[Values], Layout] = ()


Layout = tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk found.

    Attributes:
        nodes: The fields, in order.
        stopped: Offset of the first byte that is wrong or missing; None if all were read.
    """

    nodes: tuple[Node, ...]
    stopped: int | None


def walk(data: bytes, layout: Layout, view: View, *, known: Values | None = None) -> Walked:
    """Read all of `data` by a table.

    Args:
        data: The bytes.
        layout: The table.
        view: The inspection's settings.
        known: Integers that the table asks for and that stand later in the bytes.
    """
    walker = _Walker(data, view)
    nodes = walker.region(layout, 0, len(data), dict(known or {}))
    return Walked(tuple(nodes), walker.stopped)


class _Walker:
    """One walk: the bytes, and where it stopped."""

    def __init__(self, data: bytes, view: View) -> None:
        self._data = data
        self._view = view
        self.stopped: int | None = None

    def region(self, layout: Layout, at: int, end: int, values: dict[str, int]) -> list[Node]:
        """Read fields that fill the bytes from `at` to `end`."""
        nodes, at = self._fields(layout, at, end, values)
        if self.stopped is None and at < end:
            nodes.append(self._leaf("trailing", at, end, Shown("bytes after the end", wrong=True)))
        return nodes

    def _fields(self, layout: Iterable[Field], at: int, end: int, values: dict[str, int]) -> tuple[list[Node], int]:
        nodes: list[Node] = []
        for field in layout:
            if self.stopped is not None:
                break
            node, at = self._field(field, at, end, values)
            nodes.append(node)
        return nodes, at

    def _field(self, field: Field, at: int, end: int, values: dict[str, int]) -> tuple[Node, int]:
        parts = field.parts(values) if callable(field.parts) else field.parts
        if field.size is None:
            nodes, stop = self._fields(parts, at, end, values)
            return self._parent(field, at, stop, nodes, values), stop
        size = values.get(field.size, 0) if isinstance(field.size, str) else field.size
        stop = min(at + size, end)
        if parts:
            nodes = self.region(parts, at, stop, values)
            self._short(at + size, stop)
            return self._parent(field, at, stop, nodes, values), stop
        if at + size > end:
            self._short(at + size, stop)
            words = f"cut short: it needs {size} bytes, and {end - at} are left"
            return self._node(field.name, at, end, Shown(words)), end
        raw = self._data[at:stop]
        if size <= _NUMBER_SIZE:
            values[field.name] = int.from_bytes(raw, "little")
        return self._leaf(field.name, at, stop, field.show(raw, values, self._view)), stop

    def _short(self, wanted: int, end: int) -> None:
        if self.stopped is None and wanted > end:
            self.stopped = end

    def _leaf(self, name: str, at: int, end: int, shown: Shown) -> Node:
        if shown.wrong and self.stopped is None:
            self.stopped = at
        return self._node(name, at, end, shown)

    def _parent(self, field: Field, at: int, end: int, nodes: list[Node], values: Values) -> Node:
        end = min(end, len(self._data))
        shown = field.show(self._data[at:end], values, self._view)
        return Node(field.name, at, b"", end - at, shown.meaning, shown.danger, tuple(nodes), shown.decoded)

    def _node(self, name: str, at: int, end: int, shown: Shown) -> Node:
        parts = tuple(moved(part, at) for part in shown.parts)
        raw = b"" if parts else self._data[at:end]
        return Node(name, at, raw, end - at, shown.meaning, shown.danger, parts, shown.decoded)


def moved(node: Node, by: int) -> Node:
    """Return a node and its parts, `by` bytes further on."""
    if node.offset is None:
        return node
    children = tuple(moved(child, by) for child in node.children)
    return Node(
        node.name, node.offset + by, node.raw, node.size, node.meaning, node.danger, children, node.decoded,
        node.columns, node.rows,
    )  # fmt: skip
