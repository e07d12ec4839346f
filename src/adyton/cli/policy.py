"""`adyton policy`: show policies, check the files that hold them, and try them on recorded evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click
import msgspec
from rich.table import Table
from rich.text import Text

from adyton.cli.inputs import read_file, read_policy
from adyton.cli.output import console, print_json
from adyton.errors import MalformedDocument, UsageError
from adyton.formats.moment import read_time
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.policy_test import POLICY_TEST_SIZE_CAP, PolicyTest, PolicyTestCase
from adyton.formats.record import RECORD_SIZE_CAP, AppraisalRecord
from adyton.policy.record import case_of, judge


@click.group()
def command() -> None:
    """Show policies, check the files that hold them, and try them on recorded evidence."""


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


class TrialView(msgspec.Struct, frozen=True):
    """What a policy makes of one record, as printed."""

    record: str
    verdict: str
    was: str
    expected: str | None
    failed: tuple[str, ...]
    as_expected: bool


@command.command()
@click.argument("policy", metavar="NAME|FILE")
@click.argument("records", nargs=-1, metavar="RECORD|FOLDER...")
@click.option("--cases", metavar="FILE", help="A policy test: records, and what has to come of each.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def test(policy: str, records: tuple[str, ...], cases: str | None, *, as_json: bool) -> int:
    """Try a policy on evidence that `adyton verify --record` kept, each for the time of its record.

    Without --cases it shows what the policy makes of each record, and what the record's own policy made of it. Exits
    with 0 if everything is as expected, and 1 if not.
    """
    found = read_policy(policy)
    trials = [_try(found, case, path) for case, path in _cases(records, cases)]
    if as_json:
        print_json({"policy": found.name, "as_expected": all(trial.as_expected for trial in trials), "trials": trials})
    else:
        _show_trials(found, trials)
    return 0 if all(trial.as_expected for trial in trials) else 1


def _cases(records: tuple[str, ...], cases: str | None) -> Iterator[tuple[PolicyTestCase | None, Path]]:
    if cases is not None:
        for case in PolicyTest.parse(read_file(cases, cap=POLICY_TEST_SIZE_CAP, what="policy test")).cases:
            yield case, Path(cases).parent / case.record
    elif not records:
        raise UsageError("policy.test.empty", "expected records, or --cases, found neither", remedy="name what to try")
    for path in map(Path, records):
        for file in sorted(path.glob("*.json")) if path.is_dir() else (path,):
            yield None, file


def _try(policy: AppraisalPolicy, case: PolicyTestCase | None, path: Path) -> TrialView:
    record = AppraisalRecord.parse(read_file(str(path), cap=RECORD_SIZE_CAP, what="record"))
    known = replace(case_of(record), policy=policy)
    if case is not None and case.at is not None:
        known = replace(known, now=_moment(case.at))
    document = judge(known).document
    failed = tuple(check.id for check in document.checks if not check.holds)
    was = record.kept().verdict
    right = case is None or (document.verdict == case.expect and set(case.failed) <= set(failed))
    return TrialView(path.name, document.verdict, was, case.expect if case else None, failed, right)


def _moment(text: str) -> datetime:
    try:
        return read_time(text)
    except ValueError as error:
        raise MalformedDocument(
            "policy.test.invalid",
            f"expected a time with a zone, found {text}",
            remedy="write it as 2026-06-01T00:00:00Z",
        ) from error


def _show_trials(policy: AppraisalPolicy, trials: list[TrialView]) -> None:
    page = console()
    wrong = sum(not trial.as_expected for trial in trials)
    words = (
        (f"{wrong} of {len(trials)} are not as expected", "bold red")
        if wrong
        else (f"{len(trials)} tried", "bold green")
    )
    page.print(Text.assemble(words, f" under policy {policy.name}"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("record", "verdict", "expected", "was", "failed"):
        table.add_column(column, overflow="fold")
    for trial in trials:
        style = "red" if not trial.as_expected else ""
        table.add_row(
            trial.record, Text(trial.verdict, style=style), trial.expected or "", trial.was, ", ".join(trial.failed)
        )
    page.print(table)
