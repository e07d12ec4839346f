"""`adyton receipt`: fetch the proof of a release or a denial, and verify it."""

from __future__ import annotations

import sys

import click
from rich.text import Text

from adyton.broker import verify_receipt
from adyton.cli.inputs import read_file
from adyton.cli.output import console, print_json, printable
from adyton.cli.secret import json_option, url_option
from adyton.formats.receipt import RECEIPT_SIZE_CAP, LedgerEntry, Receipt
from adyton.server.owner import OwnerClient


@click.group()
def command() -> None:
    """Fetch the proof of a release or a denial, and verify it."""


@command.command()
@click.argument("name", metavar="RECEIPT")
@url_option
@json_option
def show(name: str, url: str, *, as_json: bool) -> None:  # noqa: ARG001, a receipt is JSON already
    """Print a receipt: a JSON document that anybody can verify."""
    with OwnerClient(url) as client:
        sys.stdout.write(client.receipt(name).to_bytes().decode() + "\n")


@command.command()
@click.argument("file")
@click.option(
    "--broker-key", default="", metavar="THUMBPRINT", help="The broker's signing key, if it is known already."
)
@url_option
@json_option
def verify(file: str, broker_key: str, url: str, *, as_json: bool) -> None:
    """Verify the receipt in FILE with the key of the broker at --url, and show what it proves."""
    receipt = Receipt.parse(read_file(file, cap=RECEIPT_SIZE_CAP, what="receipt"))
    with OwnerClient(url, pinned_key=broker_key) as client:
        entry = verify_receipt(receipt, client.signing_key())
    if as_json:
        print_json({"verified": True, "position": receipt.position, "size": receipt.head.size, "entry": entry})
        return
    page = console()
    page.print(Text.assemble(("verified", "bold green"), f" entry {receipt.position} of {receipt.head.size}"))
    for name in LedgerEntry.__struct_fields__:
        value = getattr(entry, name)
        if value:
            page.print(Text.assemble((f"{name:<18}", "bold"), printable(str(value))))
