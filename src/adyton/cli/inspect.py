"""`adyton inspect`: show what a file is, field by field, and verify nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from adyton.cli.inputs import Moment, read_file
from adyton.cli.output import console, print_error, print_json, printable, shorten, time_text
from adyton.errors import ErrorReport
from adyton.inspection import Inspection, InspectionLimits, Node, inspect

_MALFORMED: Final = 2
_UNVERIFIED: Final = "Nothing here is verified: `adyton verify` does that."
# What a page leaves out, and `--json` has: DER elements' types and lengths, and what already stands in the line above.
_ELSEWHERE: Final = frozenset({"header", "identifier", "relative_name"})


class NodeView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A field, as printed; bytes are hex, and what is empty is left out."""

    name: str
    offset: int | None = None
    size: int = 0
    value: str = ""
    meaning: str = ""
    danger: tuple[str, ...] = ()
    fields: tuple[NodeView, ...] = ()
    decoded: tuple[NodeView, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, node: Node) -> NodeView:
        """Show a field."""
        fields = tuple(cls.of(child) for child in node.children)
        decoded = tuple(cls.of(child) for child in node.decoded)
        return cls(
            node.name, node.offset, node.size, node.raw.hex(), node.meaning, node.danger, fields, decoded,
            node.columns, node.rows,
        )  # fmt: skip


class InspectionView(msgspec.Struct, frozen=True):
    """What `adyton inspect --json` prints: one object, whatever happens."""

    kind: str
    title: str
    encoding: tuple[str, ...]
    size: int
    at: str
    dangers: tuple[tuple[str, str], ...]
    fields: tuple[NodeView, ...]
    stopped: int | None
    error: ErrorReport | None
    verified: bool = False

    @classmethod
    def of(cls, found: Inspection, at: datetime) -> InspectionView:
        """Show an inspection."""
        fields = NodeView.of(found.root).fields
        return cls(
            found.kind, found.title, found.encoding, found.size, time_text(at), found.dangers(), fields,
            found.stopped, found.error,
        )  # fmt: skip


@click.command()
@click.argument("file")
@click.option(
    "--at", type=Moment(), metavar="TIME", help="Compare dates with this: RFC 3339 or Unix seconds.  [default: now]"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every value whole.")
def command(file: str, at: datetime | None, *, as_json: bool) -> int:
    """Show what FILE (`-` for standard input) is, field by field. Nothing is verified.

    Quotes, SNP reports, collateral, certificates, revocation lists, SIGSTRUCTs, enclave images, policies, results and
    receipts are recognised by their content, as binary, hex or base64. Exits with 2 if the file is of no known format,
    or not well formed; what could be read is shown all the same.
    """
    moment = datetime.now(UTC) if at is None else at
    limits = InspectionLimits()
    found = inspect(read_file(file, cap=limits.file_size_bytes, what="file"), at=moment, limits=limits)
    if as_json:
        print_json(InspectionView.of(found, moment))
    else:
        _show(found, moment)
    return 0 if found.error is None else _MALFORMED


def _show(found: Inspection, moment: datetime) -> None:
    page = console()
    page.print(Text.assemble((found.title, "bold"), f", {found.size:,} bytes, {' of '.join(found.encoding)}"))
    page.print(f"{_UNVERIFIED} Dates are compared with {time_text(moment)}.")
    for name, words in found.dangers():
        page.print(Text.assemble(("danger ", "bold red"), (name, "bold"), f": {printable(words)}"))
    _section(page, found.title, found.root.children, "")
    if found.error is not None:
        page.print()
        print_error(found.error, as_json=False)


def _section(page: Console, title: str, nodes: tuple[Node, ...], path: str) -> None:
    """Print nodes as a table; what stands in them in another form follows, each under its own heading."""
    page.print()
    page.print(Text(printable(title), style="bold"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("offset", justify="right")
    table.add_column("size", justify="right")
    for column in ("field", "value", "meaning"):
        table.add_column(column, overflow="fold")
    later = list(_rows(table, nodes, 0, path))
    page.print(table)
    for here, node in later:
        if node.columns:
            _levels(page, here, node)
        else:
            _section(page, f"{here}, decoded", node.decoded, here)


def _rows(table: Table, nodes: tuple[Node, ...], depth: int, path: str) -> Iterator[tuple[str, Node]]:
    for node in nodes:
        if depth and node.name in _ELSEWHERE:
            continue
        here = f"{path}.{node.name}" if path else node.name
        offset = "" if node.offset is None else f"{node.offset:,}"
        size = f"{node.size:,}" if node.size else ""
        table.add_row(offset, size, "  " * depth + printable(node.name), _value(node), _meaning(node))
        if node.decoded or node.columns:
            yield here, node
        yield from _rows(table, node.children, depth + 1, here)


def _value(node: Node) -> str:
    return "" if node.decoded else shorten(node.raw.hex()[:200] if len(node.raw) > 100 else node.raw.hex())


def _meaning(node: Node) -> Text:
    text = Text(printable(node.meaning))
    for words in node.danger:
        text.append("; " if text else "")
        text.append(f"DANGER: {printable(words)}", style="bold red")
    return text


def _levels(page: Console, path: str, node: Node) -> None:
    page.print()
    page.print(Text(printable(path), style="bold"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in node.columns:
        table.add_column(column, overflow="fold")
    for row in node.rows:
        table.add_row(*(printable(cell) for cell in row))
    page.print(table)
