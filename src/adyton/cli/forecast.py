"""`adyton forecast`: which platforms the next TCB recovery stops, when, and what they lack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.table import Table
from rich.text import Text

from adyton.attest import TrustRoots, VerificationCache
from adyton.attest.forecast import Forecast, Outlook, forecast
from adyton.attest.select import choose
from adyton.cli.inputs import read_collateral_sets, read_file
from adyton.cli.output import console, print_json
from adyton.errors import AdytonError, ErrorReport, UsageError
from adyton.formats.collateral import Collateral
from adyton.formats.moment import time_text
from adyton.formats.quote import QUOTE_SIZE_CAP, Quote


class OutlookView(msgspec.Struct, frozen=True):
    """A platform under one set of endorsements, as printed."""

    status: str | None
    evaluation_number: int | None
    advisories: tuple[str, ...]
    lacks: tuple[str, ...]

    @classmethod
    def of(cls, outlook: Outlook) -> OutlookView:
        """Show an outlook."""
        lacks = (outlook.missing,) if outlook.missing else tuple(map(str, outlook.shortfalls))
        return cls(outlook.status, outlook.evaluation_number, outlook.advisories, lacks)


class PlatformView(msgspec.Struct, frozen=True):
    """One quote's platform, as printed; after an error there is nothing but the error."""

    file: str
    fmspc: str | None = None
    ppid: str | None = None
    worsens: bool = False
    now: OutlookView | None = None
    then: OutlookView | None = None
    from_time: str | None = None
    until: str | None = None
    error: ErrorReport | None = None

    @classmethod
    def of(cls, file: str, found: Forecast) -> PlatformView:
        """Show a forecast."""
        return cls(
            file,
            None if found.fmspc is None else found.fmspc.hex(),
            None if found.ppid is None else found.ppid.hex(),
            found.worsens,
            OutlookView.of(found.now),
            OutlookView.of(found.then),
            None if found.from_time is None else time_text(found.from_time),
            None if found.until is None else time_text(found.until),
        )


@click.command()
@click.argument("quotes", nargs=-1, required=True, metavar="QUOTE|FOLDER...")
@click.option("--collateral", required=True, multiple=True, metavar="PATH", help="Today's: a set, a bundle, a folder.")
@click.option("--next", "coming", required=True, multiple=True, metavar="PATH", help="The next ones.")
@click.option("--root", "roots", multiple=True, metavar="NAME", help="Roots of trust.  [default: intel]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    quotes: tuple[str, ...],
    collateral: tuple[str, ...],
    coming: tuple[str, ...],
    roots: tuple[str, ...],
    *,
    as_json: bool,
) -> int:
    """Compare what today's endorsements and the next ones say about the platforms that made the QUOTEs.

    A folder stands for the files in it that end in .bin, .dat or .quote. Exits with 0 if no platform gets worse, 1 if
    one does, and 2 if a quote could not be judged.
    """
    today, tomorrow = read_collateral_sets(collateral), read_collateral_sets(coming)
    trusted, cache, now = TrustRoots.named(roots or ("intel",)), VerificationCache(), datetime.now(UTC)
    found = [_judge(file, today, tomorrow, trusted, now, cache) for file in _files(quotes)]
    if as_json:
        print_json({"worse": sum(item.worsens for item in found), "platforms": found})
    else:
        _show(found)
    if any(item.error for item in found):
        return 2
    return 1 if any(item.worsens for item in found) else 0


def _judge(
    file: Path,
    today: list[Collateral],
    tomorrow: list[Collateral],
    roots: TrustRoots,
    now: datetime,
    cache: VerificationCache,
) -> PlatformView:
    try:
        quote = Quote.parse(read_file(str(file), cap=QUOTE_SIZE_CAP, what="quote"))
        current, coming = choose(quote, today), choose(quote, tomorrow)
        return PlatformView.of(file.name, forecast(quote, current, coming, roots=roots, now=now, cache=cache))
    except AdytonError as error:
        return PlatformView(file.name, error=error.report())


def _files(paths: tuple[str, ...]) -> Iterator[Path]:
    none = True
    for path in map(Path, paths):
        found = (
            sorted(file for file in path.iterdir() if file.suffix in (".bin", ".dat", ".quote"))
            if path.is_dir()
            else [path]
        )
        none = none and not found
        yield from found
    if none:
        raise UsageError("forecast.empty", "expected quotes, found none", remedy="name files, or folders of .bin files")


def _show(found: list[PlatformView]) -> None:
    page = console()
    worse = [item for item in found if item.worsens]
    style = "bold red" if worse else "bold green"
    page.print(Text.assemble((f"{len(worse)} of {len(found)}", style), " platforms get worse"))
    for status, count in Counter(_change(item) for item in found).most_common():
        page.print(f"{count:5} {status}")
    if worse:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("quote", "platform", "from", "at the latest", "lacks"):
            table.add_column(column, overflow="fold")
        for item in worse:
            lacks = "; ".join(item.then.lacks) if item.then is not None else ""
            table.add_row(item.file, item.fmspc or "", item.from_time or "", item.until or "", lacks)
        page.print()
        page.print(table)


def _change(item: PlatformView) -> str:
    if item.error is not None:
        return f"could not be judged: {item.error.code}"
    before, after = item.now, item.then
    if before is None or after is None:
        return "unknown"
    numbers = f"evaluation {before.evaluation_number} to {after.evaluation_number}"
    return f"{before.status or 'no level'} -> {after.status or 'no level'} ({numbers})"
