"""Write docs/reference/checks.md from appraisals made on the spot: what the code checks is what the page lists."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from evidence import ENCLAVE, TRUST_DOMAIN, authentic  # noqa: E402, the tests' own evidence
from forged import NOW, Forged  # noqa: E402
from snp import CHIPS, endorsements  # noqa: E402
from snp import NOW as CHIP_NOW  # noqa: E402
from snp import roots as chip_roots  # noqa: E402

from adyton.attest import authenticate, authenticate_report  # noqa: E402
from adyton.formats.check import Check  # noqa: E402
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
MAP = """## What Intel's verifier does, and the checks that do it here

In the order of Intel's quote verification library and its enclave (QvE). What it reports as non-terminal, and what it
does not look at, is judged by the policy here.

| a complete DCAP appraisal | here |
| --- | --- |
| version, TEE, key type, vendor of the quoting enclave, body, sizes | `dcap.quote.version`, `.tee_type`, `.key_type`, `.body_type`, `.length`; EPID is `dcap.quote.epid` |
| certification data: a PCK chain of three | `dcap.certification.unsupported`, `dcap.certification.pce_id`, `dcap.pck_chain.format` |
| the root's public key | `dcap.chain.untrusted_root`, `trust.root` |
| form of the collateral; lists as PEM, hex or DER | `collateral.format`, `collateral.crl` |
| PCK chain: names, issuers, signatures, one root | `dcap.pck_chain.names`, `.usage`, `.signature`, `.root` |
| revocation lists: issuer, extensions, signature | `dcap.root_crl.issuer`, `dcap.pck_crl.issuer`, `dcap.pck_crl_chain.*` |
| nothing on the way is revoked | `dcap.pck_ca.revoked`, `dcap.pck.revoked`, `dcap.tcb_info_chain.revoked`, `dcap.qe_identity_chain.revoked`, `dcap.pck_crl_chain.revoked` |
| dates that have passed | `collateral.expired` |
| dates that have not come (not looked at by Intel) | `collateral.not_yet_valid` |
| TCB info and QE identity: chain, name, signature over exact bytes | `dcap.tcb_info_chain.*`, `dcap.tcb_info.signature`, `dcap.qe_identity_chain.*`, `dcap.qe_identity.signature`, `dcap.collateral.root` |
| documents fit the TEE, version, FMSPC and PCEID | `dcap.tcb_info.tee`, `dcap.qe_identity.tee`, `dcap.tcb_info.fmspc`, `dcap.tcb_info.pce_id`, `collateral.tcb_info_version` |
| TDX module | `dcap.tdx.module` |
| quoting enclave: report's signature, binding of the key, identity | `dcap.qe.report_signature`, `dcap.qe.report_data`, `dcap.qe.identity` |
| the quote's signature | `dcap.quote.signature` |
| levels of platform, module and quoting enclave, convergence, relaunch, date, advisories | `dcap.tcb.level`, `dcap.tcb.no_matching_level`, `tcb.status`, `tcb.advisories` |
| evaluation number | `tcb.evaluation_number` |
| what the PCK certificate says of the platform | `platform.sgx_type`, `platform.dynamic_platform`, `platform.cached_keys`, `platform.smt_enabled` |
| the code itself (left to the caller by Intel) | `sgx.*`, `tdx.*`, `report_data` |
"""


def page() -> str:
    """Return the page."""
    strict = builtin_policy("strict")
    forged, chip = Forged(), CHIPS["Milan"]
    quote = authenticate(forged.quote(), forged.collateral(), roots=forged.roots, now=NOW)
    report = authenticate_report(
        chip.report(version=5), endorsements(chip, crl=chip.crl()), roots=chip_roots(chip), now=CHIP_NOW
    )
    intel = [
        check
        for body in (ENCLAVE, TRUST_DOMAIN)
        for check in appraise(authentic(body), strict, expected_report_data=body.report_data, now=NOW).judged
    ]
    amd = appraise(report, strict, expected_report_data=report.report.report_data, now=CHIP_NOW).judged
    return "\n".join(
        [
            HEAD,
            *_table("SGX and TDX: authenticity (`adyton.attest`)", quote.checks),
            *_table("SGX and TDX: policy (`adyton.policy`), as `strict` has it", intel),
            "With reference values, `sgx.enclave` and `tdx.trust_domain` give way to one check for each field, such as",
            "`sgx.mr_enclave`. A status below `UpToDate` is explained by one check for each component that is too low, such",
            "as `sgx.tcb.component[2]`, `sgx.tcb.pce_svn`, `tdx.tcb.component[0]`, `tdx.module.isv_svn`, `dcap.qe.isv_svn`.",
            "",
            *_table("SEV-SNP: authenticity", report.checks),
            *_table("SEV-SNP: policy, as `strict` has it", amd),
            "A VLEK's chain is `snp.vlek_chain`. With reference values, `snp.guest` gives way to one check for each field.",
            "",
            MAP,
        ]
    )


def _table(title: str, checks: Iterable[Check]) -> list[str]:
    rows = {check.id: f"| `{check.id}` | {_words(check.expected)} |" for check in checks}
    return [f"## {title}", "", "| check | expects |", "| --- | --- |", *rows.values(), ""]


def _words(text: str) -> str:
    return re.sub(r"[0-9a-f]{32,}", "<hex>", re.sub(r"simulated:[0-9a-f]{32}", "a trusted root", text))


if __name__ == "__main__":
    if "--check" in sys.argv and PAGE.read_text() != page():
        sys.exit("docs/reference/checks.md is not what the code checks: run `make docs`")
    PAGE.write_text(page())
