"""Write docs/reference/checks.md from appraisals made on the spot: what the code checks is what the page lists."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from evidence import ENCLAVE, TRUST_DOMAIN, authentic  # noqa: E402, the tests' own evidence
from forged import NOW, Forged  # noqa: E402

from adyton.attest import authenticate  # noqa: E402
from adyton.policy import appraise, builtin_policy  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "checks.md"
HEAD = """# Checks

Every appraisal lists these checks, in this order. A check has an id, an outcome (`passed`, `failed`, `waived` by an
exception of the policy, `not-applicable`), what it expected, what it found, and a remedy if it failed. This page is
made by `make docs` from the checks that the code makes.

A check of authenticity that fails ends the verification: its id is the error's code. Besides those below an error's
code can name a format (`dcap.quote.length`, `dcap.tcb_info.format`, ...) or `dcap.tcb.no_matching_level`: the platform
is below every level that the vendor speaks of.
"""


def page() -> str:
    """Return the page."""
    forged = Forged()
    authenticity = authenticate(forged.quote(), forged.collateral(), roots=forged.roots, now=NOW).checks
    strict = builtin_policy("strict")
    rules = {}
    for body in (ENCLAVE, TRUST_DOMAIN):
        for check in appraise(authentic(body), strict, expected_report_data=body.report_data, now=NOW).judged:
            rules[check.id] = check
    lines = [HEAD, "## Authenticity (`adyton.attest`)", "", "| check | expects |", "| --- | --- |"]
    lines += [f"| `{name}` | {_words(check.expected)} |" for name, check in {c.id: c for c in authenticity}.items()]
    lines += ["", "## Policy (`adyton.policy`), as `strict` has it", "", "| check | expects |", "| --- | --- |"]
    lines += [f"| `{name}` | {_words(check.expected)} |" for name, check in rules.items()]
    lines += [
        "",
        "With reference values, `sgx.enclave` gives way to one check for each field, such as `sgx.mr_enclave`.",
        "",
    ]
    return "\n".join(lines)


def _words(text: str) -> str:
    return re.sub(r"[0-9a-f]{32,}", "<hex>", re.sub(r"simulated:[0-9a-f]{32}", "a trusted root", text))


if __name__ == "__main__":
    if "--check" in sys.argv and PAGE.read_text() != page():
        sys.exit("docs/reference/checks.md is not what the code checks: run `make docs`")
    PAGE.write_text(page())
