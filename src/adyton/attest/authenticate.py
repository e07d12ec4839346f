"""From a quote to an authentic quote: the one way in.

1. The endorsements are the vendor's (`endorsements`).
2. The platform is the vendor's, is not revoked, and bound the attestation key (`platform`).
3. The attestation key signed this quote.

What is not judged here, and is recorded in the result: dates, the TCB status, debug mode, whose code runs, what its
report data mean. The caller still owes an appraisal under a policy (`adyton.policy.appraise`).
"""

from __future__ import annotations

from concurrent.futures import Executor
from datetime import datetime

from adyton.attest.ahead import announce
from adyton.attest.cache import VerificationCache
from adyton.attest.chains import Certificates
from adyton.attest.endorsements import Endorsements, verify_endorsements
from adyton.attest.platform import verify_pck, verify_platform
from adyton.attest.result import QUOTE_SIGNED, AuthenticQuote, VerifiedPlatform
from adyton.attest.roots import TrustRoots
from adyton.attest.signatures import Signatures, raw_signature
from adyton.errors import UntrustedEvidence, UsageError
from adyton.formats.collateral import Collateral
from adyton.formats.quote import Quote
from adyton.formats.sgx import ReportBody


def authenticate(
    quote: Quote,
    collateral: Collateral,
    *,
    roots: TrustRoots,
    now: datetime,
    cache: VerificationCache | None = None,
    executor: Executor | None = None,
) -> AuthenticQuote:
    """Authenticate a quote.

    Args:
        quote: Evidence as it was received (`Quote.parse`).
        collateral: The endorsements to check it with (`Collateral.parse`).
        roots: The roots of trust that it may chain to.
        now: The time that it is authenticated for, with a time zone; recorded, and judged by policy.
        cache: What was verified before; it changes the speed and never the result.
        executor: Threads that verify signatures beside this one, when nothing is remembered; the same holds for it.

    Returns:
        The quote, with everything that is now known to be true about it.

    Raises:
        MalformedEvidence: Endorsements or certificates are not in their format.
        UntrustedEvidence: The quote is not authentic; the code names the check that failed.
        UsageError: `authenticate.now` if `now` has no time zone.
    """
    if now.tzinfo is None:
        raise UsageError("authenticate.now", "expected a time with a time zone", remedy="pass an aware datetime")
    # 1 and 2
    platform = _platform(quote, collateral, roots, cache, executor)
    # 3
    if not platform.key.verifies(raw_signature(quote.signature), quote.signed_bytes()):
        raise UntrustedEvidence(
            QUOTE_SIGNED.id,
            f"expected {QUOTE_SIGNED.expected}, found a signature that does not verify",
            remedy="the quote was changed after it was signed: collect it again",
        )
    return AuthenticQuote(quote, platform, now)


def _platform(
    quote: Quote,
    collateral: Collateral,
    roots: TrustRoots,
    cache: VerificationCache | None,
    executor: Executor | None,
) -> VerifiedPlatform:
    key = (collateral, roots, *_platform_key(quote))
    known = None if cache is None else cache.platforms.find(key)
    return known or _verify_platform(quote, collateral, roots, cache, executor, key)


def _verify_platform(
    quote: Quote,
    collateral: Collateral,
    roots: TrustRoots,
    cache: VerificationCache | None,
    executor: Executor | None,
    key: tuple[object, ...],
) -> VerifiedPlatform:
    def verified_endorsements() -> Endorsements:
        certificates = Certificates(roots, Signatures(executor))
        announce(quote, collateral, certificates)
        return verify_endorsements(collateral, certificates)

    if cache is None:
        endorsements = verified_endorsements()
        return verify_platform(quote, verify_pck(quote, collateral.pck_chain, endorsements, endorsements.certificates))
    endorsements = cache.endorsements.get((collateral, roots), verified_endorsements)
    pck = cache.pcks.get(
        (collateral, roots, quote.tee, quote.qe.kind, quote.qe.data),
        lambda: verify_pck(quote, collateral.pck_chain, endorsements, endorsements.certificates.beside()),
    )
    return cache.platforms.get(key, lambda: verify_platform(quote, pck))


def _platform_key(quote: Quote) -> tuple[object, ...]:
    """Return all of a quote that `verify_platform` reads; its certification is one object for the same bytes."""
    body = quote.body
    tdx = () if isinstance(body, ReportBody) else (
        body.tee_tcb_svn, body.tee_tcb_svn2, body.mr_signer_seam, body.seam_attributes
    )  # fmt: skip
    return quote.header.tee, quote.attestation_key, quote.qe, tdx
