"""`adyton verify`: authenticate and appraise a quote, and show every check."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import click
import msgspec
from rich.text import Text

from adyton.attest import TrustRoots
from adyton.cli.inputs import Hex, Moment, read_file, read_policy
from adyton.cli.output import checks_table, console, print_error, print_json, shorten, time_text
from adyton.errors import AdytonError, ErrorReport
from adyton.formats.check import Check, Mode, Outcome, Verdict
from adyton.formats.collateral import COLLATERAL_SIZE_CAP, Collateral
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.quote import QUOTE_SIZE_CAP, Quote, Tee
from adyton.formats.sgx import REPORT_DATA_SIZE
from adyton.policy import Appraisal, Claims, verify

_ACCEPTED: Final = 0
_DENIED: Final = 1


class TcbView(msgspec.Struct, frozen=True):
    """The trusted computing base, as printed."""

    status: str
    date: str
    advisories: tuple[str, ...]
    evaluation_number: int


class CollateralView(msgspec.Struct, frozen=True):
    """The endorsements' dates, as printed."""

    earliest_issue: str
    earliest_expiry: str
    expired: bool


class VerificationView(msgspec.Struct, frozen=True):
    """What `adyton verify --json` prints: one object, whatever happens."""

    verdict: Verdict
    mode: Mode | None
    tee: Tee | None
    tcb: TcbView | None
    checks: tuple[Check, ...]
    collateral: CollateralView | None
    claims: Claims | None
    error: ErrorReport | None

    @classmethod
    def of(cls, appraisal: Appraisal) -> VerificationView:
        """Show an appraisal."""
        evidence = appraisal.evidence
        tcb, facts = evidence.tcb, evidence.collateral
        return cls(
            appraisal.verdict,
            appraisal.mode,
            evidence.quote.tee,
            TcbView(tcb.status, time_text(tcb.date), tcb.advisories, tcb.evaluation_number),
            appraisal.checks,
            CollateralView(
                time_text(facts.earliest_issue),
                time_text(facts.earliest_expiry),
                facts.earliest_expiry < appraisal.appraised_at,
            ),
            appraisal.claims,
            None,
        )

    @classmethod
    def of_error(cls, error: AdytonError, tee: Tee | None) -> VerificationView:
        """Show that evidence was malformed or is not authentic."""
        failed = Check(error.code, Outcome.FAILED, "authentic evidence", error.message, error.remedy)
        return cls(Verdict.DENIED, None, tee, None, (failed,), None, None, error.report())


@click.command()
@click.argument("quote")
@click.option(
    "--collateral", required=True, metavar="FILE", help="The endorsements: JSON with CRLs, TCB info, QE identity."
)
@click.option(
    "--at", type=Moment(), metavar="TIME", help="Verify for this time: RFC 3339 or Unix seconds.  [default: now]"
)
@click.option(
    "--policy", "policy_name", default="strict", show_default=True, metavar="NAME|FILE", help="What to accept."
)
@click.option("--report-data", type=Hex(REPORT_DATA_SIZE), metavar="HEX", help="The 64 bytes that it has to carry.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    quote: str, collateral: str, at: datetime | None, policy_name: str, report_data: bytes | None, *, as_json: bool
) -> int:
    """Authenticate and appraise the quote in file QUOTE (`-` for standard input).

    Exits with 0 if it is acceptable, 1 if it is authentic and not acceptable, 2 if it is malformed or not authentic,
    and 3 if the command was used wrongly.
    """
    policy = read_policy(policy_name)
    now = datetime.now(UTC) if at is None else at
    tee: Tee | None = None
    try:
        evidence = Quote.parse(read_file(quote, cap=QUOTE_SIZE_CAP, what="quote"))
        tee = evidence.tee
        endorsements = Collateral.parse(read_file(collateral, cap=COLLATERAL_SIZE_CAP, what="collateral file"))
        appraisal = verify(
            evidence,
            endorsements,
            policy,
            roots=TrustRoots.named(policy.roots),
            expected_report_data=report_data,
            now=now,
        )
    except AdytonError as error:
        _show_error(error, tee, as_json=as_json)
        return error.exit_code
    _show(appraisal, policy, as_json=as_json)
    return _ACCEPTED if appraisal.verdict is Verdict.ACCEPTED else _DENIED


def _show_error(error: AdytonError, tee: Tee | None, *, as_json: bool) -> None:
    if as_json:
        print_json(VerificationView.of_error(error, tee))
    else:
        print_error(error.report(), as_json=False)


def _show(appraisal: Appraisal, policy: AppraisalPolicy, *, as_json: bool) -> None:
    view = VerificationView.of(appraisal)
    if as_json:
        print_json(view)
        return
    page = console()
    style = "bold green" if appraisal.verdict is Verdict.ACCEPTED else "bold red"
    page.print(Text.assemble((appraisal.verdict.upper(), style), f" under policy {policy.name}"))
    for name, value in _headlines(appraisal):
        page.print(Text.assemble((f"{name:<12}", "bold"), value))
    page.print()
    page.print(checks_table(appraisal.checks))
    for check in appraisal.failed:
        page.print(Text.assemble(("\nremedy", "bold"), f" for {check.id}: {check.remedy}"))


def _headlines(appraisal: Appraisal) -> list[tuple[str, str]]:
    claims, tcb, facts = appraisal.claims, appraisal.evidence.tcb, appraisal.evidence.collateral
    advisories = f", {', '.join(tcb.advisories)}" if tcb.advisories else ""
    return [
        ("mode", f"{appraisal.mode} ({appraisal.evidence.root.name})"),
        ("tee", f"{claims.tee}, platform {claims.fmspc}"),
        ("measurement", claims.measurement),
        ("signer", claims.signer),
        ("tcb", f"{tcb.status} as of {time_text(tcb.date)}, evaluation {tcb.evaluation_number}{advisories}"),
        ("collateral", f"{time_text(facts.earliest_issue)} to {time_text(facts.earliest_expiry)}"),
        ("report data", shorten(claims.report_data)),
    ]
