"""Attestation results for others: EAR (draft-ietf-rats-ear-04) as a JWT, signed with ES256, and their verification.

What is claimed: the trustworthiness vector (draft-ietf-rats-ar4si-09 2.3), the verifier, what the evidence says
(`ear_attester_claims`), and what the verifier found, with digests of evidence, every endorsement and the policy
(`ear_verifier_claims`), so that the appraisal can be made again. No tier is higher than the worst of its vector, a
denied appraisal is `contraindicated`, and so is every simulated platform.

A token is verified in this order, and a caller says what nonce and audience it expects:

1. It is a JWT of this profile, with ES256 and nothing else.
2. A key of the verifier that the caller trusts signed it.
3. It is in date.
4. It answers the caller's nonce, and is for the caller.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from adyton import __version__
from adyton.attest.result import AuthenticReport
from adyton.attest.signatures import KeyKind, PublicKey
from adyton.errors import MalformedDocument, UntrustedEvidence, UsageError
from adyton.formats.check import Mode, Outcome, Verdict
from adyton.formats.moment import time_text
from adyton.formats.tcb import TcbStatus
from adyton.policy.appraisal import Appraisal

EAR_PROFILE: Final = "tag:ietf.org,2026:rats/ear#04"
SUBMODULE: Final = "cpu0"
TOKEN_SIZE_CAP: Final = 64 * 1024
CLOCK_SKEW: Final = timedelta(seconds=60)
_ALGORITHM: Final = "ES256"
_DEVELOPER: Final = "https://adyton.dev"
_SIGNATURE: Final = ec.ECDSA(hashes.SHA256())

# AR4SI 2.3.3 and 2.3.4: what the values mean.
_AFFIRMING, _VULNERABLE, _UNRECOGNISED_CODE, _CONTRAINDICATED, _UNRECOGNISED_HARDWARE = 2, 32, 33, 96, 97
_TIERS: Final = ((96, "contraindicated"), (32, "warning"), (2, "affirming"))
_STATUS_VALUES: Final = {TcbStatus.UP_TO_DATE: _AFFIRMING, TcbStatus.REVOKED: _CONTRAINDICATED}
_CODE_CHECKS: Final = ("sgx.enclave", "tdx.trust_domain", "snp.guest")
_DEBUG_CHECKS: Final = ("sgx.attributes.debug", "tdx.attributes.debug", "snp.policy.debug")


class VerifierId(msgspec.Struct, frozen=True):
    """Who appraised: `ear_verifier_id`."""

    developer: str
    build: str


class EarAppraisal(msgspec.Struct, frozen=True, omit_defaults=True):
    """One attester's appraisal (EAR 3.1)."""

    ear_status: str
    ear_trustworthiness_vector: dict[str, int] = {}
    ear_appraisal_policy_ids: tuple[str, ...] = ()
    ear_attester_claims: dict[str, Any] = {}
    ear_verifier_claims: dict[str, Any] = {}


class EarClaims(msgspec.Struct, frozen=True, omit_defaults=True):
    """The claims of an attestation result (EAR 3). Times are Unix seconds."""

    eat_profile: str
    iat: int
    exp: int
    iss: str
    ear_status: str
    ear_verifier_id: VerifierId
    submods: Annotated[dict[str, EarAppraisal], msgspec.Meta(min_length=1)]
    eat_nonce: Annotated[str, msgspec.Meta(min_length=12, max_length=88)] | None = None
    aud: str | None = None
    jti: str | None = None
    cnf: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class EarRequest:
    """What a relying party asked for, and the verifier's own name.

    Attributes:
        issuer: The verifier's name, `iss`.
        life: For how long the result stands, at most until the first endorsement expires.
        nonce: What the relying party sent, base64: 8 to 64 bytes; None leaves it out.
        audience: Whom the result is for; None leaves it out.
        confirmation: The attester's public key, a JWK, `cnf`; None leaves it out.
        token_id: `jti`; None leaves it out.
    """

    issuer: str
    life: timedelta = timedelta(minutes=5)
    nonce: str | None = None
    audience: str | None = None
    confirmation: Mapping[str, Any] | None = None
    token_id: str | None = None


class EarSigner:
    """Signs attestation results.

    Args:
        key: A P-256 key.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        if not isinstance(key.curve, ec.SECP256R1):
            raise UsageError(
                "ear.key",
                f"expected a key of P-256, found one of {key.curve.name}",
                remedy="make one: `adyton ear key`",
            )
        self._key = key
        self.jwk = jwk_of(key.public_key())
        header = {"alg": _ALGORITHM, "typ": "JWT", "kid": thumbprint(self.jwk)}
        self._header = _encode(msgspec.json.encode(header))

    def sign(self, claims: EarClaims) -> str:
        """Return a compact JWT."""
        signed = self._header + b"." + _encode(msgspec.json.encode(claims))
        r, s = decode_dss_signature(self._key.sign(signed, _SIGNATURE))
        return (signed + b"." + _encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))).decode()


def ear_claims(appraisal: Appraisal, request: EarRequest) -> EarClaims:
    """Return the attestation result of an appraisal.

    Raises:
        UsageError: `ear.nonce` unless it is base64 of 8 to 64 bytes.
    """
    if request.nonce is not None:
        _require_nonce(request.nonce)
    vector = trustworthiness_vector(appraisal)
    worst = _tier(max(vector.values()))
    status = worst if appraisal.verdict is Verdict.ACCEPTED else "contraindicated"
    now = appraisal.appraised_at
    expires = min(now + request.life, max(appraisal.expires, now))
    return EarClaims(
        eat_profile=EAR_PROFILE,
        iat=int(now.timestamp()),
        exp=int(expires.timestamp()),
        iss=request.issuer,
        ear_status=status,
        ear_verifier_id=VerifierId(_DEVELOPER, f"adyton {__version__}"),
        submods={
            SUBMODULE: EarAppraisal(
                status,
                vector,
                (f"{appraisal.policy.name}#sha256:{appraisal.policy_digest.hex()}",),
                _attester_claims(appraisal),
                _verifier_claims(appraisal),
            )
        },
        eat_nonce=request.nonce,
        aud=request.audience,
        jti=request.token_id,
        cnf=None if request.confirmation is None else {"jwk": dict(request.confirmation)},
    )


def trustworthiness_vector(appraisal: Appraisal) -> dict[str, int]:
    """Return the AR4SI vector: what the appraisal says nothing about is left out, which means 'no claim'."""
    simulated = appraisal.mode is Mode.SIMULATED
    outcomes = {check.id: check.outcome for check in appraisal.judged}
    debug = any(outcomes.get(name) in (Outcome.FAILED, Outcome.WAIVED) for name in _DEBUG_CHECKS)
    accepted = appraisal.verdict is Verdict.ACCEPTED
    anything = any(name in outcomes for name in _CODE_CHECKS)
    state = _STATUS_VALUES.get(appraisal.tcb_status, _VULNERABLE) if appraisal.tcb_status else _AFFIRMING
    configuration = appraisal.tcb_status is not None and "Configuration" in appraisal.tcb_status
    return {
        "instance-identity": _UNRECOGNISED_HARDWARE if simulated else _AFFIRMING,
        "configuration": _CONTRAINDICATED if debug else _VULNERABLE if configuration else _AFFIRMING,
        "executables": _AFFIRMING if accepted and not anything else _UNRECOGNISED_CODE,
        "hardware": _UNRECOGNISED_HARDWARE if simulated else state,
        "runtime-opaque": _CONTRAINDICATED if debug or simulated else _AFFIRMING,
    }


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a relying party expects of a token.

    Attributes:
        keys: The public keys of the verifier that it trusts: JWKs.
        nonce: What it sent; None only where `dangerous_any_nonce` says so.
        audience: Its own name; None only where `dangerous_any_audience` says so.
        dangerous_any_nonce: Accept a result that may be a replay.
        dangerous_any_audience: Accept a result that may be for somebody else.
    """

    keys: Sequence[Mapping[str, Any]]
    nonce: str | None
    audience: str | None
    dangerous_any_nonce: bool = False
    dangerous_any_audience: bool = False


def verify_ear(token: str | bytes, expected: Expectation, *, now: datetime) -> EarClaims:
    """Verify an attestation result.

    Args:
        token: A compact JWT.
        expected: What the relying party expects.
        now: The time to verify for, with a time zone.

    Returns:
        The claims. Whether they are good enough is the relying party's to judge: `ear_status` says `affirming`,
        `warning`, `contraindicated` or `none`.

    Raises:
        MalformedDocument: `ear.format`, `ear.profile`.
        UntrustedEvidence: `ear.signature`, `ear.time`, `ear.nonce`, `ear.audience`.
        UsageError: `ear.expectation` if no nonce or audience is expected and no exception is named.
    """
    if (expected.nonce is None and not expected.dangerous_any_nonce) or (
        expected.audience is None and not expected.dangerous_any_audience
    ):
        raise UsageError(
            "ear.expectation",
            "expected a nonce and an audience to compare with, found none",
            remedy="say what you sent and who you are, or name the exception",
        )
    # 1
    signed, signature, header, claims = _parse(token if isinstance(token, bytes) else token.encode())
    # 2
    if not any(_verifies(key, header.kid, signed, signature) for key in expected.keys):
        raise _untrusted("signature", "a signature by a key of the verifier", f"key {header.kid}, or another signature")
    # 3
    _require_in_date(claims, now)
    # 4
    _require_equal("nonce", expected.nonce, claims.eat_nonce, any_will_do=expected.dangerous_any_nonce)
    _require_equal("audience", expected.audience, claims.aud, any_will_do=expected.dangerous_any_audience)
    return claims


def jwk_of(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """Return a P-256 public key as a JWK (RFC 7518 6.2)."""
    numbers = key.public_numbers()
    x, y = (_encode(number.to_bytes(32, "big")).decode() for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Return a JWK's thumbprint (RFC 7638): its name in a token's `kid`."""
    named = msgspec.json.encode({name: jwk[name] for name in ("crv", "kty", "x", "y")})
    digest = hashes.Hash(hashes.SHA256())
    digest.update(named)
    return _encode(digest.finalize()).decode()


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: str | None = None
    typ: str | None = None
    crit: tuple[str, ...] | None = None


def _parse(token: bytes) -> tuple[bytes, bytes, _Header, EarClaims]:
    if len(token) > TOKEN_SIZE_CAP or token.count(b".") != 2:
        raise _malformed("format", f"expected a compact JWT of at most {TOKEN_SIZE_CAP} bytes")
    signed, _, last = token.strip().rpartition(b".")
    first, _, middle = signed.partition(b".")
    try:
        header = msgspec.json.decode(_decode(first), type=_Header)
        claims = msgspec.json.decode(_decode(middle), type=EarClaims)
        signature = _decode(last)
    except (ValueError, msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise _malformed("format", f"this is not an attestation result: {error}") from error
    if header.alg != _ALGORITHM or header.crit is not None or len(signature) != 64:
        raise _malformed("format", f"expected {_ALGORITHM} and no critical header, found {header.alg}")
    if claims.eat_profile != EAR_PROFILE:
        raise _malformed("profile", f"expected {EAR_PROFILE}, found {claims.eat_profile}")
    return signed, signature, header, claims


def _verifies(jwk: Mapping[str, Any], kid: str | None, signed: bytes, signature: bytes) -> bool:
    try:
        point = b"\x04" + _decode(str(jwk["x"]).encode()) + _decode(str(jwk["y"]).encode())
        known = {str(jwk.get("kid")), thumbprint(jwk)}
    except (KeyError, ValueError):
        return False
    if jwk.get("crv") != "P-256" or (kid is not None and kid not in known):
        return False
    key = PublicKey(KeyKind.P256, point).load()
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    return key is not None and key.verifies(encode_dss_signature(r, s), signed)


def _require_in_date(claims: EarClaims, now: datetime) -> None:
    issued, expires = (datetime.fromtimestamp(second, UTC) for second in (claims.iat, claims.exp))
    if issued > now + CLOCK_SKEW or expires <= now:
        raise _untrusted(
            "time", f"a result that stands at {time_text(now)}", f"one from {time_text(issued)} to {time_text(expires)}"
        )


def _require_equal(name: str, wanted: str | None, found: str | None, *, any_will_do: bool) -> None:
    """Compare what is expected; a claim that is not there equals nothing."""
    if wanted is None and any_will_do:
        return
    if wanted is None or found is None or not hmac.compare_digest(wanted.encode(), found.encode()):
        raise _untrusted(name, repr(wanted), repr(found))


def _require_nonce(nonce: str) -> None:
    try:
        plain = nonce.replace("-", "+").replace("_", "/").rstrip("=")
        size = len(base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True))
    except (ValueError, binascii.Error):
        size = 0
    if not 8 <= size <= 64 or not 12 <= len(nonce) <= 88:
        raise UsageError(
            "ear.nonce", "expected base64 of 8 to 64 bytes", remedy="send a nonce of 32 random bytes, base64"
        )


def _tier(value: int) -> str:
    return next((name for least, name in _TIERS if value >= least), "none")


def _attester_claims(appraisal: Appraisal) -> dict[str, Any]:
    claims: dict[str, Any] = msgspec.to_builtins(appraisal.claims)
    return {name: value for name, value in claims.items() if value not in (None, [], ())}


def _verifier_claims(appraisal: Appraisal) -> dict[str, Any]:
    evidence = appraisal.evidence
    known: dict[str, Any] = {
        "mode": appraisal.mode.value,
        "root": evidence.root.name,
        "verdict": appraisal.verdict.value,
        "failed": [check.id for check in appraisal.failed],
        "waived": [check.id for check in appraisal.judged if check.outcome is Outcome.WAIVED],
        "evidence_sha256": appraisal.evidence_digest.hex(),
        "policy_sha256": appraisal.policy_digest.hex(),
        "collateral_sha256": appraisal.collateral_digest.hex(),
        "collateral": {name: digest.hex() for name, digest in evidence.collateral.digests.items()},
    }
    if not isinstance(evidence, AuthenticReport):
        tcb = evidence.tcb
        known |= {
            "tcb_status": tcb.status.value,
            "tcb_date": time_text(tcb.date),
            "tcb_evaluation_number": tcb.evaluation_number,
            "advisories": list(tcb.advisories),
        }
    return known


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _malformed(suffix: str, found: str) -> MalformedDocument:
    return MalformedDocument(
        f"ear.{suffix}", found, remedy="ask the verifier for an EAR token (draft-ietf-rats-ear-04)"
    )


def _untrusted(suffix: str, expected: str, found: str) -> UntrustedEvidence:
    return UntrustedEvidence(
        f"ear.{suffix}",
        f"expected {expected}, found {found}",
        remedy="ask the verifier for a new result, with your nonce",
    )
