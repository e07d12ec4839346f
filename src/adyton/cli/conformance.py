"""`adyton conformance`: what does a verifier get wrong?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.progress import Progress
from rich.text import Text

from adyton.cli.output import console, print_json, printable
from adyton.conformance import Case, Finding, Group, KitLimits, Report, Verifier, all_cases, examine, genuine_cases
from adyton.conformance.examine import describe_expected
from adyton.errors import UsageError

_CONFORMS: Final = 0
_WRONG: Final = 1
_STYLES: Final = {Group.ACCEPTED: "bold red"}
_LINE_CAP: Final = 300


class CaseView(msgspec.Struct, frozen=True):
    """One case, as listed."""

    id: str
    title: str
    source: str
    expected: str
    sha256: str


@click.command()
@click.argument("verifier", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.option("--list", "as_list", is_flag=True, help="List the cases, and ask nobody.")
@click.option("--vectors", type=click.Path(path_type=Path), metavar="DIR", help="Add genuine evidence from a folder.")
@click.option(
    "--timeout", type=click.FloatRange(min=0.1), default=KitLimits().answer_seconds, show_default=True,
    metavar="SECONDS", help="How long an answer may take.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(verifier: tuple[str, ...], vectors: Path | None, timeout: float, *, as_list: bool, as_json: bool) -> int:
    """Put sound and forged evidence to a verifier, and tell what it got wrong.

    The verifier is a command that reads one JSON object a line and answers each with one; the conformance reference
    has the protocol, and a short adapter.

    Exits with 0 if nothing is wrong, 1 if something is, and 3 if the command was used wrongly.
    """
    cases = (*all_cases(), *(genuine_cases(vectors) if vectors else ()))
    if as_list:
        _list(cases, as_json=as_json)
        return _CONFORMS
    if not verifier:
        raise UsageError(
            "conformance.command",
            "expected a verifier's command after `--`",
            remedy="try `adyton conformance -- python -m adyton.conformance.adapter`",
        )
    report = _examine(cases, verifier, KitLimits(answer_seconds=timeout))
    if as_json:
        print_json({"conforms": report.conforms, "report": report})
    else:
        _show(report)
    return _CONFORMS if report.conforms else _WRONG


def _examine(cases: tuple[Case, ...], command: tuple[str, ...], limits: KitLimits) -> Report:
    bar = Progress(console=console(errors=True), transient=True, disable=not console(errors=True).is_terminal)
    with bar, Verifier(command, limits) as verifier:
        task = bar.add_task("cases", total=len(cases))
        return examine(cases, verifier, lambda done: bar.update(task, completed=done))


def _list(cases: Iterable[Case], *, as_json: bool) -> None:
    views = [
        CaseView(case.id, case.title, case.source, describe_expected(case.expected), case.digest()) for case in cases
    ]
    if as_json:
        print_json({"cases": views})
        return
    page = console()
    for view in views:
        page.print(Text.assemble((view.id, "bold"), f": {view.title} -> {view.expected}"))
    page.print(f"{len(views)} cases")


def _show(report: Report) -> None:
    page = console()
    for group in Group:
        found = report.of(group)
        if not found:
            continue
        page.print(Text(f"{group} ({len(found)})", style=_STYLES.get(group, "bold")))
        for finding in found:
            page.print(_line(finding))
        page.print()
    if report.unsupported:
        page.print(Text(f"unsupported, and not examined ({len(report.unsupported)})", style="bold"))
        for why, names in _by_reason(report).items():
            page.print(Text.assemble("  ", (f"{_short(why)} ({len(names)})", "bold"), f": {', '.join(names)}"))
        page.print()
    verdict = ("CONFORMS", "bold green") if report.conforms else ("DOES NOT CONFORM", "bold red")
    counts = f": {report.passed} of {report.cases} cases right, {len(report.findings)} wrong"
    page.print(Text.assemble(verdict, counts, f", {len(report.unsupported)} unsupported"))


def _by_reason(report: Report) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for skipped in report.unsupported:
        reasons.setdefault(skipped.why, []).append(skipped.id)
    return reasons


def _line(finding: Finding) -> Text:
    source = f" [{finding.source}]" if finding.source else ""
    said = f"expected {finding.expected}, found {_short(finding.found)}"
    return Text.assemble("  ", (finding.id, "bold"), f": {finding.title}{source}\n      {said}")


def _short(text: str) -> str:
    # What a verifier says is its own, and has to leave neither the line nor the page.
    line = printable(text).replace("\n", " ")
    return line if len(line) <= _LINE_CAP else f"{line[:_LINE_CAP]}..."
