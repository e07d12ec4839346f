"""How results look: one JSON object, a readable page with colours only on a terminal, or a file."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from adyton.errors import ErrorReport, StateError
from adyton.formats.check import Check, Outcome
from adyton.formats.moment import time_text
from adyton.linux import replace_file

__all__ = ["checks_table", "console", "print_error", "print_json", "printable", "shorten", "time_text", "write_file"]

_MARKS: Final = {
    Outcome.PASSED: ("passed", "green"),
    Outcome.FAILED: ("FAILED", "bold red"),
    Outcome.WAIVED: ("waived", "yellow"),
    Outcome.NOT_APPLICABLE: ("-", "dim"),
}
# A fingerprint stays whole: it is what a policy has to name.
_LONG_HEX: Final = re.compile(r"\b(?<!simulated:)[0-9a-f]{33,}\b")


def console(*, errors: bool = False) -> Console:
    """Return where pages are printed: colours on a terminal alone, whole lines elsewhere."""
    stream = sys.stderr if errors else sys.stdout
    terminal = stream.isatty()
    # Markup is off: what others wrote may hold brackets, and must not be read as styles.
    return Console(file=stream, highlight=False, markup=False, soft_wrap=not terminal, width=None if terminal else 160)


def print_json(value: object) -> None:
    """Print one JSON object and a line end."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")
    sys.stdout.flush()


def print_error(error: ErrorReport, *, as_json: bool) -> None:
    """Print an error: code, sentence and remedy."""
    if as_json:
        print_json({"error": error})
        return
    page = console(errors=True)
    page.print(Text.assemble(("error ", "bold red"), (error.code, "bold"), f": {printable(error.message)}"))
    page.print(Text.assemble(("remedy", "bold"), f": {printable(error.remedy)}"))


def checks_table(checks: Sequence[Check]) -> Table:
    """Return the checks as a table: what decided, what was expected, what was found."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("check", "outcome", "expected", "found"):
        table.add_column(column, overflow="fold")
    for check in checks:
        word, style = _MARKS[check.outcome]
        expected, actual = (printable(shorten(text)) for text in (check.expected, check.actual))
        table.add_row(check.id, Text(word, style=style), expected, actual)
    return table


def shorten(value: str) -> str:
    """Shorten long hex to its beginning and end; whoever needs it whole asks for JSON."""
    return _LONG_HEX.sub(lambda found: f"{found[0][:12]}..{found[0][-8:]}", value)


def printable(text: str) -> str:
    """Return text that others wrote without what a terminal would obey."""
    return "".join(character if character.isprintable() or character in "\n\t" else "\ufffd" for character in text)


def write_file(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace a file as a whole, its folder made if need be: a reader sees the old one or the new.

    Raises:
        StateError: `cli.output` if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content, mode=mode)
    except OSError as error:
        raise StateError(
            "cli.output",
            f"expected to write {path}: {error.strerror or error}",
            remedy="choose another file, or check the folder's owner, permissions and free space",
        ) from error
