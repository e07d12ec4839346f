"""`adyton verify`: authenticate and appraise evidence, and show every check."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from adyton.cli.inputs import Hex, Moment, read_collateral, read_file, read_policy
from adyton.cli.output import checks_table, console, print_error, print_json, shorten, write_file
from adyton.errors import MalformedDocument, MalformedEvidence, NotFound, UsageError
from adyton.formats.check import Verdict
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.quote import QUOTE_SIZE_CAP, Tee
from adyton.formats.sgx import REPORT_DATA_SIZE
from adyton.formats.snp import SNP_ENDORSEMENTS_SIZE_CAP, SNP_REPORT_SIZE
from adyton.policy import AppraisalDocument
from adyton.policy.record import Case, Outcome, judge, make_record

_ACCEPTED: Final = 0
_DENIED: Final = 1


@click.command()
@click.argument("evidence")
@click.option("--tee", type=click.Choice([tee.value for tee in Tee]), help="What has to have made it.")
@click.option(
    "--collateral", metavar="FILE", help="SGX, TDX: CRLs, TCB info, QE identity; one set, or a bundle of several."
)
@click.option("--endorsements", metavar="FILE", help="SNP: leaf, intermediate, root and crl as base64 of DER.")
@click.option(
    "--at", type=Moment(), metavar="TIME", help="Verify for this time: RFC 3339 or Unix seconds.  [default: now]"
)
@click.option(
    "--policy", "policy_name", default="strict", show_default=True, metavar="NAME|FILE", help="What to accept."
)
@click.option("--report-data", type=Hex(REPORT_DATA_SIZE), metavar="HEX", help="The 64 bytes that it has to carry.")
@click.option("--offline", is_flag=True, help="Say how old each endorsement is; nothing is ever fetched here.")
@click.option("--record", metavar="FILE", help="Keep a record there, for `adyton replay`.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    evidence: str,
    tee: str | None,
    collateral: str | None,
    endorsements: str | None,
    at: datetime | None,
    policy_name: str,
    report_data: bytes | None,
    record: str | None,
    *,
    offline: bool,
    as_json: bool,
) -> int:
    """Authenticate and appraise the evidence in file EVIDENCE (`-` for standard input): a quote, or an SNP report.

    Exits with 0 if it is acceptable, 1 if it is authentic and not acceptable, 2 if it is malformed or not authentic,
    and 3 if the command was used wrongly.
    """
    policy = read_policy(policy_name)
    now = datetime.now(UTC) if at is None else at
    wanted = None if tee is None else Tee(tee)
    try:
        case = _read_case(evidence, collateral, endorsements, policy, report_data, now, wanted)
    except (MalformedDocument, MalformedEvidence, NotFound) as error:
        outcome = Outcome.of_error(error, wanted, policy, now)
    else:
        outcome = judge(case)
        if record is not None:
            write_file(Path(record), make_record(case, outcome).to_bytes())
    show(outcome, as_json=as_json, offline=offline)
    return exit_code(outcome)


def _read_case(
    evidence: str,
    collateral: str | None,
    endorsements: str | None,
    policy: AppraisalPolicy,
    report_data: bytes | None,
    now: datetime,
    tee: Tee | None,
) -> Case:
    """Read the files: the options say what the evidence is taken for, and not the evidence."""
    if tee is Tee.SNP or (tee is None and endorsements is not None):
        path = _needed(endorsements, "--endorsements")
        data = read_file(evidence, cap=SNP_REPORT_SIZE, what="SNP report")
        given = read_file(path, cap=SNP_ENDORSEMENTS_SIZE_CAP, what="endorsements file")
        return Case("snp", data, given, policy, report_data, now, tee)
    path = _needed(collateral, "--collateral")
    data = read_file(evidence, cap=QUOTE_SIZE_CAP, what="quote")
    return Case("dcap", data, read_collateral(path, data), policy, report_data, now, tee)


def exit_code(outcome: Outcome) -> int:
    """Return what a command ends with that ends with this outcome."""
    if outcome.error is not None:
        return outcome.error.exit_code
    return _ACCEPTED if outcome.document.verdict is Verdict.ACCEPTED else _DENIED


def show(outcome: Outcome, *, as_json: bool, offline: bool = False) -> None:
    """Print an outcome: one JSON object, or a page."""
    if as_json:
        print_json(outcome.document)
    elif outcome.error is not None:
        print_error(outcome.error.report(), as_json=False)
    else:
        show_page(outcome.document, offline=offline)


def show_page(document: AppraisalDocument, *, offline: bool = False) -> None:
    """Print an appraisal for people: the verdict, what it is about, every check, what to do."""
    page = console()
    style = "bold green" if document.verdict is Verdict.ACCEPTED else "bold red"
    page.print(Text.assemble((document.verdict.upper(), style), f" under policy {document.policy}"))
    for name, value in _headlines(document):
        page.print(Text.assemble((f"{name:<12}", "bold"), value))
    page.print()
    if offline:
        _show_ages(page, document)
    page.print(checks_table(document.checks))
    for check in document.checks:
        if not check.holds:
            page.print(Text.assemble(("\nremedy", "bold"), f" for {check.id}: {check.remedy}"))


def _show_ages(page: Console, document: AppraisalDocument) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("endorsement", "issued", "age", "expires"):
        table.add_column(column)
    for item in document.collateral.items if document.collateral is not None else ():
        expired = " (expired)" if item.expires < document.appraised_at else ""
        table.add_row(item.name, item.issued, f"{item.age_days} days", item.expires + expired)
    page.print(table)
    page.print()


def _headlines(document: AppraisalDocument) -> list[tuple[str, str]]:
    claims, tcb, facts = document.claims, document.tcb, document.collateral
    lines = [("mode", f"{document.mode} ({document.root})")]
    if claims is not None:
        family = (
            f"platform {claims.fmspc}" if claims.fmspc else f"{claims.product}, chip {shorten(claims.chip_id or '-')}"
        )
        lines += [("tee", f"{claims.tee}, {family}"), ("measurement", claims.measurement), ("signer", claims.signer)]
    if tcb is not None:
        advisories = f", {', '.join(tcb.advisories)}" if tcb.advisories else ""
        lines.append(("tcb", f"{tcb.status} as of {tcb.date}, evaluation {tcb.evaluation_number}{advisories}"))
    if facts is not None:
        lines.append(("collateral", f"{facts.earliest_issue} to {facts.earliest_expiry}"))
    if claims is not None:
        lines.append(("report data", shorten(claims.report_data)))
    return lines


def _needed(path: str | None, option: str) -> str:
    if path is None:
        raise UsageError(
            "verify.endorsements",
            f"expected {option} with the endorsements for this evidence, found none",
            remedy="--collateral FILE for SGX and TDX, --tee snp --endorsements FILE for SEV-SNP",
        )
    return path
