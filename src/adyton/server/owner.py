"""The owner's and auditor's client: give secrets, list them, read the record. Secrets leave encrypted to the broker."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

from adyton.broker.keys import encrypt_to
from adyton.broker.party import PartyRequest, sign_request
from adyton.errors import TransportError, UntrustedEvidence
from adyton.formats.api import BrokerDescription, ConsistencyProof, LedgerLine, SecretDescription, SecretUpload
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.receipt import Receipt, TreeHead
from adyton.guest.http import Http

_T = TypeVar("_T")


class Owner:
    """A party's key.

    Args:
        name: The party's name at its broker.
        key: Its P-256 private key.
    """

    def __init__(self, name: str, key: ECKey) -> None:
        self.name = name
        self.key = key


class OwnerClient:
    """A connection to a broker, as a party or as anybody.

    Args:
        url: Where it listens.
        owner: Who asks; what is public needs nobody.
        pinned_key: The thumbprint of the broker's signing key, if it is known; another broker is refused.
    """

    def __init__(self, url: str, owner: Owner | None = None, *, pinned_key: str = "") -> None:
        self._http = Http(url)
        self._owner = owner
        self._pinned = pinned_key

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def describe(self) -> BrokerDescription:
        """Return who the broker is.

        Raises:
            UntrustedEvidence: `broker.key` if it is not the broker whose key was pinned.
            TransportError: It cannot be reached.
        """
        described = self._get("/v1/broker", BrokerDescription)
        found = ECKey.import_key(dict(described.signing_key)).thumbprint()
        if self._pinned and found != self._pinned:
            raise UntrustedEvidence(
                "broker.key",
                f"expected the broker with key {self._pinned}, found {found}",
                remedy="check the address; a broker that lost its state has another key",
            )
        return described

    def signing_key(self) -> ec.EllipticCurvePublicKey:
        """Return the key that the broker signs with."""
        return public_key(self.describe())

    def put_secret(self, path: str, value: bytes, policy: AppraisalPolicy) -> SecretDescription:
        """Give a secret to the broker, under a policy; a known path gets a new version.

        Raises:
            Refusal: The broker refused.
        """
        recipient = ECKey.import_key(dict(self.describe().upload_key))
        body = msgspec.json.encode(SecretUpload(envelope=encrypt_to(recipient, value), policy=policy))
        return self._signed("PUT", f"/v1/secrets/{path}", SecretDescription, body)

    def secrets(self) -> list[SecretDescription]:
        """Return what the broker keeps for this party, without values."""
        return self._signed("GET", "/v1/secrets", list[SecretDescription])

    def ledger(self, start: int = 0) -> list[LedgerLine]:
        """Return ledger entries from a place on."""
        return self._get(f"/v1/ledger?start={start}", list[LedgerLine])

    def head(self) -> TreeHead:
        """Return the ledger's head, signed."""
        return self._get("/v1/ledger/head", TreeHead)

    def consistency(self, old: int, new: int) -> ConsistencyProof:
        """Return the proof that the ledger was only added to."""
        return self._get(f"/v1/ledger/consistency?old={old}&new={new}", ConsistencyProof)

    def receipt(self, name: str) -> Receipt:
        """Return a receipt, proven in the ledger as it is now."""
        return Receipt.parse(self._http.send("GET", f"/v1/receipts/{name}").content)

    def _get(self, path: str, kind: type[_T]) -> _T:
        return _decode(self._http.send("GET", path).content, kind)

    def _signed(self, method: str, path: str, kind: type[_T], body: bytes = b"") -> _T:
        if self._owner is None:
            raise TypeError("this request needs an owner")
        request = PartyRequest(method, path, body)
        now = datetime.now(UTC)
        token = sign_request(request, self._owner.name, self._owner.key, jti=secrets.token_hex(16), now=now)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return _decode(self._http.send(method, path, content=body, headers=headers).content, kind)


def public_key(described: BrokerDescription) -> ec.EllipticCurvePublicKey:
    """Return a broker's signing key."""
    key = ECKey.import_key(dict(described.signing_key)).public_key
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TransportError("broker.answer", "expected a public key", remedy="check the address")
    return key


def _decode(content: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise TransportError(
            "broker.answer",
            f"the broker answered outside its interface: {error}",
            remedy="use the same version on both ends",
        ) from error
