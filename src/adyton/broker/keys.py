"""The broker's own keys, and the form in which it takes others'.

It signs tokens and tree heads with one key, and opens secrets that are on their way to it with another. Both are made
once, and kept sealed in the store.
"""

from __future__ import annotations

from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from adyton.broker.rootkey import RootKey
from adyton.broker.store import Store
from adyton.errors import MalformedDocument

_ENCRYPTION: Final = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM"}
_ALGORITHMS: Final = list(_ENCRYPTION.values())


class OwnKeys:
    """The broker's own keys.

    Args:
        store: Where they are kept.
        root_key: What they are sealed with.

    Attributes:
        signing: Signs tokens and tree heads.
    """

    def __init__(self, store: Store, root_key: RootKey) -> None:
        self.signing = _load(store, root_key, "signing")
        self._upload = _load(store, root_key, "upload")

    @property
    def signing_jwk(self) -> dict[str, str]:
        """The public key that it signs with, JWK."""
        return public_jwk(self.signing) | {"use": "sig", "alg": "ES256", "kid": self.signing.thumbprint()}

    @property
    def upload_jwk(self) -> dict[str, str]:
        """The public key that secrets are encrypted to on their way here, JWK."""
        return public_jwk(self._upload) | {"use": "enc", "alg": _ENCRYPTION["alg"]}

    @property
    def head_key(self) -> ec.EllipticCurvePrivateKey:
        """The signing key, for tokens and tree heads."""
        private = self.signing.private_key
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise TypeError("expected a private key")
        return private

    def open_envelope(self, envelope: str, cap: int) -> bytes:
        """Open a secret that is on its way here.

        Raises:
            MalformedDocument: `secret.envelope` if it is not encrypted to the upload key; `secret.size` unless it has 1
            to
                `cap` bytes.
        """
        try:
            value = jwe.decrypt_compact(envelope, self._upload, algorithms=_ALGORITHMS).plaintext or b""
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise MalformedDocument(
                "secret.envelope",
                "expected a compact JWE to this broker's upload key, found something that does not open",
                remedy="encrypt it to the key of GET /v1/broker",
            ) from error
        if not 0 < len(value) <= cap:
            raise MalformedDocument(
                "secret.size",
                f"expected 1 to {cap} bytes, found {len(value)}",
                remedy="keep a key here, and the data it opens elsewhere",
            )
        return value


def encrypt_to(key: ECKey, value: bytes) -> str:
    """Encrypt a value to a key: a compact JWE, ECDH-ES+A256KW and A256GCM."""
    return jwe.encrypt_compact(_ENCRYPTION, value, key, algorithms=_ALGORITHMS)


def public_jwk(key: ECKey) -> dict[str, str]:
    """Return a key's public members."""
    public = key.as_dict(private=False)
    return {name: str(public[name]) for name in ("kty", "crv", "x", "y")}


def import_key(jwk: bytes, code: str) -> ECKey:
    """Read a P-256 public key; a point that is not on the curve is none.

    Raises:
        MalformedDocument: `code`.
    """
    try:
        members: dict[str, str | list[str]] = dict(msgspec.json.decode(jwk, type=dict[str, str]))
        key = ECKey.import_key(members)
        curve = key.curve_name
        key.public_key  # noqa: B018, it is decoded here, so that a bad point is found here
    except (ValueError, KeyError, TypeError, JoseError, msgspec.MsgspecError) as error:
        raise _not_a_key(code) from error
    if curve != "P-256":
        raise _not_a_key(code)
    return key


def _load(store: Store, root_key: RootKey, name: str) -> ECKey:
    context = f"broker-key\0{name}".encode()
    with store.writing() as rows:
        sealed = rows.key(name)
        if sealed is None:
            key = ECKey.generate_key("P-256", private=True)
            rows.add_key(name, root_key.seal(msgspec.json.encode(key.as_dict(private=True)), context))
            return key
    return ECKey.import_key(msgspec.json.decode(root_key.unseal(sealed, context)))


def _not_a_key(code: str) -> MalformedDocument:
    return MalformedDocument(code, "expected a P-256 public key, JWK", remedy="make an ES256 key")
