"""Verifying a result that carries its own proof: is it signed, and by which code?

1. The signature over the payload verifies with the key in the document.
2. The quote is authentic, and its report data is the digest of that key.
3. The policy accepts the enclave that the quote is about.
"""

from __future__ import annotations

from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from adyton.attest import TrustRoots
from adyton.errors import UntrustedEvidence
from adyton.formats.collateral import Collateral
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.quote import Quote
from adyton.formats.result import SignedResult, result_report_data
from adyton.policy.appraisal import Appraisal
from adyton.policy.verify import verify


def verify_result(
    result: SignedResult, collateral: Collateral, policy: AppraisalPolicy, *, roots: TrustRoots, now: datetime
) -> Appraisal:
    """Verify a signed result.

    Args:
        result: The document (`SignedResult.parse`).
        collateral: The endorsements for its quote.
        policy: Whose code may say this.
        roots: The roots of trust that its quote may chain to.
        now: The time to verify for, with a time zone.

    Returns:
        The appraisal of the enclave that signed. The payload may be believed only if it is accepted.

    Raises:
        UntrustedEvidence: `result.signature` if the payload was not signed by the key; those of `authenticate`.
        MalformedEvidence: The quote or the endorsements are not what they claim to be.
    """
    # 1
    _require_signature(result)
    # 2 and 3
    return verify(
        Quote.parse(result.quote),
        collateral,
        policy,
        roots=roots,
        expected_report_data=result_report_data(result.point),
        now=now,
    )


def _require_signature(result: SignedResult) -> None:
    r, s = (int.from_bytes(half, "big") for half in (result.signature[:32], result.signature[32:]))
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), result.point)
        key.verify(encode_dss_signature(r, s), result.payload, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        raise UntrustedEvidence(
            "result.signature",
            "expected a signature over the payload by the key in the document, found one that does not verify",
            remedy="the payload, the key or the signature was changed after the enclave signed: get the result again",
        ) from None
