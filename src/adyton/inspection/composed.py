"""Documents that carry evidence and endorsements whole: signed results, appraisal records, bundles, wrappers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from adyton.errors import AdytonError
from adyton.formats.bundle import CollateralBundle
from adyton.formats.check import Mode, Outcome, Verdict
from adyton.formats.cmw import CmwRecord, Indicator, parse_collection
from adyton.formats.collateral import Collateral
from adyton.formats.moment import time_text
from adyton.formats.quote import Quote
from adyton.formats.record import AppraisalRecord, KeptResult
from adyton.formats.result import SignedResult
from adyton.formats.snp import SnpEndorsements
from adyton.formats.tcb import QeIdentity, TcbInfo
from adyton.formats.x509 import Certificate, RevocationList
from adyton.inspection.documents import collateral_nodes, snp_endorsements_nodes
from adyton.inspection.layout import Walked, walk
from adyton.inspection.limits import View
from adyton.inspection.messages import policy_nodes, result_nodes
from adyton.inspection.pem import parse_pem
from adyton.inspection.quote import QUOTE, known_of_quote
from adyton.inspection.show import ends
from adyton.inspection.snp import REPORT, known_of_report
from adyton.inspection.tree import Node

_CHECKS_SHOWN: Final = 200
_WRAPPED_SHOWN_SIZE: Final = 256
_DECIDED: Final = (Outcome.FAILED, Outcome.WAIVED)


def read_quote(data: bytes, view: View) -> Walked:
    """Return a quote's fields, as far as it goes."""
    return walk(data, QUOTE, view, known=known_of_quote(data))


def read_report(data: bytes, view: View) -> Walked:
    """Return an SNP report's fields, as far as it goes."""
    return walk(data, REPORT, view, known=known_of_report(data))


def parse_collateral(data: bytes) -> None:
    """Judge a collateral file and every endorsement in it.

    Raises:
        MalformedEvidence: As the parsers of collateral, TCB info, QE identity, revocation lists and certificates.
    """
    found = Collateral.parse(data)
    TcbInfo.parse(found.tcb_info)
    QeIdentity.parse(found.qe_identity)
    for crl in (found.root_crl, found.pck_crl):
        RevocationList.parse(crl)
    for chain in (found.tcb_info_chain, found.qe_identity_chain, found.pck_crl_chain, found.pck_chain):
        parse_pem(chain)


def parse_endorsements(data: bytes) -> None:
    """Judge an SNP endorsements file, its certificates and its revocation list.

    Raises:
        MalformedEvidence: As their parsers.
    """
    found = SnpEndorsements.parse(data)
    for certificate in (found.leaf, found.intermediate, found.root):
        Certificate.parse(certificate)
    if found.crl:
        RevocationList.parse(found.crl)


def signed_result_nodes(data: bytes, view: View) -> tuple[Node, ...]:
    """Return a signed result's fields, its quote and its endorsements.

    Raises:
        MalformedDocument: As `SignedResult.parse`.
        MalformedEvidence: As `Collateral.parse`.
    """
    result = SignedResult.parse(data)
    nodes = [*result_nodes(result), _part("quote", result.quote, "a DCAP quote", lambda: _quote(result.quote, view))]
    if result.collateral is not None:
        collateral = result.collateral
        nodes.append(_part("collateral", collateral, "endorsements", lambda: collateral_nodes(collateral, view)))
    return tuple(nodes)


def parse_signed_result(data: bytes) -> None:
    """Judge a signed result, its quote and its endorsements.

    Raises:
        MalformedDocument, MalformedEvidence: As their parsers.
    """
    result = SignedResult.parse(data)
    Quote.parse(result.quote)
    if result.collateral is not None:
        parse_collateral(result.collateral)


def record_nodes(data: bytes, view: View) -> tuple[Node, ...]:
    """Return what was appraised, with what, under which policy, and what came of it.

    Raises:
        MalformedDocument: As `AppraisalRecord.parse`; `record.invalid` if the result is not an appraisal's.
    """
    record = AppraisalRecord.parse(data)
    evidence, endorsements, policy = record.evidence, record.endorsements, record.policy.to_bytes()
    if record.technology == "dcap":
        shown = _part("evidence", evidence, "a DCAP quote", lambda: _quote(evidence, view))
        means = _part("endorsements", endorsements, "collateral", lambda: collateral_nodes(endorsements, view))
    else:
        shown = _part("evidence", evidence, "an SNP report", lambda: read_report(evidence, view).nodes)
        means = _part("endorsements", endorsements, "of AMD", lambda: snp_endorsements_nodes(endorsements, view))
    named = () if record.report_data is None else (Node("report_data", meaning=f"expected: {record.report_data}"),)
    return (
        Node("appraised_at", meaning=record.appraised_at),
        Node("made_by", meaning=record.made_by),
        *_result_nodes(record.kept()),
        shown,
        means,
        _part("policy", policy, record.policy.name, lambda: policy_nodes(policy, view)),
        *named,
    )


def parse_record(data: bytes) -> None:
    """Judge a record, and its result; its evidence may be what it was denied for, so it is not judged.

    Raises:
        MalformedDocument: As `record_nodes`.
    """
    AppraisalRecord.parse(data).kept()


def bundle_nodes(data: bytes, view: View) -> tuple[Node, ...]:
    """Return a bundle's date and every file in it.

    Raises:
        MalformedDocument: As `CollateralBundle.parse`.
    """
    bundle = CollateralBundle.parse(data)
    limit = view.limits.entries_count
    files = [
        _part(f"{name} {at}", bytes(file), meaning, _shower(show, bytes(file), view))
        for name, files, meaning, show in (
            ("collateral", bundle.collateral, "endorsements of SGX and TDX", collateral_nodes),
            ("endorsements", bundle.endorsements, "endorsements of SEV-SNP", snp_endorsements_nodes),
        )
        for at, file in enumerate(files[:limit])
    ]
    return (
        Node("made_at", meaning=time_text(bundle.made_at)),
        Node("stale_at", meaning=time_text(bundle.stale_at), danger=ends(bundle.stale_at, view)),
        *files,
    )


def parse_bundle(data: bytes) -> None:
    """Judge a bundle and every file in it.

    Raises:
        MalformedDocument, MalformedEvidence: As their parsers.
    """
    bundle = CollateralBundle.parse(data)
    for file in bundle.collateral:
        parse_collateral(bytes(file))
    for file in bundle.endorsements:
        parse_endorsements(bytes(file))


def wrapper_nodes(data: bytes, view: View) -> tuple[Node, ...]:
    """Return the messages of a collection of conceptual message wrappers.

    Raises:
        MalformedDocument: As `parse_collection`.
    """
    records = list(parse_collection(data).items())[: view.limits.entries_count]
    return tuple(_wrapped(label, record) for label, record in records)


def _wrapped(label: str, record: CmwRecord) -> Node:
    indicated = ", ".join(str(item.name).lower().replace("_", " ") for item in Indicator if item & record.indicator)
    meaning = record.media_type + (f": {indicated}" if indicated else "")
    return Node(label, raw=record.value[:_WRAPPED_SHOWN_SIZE], size=len(record.value), meaning=meaning)


def _quote(data: bytes, view: View) -> tuple[Node, ...]:
    return read_quote(data, view).nodes


def _shower(show: Callable[[bytes, View], tuple[Node, ...]], data: bytes, view: View) -> Callable[[], tuple[Node, ...]]:
    return lambda: show(data, view)


def _part(name: str, data: bytes, meaning: str, nodes: Callable[[], tuple[Node, ...]]) -> Node:
    try:
        return Node(name, size=len(data), meaning=meaning, decoded=nodes())
    except AdytonError as error:
        return Node(name, size=len(data), meaning="not readable", danger=(error.message,))


def _result_nodes(found: KeptResult) -> tuple[Node, ...]:
    simulated = ("the platform is simulated",) if found.mode is Mode.SIMULATED else ()
    denied = ("the evidence was denied",) if found.verdict is Verdict.DENIED else ()
    facts = (("tee", found.tee), ("root", found.root), ("tcb", found.tcb and found.tcb.status))
    decided = [check for check in found.checks if check.outcome in _DECIDED][:_CHECKS_SHOWN]
    checks = tuple(
        Node(check.id, meaning=f"{check.outcome}: expected {check.expected}, found {check.actual}") for check in decided
    )
    return (
        Node("verdict", meaning=f"{found.verdict}; checks: {len(found.checks)}", danger=(*denied, *simulated)),
        *(Node(name, meaning=str(value)) for name, value in facts if value is not None),
        *((Node("checks", meaning="that failed or were waived", children=checks),) if checks else ()),
    )
