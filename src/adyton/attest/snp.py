"""From an SNP report to an authentic report (AMD 56860, 57230).

1. The chain VCEK, ASK, ARK (or VLEK, ASVK, ARK) holds and ends at a trusted root.
2. The revocation list, if there is one, is the ARK's, and the intermediate is not on it.
3. The key is the one that the report names, for this product and this chip.
4. The key stands for exactly the firmware versions that the report reports.
5. The key signed the report.

What is not judged here, and is recorded: dates, a missing revocation list, debug mode, the privilege level, whose code
runs. The caller still owes an appraisal under a policy (`adyton.policy.appraise`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from adyton.attest.cache import VerificationCache
from adyton.attest.chains import VCEK, VLEK, Certificates, Chain
from adyton.attest.require import require
from adyton.attest.result import (
    REPORT_SIGNED,
    AuthenticReport,
    CollateralFacts,
    CollateralItem,
    SnpPlatform,
    VerifiedChip,
)
from adyton.attest.revocation import Revocations
from adyton.attest.roots import TrustRoots
from adyton.attest.signatures import Signatures, raw_signature
from adyton.errors import MalformedEvidence, UntrustedEvidence, UsageError
from adyton.formats.check import Check, Outcome
from adyton.formats.snp import SigningKey, SnpEndorsements, SnpReport, TcbVersion
from adyton.formats.vcek import ChipExtensions, authority_name

_KINDS: Final = {SigningKey.VCEK: VCEK, SigningKey.VLEK: VLEK}
_ITEMS: Final = {SigningKey.VCEK: ("vcek", "ask", "ark"), SigningKey.VLEK: ("vlek", "asvk", "ark")}
_TURIN: Final = "Turin"
_REMEDY: Final = "fetch the certificate of this report's chip and reported TCB from AMD's KDS"


def authenticate_report(
    report: SnpReport,
    endorsements: SnpEndorsements,
    *,
    roots: TrustRoots,
    now: datetime,
    cache: VerificationCache | None = None,
) -> AuthenticReport:
    """Authenticate a report.

    Args:
        report: Evidence as it was received (`SnpReport.parse`).
        endorsements: The certificates to check it with (`SnpEndorsements.parse`).
        roots: The roots of trust that it may chain to.
        now: The time that it is authenticated for, with a time zone; recorded, and judged by policy.
        cache: What was verified before; it changes the speed and never the result.

    Returns:
        The report, with everything that is now known to be true about it.

    Raises:
        MalformedEvidence: Certificates or the list are not in their format.
        UntrustedEvidence: The report is not authentic; the code names the check that failed.
        UsageError: `authenticate.now` if `now` has no time zone.
    """
    if now.tzinfo is None:
        raise UsageError("authenticate.now", "expected a time with a time zone", remedy="pass an aware datetime")
    # 1 to 4
    if cache is None:
        chip = _verify_chip(report, endorsements, roots)
    else:
        named = (report.version, report.flags, report.cpuid, report.chip_id, report.reported_tcb)
        chip = cache.chips.get((endorsements, roots, named), lambda: _verify_chip(report, endorsements, roots))
    # 5
    if not chip.key.verifies(raw_signature(report.signature), report.signed_bytes()):
        raise UntrustedEvidence(
            REPORT_SIGNED.id,
            f"expected {REPORT_SIGNED.expected}, found a signature that does not verify ({REPORT_SIGNED.where})",
            remedy="the report was changed, or the certificate is another chip's: collect both again",
        )
    return AuthenticReport(report, chip, now)


def _verify_chip(report: SnpReport, endorsements: SnpEndorsements, roots: TrustRoots) -> VerifiedChip:
    """Verify everything but the report's own signature: the same for every report of a chip at one TCB."""
    kind = _KINDS.get(report.signing_key)
    if kind is None:
        raise UntrustedEvidence(
            "snp.report.signing_key",
            "expected a report signed by a VCEK or VLEK, found one that is not signed",
            remedy="have the platform's operator unmask the chip key",
        )
    # 1
    signatures = Signatures()
    ders = (endorsements.leaf, endorsements.intermediate, endorsements.root)
    chain, chain_checks = Certificates(roots, signatures).verify(ders, kind)
    # 2
    crl = Revocations.parse(endorsements.crl, "snp.crl") if endorsements.crl else None
    crl_checks = tuple(_not_revoked(chain, crl, signatures))
    # 3 and 4
    chip = ChipExtensions.parse(chain.leaf.extensions)
    product = chain.certificates[-1].common_name.rpartition("-")[2]
    platform = SnpPlatform(
        product=product,
        signing_key=report.signing_key,
        reported_tcb=TcbVersion.parse(report.reported_tcb, turin=product == _TURIN),
        chip_id=chip.hardware_id,
        csp_id=chip.csp_id,
    )
    issuer = chain.certificates[1].common_name
    chip_checks = (_product(report, chip, product, issuer), _chip_id(report, chip), _reported_tcb(platform, chip))
    key = chain.keys[0].load()
    if key is None:
        raise MalformedEvidence(f"{kind.code}.format", "expected a point of P-384, found another", remedy=_REMEDY)
    return VerifiedChip(
        key, chain.root, platform, _facts(chain, crl, endorsements, report), (*chain_checks, *crl_checks, *chip_checks)
    )


def _not_revoked(chain: Chain, crl: Revocations | None, signatures: Signatures) -> Iterator[Check]:
    if crl is None:
        yield Check("snp.crl.issuer", Outcome.NOT_APPLICABLE, "the ARK's revocation list", "none was given")
        return
    yield crl.require_issuer(chain.certificates[-1], chain.keys[-1], signatures)
    yield crl.require_not_revoked(chain.issuer, "snp.ask.revoked")


def _product(report: SnpReport, chip: ChipExtensions, root_product: str, issued_by: str) -> Check:
    """Root, issuer, certificate and, since version 3, the processor itself are of one product."""
    family, model, _ = report.cpuid
    processor = report.product(before=root_product)
    issuer = authority_name(root_product, vlek=report.signing_key is SigningKey.VLEK)
    return require(
        "snp.product",
        holds=root_product == chip.root_product == processor and issued_by == issuer,
        expected=f"a chain, a certificate and a processor of one product ({root_product}), issued by {issuer}",
        actual=f"certificate of {chip.product_name} by {issued_by}, processor {family:#x}/{model:#x} ({processor})",
        remedy=_REMEDY,
        where="report bytes 392 to 394",
    )


def _chip_id(report: SnpReport, chip: ChipExtensions) -> Check:
    """The key is the chip's own (VCEK); a VLEK is a cloud provider's and names no chip."""
    name, where = "snp.chip_id", "report bytes 416 to 479"
    if report.signing_key is SigningKey.VLEK:
        return Check(name, Outcome.NOT_APPLICABLE, "a VLEK, which names no chip", report.chip_id.hex(), where=where)
    certified = (chip.hardware_id or b"").ljust(len(report.chip_id), b"\x00")
    return require(
        name,
        holds=bool(chip.hardware_id) and report.chip_id == certified,
        expected=f"the chip that the VCEK is for: {certified.hex()}",
        actual=report.chip_id.hex() if any(report.chip_id) else "a masked chip id",
        remedy=_REMEDY,
        where=where,
    )


def _reported_tcb(platform: SnpPlatform, chip: ChipExtensions) -> Check:
    return require(
        "snp.reported_tcb",
        holds=platform.reported_tcb == chip.tcb,
        expected=_versions(chip.tcb),
        actual=_versions(platform.reported_tcb),
        remedy=_REMEDY,
        where="report bytes 384 to 391",
    )


def _versions(tcb: TcbVersion) -> str:
    return ", ".join(f"{name} {value}" for name, value in tcb.named())


def _facts(chain: Chain, crl: Revocations | None, endorsements: SnpEndorsements, report: SnpReport) -> CollateralFacts:
    names = _ITEMS[report.signing_key]
    items = [
        CollateralItem(name, item.der, item.not_before, item.not_after)
        for name, item in zip(names, chain.certificates, strict=True)
    ]
    if crl is not None:
        items.append(CollateralItem("crl", endorsements.crl, crl.issued, crl.expires))
    return CollateralFacts.of(tuple(items), crl_numbers=() if crl is None else (("crl", crl.number),))
