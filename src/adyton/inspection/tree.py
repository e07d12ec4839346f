"""What an inspection yields: a tree of named fields, each with its place in the bytes that it was read from.

A node's `children` are its bytes in order, without gaps; its `decoded` nodes are the same bytes in another form (a
certificate in PEM, a document in a JSON string), with places of their own, counted from the start of that form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from adyton.errors import ErrorReport


@dataclass(frozen=True, slots=True)
class Node:
    """One named thing in a file.

    Attributes:
        name: The field's name, Intel's or AMD's in snake case.
        offset: Offset of its first byte; None for a fact that is not a range of bytes, such as a field of JSON.
        raw: Its bytes; empty for facts, and for what must not be printed.
        size: How many bytes it has.
        meaning: Its value in words.
        danger: Why not to rely on it, a sentence each.
        children: Its parts, in order.
        decoded: The same bytes in another form.
        columns: Headings, if it is a table.
        rows: The table's cells, in words.
    """

    name: str
    offset: int | None = None
    raw: bytes = b""
    size: int = 0
    meaning: str = ""
    danger: tuple[str, ...] = ()
    children: tuple[Node, ...] = ()
    decoded: tuple[Node, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    def leaves(self) -> Iterator[Node]:
        """Yield the nodes without parts, in order; decoded forms are left out."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()

    def every(self) -> Iterator[Node]:
        """Yield this node and all below it, decoded forms included."""
        yield self
        for part in (*self.children, *self.decoded):
            yield from part.every()


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file is, as far as it can be read. Nothing in it is verified.

    Attributes:
        kind: Stable name of the format, such as `dcap-quote`.
        title: The format in words.
        encoding: How the bytes were written down: `binary`, or the texts around them, outermost first.
        size: How many bytes there are, without those texts.
        at: The time that dates are compared with, UTC; None if they are not.
        root: The tree.
        error: Why the reading ended before the end; None if it did not.
        stopped: Offset of the first byte that is wrong or missing, if it is known.
    """

    kind: str
    title: str
    encoding: tuple[str, ...]
    size: int
    at: datetime | None
    root: Node
    error: ErrorReport | None = None
    stopped: int | None = None

    def dangers(self) -> tuple[tuple[str, str], ...]:
        """Return each danger with the path of its field, in order."""
        return tuple((path, words) for path, node in _paths(self.root.children, "") for words in node.danger)


def _paths(nodes: tuple[Node, ...], above: str) -> Iterator[tuple[str, Node]]:
    for node in nodes:
        path = f"{above}.{node.name}" if above else node.name
        yield path, node
        yield from _paths((*node.children, *node.decoded), path)
