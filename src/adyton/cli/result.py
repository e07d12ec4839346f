"""`adyton result verify`: verify what an enclave signed, and show it."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import msgspec
from rich.text import Text

from adyton.attest import TrustRoots
from adyton.cli.inputs import Moment, read_file, read_policy
from adyton.cli.output import checks_table, console, print_json, printable, shorten
from adyton.errors import UsageError
from adyton.formats.check import Verdict
from adyton.formats.collateral import COLLATERAL_SIZE_CAP, Collateral
from adyton.formats.result import RESULT_SIZE_CAP, SignedResult
from adyton.policy import AppraisalDocument, verify_result


class ResultView(msgspec.Struct, frozen=True):
    """What `adyton result verify --json` prints.

    Attributes:
        verification: As `adyton verify --json`.
        payload: What the enclave said, if it is acceptable and UTF-8.
    """

    verification: AppraisalDocument
    payload: str | None


@click.group()
def command() -> None:
    """Verify what enclaves signed."""


@command.command()
@click.argument("file")
@click.option("--policy", "policy_name", required=True, metavar="NAME|FILE", help="Whose code may say this.")
@click.option("--collateral", metavar="FILE", help="Endorsements, in place of those in the document.")
@click.option("--at", type=Moment(), metavar="TIME", help="Verify for this time: RFC 3339 or Unix seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(file: str, policy_name: str, collateral: str | None, at: datetime | None, *, as_json: bool) -> int:
    """Verify the signed result in FILE, and print what the enclave said.

    Exits with 0 if the policy accepts the enclave, 1 if not, and 2 if it is malformed or not authentic.
    """
    policy = read_policy(policy_name)
    result = SignedResult.parse(read_file(file, cap=RESULT_SIZE_CAP, what="result"))
    appraisal = verify_result(
        result,
        _collateral(result, collateral),
        policy,
        roots=TrustRoots.named(policy.roots),
        now=datetime.now(UTC) if at is None else at,
    )
    accepted = appraisal.verdict is Verdict.ACCEPTED
    payload = result.payload.decode("utf-8", "replace") if accepted else None
    if as_json:
        print_json(ResultView(AppraisalDocument.of(appraisal), payload))
        return 0 if accepted else 1
    page = console()
    style = "bold green" if accepted else "bold red"
    page.print(Text.assemble((appraisal.verdict.upper(), style), f" under policy {policy.name}, {appraisal.mode}"))
    if accepted:
        page.print(f"said by {shorten(appraisal.claims.measurement)}:\n{printable(payload or '')}")
    else:
        page.print(checks_table(appraisal.failed))
    return 0 if accepted else 1


def _collateral(result: SignedResult, path: str | None) -> Collateral:
    if path is not None:
        return Collateral.parse(read_file(path, cap=COLLATERAL_SIZE_CAP, what="collateral file"))
    if result.collateral is None:
        raise UsageError(
            "result.collateral",
            "the document carries no collateral",
            remedy="name a collateral file: --collateral FILE",
        )
    return Collateral.parse(result.collateral)
