"""Endorsements that hold for every quote of a platform family: verified once, whoever asks.

1. TCB info: signed by a chain to a trusted root, byte for byte.
2. QE identity: the same, by the same root.
3. The root's revocation list: issued by that root.
4. No signer is on it.
5. The PCK CA's revocation list parses; if its issuer's chain was sent, that chain holds and signed the list.

Whether the PCK CA's list is that of a quote's own CA is asked when there is a quote (`adyton.attest.platform`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from adyton.attest.chains import PCK_CRL, QE_IDENTITY, TCB_INFO, Certificates, Chain, ChainKind
from adyton.attest.require import require
from adyton.attest.result import CollateralItem
from adyton.attest.revocation import Revocations
from adyton.attest.roots import TrustRoot
from adyton.attest.signatures import raw_signature
from adyton.formats.check import Check, Outcome
from adyton.formats.collateral import Collateral
from adyton.formats.tcb import QeIdentity, TcbInfo

_REMEDY: Final = "fetch the collateral again, and keep the signed documents byte for byte"


@dataclass(frozen=True, slots=True)
class Endorsements:
    """Verified endorsements.

    Attributes:
        tcb_info: Levels of the platform family.
        qe_identity: Identity and levels of the quoting enclave.
        root_crl: The root's revocation list.
        pck_crl: A PCK CA's revocation list, whose issuer has still to be compared with the quote's.
        root: The root that signed all of it.
        items: Each document, with its digest and its dates.
        certificates: What was parsed and verified on the way.
        checks: Every check, in order; all passed.
    """

    tcb_info: TcbInfo
    qe_identity: QeIdentity
    root_crl: Revocations
    pck_crl: Revocations
    root: TrustRoot
    items: tuple[CollateralItem, ...]
    certificates: Certificates
    checks: tuple[Check, ...]


def verify_endorsements(collateral: Collateral, certificates: Certificates) -> Endorsements:
    """Verify endorsements.

    Args:
        collateral: The endorsements as received.
        certificates: Where chains and signatures are verified, and which roots are trusted.

    Raises:
        MalformedEvidence: A document, a list or a chain is not in its format.
        UntrustedEvidence: A chain, a signature or a revocation fails; the code names it.
    """
    # 1
    tcb_chain, tcb_checks = _signed(
        certificates, TCB_INFO, collateral.tcb_info_chain, collateral.tcb_info, collateral.tcb_info_signature
    )
    tcb_info = TcbInfo.parse(collateral.tcb_info)
    # 2
    qe_chain, qe_checks = _signed(
        certificates,
        QE_IDENTITY,
        collateral.qe_identity_chain,
        collateral.qe_identity,
        collateral.qe_identity_signature,
    )
    qe_identity = QeIdentity.parse(collateral.qe_identity)
    same_root = _same_root(tcb_chain, qe_chain)
    # 3
    root_crl = Revocations.parse(collateral.root_crl, "dcap.root_crl")
    root_checks = (root_crl.require_issuer(tcb_chain.certificates[-1], tcb_chain.keys[-1], certificates.signatures),)
    # 4
    revocations = tuple(
        root_crl.require_not_revoked(chain.leaf, f"{kind.code}.revoked")
        for chain, kind in ((tcb_chain, TCB_INFO), (qe_chain, QE_IDENTITY))
    )
    # 5
    pck_crl = Revocations.parse(collateral.pck_crl, "dcap.pck_crl")
    pck_checks = tuple(_pck_crl_chain(certificates, collateral.pck_crl_chain, pck_crl, root_crl))
    return Endorsements(
        tcb_info=tcb_info,
        qe_identity=qe_identity,
        root_crl=root_crl,
        pck_crl=pck_crl,
        root=tcb_chain.root,
        items=tuple(_items(collateral, tcb_info, qe_identity, root_crl, pck_crl, tcb_chain, qe_chain)),
        certificates=certificates,
        checks=(*tcb_checks, *qe_checks, same_root, *root_checks, *revocations, *pck_checks),
    )


def _signed(
    certificates: Certificates, kind: ChainKind, pem: bytes, document: bytes, signature: bytes
) -> tuple[Chain, tuple[Check, ...]]:
    chain, checks = certificates.verify_pem(pem, kind)
    name = kind.code.removesuffix("_chain")
    holds = certificates.signatures.verifies(chain.keys[0], raw_signature(signature), document)
    signed = require(
        f"{name}.signature",
        holds=holds,
        expected="the vendor's signature over the document's exact bytes",
        actual="a signature that verifies" if holds else "a signature that does not verify",
        remedy=_REMEDY,
        where=f"collateral, {name.removeprefix('dcap.')}",
    )
    return chain, (*checks, signed)


def _same_root(one: Chain, other: Chain) -> Check:
    return require(
        "dcap.collateral.root",
        holds=one.root == other.root,
        expected=f"all documents under {one.root.name}",
        actual=other.root.name,
        remedy="do not mix collateral of two vendors",
        where="collateral",
    )


def _pck_crl_chain(
    certificates: Certificates, pem: bytes, pck_crl: Revocations, root_crl: Revocations
) -> Iterator[Check]:
    if not pem:
        yield Check(PCK_CRL.code, Outcome.NOT_APPLICABLE, "the list's chain, if it was sent", "it was not sent")
        return
    chain, checks = certificates.verify_pem(pem, PCK_CRL)
    yield from checks
    yield root_crl.require_not_revoked(chain.leaf, f"{PCK_CRL.code}.revoked")
    yield pck_crl.require_issuer(chain.leaf, chain.keys[0], certificates.signatures)


def _items(
    collateral: Collateral,
    tcb_info: TcbInfo,
    qe_identity: QeIdentity,
    root_crl: Revocations,
    pck_crl: Revocations,
    tcb_chain: Chain,
    qe_chain: Chain,
) -> Iterator[CollateralItem]:
    for name, content, issued, expires in (
        ("tcb_info", collateral.tcb_info, tcb_info.issued, tcb_info.next_update),
        ("tcb_info_chain", collateral.tcb_info_chain, tcb_chain.issued, tcb_chain.expires),
        ("qe_identity", collateral.qe_identity, qe_identity.issued, qe_identity.next_update),
        ("qe_identity_chain", collateral.qe_identity_chain, qe_chain.issued, qe_chain.expires),
        ("root_crl", collateral.root_crl, root_crl.issued, root_crl.expires),
        ("pck_crl", collateral.pck_crl, pck_crl.issued, pck_crl.expires),
    ):
        yield CollateralItem(name, content, issued, expires)
