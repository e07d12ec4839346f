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
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from adyton.attest.chains import PCK, Chain
from adyton.attest.endorsements import Endorsements
from adyton.attest.require import X509_ERRORS, load_point, require, verifies
from adyton.attest.result import CollateralFacts, CollateralItem, Tcb
from adyton.attest.tcb import evaluate, module_identity
from adyton.errors import MalformedEvidence, UntrustedEvidence
from adyton.formats.check import Check, Outcome
from adyton.formats.pck import SGX_EXTENSION_OID, PckExtension
from adyton.formats.quote import CertificationType, Quote, Tee
from adyton.formats.sgx import ReportBody
from adyton.formats.tcb import QeIdentity, TcbInfo
from adyton.formats.tdx import TdReport

_SGX_EXTENSION: Final = x509.ObjectIdentifier(SGX_EXTENSION_OID)
_EXPECTED_TCB_INFO: Final = {Tee.SGX: "SGX", Tee.TDX: "TDX"}
_EXPECTED_QE: Final = {Tee.SGX: "QE", Tee.TDX: "TD_QE"}
_COLLECT_AGAIN: Final = "collect the quote again; if it stays so, its platform is not to be trusted"
_OTHER_COLLATERAL: Final = "fetch the collateral that belongs to this quote's TEE and FMSPC"


@dataclass(frozen=True, slots=True)
class VerifiedPlatform:
    """A platform that was verified, and what its quotes rest on.

    Attributes:
        attestation_key: The quoting enclave's key.
        platform: What the PCK certificate says about the machine.
        tcb: State of the trusted computing base.
        collateral: The endorsements, with the PCK chain among them.
        checks: Every check of endorsements and platform, in order; all passed.
    """

    attestation_key: ec.EllipticCurvePublicKey
    platform: PckExtension
    tcb: Tcb
    collateral: CollateralFacts
    checks: tuple[Check, ...]


def verify_platform(quote: Quote, endorsements: Endorsements) -> VerifiedPlatform:
    """Verify the platform under a quote.

    Raises:
        MalformedEvidence: The PCK chain or the PCK extension is not in its format.
        UntrustedEvidence: A rule fails; the code names it.
    """
    # 1
    chain, chain_checks = _pck_chain(quote, endorsements)
    # 2
    revocation_checks = tuple(_not_revoked(chain, endorsements))
    # 3
    platform = _extension(chain.leaf)
    fit_checks = tuple(_fits(quote.tee, platform, endorsements))
    # 4
    key, key_checks = _attestation_key(quote, chain.key)
    # 5
    qe_check = _vendors_qe(quote.qe.report, endorsements.qe_identity)
    # 6
    module_check = _vendors_module(quote.body, endorsements.tcb_info)
    # 7
    tcb = evaluate(quote.body, platform, endorsements.tcb_info, endorsements.qe_identity, quote.qe.report.isv_svn)
    level_check = Check("dcap.tcb.level", Outcome.PASSED, "a TCB level that the platform reaches", tcb.status)
    return VerifiedPlatform(
        key,
        platform,
        tcb,
        _facts(quote.qe.data, chain, endorsements),
        (
            *endorsements.checks,
            *chain_checks,
            *revocation_checks,
            *fit_checks,
            *key_checks,
            qe_check,
            module_check,
            level_check,
        ),
    )


def _pck_chain(quote: Quote, endorsements: Endorsements) -> tuple[Chain, tuple[Check, ...]]:
    carried = require(
        "dcap.certification.unsupported",
        holds=quote.qe.kind is CertificationType.PCK_CHAIN,
        expected="a quote that carries its PCK chain (certification data type 5)",
        actual=f"type {quote.qe.kind.value}",
        remedy="have the platform's quote provider add the chain, as it does when a PCCS is configured",
    )
    chain, checks = endorsements.certificates.verify(quote.qe.data, PCK)
    same_root = require(
        "dcap.pck_chain.root",
        holds=chain.root == endorsements.root,
        expected=f"a chain to {endorsements.root.name}, as the collateral's",
        actual=chain.root.name,
        remedy=_OTHER_COLLATERAL,
    )
    return chain, (carried, *checks, same_root)


def _not_revoked(chain: Chain, endorsements: Endorsements) -> Iterator[Check]:
    yield endorsements.root_crl.require_not_revoked(chain.issuer, "dcap.pck_ca.revoked")
    yield endorsements.pck_crl.require_issuer(chain.issuer)
    yield endorsements.pck_crl.require_not_revoked(chain.leaf, "dcap.pck.revoked")


def _extension(leaf: x509.Certificate) -> PckExtension:
    try:
        extension = leaf.extensions.get_extension_for_oid(_SGX_EXTENSION).value
    except X509_ERRORS as error:
        raise _no_extension() from error
    if not isinstance(extension, x509.UnrecognizedExtension):
        raise _no_extension()
    return PckExtension.parse(extension.value)


def _no_extension() -> MalformedEvidence:
    return MalformedEvidence(
        "pck.extension.missing", "expected Intel's SGX extension in the PCK certificate", remedy=_COLLECT_AGAIN
    )


def _fits(tee: Tee, platform: PckExtension, endorsements: Endorsements) -> Iterator[Check]:
    info, identity = endorsements.tcb_info, endorsements.qe_identity
    for name, expected, actual in (
        ("dcap.tcb_info.tee", _EXPECTED_TCB_INFO[tee], info.id),
        ("dcap.qe_identity.tee", _EXPECTED_QE[tee], identity.id),
        ("dcap.tcb_info.fmspc", platform.fmspc.hex(), info.fmspc.hex()),
        ("dcap.tcb_info.pce_id", platform.pce_id.hex(), info.pce_id.hex()),
    ):
        yield require(name, holds=expected == actual, expected=expected, actual=actual, remedy=_OTHER_COLLATERAL)


def _attestation_key(
    quote: Quote, pck: ec.EllipticCurvePublicKey
) -> tuple[ec.EllipticCurvePublicKey, tuple[Check, Check]]:
    report = quote.qe.report
    signed = verifies(pck, quote.qe.signature, report.to_bytes())
    signature = require(
        "dcap.qe.report_signature",
        holds=signed,
        expected="the quoting enclave's report signed by the PCK",
        actual="a signature that verifies" if signed else "a signature that does not verify",
        remedy=_COLLECT_AGAIN,
    )
    bound = hashlib.sha256(quote.attestation_key + quote.qe.auth_data).digest() + bytes(32)
    binding = require(
        "dcap.qe.report_data",
        holds=report.report_data == bound,
        expected=f"{bound.hex()}, the digest of attestation key and authentication data",
        actual=report.report_data.hex(),
        remedy=_COLLECT_AGAIN,
    )
    key = load_point(quote.attestation_key)
    if key is None:
        raise UntrustedEvidence(
            "dcap.qe.attestation_key", "expected a point of P-256, found another", remedy=_COLLECT_AGAIN
        )
    return key, (signature, binding)


def _vendors_qe(report: ReportBody, identity: QeIdentity) -> Check:
    expected = _masked_identity(
        identity, identity.misc_select, identity.attributes, identity.mr_signer, identity.isv_prod_id
    )
    misc_select = report.misc_select.to_bytes(4, "little")
    actual = _masked_identity(identity, misc_select, report.attributes.to_bytes(), report.mr_signer, report.isv_prod_id)
    return require(
        "dcap.qe.identity",
        holds=expected == actual,
        expected=expected,
        actual=actual,
        remedy="use the vendor's quoting enclave; evidence of another one is not to be trusted",
    )


def _masked_identity(
    identity: QeIdentity, misc_select: bytes, attributes: bytes, mr_signer: bytes, isv_prod_id: int
) -> str:
    misc = _masked(misc_select, identity.misc_select_mask).hex()
    flags = _masked(attributes, identity.attributes_mask).hex()
    return f"misc select {misc}, attributes {flags}, signer {mr_signer.hex()}, product {isv_prod_id}"


def _masked(value: bytes, mask: bytes) -> bytes:
    return bytes(byte & bits for byte, bits in zip(value, mask, strict=True))


def _vendors_module(body: ReportBody | TdReport, tcb_info: TcbInfo) -> Check:
    name = "dcap.tdx.module"
    if isinstance(body, ReportBody):
        return Check(name, Outcome.NOT_APPLICABLE, "a TDX module, for TDX", "SGX has none")
    module = module_identity(tcb_info, body.tee_tcb_svn)
    found = f"signer {body.mr_signer_seam.hex()}, attributes {body.seam_attributes:016x}"
    remedy = "use a TDX module of the vendor's; for a new one, fetch newer collateral"
    if module is None:
        expected = f"a TDX module that TCB info knows (version {body.tee_tcb_svn[1]})"
        return require(name, holds=False, expected=expected, actual=found, remedy=remedy)
    attributes = int.from_bytes(module.attributes, "little")
    return require(
        name,
        holds=body.mr_signer_seam == module.mr_signer and body.seam_attributes == attributes == 0,
        expected=f"signer {module.mr_signer.hex()}, attributes {attributes:016x}",
        actual=found,
        remedy=remedy,
    )


def _facts(pck_pem: bytes, chain: Chain, endorsements: Endorsements) -> CollateralFacts:
    pck = CollateralItem("pck_chain", hashlib.sha256(pck_pem).digest(), chain.issued, chain.expires)
    items = (pck, *endorsements.items)
    named = b"".join(item.name.encode() + b"\x00" + item.digest for item in items)
    return CollateralFacts(
        items=items,
        digest=hashlib.sha256(named).digest(),
        tcb_info_version=endorsements.tcb_info.version,
        root_crl_number=endorsements.root_crl.number,
        pck_crl_number=endorsements.pck_crl.number,
        earliest_issue=min(item.issued for item in items),
        latest_issue=max(item.issued for item in items),
        earliest_expiry=min(item.expires for item in items),
    )
