"""Endorsements in words: collateral files, TCB info, QE identity, SNP endorsements. Their fields are facts of JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from adyton.errors import MalformedEvidence
from adyton.formats.collateral import Collateral
from adyton.formats.moment import time_text
from adyton.formats.sgx import AttributeFlags
from adyton.formats.snp import SnpEndorsements
from adyton.formats.tcb import QeIdentity, SvnLevel, TcbInfo, TcbLevel, TcbStatus, TdxModule
from adyton.inspection.certificate import walk_certificate, walk_revocation_list
from adyton.inspection.layout import Walked
from adyton.inspection.limits import View
from adyton.inspection.pem import pem_nodes
from adyton.inspection.show import begins, bits, ends
from adyton.inspection.tree import Node

_STATUSES: Final = {
    TcbStatus.UP_TO_DATE: "nothing to do",
    TcbStatus.SW_HARDENING_NEEDED: "software has to work around a weakness of the platform",
    TcbStatus.CONFIGURATION_NEEDED: "the platform has to be configured differently",
    TcbStatus.CONFIGURATION_AND_SW_HARDENING_NEEDED: "both configuration and software have to change",
    TcbStatus.OUT_OF_DATE: "an update is missing",
    TcbStatus.OUT_OF_DATE_CONFIGURATION_NEEDED: "an update is missing, and the configuration has to change",
    TcbStatus.TD_RELAUNCH_ADVISED: "launch the trust domain again",
    TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED: "launch it again, and change the configuration",
    TcbStatus.REVOKED: "not to be trusted at all",
}
_SIGNATURE: Final = "ECDSA P-256, r and s; not verified here"


def tcb_info_nodes(data: bytes, view: View) -> tuple[Node, ...]:
    """Return the fields of TCB info.

    Raises:
        MalformedEvidence: As `TcbInfo.parse`.
    """
    info = TcbInfo.parse(data)
    modules = (*(() if info.module is None else (info.module,)), *info.modules)
    return (
        Node("id", meaning=info.id),
        Node("version", meaning=str(info.version)),
        Node("issue_date", meaning=time_text(info.issued), danger=begins(info.issued, view)),
        Node("next_update", meaning=time_text(info.next_update), danger=ends(info.next_update, view)),
        Node("fmspc", raw=info.fmspc, size=6, meaning="family, model, stepping, platform type, custom SKU"),
        Node("pce_id", raw=info.pce_id, size=2),
        Node("evaluation_number", meaning=str(info.evaluation_number)),
        _platform_levels(info.levels),
        *(_module(module) for module in modules),
    )


def qe_identity_nodes(data: bytes, view: View) -> tuple[Node, ...]:
    """Return the fields of a quoting enclave's identity.

    Raises:
        MalformedEvidence: As `QeIdentity.parse`.
    """
    identity = QeIdentity.parse(data)
    flags = bits(AttributeFlags)(identity.attributes[:8], {}, view).meaning
    return (
        Node("id", meaning=identity.id),
        Node("version", meaning=str(identity.version)),
        Node("issue_date", meaning=time_text(identity.issued), danger=begins(identity.issued, view)),
        Node("next_update", meaning=time_text(identity.next_update), danger=ends(identity.next_update, view)),
        Node("evaluation_number", meaning=str(identity.evaluation_number)),
        Node("misc_select", raw=identity.misc_select, size=4),
        Node("misc_select_mask", raw=identity.misc_select_mask, size=4),
        Node("attributes", raw=identity.attributes, size=16, meaning=flags),
        Node("attributes_mask", raw=identity.attributes_mask, size=16),
        Node("mr_signer", raw=identity.mr_signer, size=32),
        Node("isv_prod_id", meaning=str(identity.isv_prod_id)),
        _svn_levels("tcb_levels", identity.levels),
    )


def collateral_nodes(data: bytes, view: View) -> tuple[Node, ...]:
    """Return the items of a collateral file, each decoded.

    Raises:
        MalformedEvidence: As `Collateral.parse`; an item that does not parse is shown as far as it goes.
    """
    found = Collateral.parse(data)
    return (
        _document("tcb_info", found.tcb_info, tcb_info_nodes, view),
        _signature("tcb_info_signature", found.tcb_info_signature),
        _chain("tcb_info_chain", found.tcb_info_chain, view),
        _document("qe_identity", found.qe_identity, qe_identity_nodes, view),
        _signature("qe_identity_signature", found.qe_identity_signature),
        _chain("qe_identity_chain", found.qe_identity_chain, view),
        _der("root_crl", found.root_crl, walk_revocation_list(found.root_crl, view)),
        _der("pck_crl", found.pck_crl, walk_revocation_list(found.pck_crl, view)),
        _chain("pck_crl_chain", found.pck_crl_chain, view),
        _chain("pck_chain", found.pck_chain, view),
    )


def snp_endorsements_nodes(data: bytes, view: View) -> tuple[Node, ...]:
    """Return the certificates of an SNP endorsements file, each decoded.

    Raises:
        MalformedEvidence: As `SnpEndorsements.parse`.
    """
    found = SnpEndorsements.parse(data)
    items = (("leaf", found.leaf), ("intermediate", found.intermediate), ("root", found.root))
    nodes = [_der(name, content, walk_certificate(content, view)) for name, content in items]
    if found.crl:
        nodes.append(_der("crl", found.crl, walk_revocation_list(found.crl, view)))
    return tuple(nodes)


def _document(name: str, data: bytes, read: Callable[[bytes, View], tuple[Node, ...]], view: View) -> Node:
    try:
        nodes = read(data, view)
    except MalformedEvidence as error:
        return Node(name, size=len(data), meaning="not readable", danger=(error.message,))
    return Node(name, size=len(data), meaning="JSON, signed byte for byte", decoded=nodes)


def _signature(name: str, data: bytes) -> Node:
    return Node(name, raw=data, size=len(data), meaning=_SIGNATURE)


def _chain(name: str, data: bytes, view: View) -> Node:
    if not data:
        return Node(name, meaning="not in this file")
    nodes = pem_nodes(data, view)
    danger = () if nodes else ("there is no PEM in it",)
    blocks = [node for node in nodes if node.decoded]
    return Node(name, size=len(data), meaning=f"{len(blocks)} certificates, PEM", danger=danger, decoded=nodes)


def _der(name: str, data: bytes, walked: Walked) -> Node:
    danger = () if walked.stopped is None else (f"it is cut short or broken at byte {walked.stopped}",)
    meaning = walked.nodes[0].meaning if walked.nodes else "empty"
    return Node(name, size=len(data), meaning=meaning, danger=danger, decoded=walked.nodes)


def _platform_levels(levels: Iterable[TcbLevel]) -> Node:
    rows = [
        (
            level.status.value,
            time_text(level.date)[:10],
            " ".join(map(str, level.sgx_components)),
            "" if level.tdx_components is None else " ".join(map(str, level.tdx_components)),
            str(level.pce_svn),
            " ".join(level.advisories),
            _STATUSES[level.status],
        )
        for level in levels
    ]
    columns = ("status", "tcb date", "SGX components", "TDX components", "pce_svn", "advisories", "meaning")
    return Node("tcb_levels", meaning=f"{len(rows)} levels, best first", columns=columns, rows=tuple(rows))


def _svn_levels(name: str, levels: Iterable[SvnLevel]) -> Node:
    rows = [
        (
            level.status.value,
            time_text(level.date)[:10],
            str(level.isv_svn),
            " ".join(level.advisories),
            _STATUSES[level.status],
        )
        for level in levels
    ]
    columns = ("status", "tcb date", "isv_svn", "advisories", "meaning")
    return Node(name, meaning=f"{len(rows)} levels, best first", columns=columns, rows=tuple(rows))


def _module(module: TdxModule) -> Node:
    return Node(
        f"tdx_module_{module.id}" if module.id else "tdx_module",
        meaning="what a TDX module has to be",
        children=(
            Node("mr_signer", raw=module.mr_signer, size=48),
            Node("attributes", raw=module.attributes, size=8),
            Node("attributes_mask", raw=module.attributes_mask, size=8),
            _svn_levels("tcb_levels", module.levels),
        ),
    )
