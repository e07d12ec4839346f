"""`adyton ear`: attestation results that others can rely on, and the verification of such results."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from adyton.cli.inputs import Moment, read_file
from adyton.cli.output import print_json, write_file
from adyton.errors import MalformedDocument, UsageError
from adyton.formats.cmw import CMW_SIZE_CAP, EAT_JWT, CmwRecord, Indicator
from adyton.formats.record import RECORD_SIZE_CAP, AppraisalRecord
from adyton.policy.ear import (
    EAR_PROFILE,
    EarRequest,
    EarSigner,
    Expectation,
    ear_claims,
    thumbprint,
    verify_ear,
)
from adyton.policy.record import replay

_KEY_SIZE_CAP: Final = 64 * 1024
_MEDIA_TYPE: Final = f'{EAT_JWT};eat_profile="{EAR_PROFILE}"'


class _KeySet(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


@click.group()
def command() -> None:
    """Give attestation results that others can rely on, and verify such results."""


@command.command()
@click.argument("file")
def key(file: str) -> None:
    """Make a signing key in FILE, and its public part as a JWK set in FILE.jwks.json."""
    path = Path(file)
    if path.exists():
        raise UsageError(
            "ear.key.exists", f"{file} is there already", remedy="name another file; a key is never replaced"
        )
    made = ec.generate_private_key(ec.SECP256R1())
    signer = EarSigner(made)
    public = {**signer.jwk, "use": "sig", "alg": "ES256", "kid": thumbprint(signer.jwk)}
    write_file(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    write_file(path.with_name(path.name + ".jwks.json"), msgspec.json.encode({"keys": [public]}))
    click.echo(f"{file}: keep it secret\n{file}.jwks.json: give it to relying parties")


@command.command()
@click.argument("record")
@click.option("--key", "key_file", required=True, metavar="FILE", help="The verifier's signing key, PEM.")
@click.option("--issuer", default="adyton", show_default=True, help="The verifier's name.")
@click.option("--nonce", metavar="BASE64", help="What the relying party sent: 8 to 64 bytes.")
@click.option("--audience", metavar="NAME", help="Whom the result is for.")
@click.option("--seconds", type=click.IntRange(1, 86400), default=300, show_default=True, help="How long it stands.")
@click.option("--cmw", is_flag=True, help="Wrap it as a conceptual message (RFC 9999).")
def issue(
    record: str, key_file: str, issuer: str, nonce: str | None, audience: str | None, seconds: int, *, cmw: bool
) -> None:
    """Print the result of the appraisal in RECORD, which is made again first: an EAR token.

    The token is issued for the time of the appraisal, so an old record gives an expired token.
    """
    outcome = replay(AppraisalRecord.parse(read_file(record, cap=RECORD_SIZE_CAP, what="record")))
    if outcome.appraisal is None:
        raise UsageError(
            "ear.not_authentic",
            "the record is of evidence that is malformed or not authentic: there is nothing to attest to",
            remedy="see `adyton replay`",
        )
    request = EarRequest(issuer, timedelta(seconds=seconds), nonce, audience)
    token = EarSigner(_private_key(key_file)).sign(ear_claims(outcome.appraisal, request))
    if cmw:
        wrapped = CmwRecord(_MEDIA_TYPE, token.encode(), Indicator.ATTESTATION_RESULTS)
        click.echo(wrapped.to_bytes().decode())
    else:
        click.echo(token)


@command.command()
@click.argument("token")
@click.option("--jwks", required=True, metavar="FILE", help="The verifier's public keys.")
@click.option("--nonce", metavar="BASE64", help="What you sent.")
@click.option("--audience", metavar="NAME", help="Who you are.")
@click.option("--dangerous-any-nonce", is_flag=True, help="Accept a result that may be a replay.")
@click.option("--dangerous-any-audience", is_flag=True, help="Accept a result that may be for somebody else.")
@click.option("--at", type=Moment(), metavar="TIME", help="Verify for this time.  [default: now]")
def verify(
    token: str,
    jwks: str,
    nonce: str | None,
    audience: str | None,
    at: datetime | None,
    *,
    dangerous_any_nonce: bool,
    dangerous_any_audience: bool,
) -> int:
    """Verify the EAR token in file TOKEN (`-` for standard input), and print its claims.

    Exits with 0 if it is authentic and affirming, 1 if it is authentic and says anything else, and 2 if it is not
    authentic, expired, for another nonce or for somebody else.
    """
    expected = Expectation(_keys(jwks), nonce, audience, dangerous_any_nonce, dangerous_any_audience)
    data = read_file(token, cap=CMW_SIZE_CAP, what="token").strip()
    claims = verify_ear(_unwrapped(data), expected, now=datetime.now(UTC) if at is None else at)
    print_json(claims)
    return 0 if claims.ear_status == "affirming" else 1


def _unwrapped(data: bytes) -> bytes:
    if not data.startswith(b"["):
        return data
    record = CmwRecord.parse(data)
    if record.media_type.partition(";")[0] != EAT_JWT:
        raise MalformedDocument(
            "ear.format", f"expected {EAT_JWT} in the wrapper, found {record.media_type}", remedy="pass an EAR token"
        )
    return record.value


def _keys(path: str) -> list[dict[str, Any]]:
    try:
        return msgspec.json.decode(read_file(path, cap=_KEY_SIZE_CAP, what="JWK set"), type=_KeySet).keys
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedDocument(
            "ear.jwks", f"this is not a JWK set: {error}", remedy="fetch the verifier's JWKS"
        ) from error


def _private_key(path: str) -> ec.EllipticCurvePrivateKey:
    try:
        found = load_pem_private_key(read_file(path, cap=_KEY_SIZE_CAP, what="key"), None)
    except (ValueError, TypeError) as error:
        raise _no_key() from error
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise _no_key()
    return found


def _no_key() -> UsageError:
    return UsageError(
        "ear.key", "expected a P-256 private key in PEM, without a passphrase", remedy="`adyton ear key FILE`"
    )
