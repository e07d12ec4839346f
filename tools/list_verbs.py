"""Write docs/reference/command.md from the command itself: what its help says is what the page says."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

# Defaults that depend on who runs it are shown as a user's.
os.environ |= {"HOME": "/home/you", "COLUMNS": "100"}
os.environ.pop("XDG_STATE_HOME", None)

import click

from adyton.cli.app import adyton

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "command.md"
HEAD = """# The command

Verbs that print results take `--json` and then print one JSON object. Exit codes: 0 done or acceptable, 1 authentic
and not acceptable under the policy, 2 malformed, not authentic or failed, 3 wrong usage, 130 interrupted. Errors
carry a code, a sentence and a remedy. Secrets come from files or standard input, never from arguments. This page is
made by `make docs` from the command's help.
"""
TAIL = """
## What `adyton verify --json` prints

One object, whatever happens; the same object is what a record keeps and what `adyton replay --json` prints:

    {"verdict": "accepted" | "denied",
     "mode": "hardware" | "simulated" | null,
     "tee": "sgx" | "tdx" | "snp" | null,
     "tcb": {"status", "date", "advisories", "evaluation_number"} | null,
     "checks": [{"id", "outcome", "expected", "actual", "remedy", "where"}],
     "collateral": {"earliest_issue", "earliest_expiry", "expired", "digest", "crl_numbers",
                    "items": [{"name", "digest", "issued", "expires", "age_days"}]} | null,
     "claims": {"tee", "measurement", "signer", "debug", "report_data", "fmspc", "product", "chip_id",
                "vmpl", ...} | null,
     "error": null | {"code", "message", "remedy"},
     "policy", "policy_digest", "evidence_digest" | null, "root" | null, "appraised_at"}

`error` is set when the evidence is malformed or not authentic (exit code 2). A denial by policy is no error: its
failed checks say why. A platform below every TCB level is the error `dcap.tcb.no_matching_level`. AMD gives no TCB
status, so `tcb` is null for SNP.
"""


def page() -> str:
    """Return the page."""
    return HEAD + "".join(_sections(adyton, "adyton")) + TAIL


def _sections(command: click.Command, path: str) -> Iterator[str]:
    context = click.Context(command, info_name=path, max_content_width=100, terminal_width=100)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from _sections(found, f"{path} {name}")
        return
    context.help_option_names = ["-h", "--help"]
    text = command.get_help(context)
    lines = (f"    {line}".rstrip() for line in text.splitlines())
    yield f"\n## `{path}`\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv and PAGE.read_text() != page():
        sys.exit("docs/reference/command.md is not what the command says: run `make docs`")
    PAGE.write_text(page())
