"""The broker's client for code in a TEE: the KBS attestation protocol, three messages and a resource.

The messages may be carried by an untrusted host, as here: the attester makes and opens them, the client moves them.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import msgspec

from adyton.errors import TransportError
from adyton.formats.kbs import PROTOCOL, SESSION_COOKIE, Challenge, KeyBrokerRequest, TokenResponse, parse
from adyton.guest.http import Http


class Attester(Protocol):
    """Whatever makes evidence over a nonce and a key of its own."""

    def attestation(self, nonce: str) -> bytes:
        """Return the protocol's Attestation message."""
        ...


@dataclass(frozen=True, slots=True)
class ReleasedResource:
    """What a broker released.

    Attributes:
        content: A JWE that opens with the attester's key alone.
        receipt: The name of the receipt.
    """

    content: bytes
    receipt: str


class BrokerClient:
    """A session with a broker.

    Args:
        url: Where it listens.
        tee: The attester's TEE.
    """

    def __init__(self, url: str, *, tee: str = "sgx") -> None:
        self._http = Http(url)
        self._tee = tee
        self._session = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def challenge(self) -> str:
        """Begin a session; return the broker's nonce.

        Raises:
            Refusal: The broker does not speak this version, or not with this TEE.
            TransportError: It cannot be reached, or answers outside the protocol.
        """
        request = msgspec.json.encode(KeyBrokerRequest(version=PROTOCOL, tee=self._tee))
        response = self._http.send("POST", "/kbs/v0/auth", content=request, headers=_JSON)
        session = response.cookies.get(SESSION_COOKIE)
        if session is None:
            raise TransportError("kbs.cookie", "expected a session cookie, found none", remedy="check the address")
        self._session = session
        return parse(response.content, Challenge).nonce

    def attest(self, attestation: bytes) -> str:
        """Send evidence; return the attestation result, a JWT.

        Raises:
            Refusal: The evidence is not authentic, or does not bind this session.
        """
        response = self._http.send("POST", "/kbs/v0/attest", content=attestation, headers=_JSON | self._cookie)
        return parse(response.content, TokenResponse).token

    def resource(self, path: str) -> ReleasedResource:
        """Ask for a resource.

        Args:
            path: `<repository>/<type>/<tag>`.

        Raises:
            Refusal: With every check of the denial.
        """
        response = self._http.send("GET", f"/kbs/v0/resource/{path}", headers=self._cookie)
        return ReleasedResource(response.content, response.headers.get("Adyton-Receipt", ""))

    def release(self, attester: Attester, path: str) -> ReleasedResource:
        """Do all of it: challenge, attest, ask.

        Raises:
            Refusal: The evidence or the release is refused.
            TransportError: The broker cannot be reached.
        """
        self.attest(attester.attestation(self.challenge()))
        return self.resource(path)

    @property
    def _cookie(self) -> dict[str, str]:
        return {"Cookie": f"{SESSION_COOKIE}={self._session}"}


_JSON = {"Content-Type": "application/json"}
