"""Announcing the signatures of an appraisal before the rules ask for them, so that several are verified at once.

Nothing is decided here. What does not parse is left to the rules, which then say so.
"""

from __future__ import annotations

import contextlib

from adyton.attest.chains import PCK, PCK_CRL, QE_IDENTITY, TCB_INFO, Certificates
from adyton.attest.signatures import raw_signature
from adyton.errors import MalformedEvidence
from adyton.formats.collateral import Collateral
from adyton.formats.quote import CertificationType, Quote
from adyton.formats.x509 import RevocationList


def announce(quote: Quote, collateral: Collateral, certificates: Certificates) -> None:
    """Announce the signatures of a quote and its endorsements, if anybody works ahead."""
    signatures = certificates.signatures
    if not signatures.works_ahead:
        return
    with contextlib.suppress(MalformedEvidence):
        tcb_signer = certificates.leaf_key(collateral.tcb_info_chain, TCB_INFO)
        qe_signer = certificates.leaf_key(collateral.qe_identity_chain, QE_IDENTITY)
        certificates.expect(collateral.tcb_info_chain, TCB_INFO)
        signatures.expect(tcb_signer, raw_signature(collateral.tcb_info_signature), collateral.tcb_info)
        signatures.expect(qe_signer, raw_signature(collateral.qe_identity_signature), collateral.qe_identity)
        signatures.begin()
        if quote.qe.kind is CertificationType.PCK_CHAIN:
            certificates.expect(quote.qe.data, PCK)
            pck = certificates.leaf_key(quote.qe.data, PCK)
            signatures.expect(pck, raw_signature(quote.qe.signature), quote.qe.report.to_bytes())
        if collateral.pck_crl_chain:
            ca = certificates.leaf_key(collateral.pck_crl_chain, PCK_CRL)
            crl = RevocationList.parse(collateral.pck_crl)
            signatures.expect(ca, crl.signed.signature, crl.signed.content)
        signatures.begin()
