"""`adyton demo`: the main job end to end on one machine, and what becomes of six thefts."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from adyton.cli.demo.page import Page
from adyton.cli.demo.stage import Stage
from adyton.cli.demo.story import tell
from adyton.cli.platform import Platform, PlatformConfig
from adyton.guest.dataset import new_key


@click.command()
@click.option("--keep", is_flag=True, help="Leave the platform running at the end, until stopped.")
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to keep state.  [default: a temporary folder]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def command(*, keep: bool, state: Path | None, as_json: bool) -> int:
    """Show a secret that leaves only for attested code, and six thefts that fail.

    Exits with 0 if everything went as it has to, and with 2 if a step failed or a theft succeeded.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    page = Page(as_json=as_json)
    with _folder(state) as folder:
        # The passphrase lives in memory alone, unless somebody wants to start the platform again.
        config = PlatformConfig(folder / "platform", passphrase=None if keep else new_key().hex().encode())
        with Platform(config) as platform:
            went_well = tell(Stage(folder, platform, config.passphrase), page)
            if keep:
                page.keep(platform.url, folder)
                platform.wait()
    return 0 if went_well else 2


@contextmanager
def _folder(state: Path | None) -> Iterator[Path]:
    if state is not None:
        yield state.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="adyton-") as folder:
        yield Path(folder)
