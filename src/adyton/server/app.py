"""HTTP over the broker: the KBS attestation protocol under `/kbs/v0`, owners and auditors under `/v1`.

Rules: a body is read up to a cap and no further; whatever is wrong with a request is an answer with a code, a sentence
and a remedy, and never a status of 500; a denial lists every check. Status: 400 malformed, 401 attest or sign first,
403 denied by policy, 404 unknown, 409 conflict, 413 too large, 503 the store does not answer.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adyton.broker import Broker
from adyton.broker.broker import ReleaseDenied, session_id
from adyton.broker.model import Secret
from adyton.broker.party import PartyRequest
from adyton.errors import (
    AccessDenied,
    AdytonError,
    Conflict,
    MalformedDocument,
    MalformedEvidence,
    NotFound,
    PolicyDenied,
    StateError,
    UntrustedEvidence,
)
from adyton.formats.api import BrokerDescription, ConsistencyProof, LedgerLine, SecretDescription, SecretUpload
from adyton.formats.kbs import ERROR_TYPE, SESSION_COOKIE, KeyBrokerRequest, Problem, TokenResponse, parse

BODY_SIZE_CAP: Final = 2 * 1024 * 1024
_log: Final = logging.getLogger(__name__)
_Handler = Callable[[Request, bytes], Response]

_STATUS: Final[dict[type[AdytonError], tuple[int, str]]] = {
    MalformedDocument: (400, "MalformedRequest"),
    MalformedEvidence: (400, "MalformedEvidence"),
    UntrustedEvidence: (401, "AttestationFailed"),
    AccessDenied: (401, "Unauthorized"),
    PolicyDenied: (403, "PolicyDeny"),
    NotFound: (404, "NotFound"),
    Conflict: (409, "Conflict"),
    StateError: (503, "StorageFailed"),
}


def create_app(broker: Broker, issuer: str) -> Starlette:
    """Return the application.

    Args:
        broker: What it serves.
        issuer: The broker's name, as in its tokens.
    """
    services = _Services(broker, issuer)
    return Starlette(
        routes=[
            _route("/kbs/v0/auth", services.auth, "POST"),
            _route("/kbs/v0/attest", services.attest, "POST"),
            _route("/kbs/v0/resource/{path:path}", services.resource, "GET"),
            _route("/v1/broker", services.describe, "GET"),
            _route("/v1/jwks", services.jwks, "GET"),
            _route("/.well-known/jwks.json", services.jwks, "GET"),
            _route("/v1/secrets", services.list_secrets, "GET"),
            _route("/v1/secrets/{path:path}", services.put_secret, "PUT"),
            _route("/v1/receipts/{name}", services.receipt, "GET"),
            _route("/v1/ledger", services.ledger, "GET"),
            _route("/v1/ledger/head", services.head, "GET"),
            _route("/v1/ledger/consistency", services.consistency, "GET"),
            _route("/healthz", services.health, "GET"),
        ],
        exception_handlers={HTTPException: _framework_error, Exception: _fault},
    )


class _Services:
    """What each route does; each runs in a thread of its own, because the store blocks."""

    def __init__(self, broker: Broker, issuer: str) -> None:
        self._broker = broker
        self._issuer = issuer

    def auth(self, _request: Request, body: bytes) -> Response:
        cookie, challenge = self._broker.challenge(parse(body, KeyBrokerRequest))
        response = _json(challenge)
        response.set_cookie(SESSION_COOKIE, cookie, httponly=True, samesite="strict", path="/kbs")
        return response

    def attest(self, request: Request, body: bytes) -> Response:
        return _json(TokenResponse(token=self._broker.attest(_session(request), body)))

    def resource(self, request: Request, _body: bytes) -> Response:
        token = _bearer(request)
        session = self._broker.session_of(token) if token else _session(request)
        released = self._broker.release(session, request.path_params["path"])
        response = _json(released.resource)
        response.headers["Adyton-Receipt"] = released.receipt
        response.headers["Cache-Control"] = "no-store"
        return response

    def describe(self, _request: Request, _body: bytes) -> Response:
        keys, roots = self._broker.keys, self._broker.roots
        described = BrokerDescription(
            issuer=self._issuer, signing_key=keys.signing_jwk, upload_key=keys.upload_jwk, roots=roots
        )
        return _json(described)

    def jwks(self, _request: Request, _body: bytes) -> Response:
        return _json({"keys": [self._broker.keys.signing_jwk]})

    def list_secrets(self, request: Request, body: bytes) -> Response:
        party = self._party(request, body)
        return _json([_describe(secret) for secret in self._broker.secrets_of(party)])

    def put_secret(self, request: Request, body: bytes) -> Response:
        party = self._party(request, body)
        upload = _upload(body)
        secret = self._broker.put_secret(party, request.path_params["path"], upload.envelope, upload.policy)
        return _json(_describe(secret))

    def receipt(self, request: Request, _body: bytes) -> Response:
        return _json(self._broker.receipt(request.path_params["name"]))

    def ledger(self, request: Request, _body: bytes) -> Response:
        found = self._broker.receipts(_number(request, "start", 0))
        return _json([LedgerLine(position=place, receipt=name, entry=entry) for place, name, entry in found])

    def head(self, _request: Request, _body: bytes) -> Response:
        return _json(self._broker.head())

    def consistency(self, request: Request, _body: bytes) -> Response:
        old, new = _number(request, "old", 0), _number(request, "new", 0)
        proof = tuple(self._broker.consistency(old, new))
        return _json(ConsistencyProof(old=old, new=new, proof=proof))

    def health(self, _request: Request, _body: bytes) -> Response:
        return _json({"status": "ok", "ledger_size": self._broker.head().size})

    def _party(self, request: Request, body: bytes) -> str:
        token = _bearer(request)
        if not token:
            raise AccessDenied("party.token", "expected a party's signed request", remedy="use `adyton secret`")
        return self._broker.authorize(token, PartyRequest(request.method, request.url.path, body))


def _route(path: str, handler: _Handler, method: str) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            body = await _read_body(request)
            return await run_in_threadpool(handler, request, body)
        except AdytonError as error:
            return _problem(error)

    return Route(path, _named(endpoint, handler), methods=[method])


def _named(
    endpoint: Callable[[Request], Awaitable[Response]], handler: _Handler
) -> Callable[[Request], Awaitable[Response]]:
    endpoint.__name__ = getattr(handler, "__name__", "endpoint")
    return endpoint


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_SIZE_CAP:
            raise MalformedDocument(
                "http.body.size",
                f"a body has at most {BODY_SIZE_CAP} bytes",
                remedy="keep keys here, and data elsewhere",
            )
    return bytes(body)


def _session(request: Request) -> str:
    cookie = request.cookies.get(SESSION_COOKIE, "")
    if not cookie:
        raise AccessDenied("session.known", "expected a session cookie, found none", remedy="begin at /kbs/v0/auth")
    return session_id(cookie)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _upload(body: bytes) -> SecretUpload:
    try:
        return msgspec.json.decode(body, type=SecretUpload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedDocument(
            "secret.upload", f"this is not a secret with its policy: {error}", remedy="use `adyton secret put`"
        ) from error


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise MalformedDocument("http.query", f"expected a number for {name}, found {text[:50]!r}", remedy="use digits")
    return int(text)


def _describe(secret: Secret) -> SecretDescription:
    return SecretDescription(
        path=secret.path,
        version=secret.version,
        state=secret.state,
        policy=secret.policy.name,
        policy_digest=secret.policy.digest().hex(),
        created=secret.created,
    )


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _problem(error: AdytonError) -> Response:
    status, kind = next((found for kind, found in _STATUS.items() if isinstance(error, kind)), (400, "Failed"))
    checks: tuple[msgspec.Raw, ...] = ()
    if isinstance(error, ReleaseDenied):
        status, kind = (403, "PolicyDeny") if error.denial.attested else (401, "Unauthorized")
        if error.code == "secret.known":
            status, kind = 404, "NotFound"
        checks = tuple(msgspec.Raw(msgspec.json.encode(check)) for check in error.denial.checks)
    if error.code.endswith(".size"):
        status = 413
    problem = Problem(type=ERROR_TYPE + kind, detail=error.message, code=error.code, remedy=error.remedy, checks=checks)
    return Response(msgspec.json.encode(problem), status, media_type="application/problem+json")


async def _fault(_request: Request, error: Exception) -> Response:
    _log.error("a fault of this server: %s", type(error).__name__)
    problem = Problem(
        type=ERROR_TYPE + "Failed",
        detail=f"this server has a fault ({type(error).__name__}); nothing was released",
        code="server.fault",
        remedy="report it, with what was asked",
    )
    return Response(msgspec.json.encode(problem), 500, media_type="application/problem+json")


async def _framework_error(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    problem = Problem(
        type=ERROR_TYPE + ("NotFound" if status == 404 else "MalformedRequest"),
        detail=f"there is no such address, or not for this method (HTTP {status})",
        code="http.route",
        remedy="see the reference of the HTTP interface",
    )
    return Response(msgspec.json.encode(problem), status, media_type="application/problem+json")
