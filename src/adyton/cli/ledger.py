"""`adyton ledger`: read a broker's record, and check that it was only added to."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.table import Table
from rich.text import Text

from adyton.broker.receipt import verify_head
from adyton.cli.inputs import read_file
from adyton.cli.output import console, print_json, printable, shorten, time_text
from adyton.cli.secret import json_option, url_option
from adyton.errors import MalformedDocument, UntrustedEvidence
from adyton.formats.ledger import extends
from adyton.formats.receipt import TreeHead
from adyton.server.owner import OwnerClient

_HEAD_CAP = 64 * 1024


@click.group()
def command() -> None:
    """Read a broker's record, and check that it was only added to."""


@command.command()
@click.option("--start", default=0, show_default=True, type=click.IntRange(min=0), help="The first place to show.")
@url_option
@json_option
def show(start: int, url: str, *, as_json: bool) -> None:
    """Show the record: every release, every denial, every secret that was put."""
    with OwnerClient(url) as client:
        lines = client.ledger(start)
    if as_json:
        print_json({"entries": lines})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("#", "at", "what", "secret", "decided by", "measurement", "mode", "receipt"):
        table.add_column(column)
    for line in lines:
        entry = line.entry
        decided = Text(printable(entry.check), "red") if entry.check else Text("")
        table.add_row(
            str(line.position),
            time_text(entry.at),
            entry.kind,
            printable(entry.secret),
            decided,
            shorten(entry.measurement),
            entry.mode or "",
            printable(line.receipt),
        )
    console().print(table)


@command.command()
@click.option("--since", type=click.Path(path_type=Path), metavar="FILE", help="A head from an earlier check.")
@click.option(
    "--save", type=click.Path(path_type=Path), metavar="FILE", help="Where to keep this head for the next check."
)
@url_option
@json_option
def verify(since: Path | None, save: Path | None, url: str, *, as_json: bool) -> None:
    """Verify the ledger's signed head, and that it continues an earlier one."""
    with OwnerClient(url) as client:
        key, head = client.signing_key(), client.head()
        verify_head(head, key)
        old = None if since is None else _read_head(since)
        if old is not None:
            verify_head(old, key)
            proof = client.consistency(old.size, head.size).proof
            if not extends(old.size, head.size, old.root, head.root, proof):
                raise UntrustedEvidence(
                    "ledger.consistency",
                    f"expected a ledger that continues the one of {old.size} entries, found another of {head.size}",
                    remedy="the broker's history was changed: keep both heads, they are the proof",
                )
    if save is not None:
        save.write_bytes(msgspec.json.encode(head))
    if as_json:
        print_json({"head": head, "continues": None if old is None else old.size})
        return
    page = console()
    page.print(Text.assemble(("verified", "bold green"), f" head of {head.size} entries, signed {time_text(head.at)}"))
    if old is not None:
        page.print(f"it continues the ledger of {old.size} entries, signed {time_text(old.at)}")


def _read_head(path: Path) -> TreeHead:
    try:
        return msgspec.json.decode(read_file(str(path), cap=_HEAD_CAP, what="tree head"), type=TreeHead)
    except msgspec.MsgspecError as error:
        raise MalformedDocument(
            "ledger.head.invalid", f"{path} is not a tree head: {error}", remedy="use a file that --save wrote"
        ) from error
