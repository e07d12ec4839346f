"""`adyton conformance`: run sound and forged evidence through any verifier, and say what it gets wrong."""

from __future__ import annotations

import click
import msgspec
from rich.table import Table
from rich.text import Text

from adyton.cli.output import console, print_json, printable
from adyton.conformance import Report, all_cases, run
from adyton.conformance.run import Grade
from adyton.errors import UsageError


class FindingView(msgspec.Struct, frozen=True):
    """A finding, as printed."""

    case: str
    grade: str
    detail: str


class ConformanceView(msgspec.Struct, frozen=True):
    """What `adyton conformance --json` prints."""

    passed: bool
    counts: dict[str, int]
    findings: tuple[FindingView, ...]


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--list", "only_list", is_flag=True, help="Print the cases and what is expected of each.")
@click.option("--only", metavar="TEXT", default="", help="Run the cases whose names hold this text.")
@click.option(
    "--seconds", type=click.FloatRange(0.1), default=20.0, show_default=True, help="How long an answer may take."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def command(command: tuple[str, ...], only: str, seconds: float, *, only_list: bool, as_json: bool) -> int:
    """Run the cases through the verifier COMMAND, which speaks the kit's protocol.

    Exits with 0 if it gets nothing wrong, 1 if it does, and 3 if the command was used wrongly.
    """
    cases = [case for case in all_cases() if only in case.id]
    if only_list:
        print_json([{"id": case.id, "expected": case.expected.value, "status": case.status} for case in cases])
        return 0
    if not command or not cases:
        raise UsageError(
            "conformance.command",
            "expected a verifier's command, and at least one case",
            remedy="adyton conformance -- python -m adyton.conformance.adapter",
        )
    report = run(command, cases, seconds_per_case=seconds)
    if as_json:
        findings = tuple(FindingView(item.case, item.grade.value, item.detail) for item in report.findings)
        print_json(ConformanceView(report.passed, {grade.value: report.count(grade) for grade in Grade}, findings))
    else:
        _show(report)
    return 0 if report.passed else 1


def _show(report: Report) -> None:
    page = console()
    style = "bold green" if report.passed else "bold red"
    page.print(Text.assemble(("PASSED" if report.passed else "FAILED", style), f" {len(report.findings)} cases"))
    for grade in Grade:
        if report.count(grade):
            page.print(f"{report.count(grade):5} {grade.value}")
    if report.wrong:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("case", "the verifier", "found"):
            table.add_column(column, overflow="fold")
        for finding in report.wrong:
            dangerous = finding.grade is Grade.ACCEPTED_WRONGLY
            word = Text(finding.grade.value, style="bold red" if dangerous else "yellow")
            table.add_row(finding.case, word, printable(finding.detail))
        page.print()
        page.print(table)
