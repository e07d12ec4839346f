"""What the demonstration shows: steps as they happen, or one JSON object at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.text import Text

from adyton.cli.output import console, print_json, shorten


class Theft(msgspec.Struct, frozen=True):
    """An attempt to get the key, and what became of it.

    Attributes:
        name: What was tried.
        failed: Whether it failed, by the check that has to stop it.
        check: The check that decided.
        found: What it expected and what it found.
        remedy: What an honest caller would do.
    """

    name: str
    failed: bool
    check: str
    found: str
    remedy: str


class Step(msgspec.Struct):
    """A step of the story.

    Attributes:
        title: What happens.
        facts: What came out of it, by name.
        seconds: How long it took.
    """

    title: str
    facts: dict[str, str] = {}
    seconds: float = 0.0


class Page:
    """The demonstration's page.

    Args:
        as_json: Say nothing until the end, then one JSON object.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._quiet = as_json
        self._console = console()
        self._steps: list[Step] = []
        self._thefts: list[Theft] = []

    def headline(self, text: str, note: str) -> None:
        """Show what this is."""
        self._print(Text(text, "bold"))
        self._print(Text(note, "yellow"))

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step: its title when it begins, its facts when it ends."""
        step, begin = Step(title, {}), time.perf_counter()
        self._steps.append(step)
        self._print(Text(f"\n{len(self._steps)} {title}", "bold cyan"))
        if self._quiet:
            # Standard output is for the JSON object; somebody may be waiting for it.
            console(errors=True).print(f"{len(self._steps)} {title}")
        yield step
        step.seconds = round(time.perf_counter() - begin, 3)
        for name, value in step.facts.items():
            self._print(Text.assemble((f"  {name:<14}", "dim"), shorten(value)))

    def theft(self, theft: Theft) -> None:
        """Show an attempt and what became of it."""
        self._thefts.append(theft)
        word, style = ("FAILED", "bold green") if theft.failed else ("SUCCEEDED", "bold red")
        self._print(Text.assemble(f"  {theft.name:<44}", (f"{word:<10}", style), f" by {theft.check}"))
        self._print(Text.assemble(("     found     ", "dim"), shorten(theft.found)))
        self._print(Text.assemble(("     remedy    ", "dim"), theft.remedy))

    def end(self, *, went_well: bool, protects_not: list[str]) -> None:
        """Show how it ended, and what was not protected from."""
        if self._quiet:
            outcome = {"ok": went_well, "mode": "simulated", "steps": self._steps, "thefts": self._thefts}
            print_json(outcome | {"does_not_protect_from": protects_not})
            return
        self._print(Text("\nWhat this does not protect from", "bold yellow"))
        for line in protects_not:
            self._print(Text(f"  {line}", "yellow"))
        good = f"\nThe key left once, for the attested enclave. {len(self._thefts)} thefts failed."
        self._print(Text(good, "bold green") if went_well else Text("\nSomething went wrong: see above.", "bold red"))

    def keep(self, url: str, folder: Path) -> None:
        """Say how to talk to the platform that is left running."""
        owner = folder / "platform" / "owner.json"
        self._print(Text(f"\nThe platform runs at {url} until you press Ctrl-C. Talk to it:", "bold"))
        for line in (
            f"adyton ledger show --url {url}",
            f"adyton secret list --url {url} --owner {owner}",
            f"adyton receipt show RECEIPT --url {url} > receipt.json",
            f"adyton receipt verify receipt.json --url {url}",
            f"adyton result verify {folder}/result.json --policy {folder}/policy.json",
            f"adyton up --state {folder / 'platform'}    # later, on the same state",
        ):
            self._print(Text(f"  {line}"))

    def _print(self, text: Text) -> None:
        if not self._quiet:
            self._console.print(text)
