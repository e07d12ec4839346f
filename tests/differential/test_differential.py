"""Ours beside others' verifiers, over the kit's cases and over genuine evidence: the same answer, or a reason.

The others: dcap-qvl 0.7, and Intel's own library of 2023 as `sgx-dcap-quote-verify-python` wraps it (SGX v3). Every
difference is one of a table's rows, and every row has a difference.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys

import pytest
from places import REPOSITORY, VECTORS

from adyton.conformance import KitLimits, Verifier, all_cases, genuine_cases
from adyton.conformance.adapter import answer
from adyton.conformance.process import Answer

PEERS = {
    "dcap_qvl": REPOSITORY / "src" / "adyton" / "conformance" / "peer_dcap_qvl.py",
    "sgx_dcap_quote_verify": REPOSITORY / "tests" / "differential" / "peer_intel_qvl.py",
}
LIMITS = KitLimits(answer_seconds=30)

# Case (a pattern), our answer, the peer's answer, why both stand.
DCAP_QVL = (
    (r"sgx\.sound\.tcb-info-v2", "UpToDate", "refused", "it takes no version before 3; for us it is policy's to say"),
    (r"sgx\.sound\.auth-data-", "UpToDate", "refused", "it takes 32 bytes of authentication data and no other number"),
    (
        r"status\.(qe-|module-)?[Rr]evoked",
        "Revoked",
        "refused",
        "it refuses what is revoked; we say so, policy refuses",
    ),
    (
        r"(tcb-info|qe-identity)\.signed-by-pck",
        "refused",
        "UpToDate",
        "it compares no names: any leaf under the root may sign",
    ),
    (r"chain\.(leaf|signer)-of-another-name", "refused", "UpToDate", "it compares no names"),
    (r"documents\.chains-without-root", "refused", "UpToDate", "it has the root itself; we take whole chains only"),
    (r"tcb-info\.other-pceid", "refused", "UpToDate", "it does not compare PCEID"),
    (r"tcb-info\.version-4", "refused", "UpToDate", "it takes every version from 3 on"),
    (r"mode\.32-bit", "refused", "UpToDate", "it leaves an enclave's mode to its caller"),
    (r"quote\.trailing-bytes", "refused", "UpToDate", "it does not look behind the quote"),
    (r"quote\.bytes-behind-the-binding", "refused", "UpToDate", "it reads the first half only, as Intel does"),
    (r"dates\..*-too-early", "UpToDate", "refused", "it looks at issue dates; we record them, policy refuses"),
    (r"dates\.root-certificate-expired", "UpToDate expired", "UpToDate", "it looks at the root's key only"),
    (r"dates\.(.*-expired|years-later)", "UpToDate expired", "refused", "it refuses; we record dates, policy refuses"),
)
DCAP_QVL_GENUINE = (
    (r"genuine\.", "UpToDate", "refused", "it looks at issue dates: a certificate that is valid from later on"),
)
INTEL_QVL = (
    (r"sound\.document-with-spaces", "UpToDate", "refused", "it writes TCB info anew before it verifies it"),
    (r"(tcb-info|qe-identity)\.reserialised", "refused", "UpToDate", "the same: spaces are lost before it verifies"),
    (r"sound\.renewed-root-certificate", "UpToDate", "refused", "it compares root certificates; we compare keys"),
    (r"status\.qe-below-every-level", "refused", "Revoked", "both let nobody through"),
    (r"qe-identity\.chain-", "refused", "UpToDate", "its wrapper takes one chain for both documents"),
    (r"revoked\.qe-identity-signing", "refused", "UpToDate", "its wrapper takes one chain for both documents"),
    (r"chain\..*-that-is-", "refused", "UpToDate", "it does not read basic constraints"),
    (r"quote\.bytes-behind-the-binding", "refused", "UpToDate", "it reads the first half only"),
    (r"quote\.certification-type-4", "refused", "UpToDate", "its caller passes the chain, whatever the quote carries"),
    (r"mode\.(debug|32-bit)", "refused", "UpToDate", "it leaves an enclave's mode to its caller"),
    (r"dates\.(root|pck)-crl-too-early", "UpToDate", "UpToDate expired", "a list from the future counts as expired"),
)
INTEL_QVL_GENUINE = (
    (r"genuine\.", "refused", "OutOfDate", "it leaves debug to its caller"),
    (r"genuine\.", "refused", "ConfigurationAndSWHardeningNeeded", "it leaves debug to its caller"),
)


def peer(name):
    """Return the command of a peer, or skip; a machine that has to have it says so."""
    if importlib.util.find_spec(name) is None:
        reason = f"{name} is not installed (it is in the dev group)"
        if "differential" in os.environ.get("ADYTON_REQUIRE", "").split(","):
            pytest.fail(f"ADYTON_REQUIRE asks for differential: {reason}", pytrace=False)
        pytest.skip(reason)
    return [sys.executable, str(PEERS[name])]


def kind(said):
    if not isinstance(said, Answer):
        return f"{said.kind}: {said.what}"
    if said.status is not None:
        return said.status + (" expired" if said.expired else "")
    return "refused" if said.error is not None else "unsupported"


def compared(name, cases):
    """Yield each case that the peer judges, with our answer and its."""
    with Verifier(peer(name), LIMITS) as verifier:
        for case in cases:
            theirs = verifier.ask(case)
            if kind(theirs) != "unsupported":
                yield case, Answer(**answer(case.request)), theirs


def unexplained(found, table):
    """Return the differences that no row explains, and the rows that explain none."""
    used, left = set(), []
    for case, ours, theirs in found:
        pair = kind(ours), kind(theirs)
        rows = [row for row in table if re.search(row[0], case.id) and row[1:3] == pair]
        used.update(rows)
        if pair[0] != pair[1] and not rows:
            left.append((case.id, *pair))
    return left, set(table) - used


@pytest.mark.parametrize(
    ("name", "table", "least"), [("dcap_qvl", DCAP_QVL, 350), ("sgx_dcap_quote_verify", INTEL_QVL, 150)]
)
def test_forged_evidence_gets_the_same_answer_or_there_is_a_reason(name, table, least):
    found = list(compared(name, all_cases()))
    assert len(found) > least
    assert unexplained(found, table) == ([], set())


@pytest.mark.vectors
@pytest.mark.parametrize(
    ("name", "table", "least"),
    [("dcap_qvl", DCAP_QVL_GENUINE, 90), ("sgx_dcap_quote_verify", INTEL_QVL_GENUINE, 10)],
)
def test_genuine_evidence_gets_the_same_answer_or_there_is_a_reason(name, table, least):
    found = list(compared(name, genuine_cases(VECTORS)))
    assert len(found) >= least
    assert unexplained(found, table) == ([], set())


def test_where_dcap_qvl_accepts_a_forged_case_its_advisories_are_ours():
    for case, ours, theirs in compared("dcap_qvl", all_cases()):
        if ours.status is not None and theirs.status is not None:
            assert set(ours.advisories) == set(theirs.advisories), case.id
