"""The platform under a quote: its PCK certificate, its quoting enclave, and what both are worth.

1. The quote carries its PCK chain, and the chain ends at the root that signed the endorsements.
2. Neither the PCK CA nor the PCK certificate is revoked, by lists of their own issuers.
3. TCB info and QE identity are for this TEE, this family and this provisioning enclave.
4. The quoting enclave's report is signed by the PCK, and binds the attestation key.
5. The quoting enclave is the vendor's: misc select, attributes, signer, product.
6. TDX: the module is the vendor's.
7. The TCB level is found.

All of it is the same for every quote of one quoting enclave under the same endorsements, so it can be remembered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from adyton.attest.chains import PCK, Certificates, Chain
from adyton.attest.endorsements import Endorsements
from adyton.attest.require import require
from adyton.attest.result import CollateralFacts, CollateralItem, PlatformState, VerifiedPlatform
from adyton.attest.signatures import LoadedKey, PublicKey, Signatures, raw_signature
from adyton.attest.tcb import evaluate, module_identity
from adyton.errors import MalformedEvidence, UntrustedEvidence
from adyton.formats.check import Check, Outcome
from adyton.formats.pck import SGX_EXTENSION, PckExtension
from adyton.formats.quote import CertificationType, PlatformCertification, Quote, Tee, span_of
from adyton.formats.sgx import REPORT_BODY_SIZE, REPORT_BODY_SPANS, REPORT_DATA_SIZE, ReportBody
from adyton.formats.tcb import QeIdentity, TcbInfo
from adyton.formats.tdx import TD_REPORT_SPANS
from adyton.formats.x509 import Certificate

LEVELS_CAP: Final = 4096  # platforms and quoting enclaves whose level is remembered
_EXPECTED_TCB_INFO: Final = {Tee.SGX: "SGX", Tee.TDX: "TDX"}
_EXPECTED_QE: Final = {Tee.SGX: "QE", Tee.TDX: "TD_QE"}
_REPORT_DATA_OFFSET: Final = REPORT_BODY_SPANS["report_data"][0]
_COLLECT_AGAIN: Final = "collect the quote again; if it stays so, its platform is not to be trusted"
_OTHER_COLLATERAL: Final = "fetch the collateral that belongs to this quote's TEE and FMSPC"


@dataclass(frozen=True, eq=False)
class VerifiedPck:
    """A platform's certified key, verified: the same for every quoting enclave of the platform at one TCB.

    Attributes:
        chain: The PCK certificate and its issuers.
        platform: What the certificate says about the machine.
        collateral: The endorsements, with the PCK chain among them.
        endorsements: The verified endorsements.
        signatures: What was verified on the way.
        checks: Every check of endorsements and chain, in order; all passed.
    """

    chain: Chain
    platform: PckExtension
    collateral: CollateralFacts
    endorsements: Endorsements
    signatures: Signatures
    checks: tuple[Check, ...]


def verify_pck(quote: Quote, pck_chain: bytes, endorsements: Endorsements, certificates: Certificates) -> VerifiedPck:
    """Verify the platform's certified key under a quote: rules 1 to 3.

    Args:
        quote: The quote.
        pck_chain: The PCK chain from a PCCS, PEM, for a quote that carries none; else empty.
        endorsements: The verified endorsements.
        certificates: Where chains and signatures are verified.

    Raises:
        MalformedEvidence: The PCK chain or the PCK extension is not in its format.
        UntrustedEvidence: A rule fails; the code names it.
    """
    # 1
    pem = quote.qe.data if quote.qe.kind is CertificationType.PCK_CHAIN else pck_chain
    chain, chain_checks = _pck_chain(quote, pem, endorsements, certificates)
    # 2
    revocation_checks = tuple(_not_revoked(chain, endorsements, certificates.signatures))
    # 3
    platform = _extension(chain.leaf)
    certificates.signatures.prepare(chain.keys[0])
    return VerifiedPck(
        chain,
        platform,
        _facts(pem, chain, endorsements),
        endorsements,
        certificates.signatures,
        (*endorsements.checks, *chain_checks, *revocation_checks, *_fits(quote.tee, platform, endorsements)),
    )


def verify_platform(quote: Quote, pck: VerifiedPck) -> VerifiedPlatform:
    """Verify the quoting enclave under a quote, and find what the platform is worth: rules 3 to 7.

    Args:
        quote: The quote.
        pck: The platform's certified key.

    Raises:
        MalformedEvidence: The certification data is not in its format.
        UntrustedEvidence: A rule fails; the code names it.
    """
    endorsements, report = pck.endorsements, quote.qe.report
    # 3
    same_check = _same_platform(quote, pck.platform)
    # 4
    key, key_checks = _attestation_key(quote, pck.chain.keys[0], pck.signatures.beside())
    # 5
    qe_check = _vendors_qe(quote, endorsements.qe_identity)
    # 6
    module_check = _vendors_module(quote, endorsements.tcb_info)
    # 7
    svns = None if isinstance(quote.body, ReportBody) else (quote.body.tee_tcb_svn, quote.body.tee_tcb_svn2)
    state, level_check = _level(pck, svns, report.isv_svn)
    return VerifiedPlatform(key, state, (*pck.checks, same_check, *key_checks, qe_check, module_check, level_check))


@lru_cache(maxsize=LEVELS_CAP)
def _level(pck: VerifiedPck, svns: tuple[bytes, bytes | None] | None, qe_svn: int) -> tuple[PlatformState, Check]:
    tcb = evaluate(svns, pck.platform, pck.endorsements.tcb_info, pck.endorsements.qe_identity, qe_svn)
    where = "TCB info and QE identity, tcbLevels"
    return PlatformState(pck.endorsements.root, pck.platform, tcb, pck.collateral), Check(
        "dcap.tcb.level", Outcome.PASSED, "a TCB level that the platform reaches", tcb.status, where=where
    )


def _pck_chain(
    quote: Quote, pem: bytes, endorsements: Endorsements, certificates: Certificates
) -> tuple[Chain, tuple[Check, ...]]:
    carried = require(
        "dcap.certification.unsupported",
        holds=bool(pem) and quote.qe.kind is not CertificationType.PCK_LEAF,
        expected="a quote that carries its PCK chain (certification data type 5), or the chain beside the collateral",
        actual=f"certification data type {quote.qe.kind.value}, and {'a' if pem else 'no'} chain",
        remedy="have the platform's quote provider add the chain, or fetch it from a PCCS with the collateral",
        where="quote, certification data",
    )
    chain, checks = certificates.verify_pem(pem, PCK)
    same_root = require(
        "dcap.pck_chain.root",
        holds=chain.root == endorsements.root,
        expected=f"a chain to {endorsements.root.name}, as the collateral's",
        actual=chain.root.name,
        remedy=_OTHER_COLLATERAL,
        where=PCK.where,
    )
    return chain, (carried, *checks, same_root)


def _not_revoked(chain: Chain, endorsements: Endorsements, signatures: Signatures) -> Iterator[Check]:
    yield endorsements.root_crl.require_not_revoked(chain.issuer, "dcap.pck_ca.revoked")
    yield endorsements.pck_crl.require_issuer(chain.issuer, chain.keys[1], signatures)
    yield endorsements.pck_crl.require_not_revoked(chain.leaf, "dcap.pck.revoked")


def _extension(leaf: Certificate) -> PckExtension:
    extension = leaf.extensions.get(SGX_EXTENSION)
    if extension is None:
        raise _no_extension()
    return PckExtension.parse(extension)


def _no_extension() -> MalformedEvidence:
    return MalformedEvidence(
        "pck.extension.missing", "expected Intel's SGX extension in the PCK certificate", remedy=_COLLECT_AGAIN
    )


def _fits(tee: Tee, platform: PckExtension, endorsements: Endorsements) -> Iterator[Check]:
    info, identity = endorsements.tcb_info, endorsements.qe_identity
    for name, where, expected, actual in (
        ("dcap.tcb_info.tee", "TCB info, id", _EXPECTED_TCB_INFO[tee], info.id),
        ("dcap.qe_identity.tee", "QE identity, id", _EXPECTED_QE[tee], identity.id),
        ("dcap.tcb_info.fmspc", "TCB info, fmspc", platform.fmspc.hex(), info.fmspc.hex()),
        ("dcap.tcb_info.pce_id", "TCB info, pceId", platform.pce_id.hex(), info.pce_id.hex()),
    ):
        holds = expected == actual
        yield require(name, holds=holds, expected=expected, actual=actual, remedy=_OTHER_COLLATERAL, where=where)


def _same_platform(quote: Quote, platform: PckExtension) -> Check:
    """A PCK chain from elsewhere is of the provisioning enclave that the quote names (types 1 to 3)."""
    name = "dcap.certification.pce_id"
    if quote.qe.kind is CertificationType.PCK_CHAIN:
        return Check(name, Outcome.NOT_APPLICABLE, "a platform that is named beside its chain", "the quote carries it")
    named = PlatformCertification.parse(quote.qe.kind, quote.qe.data)
    return require(
        name,
        holds=named.pce_id == platform.pce_id,
        expected=platform.pce_id.hex(),
        actual=named.pce_id.hex(),
        remedy="fetch the PCK chain of the platform that made this quote",
        where="quote, certification data",
    )


def _attestation_key(quote: Quote, pck: PublicKey, signatures: Signatures) -> tuple[LoadedKey, tuple[Check, Check]]:
    report = quote.qe.report
    signed = signatures.verifies(pck, raw_signature(quote.qe.signature), report.to_bytes())
    signature = require(
        "dcap.qe.report_signature",
        holds=signed,
        expected="the quoting enclave's report signed by the PCK",
        actual="a signature that verifies" if signed else "a signature that does not verify",
        remedy=_COLLECT_AGAIN,
        where=span_of("quote", quote.qe_offset, REPORT_BODY_SIZE),
    )
    bound = hashlib.sha256(quote.attestation_key + quote.qe.auth_data).digest() + bytes(32)
    binding = require(
        "dcap.qe.report_data",
        holds=report.report_data == bound,
        expected=f"{bound.hex()}, the digest of attestation key and authentication data",
        actual=report.report_data.hex(),
        remedy=_COLLECT_AGAIN,
        where=span_of("quote", quote.qe_offset + _REPORT_DATA_OFFSET, REPORT_DATA_SIZE),
    )
    key = PublicKey.p256(quote.attestation_key).load()
    if key is None:
        raise UntrustedEvidence(
            "dcap.qe.attestation_key", "expected a point of P-256, found another", remedy=_COLLECT_AGAIN
        )
    return key, (signature, binding)


def _vendors_qe(quote: Quote, identity: QeIdentity) -> Check:
    """What the report says under the masks is what the identity says, as Intel's verifier compares them."""
    report = quote.qe.report
    misc_select = _masked(report.misc_select.to_bytes(4, "little"), identity.misc_select_mask)
    attributes = _masked(report.attributes.to_bytes(), identity.attributes_mask)
    expected = (identity.misc_select, identity.attributes, identity.mr_signer, identity.isv_prod_id)
    actual = (misc_select, attributes, report.mr_signer, report.isv_prod_id)
    return require(
        "dcap.qe.identity",
        holds=expected == actual,
        expected=_identity_text(*expected),
        actual=_identity_text(*actual),
        remedy="use the vendor's quoting enclave; evidence of another one is not to be trusted",
        where=span_of("quote", quote.qe_offset, REPORT_BODY_SIZE),
    )


def _identity_text(misc_select: bytes, attributes: bytes, mr_signer: bytes, isv_prod_id: int) -> str:
    flags = f"misc select {misc_select.hex()}, attributes {attributes.hex()}"
    return f"{flags}, signer {mr_signer.hex()}, product {isv_prod_id}"


def _masked(value: bytes, mask: bytes) -> bytes:
    return bytes(byte & bits for byte, bits in zip(value, mask, strict=True))


def _vendors_module(quote: Quote, tcb_info: TcbInfo) -> Check:
    name, body = "dcap.tdx.module", quote.body
    if isinstance(body, ReportBody):
        return Check(name, Outcome.NOT_APPLICABLE, "a TDX module, for TDX", "SGX has none")
    module = module_identity(tcb_info, body.tee_tcb_svn)
    found = f"signer {body.mr_signer_seam.hex()}, attributes {body.seam_attributes:016x}"
    remedy = "use a TDX module of the vendor's; for a new one, fetch newer collateral"
    begin, _ = TD_REPORT_SPANS["mr_signer_seam"]
    where = span_of("quote", quote.body_offset + begin, 48 + 8)
    if module is None:
        expected = f"a TDX module that TCB info knows (version {body.tee_tcb_svn[1]})"
        return require(name, holds=False, expected=expected, actual=found, remedy=remedy, where=where)
    attributes = int.from_bytes(module.attributes, "little")
    return require(
        name,
        holds=body.mr_signer_seam == module.mr_signer and body.seam_attributes == attributes == 0,
        expected=f"signer {module.mr_signer.hex()}, attributes {attributes:016x}",
        actual=found,
        remedy=remedy,
        where=where,
    )


def _facts(pck_pem: bytes, chain: Chain, endorsements: Endorsements) -> CollateralFacts:
    pck = CollateralItem("pck_chain", pck_pem, chain.issued, chain.expires)
    numbers = (("root_crl", endorsements.root_crl.number), ("pck_crl", endorsements.pck_crl.number))
    return CollateralFacts.of(
        (pck, *endorsements.items), crl_numbers=numbers, tcb_info_version=endorsements.tcb_info.version
    )
