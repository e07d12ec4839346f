"""The endorsements for a piece of evidence: which ones it needs, asked for one by one.

A quote names its family in its PCK certificate; a quote without one names its machine, whose certificate a PCCS has. A
report names its chip and the firmware versions that its key stands for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adyton.endorsements import request as ask
from adyton.endorsements.answers import signed_document
from adyton.endorsements.item import Source
from adyton.endorsements.request import PLATFORM, PROCESSOR, STANDARD, ItemRequest, PckPlatform
from adyton.errors import NotFound, UntrustedEvidence, UsageError
from adyton.formats.collateral import Collateral
from adyton.formats.pck import SGX_EXTENSION, PckExtension
from adyton.formats.quote import CertificationType, PlatformCertification, Quote, Tee
from adyton.formats.snp import SigningKey, SnpEndorsements, SnpReport, TcbVersion
from adyton.formats.x509 import Certificate, pem_blocks

_TURIN: Final = "Turin"
_TURIN_CHIP_ID_SIZE: Final = 8
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Edition:
    """Which edition of Intel's documents is wanted.

    Attributes:
        version: Of the API: 3 or 4; TDX has 4 only.
        update: `early` or `standard`.
        number: `tcbEvaluationDataNumber`, instead of `update`.
    """

    version: int = 4
    update: str = STANDARD
    number: int | None = None


def fetch_collateral(quote: Quote, source: Source, edition: Edition | None = None) -> Collateral:
    """Return the endorsements for a quote.

    Args:
        quote: The quote; nothing about it is believed or verified.
        source: Where items come from.
        edition: Which edition; None for API version 4, standard.

    Raises:
        AdytonError: Those of the source.
        MalformedEvidence: The quote's certificates are not in their format.
        UntrustedEvidence: `dcap.certification.unsupported` if the quote names neither its chain nor its machine.
    """
    edition = edition or Edition()
    chain, carried = _pck_chain(quote, source, edition)
    fmspc, ca = _family(chain)
    info, identity = (source.get(request) for request in _documents(quote.tee, fmspc, edition))
    pck_crl = source.get(ask.pck_crl(ca, version=edition.version))
    root_crl = source.get(ask.root_crl(version=edition.version))
    signed_info, signed_identity = (signed_document(e.item.body, e.item.request.kind) for e in (info, identity))
    return Collateral(
        tcb_info=signed_info.content,
        tcb_info_signature=signed_info.signature,
        tcb_info_chain=info.item.chain,
        qe_identity=signed_identity.content,
        qe_identity_signature=signed_identity.signature,
        qe_identity_chain=identity.item.chain,
        root_crl=root_crl.item.body,
        pck_crl=pck_crl.item.body,
        pck_crl_chain=pck_crl.item.chain,
        pck_chain=b"" if carried else chain,
    )


def fetch_snp(
    report: SnpReport, source: Source, *, product: str | None = None, vlek: bytes | None = None
) -> SnpEndorsements:
    """Return the endorsements for a report.

    Args:
        report: The report; nothing about it is believed or verified.
        source: Where items come from.
        product: `Milan`, `Genoa` or `Turin`, for a report of version 2, which does not name it.
        vlek: The VLEK certificate, DER, for a report that is signed by one: its cloud provider has it, the KDS has not.

    Raises:
        AdytonError: Those of the source.
        UsageError: `collateral.product` if the product is not known.
        NotFound: `collateral.vlek` if a VLEK certificate is needed and was not given.
        UntrustedEvidence: `snp.report.signing_key`, `snp.chip_id` if the report names no key or no chip.
    """
    product = product_of(report, product)
    if report.signing_key is SigningKey.VLEK:
        leaf, key = _given(vlek), "vlek"
    else:
        leaf, key = source.get(_vcek(report, product)).item.body, "vcek"
    intermediate, root = pem_blocks(source.get(ask.snp_chain(product, endorsement_key=key)).item.body)
    crl = source.get(ask.snp_crl(product, endorsement_key=key)).item.body
    return SnpEndorsements(leaf, intermediate, root, crl)


def product_of(report: SnpReport, named: str | None) -> str:
    """Return the product that a report is of.

    Raises:
        UsageError: `collateral.product`.
    """
    family, model, _ = report.cpuid
    found = report.product(before=named or _UNKNOWN)
    if found == _UNKNOWN or named not in (None, found):
        raise UsageError(
            "collateral.product",
            f"expected a report of {named or 'a known product'}, found version {report.version}, "
            f"processor {family:#x}/{model:#x}",
            remedy="name the product of a version 2 report: Milan, Genoa or Turin",
        )
    return found


def _pck_chain(quote: Quote, source: Source, edition: Edition) -> tuple[bytes, bool]:
    """Return the PCK chain, PEM, and whether the quote carries it."""
    kind = quote.qe.kind
    if kind is CertificationType.PCK_CHAIN:
        return quote.qe.data, True
    if kind is CertificationType.PCK_LEAF:
        raise UntrustedEvidence(
            "dcap.certification.unsupported",
            "expected a quote with its PCK chain (type 5) or its machine's PPID (types 1 to 3), found type 4",
            remedy="have the platform's quote provider add the chain",
        )
    found = PlatformCertification.parse(kind, quote.qe.data)
    # The vendor decrypts what was encrypted for RSA-3072; a PCCS that knows the machine needs its identifier only.
    ppid = found.ppid if kind is CertificationType.PPID_RSA3072_OAEP else b""
    machine = PckPlatform(quote.header.user_data[:16], found.cpu_svn, found.pce_svn, found.pce_id, ppid)
    item = source.get(ask.pck_certificate(machine, version=edition.version)).item
    return item.body + item.chain, False


def _family(chain: bytes) -> tuple[bytes, str]:
    """Return the FMSPC and which CA certified the machine."""
    certificates = [Certificate.parse(der) for der in pem_blocks(chain)[:2]]
    if len(certificates) < 2:
        raise UntrustedEvidence(
            "dcap.certification.unsupported",
            f"expected a chain of three certificates, found {len(certificates)}",
            remedy="have the platform's quote provider add the whole chain",
        )
    machine = PckExtension.parse(certificates[0].extensions.get(SGX_EXTENSION, b""))
    return machine.fmspc, PROCESSOR if PROCESSOR in certificates[1].common_name.lower() else PLATFORM


def _documents(tee: Tee, fmspc: bytes, edition: Edition) -> tuple[ItemRequest, ItemRequest]:
    version, update, number = edition.version, edition.update, edition.number
    return (
        ask.tcb_info(tee, fmspc, version=version, update=update, number=number),
        ask.qe_identity(tee, version=version, update=update, number=number),
    )


def _vcek(report: SnpReport, product: str) -> ItemRequest:
    if report.signing_key is not SigningKey.VCEK or not any(report.chip_id):
        raise UntrustedEvidence(
            "snp.chip_id",
            "expected a report that is signed by a VCEK and names its chip, found none or a masked chip",
            remedy="have the platform's operator unmask the chip's id and key, or use its VLEK",
        )
    turin = product == _TURIN
    chip_id = report.chip_id[:_TURIN_CHIP_ID_SIZE] if turin else report.chip_id
    return ask.vcek(product, chip_id, TcbVersion.parse(report.reported_tcb, turin=turin))


def _given(vlek: bytes | None) -> bytes:
    if vlek is None:
        raise NotFound(
            "collateral.vlek",
            "expected a VLEK certificate for a report that is signed by one; AMD's KDS does not have it",
            remedy="take it from the cloud provider, beside the report, and pass it",
        )
    return vlek
