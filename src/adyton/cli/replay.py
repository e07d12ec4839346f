"""`adyton replay`: appraise again what a record holds, offline, for the time that it names."""

from __future__ import annotations

import sys

import click
from rich.text import Text

from adyton.cli.inputs import read_file
from adyton.cli.output import console
from adyton.cli.verify import show_page
from adyton.errors import MalformedDocument, UntrustedEvidence
from adyton.formats.record import RECORD_SIZE_CAP, AppraisalRecord
from adyton.policy import AppraisalDocument
from adyton.policy.record import replay


@click.command()
@click.argument("record")
@click.option("--json", "as_json", is_flag=True, help="Print the result's bytes, and nothing else.")
def command(record: str, *, as_json: bool) -> int:
    """Appraise again what the file RECORD holds, and compare the result byte for byte.

    Exits with 0 if it is the same, whatever the verdict was, and 2 if it is not, or if the record was changed.
    """
    kept = AppraisalRecord.parse(read_file(record, cap=RECORD_SIZE_CAP, what="record"))
    document = replay(kept).document
    result = document.to_bytes()
    if result != bytes(kept.result):
        raise UntrustedEvidence(
            "replay.differs",
            f"expected the result that {kept.made_by} kept, found another: {_difference(kept, document)}",
            remedy="replay it with the program that made it, or appraise anew with `adyton verify`",
        )
    if as_json:
        sys.stdout.buffer.write(result + b"\n")
        sys.stdout.flush()
        return 0
    page = console()
    page.print(Text.assemble(("SAME", "bold green"), f" {len(result)} bytes, SHA-256 {kept.digests.result}"))
    page.print(f"appraised for {kept.appraised_at} by {kept.made_by}\n")
    show_page(document)
    return 0


def _difference(kept: AppraisalRecord, found: AppraisalDocument) -> str:
    """Return the first checks that differ, in words."""
    try:
        before = {check.id: check for check in kept.kept().checks}
    except MalformedDocument:
        return "the kept result cannot be read"
    after = {check.id: check for check in found.checks}
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return f"checks {', '.join(changed[:5])}" if changed else "the same checks, and other facts"
