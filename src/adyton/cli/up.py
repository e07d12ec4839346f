"""`adyton up`: run the platform in the foreground until it is stopped."""

from __future__ import annotations

import signal
from pathlib import Path

import click
import msgspec
from rich.text import Text

from adyton.cli.inputs import read_file
from adyton.cli.output import console, print_json
from adyton.cli.platform import Platform, PlatformConfig

DEFAULT_STATE = Path.home() / ".local" / "state" / "adyton"
_PASSPHRASE_CAP = 4096


class Running(msgspec.Struct, frozen=True):
    """What `adyton up --json` prints when the platform runs."""

    url: str
    state: str
    mode: str
    root: str
    processor: str


@click.command()
@click.option("--state", type=click.Path(path_type=Path), default=DEFAULT_STATE, show_default=True, metavar="DIR")
@click.option(
    "--listen", default="127.0.0.1:8470", show_default=True, metavar="HOST:PORT", help="Port 0 takes a free one."
)
@click.option("--passphrase-file", metavar="FILE", help="Opens the broker's root key; `-` for standard input.")
@click.option("--collateral", type=click.Path(path_type=Path), multiple=True, help="Collateral of further platforms.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object when it runs.")
def command(
    state: Path, listen: str, passphrase_file: str | None, collateral: tuple[Path, ...], *, as_json: bool
) -> None:
    """Run the simulated processor and the broker until stopped.

    All state is in one folder. Killing it at any moment and starting it again loses no key, secret, receipt or ledger
    entry.
    """
    passphrase = None
    if passphrase_file is not None:
        passphrase = read_file(passphrase_file, cap=_PASSPHRASE_CAP, what="passphrase")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console(errors=True).print(f"starting the simulated processor and the broker on {state}")
    with Platform(PlatformConfig(state.absolute(), listen, passphrase, collateral)) as platform:
        _announce(platform, state, as_json=as_json, by_passphrase=passphrase is not None)
        platform.wait()


def _announce(platform: Platform, state: Path, *, as_json: bool, by_passphrase: bool) -> None:
    if as_json:
        print_json(Running(platform.url, str(state), platform.root.mode, platform.root.name, str(platform.processor)))
        return
    page = console()
    page.print(Text.assemble(("adyton runs", "bold green"), f" at {platform.url}"))
    for name, value in (
        ("state", str(state)),
        ("processor", f"{platform.processor} ({platform.root.name})"),
        ("owner", f"{state / 'owner.json'}: whoever has this key may put secrets"),
    ):
        page.print(Text.assemble((f"{name:<10}", "bold"), value))
    page.print(Text("The processor is SIMULATED: root and the kernel of this machine can read its enclaves.", "yellow"))
    if not by_passphrase:
        page.print(
            Text(
                "The root key is in a file: whoever copies the whole folder opens it. --passphrase-file is safer.",
                "yellow",
            )
        )
    page.print("Stop it with Ctrl-C; start it again on the same folder, and nothing is lost.")
