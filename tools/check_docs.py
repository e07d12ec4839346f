"""Check the documents against the tree: links lead somewhere, and every verb that is shown exists.

Run it by `make docs`. It prints each fault with its file and line, and exits 1 if there is any.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from adyton.cli.app import adyton as command

ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_VERB = re.compile(r"(?:^|[`$\s])adyton ([a-z]+)(?: ([a-z-]+))?")
_MAKE = re.compile(r"(?:^ {4}|`)make ([a-z-]+)")


def documents() -> Iterator[Path]:
    """Yield every Markdown document of the project."""
    yield from sorted(ROOT.glob("*.md"))
    yield from sorted((ROOT / "docs").rglob("*.md"))


def faults(path: Path) -> Iterator[str]:
    """Yield what is wrong with a document, a line each."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"{path.relative_to(ROOT)}:{number}"
        for link in _LINK.findall(line):
            if "://" not in link and not (path.parent / link).exists():
                yield f"{where}: {link} leads nowhere"
        for target in _MAKE.findall(line):
            if target not in targets:
                yield f"{where}: there is no `make {target}`"
        yield from (f"{where}: {fault}" for fault in _verb_faults(line))


def _verb_faults(line: str) -> Iterator[str]:
    context = command.make_context("adyton", ["--help"], resilient_parsing=True)
    code = line.startswith(("    ", "$ ", "adyton")) or "`" in line
    for verb, following in _VERB.findall(line) if code else ():
        found = command.get_command(context, verb)
        if found is None:
            yield f"there is no `adyton {verb}`"
        elif following and hasattr(found, "commands") and following not in found.commands:
            yield f"there is no `adyton {verb} {following}`"


if __name__ == "__main__":
    found = [fault for path in documents() for fault in faults(path)]
    sys.stdout.write("".join(f"{fault}\n" for fault in found))
    sys.exit(bool(found))
