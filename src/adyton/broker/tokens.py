"""The attestation result that the broker gives, so that others can rely on it: an EAR token (`adyton.policy.ear`).

The token names the session, so that whoever holds it may ask for that session's secrets, which only the attested key
opens.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from adyton.errors import AccessDenied, AdytonError
from adyton.formats.kbs import TeePublicKey
from adyton.policy import Appraisal
from adyton.policy.ear import EarRequest, EarSigner, Expectation, ear_claims, jwk_of, verify_ear

TOKEN_LIFE: Final = timedelta(minutes=5)


def result_token(
    appraisal: Appraisal,
    key: TeePublicKey,
    nonce: str,
    session: str,
    *,
    signing_key: ec.EllipticCurvePrivateKey,
    issuer: str,
) -> str:
    """Return the attestation result of a session, signed."""
    request = EarRequest(issuer, TOKEN_LIFE, nonce, None, msgspec.to_builtins(key), session)
    return EarSigner(signing_key).sign(ear_claims(appraisal, request))


def session_of(token: str, signing_key: ec.EllipticCurvePrivateKey, now: datetime) -> str:
    """Return the session that a token of this broker is the result of.

    Raises:
        AccessDenied: `session.token` if it is not this broker's, or has expired.
    """
    expected = Expectation([jwk_of(signing_key.public_key())], None, None, True, True)  # noqa: FBT003, it is its own
    try:
        session = verify_ear(token, expected, now=now).jti
    except AdytonError as error:
        raise _no_token() from error
    if session is None:
        raise _no_token()
    return session


def _no_token() -> AccessDenied:
    return AccessDenied(
        "session.token", "expected an attestation result of this broker that is in date", remedy="attest again"
    )
