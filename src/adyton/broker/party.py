"""A party's signed requests: how an owner says who it is, without a secret on the wire.

A request carries a JWT of the party's key that names method, path and the body's digest, lives for a minute and is used
once. So a request that is overheard cannot be sent again, and cannot be turned into another.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from adyton.errors import AccessDenied

REQUEST_LIFE: Final = timedelta(seconds=60)
CLOCK_SKEW: Final = timedelta(seconds=30)
_ALGORITHM: Final = "ES256"


class RequestClaims(msgspec.Struct, frozen=True, kw_only=True):
    """What a party's request token says.

    Attributes:
        iss: The party.
        htm: The request's method.
        htu: The request's path.
        sha256: SHA-256 of the request's body, hex.
        iat: When it was made, Unix seconds.
        jti: Its own name, used once.
    """

    iss: str
    htm: str
    htu: str
    sha256: str
    iat: int
    jti: str


@dataclass(frozen=True, slots=True)
class PartyRequest:
    """A request as a party's token has to describe it.

    Attributes:
        method: `GET` or `PUT`.
        path: The path, without host and query.
        body: The body.
    """

    method: str
    path: str
    body: bytes


def sign_request(request: PartyRequest, party: str, key: ECKey, *, jti: str, now: datetime) -> str:
    """Return a party's token for one request."""
    claims = msgspec.to_builtins(
        RequestClaims(
            iss=party,
            htm=request.method,
            htu=request.path,
            sha256=hashlib.sha256(request.body).hexdigest(),
            iat=int(now.timestamp()),
            jti=jti,
        )
    )
    return jwt.encode({"alg": _ALGORITHM}, claims, key)


def unverified_issuer(token: str) -> str:
    """Return whom a token says it is from, so that the party's key can be found; nothing about it is believed yet.

    Raises:
        AccessDenied: `party.token` if it is no token.
    """
    try:
        payload = token.split(".")[1]
        return msgspec.json.decode(
            base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=RequestClaims
        ).iss
    except (IndexError, ValueError, msgspec.MsgspecError) as error:
        raise _denied("expected a party's request token, found something else") from error


def verify_request(token: str, request: PartyRequest, key: ECKey, *, now: datetime) -> RequestClaims:
    """Verify a party's token for exactly this request.

    Raises:
        AccessDenied: `party.token` if the signature, the request or the time is another.
    """
    try:
        claims = msgspec.convert(jwt.decode(token, key, algorithms=[_ALGORITHM]).claims, RequestClaims)
    except (JoseError, ValueError, msgspec.MsgspecError) as error:
        raise _denied("expected a token signed by the party's key, found one that does not verify") from error
    asked = (request.method, request.path, hashlib.sha256(request.body).hexdigest())
    if (claims.htm, claims.htu, claims.sha256) != asked:
        raise _denied("expected a token for this request, found one for another method, path or body")
    made = datetime.fromtimestamp(claims.iat, UTC) if 0 <= claims.iat < 1 << 40 else datetime.min.replace(tzinfo=UTC)
    if not now - REQUEST_LIFE <= made <= now + CLOCK_SKEW:
        raise _denied(
            f"expected a token of the last {REQUEST_LIFE.seconds} seconds, found one of {made:%Y-%m-%dT%H:%M:%SZ}"
        )
    return claims


def _denied(found: str) -> AccessDenied:
    return AccessDenied("party.token", found, remedy="sign each request anew with the party's key; check the clocks")
