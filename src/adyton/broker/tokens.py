"""The attestation result that the broker gives, so that others can rely on it.

It is a JWT in the shape of an EAT attestation result (draft-ietf-rats-ear): profile, nonce, key confirmation, status
and trustworthiness vector. A simulated platform is always `contraindicated`: its hardware claim says "not recognised".
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from adyton.errors import AccessDenied
from adyton.formats.check import Mode, Verdict
from adyton.formats.kbs import TeePublicKey
from adyton.policy import Appraisal

EAR_PROFILE: Final = "tag:ietf.org,2026:rats/ear#04"
TOKEN_LIFE: Final = timedelta(minutes=5)
_ALGORITHM: Final = "ES256"
# AR4SI 2.3: values of the trustworthiness vector.
_AFFIRMING, _UNRECOGNISED_CODE, _UNRECOGNISED_HARDWARE = 2, 33, 97


def result_token(
    appraisal: Appraisal, key: TeePublicKey, nonce: str, session: str, *, signing_key: ECKey, issuer: str, now: datetime
) -> str:
    """Return the attestation result of a session, signed."""
    hardware = _AFFIRMING if appraisal.mode is Mode.HARDWARE else _UNRECOGNISED_HARDWARE
    accepted = appraisal.verdict is Verdict.ACCEPTED
    vector = {"hardware": hardware, "executables": _UNRECOGNISED_CODE}
    status = "contraindicated" if hardware == _UNRECOGNISED_HARDWARE or not accepted else "warning"
    claims: dict[str, Any] = {
        "eat_profile": EAR_PROFILE,
        "iss": issuer,
        "iat": int(now.timestamp()),
        "exp": int((now + TOKEN_LIFE).timestamp()),
        "jti": session,
        "eat_nonce": nonce,
        "cnf": {"jwk": msgspec.to_builtins(key)},
        "ear.verifier-id": {"developer": "https://adyton.dev", "build": "adyton"},
        "submods": {
            "cpu0": {
                "ear.status": status,
                "ear.trustworthiness-vector": vector,
                "ear.appraisal-policy-id": appraisal.policy.name,
                "adyton.mode": appraisal.mode.value,
                "adyton.root": appraisal.evidence.root.name,
                "adyton.tcb-status": appraisal.tcb_status,
                "adyton.measurement": appraisal.claims.measurement,
                "adyton.evidence-digest": appraisal.evidence_digest.hex(),
                "adyton.collateral-digest": appraisal.collateral_digest.hex(),
                "adyton.policy-digest": appraisal.policy_digest.hex(),
            }
        },
    }
    return jwt.encode({"alg": _ALGORITHM, "typ": "JWT", "kid": signing_key.thumbprint()}, claims, signing_key)


def session_of(token: str, signing_key: ECKey, now: datetime) -> str:
    """Return the session that a token of this broker is the result of.

    Raises:
        AccessDenied: `session.token` if it is not this broker's, or has expired.
    """
    try:
        claims = jwt.decode(token, signing_key, algorithms=[_ALGORITHM]).claims
        session, expires = str(claims["jti"]), float(claims["exp"])
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise _no_token() from error
    if expires <= now.timestamp():
        raise _no_token()
    return session


def _no_token() -> AccessDenied:
    return AccessDenied(
        "session.token", "expected an attestation result of this broker that is in date", remedy="attest again"
    )
