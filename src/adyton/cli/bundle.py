"""`adyton collateral bundle` and `show`: endorsements that travel as one file, and how old they are."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.table import Table

from adyton.cli.inputs import Moment, read_collateral_sets, read_file
from adyton.cli.output import console, print_json, write_file
from adyton.formats.bundle import BUNDLE_SIZE_CAP, CollateralBundle, is_bundle
from adyton.formats.collateral import Collateral
from adyton.formats.moment import time_text
from adyton.formats.snp import SNP_ENDORSEMENTS_SIZE_CAP, SnpEndorsements
from adyton.formats.tcb import QeIdentity, TcbInfo
from adyton.formats.x509 import RevocationList


class ItemView(msgspec.Struct, frozen=True):
    """One signed item, as printed; nothing about it is verified here."""

    platform: str
    name: str
    issued: str
    expires: str
    age_days: int
    number: int | None


@click.command()
@click.argument("sets", nargs=-1, required=True, metavar="FILE...")
@click.option("--out", required=True, metavar="FILE", help="Where to write the bundle.")
@click.option("--snp", multiple=True, metavar="FILE", help="SNP endorsements to add.")
@click.option(
    "--stale-after-days", type=click.IntRange(1), default=30, show_default=True, help="How long you vouch for it."
)
def bundle(sets: tuple[str, ...], out: str, snp: tuple[str, ...], stale_after_days: int) -> None:
    """Put collateral files, or bundles, into one file for machines that fetch nothing."""
    collateral = read_collateral_sets(sets)
    endorsements = [read_file(path, cap=SNP_ENDORSEMENTS_SIZE_CAP, what="endorsements file") for path in snp]
    for content in endorsements:
        SnpEndorsements.parse(content)
    made = CollateralBundle(
        made_at=datetime.now(UTC).replace(microsecond=0),
        stale_after_days=stale_after_days,
        collateral=tuple(msgspec.Raw(item.to_bytes()) for item in dict.fromkeys(collateral)),
        endorsements=tuple(msgspec.Raw(content) for content in endorsements),
    )
    write_file(Path(out), made.to_bytes())
    click.echo(f"{out}: {len(made.collateral)} sets, {len(made.endorsements)} SNP endorsements")


@click.command()
@click.argument("path", metavar="FILE|FOLDER")
@click.option("--at", type=Moment(), metavar="TIME", help="Compare with this time.  [default: now]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(path: str, at: datetime | None, *, as_json: bool) -> int:
    """Show how old each item is, and when it expires: of a collateral file, a bundle, or a folder of them.

    Exits with 0 if everything is in date, and 1 if something has expired, or the bundle is older than its maker
    vouches for. Nothing is verified here.
    """
    now = datetime.now(UTC) if at is None else at
    items = [item for collateral in read_collateral_sets((path,)) for item in _items(collateral, now)]
    stale = _stale_at(path)
    late = any(item.expires < time_text(now) for item in items) or (stale is not None and stale < now)
    if as_json:
        print_json({"stale_at": None if stale is None else time_text(stale), "in_date": not late, "items": items})
        return int(late)
    page = console()
    if stale is not None:
        page.print(f"bundle, vouched for until {time_text(stale)}{' (stale)' if stale < now else ''}\n")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("platform", "item", "number", "issued", "age", "expires"):
        table.add_column(column)
    for item in items:
        expired = " (expired)" if item.expires < time_text(now) else ""
        number = "" if item.number is None else str(item.number)
        table.add_row(item.platform, item.name, number, item.issued, f"{item.age_days} days", item.expires + expired)
    page.print(table)
    return int(late)


def _items(collateral: Collateral, now: datetime) -> list[ItemView]:
    info, identity = TcbInfo.parse(collateral.tcb_info), QeIdentity.parse(collateral.qe_identity)
    root, pck = RevocationList.parse(collateral.root_crl), RevocationList.parse(collateral.pck_crl)
    platform = f"{info.id} {info.fmspc.hex()}"
    return [
        ItemView(platform, name, time_text(issued), time_text(expires), (now - issued).days, number)
        for name, issued, expires, number in (
            ("tcb_info", info.issued, info.next_update, info.evaluation_number),
            ("qe_identity", identity.issued, identity.next_update, identity.evaluation_number),
            ("root_crl", root.issued, root.expires, root.number),
            ("pck_crl", pck.issued, pck.expires, pck.number),
        )
    ]


def _stale_at(path: str) -> datetime | None:
    if Path(path).is_dir():
        return None
    data = read_file(path, cap=BUNDLE_SIZE_CAP, what="collateral file")
    return CollateralBundle.parse(data).stale_at if is_bundle(data) else None
