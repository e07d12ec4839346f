"""`adyton policy`: show policies, and check the files that hold them."""

from __future__ import annotations

import click
import msgspec

from adyton.cli.inputs import read_policy
from adyton.cli.output import print_json
from adyton.formats.policy import AppraisalPolicy


@click.group()
def command() -> None:
    """Show policies, and check the files that hold them."""


@command.command()
@click.argument("policy", metavar="NAME|FILE")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and the digest in one object.")
def show(policy: str, *, as_json: bool) -> None:
    """Show a policy with every default spelt out: a built-in one by its name, or one from a file."""
    found = read_policy(policy)
    if as_json:
        print_json({"policy": found, "digest": found.digest().hex()})
        return
    click.echo(msgspec.yaml.encode(found, order="deterministic").decode(), nl=False)
    click.echo(f"# digest: {found.digest().hex()}")


@command.command()
def schema() -> None:
    """Print the JSON Schema of policy documents."""
    print_json(msgspec.json.schema(AppraisalPolicy))
