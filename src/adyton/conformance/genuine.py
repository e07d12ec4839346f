"""Cases from genuine evidence, for verifiers that trust no root but the vendor's: read from a folder, never kept here.

The folder has `dcap/cases.json` (quotes, collateral, a time, and what public verifiers say of them) and
`snp/cases.json` (reports with their certificates). Beside the genuine ones there are genuine ones that were tampered
with: each is as good as the kit's own, under the vendor's real root.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from adyton.conformance.case import AUTHENTIC, REFUSE, Case, Expectation, Request
from adyton.errors import AdytonError, UsageError
from adyton.formats.collateral import Collateral
from adyton.formats.x509 import pem_blocks

_STATUSES: Final = {
    "STATUS_OK": "UpToDate",
    "STATUS_TCB_SW_HARDENING_NEEDED": "SWHardeningNeeded",
    "STATUS_TCB_CONFIGURATION_NEEDED": "ConfigurationNeeded",
    "STATUS_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED": "ConfigurationAndSWHardeningNeeded",
    "STATUS_TCB_OUT_OF_DATE": "OutOfDate",
    "STATUS_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED": "OutOfDateConfigurationNeeded",
    "STATUS_TCB_TD_RELAUNCH_ADVISED": "TDRelaunchAdvised",
    "STATUS_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED": "TDRelaunchAdvisedConfigurationNeeded",
}
_DEBUG: Final = "Debug mode is enabled"
_BY_DESIGN: Final = "verifiers differ here by design"
_FORGED_IDENTITY: Final = "CVE-2026-22696 (dcap-qvl before 0.3.9)"
_Json = dict[str, Any]


def genuine_cases(folder: Path) -> Iterator[Case]:
    """Yield the cases that a folder has.

    Raises:
        UsageError: `conformance.vectors` if the folder has none, or something in it cannot be read.
    """
    try:
        found = [*_quotes(folder / "dcap"), *_reports(folder / "snp")]
    except (OSError, ValueError, KeyError, TypeError, IndexError, msgspec.MsgspecError, AdytonError) as error:
        raise UsageError(
            "conformance.vectors",
            f"expected genuine evidence in {folder}: {error}",
            remedy="pass the folder that holds dcap/cases.json and snp/cases.json, or leave --vectors out",
        ) from error
    yield from found


def _quotes(folder: Path) -> Iterator[Case]:
    rows: list[_Json] = msgspec.json.decode((folder / "cases.json").read_bytes())
    for row in rows:
        yield _genuine(folder, row)
    for tee in ("SGX", "TDX"):
        accepted = [row for row in rows if row["tee"] == tee and "status" in row["expected"]["dcap_qvl_0_7_0"]]
        if accepted:
            yield from _tampered(folder, accepted[0], _identity_for_sgx(folder, rows))


def _genuine(folder: Path, row: _Json) -> Case:
    quote, collateral = _read(folder, row)
    name = f"genuine.{row['quote_sha256'][:10]}.{Path(row['collateral']).stem}"
    request = _request(f"{row['tee'].lower()}.{name}", row, quote, collateral)
    return Case(request, _expected(row["expected"]), f"a genuine {row['tee']} quote of platform {row['fmspc']}")


def _expected(said: _Json) -> Expectation:
    """Intel's status, dcap-qvl's advisories; a refusal too where dcap-qvl refuses by design."""
    status, peer = _STATUSES.get(said["intel_qvl"]["quote"]), said["dcap_qvl_0_7_0"]
    if status is None or _DEBUG in peer.get("refused", ""):
        return REFUSE
    if "refused" in peer:
        return Expectation(status, None, refusal_allowed=True, because=_BY_DESIGN)
    return Expectation(status, tuple(sorted(set(peer["advisory_ids"]))))


def _tampered(folder: Path, row: _Json, sgx_identity: Collateral | None) -> Iterator[Case]:
    quote, genuine = _read(folder, row)
    tee = row["tee"].lower()
    identity = msgspec.json.decode(genuine.qe_identity)
    forged = msgspec.json.encode({**identity, "tcbLevels": [{**identity["tcbLevels"][0], "tcb": {"isvsvn": 0}}]})
    body = bytearray(quote)
    body[200] ^= 1
    changes: list[tuple[str, str, bytes, Collateral]] = [
        ("forged-qe-identity", "a QE identity that nobody signed", quote, replace(genuine, qe_identity=forged)),
        ("changed-body", "a genuine quote with one bit of its body changed", bytes(body), genuine),
        ("changed-tcb-info", "TCB info with one date changed", quote,
         replace(genuine, tcb_info=genuine.tcb_info.replace(b'"tcbDate":"20', b'"tcbDate":"21', 1))),
        ("root-crl-for-pck-crl", "the root's list in place of the CA's", quote,
         replace(genuine, pck_crl=genuine.root_crl)),
    ]  # fmt: skip
    if tee == "tdx" and sgx_identity is not None:
        other = replace(
            genuine,
            qe_identity=sgx_identity.qe_identity,
            qe_identity_signature=sgx_identity.qe_identity_signature,
            qe_identity_chain=sgx_identity.qe_identity_chain,
        )
        changes.append(("sgx-qe-identity", "the genuine identity of the SGX quoting enclave", quote, other))
    for name, title, evidence, collateral in changes:
        request = _request(f"{tee}.tampered.{name}", row, evidence, collateral)
        yield Case(request, REFUSE, title, _FORGED_IDENTITY if "identity" in name else "")


def _identity_for_sgx(folder: Path, rows: list[_Json]) -> Collateral | None:
    row = next((row for row in rows if row["tee"] == "SGX"), None)
    return None if row is None else _read(folder, row)[1]


def _read(folder: Path, row: _Json) -> tuple[bytes, Collateral]:
    return (folder / row["quote"]).read_bytes(), Collateral.parse((folder / row["collateral"]).read_bytes())


def _request(name: str, row: _Json, quote: bytes, collateral: Collateral) -> Request:
    root = pem_blocks(collateral.tcb_info_chain)[-1]
    shape = msgspec.json.decode(collateral.to_bytes())
    return Request(name, row["tee"].lower(), quote, root, row["time"], collateral=shape)


def _reports(folder: Path) -> Iterator[Case]:
    path = folder / "cases.json"
    rows: list[_Json] = msgspec.json.decode(path.read_bytes()) if path.exists() else []
    for row in rows:
        evidence, start = bytes.fromhex(row["report"]), datetime.fromisoformat(row["leaf_not_before"])
        parts = {part: row[part] for part in ("leaf", "intermediate", "root")}
        time, name = int(start.timestamp()) + 1, row["report_sha256"][:10]
        expected = REFUSE if row["debug"] else Expectation(AUTHENTIC, refusal_allowed=True, because="no list is there")
        root = base64.b64decode(row["root"])
        request = Request(f"snp.genuine.{name}", "snp", evidence, root, time, endorsements=parts)
        yield Case(request, expected, f"a genuine report of {row['product']}")
        changed = evidence[:0x90] + bytes([evidence[0x90] ^ 1]) + evidence[0x91:]
        tampered = Request(f"snp.tampered.{name}", "snp", changed, root, time, endorsements=parts)
        yield Case(tampered, REFUSE, "a genuine report with one bit of its measurement changed")
