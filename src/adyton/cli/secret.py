"""`adyton secret`: give secrets to a broker under policies, and list them."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from adyton.cli.inputs import read_file, read_policy
from adyton.cli.output import console, print_json, shorten, time_text
from adyton.cli.platform import read_owner
from adyton.cli.up import DEFAULT_STATE
from adyton.formats.api import SecretDescription
from adyton.server.owner import OwnerClient

DEFAULT_URL = "http://127.0.0.1:8470"
_SECRET_CAP = 32 * 1024

url_option = click.option("--url", default=DEFAULT_URL, show_default=True, help="Where the broker listens.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_owner_option = click.option(
    "--owner",
    type=click.Path(path_type=Path),
    default=DEFAULT_STATE / "owner.json",
    show_default=True,
    metavar="FILE",
    help="The party's key.",
)


@click.group()
def command() -> None:
    """Give secrets to a broker under policies, and list them."""


@command.command()
@click.argument("path", metavar="REPOSITORY/TYPE/TAG")
@click.option("--from", "source", required=True, metavar="FILE", help="The value; `-` for standard input.")
@click.option("--policy", "policy_name", required=True, metavar="FILE", help="Whose code it is for.")
@_owner_option
@url_option
@json_option
def put(path: str, source: str, policy_name: str, owner: Path, url: str, *, as_json: bool) -> None:
    """Give a secret to the broker; a known path gets a new version.

    The value is encrypted to the broker before it leaves, and never stands in an argument.
    """
    policy = read_policy(policy_name)
    value = read_file(source, cap=_SECRET_CAP, what="secret")
    with OwnerClient(url, read_owner(owner)) as client:
        kept = client.put_secret(path, value, policy)
    _show([kept], as_json=as_json)


@command.command(name="list")
@_owner_option
@url_option
@json_option
def list_(owner: Path, url: str, *, as_json: bool) -> None:
    """List this party's secrets, without their values."""
    with OwnerClient(url, read_owner(owner)) as client:
        _show(client.secrets(), as_json=as_json)


def _show(kept: list[SecretDescription], *, as_json: bool) -> None:
    if as_json:
        print_json({"secrets": kept})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("secret", "version", "state", "policy", "digest", "put"):
        table.add_column(column)
    for secret in kept:
        digest = shorten(secret.policy_digest)
        table.add_row(secret.path, str(secret.version), secret.state, secret.policy, digest, time_text(secret.created))
    console().print(table)
