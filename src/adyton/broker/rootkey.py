"""The key that all secrets are sealed with, and what opens it.

The root key is random and is stored wrapped (AES-256-GCM) by a key that comes from a passphrase (Argon2id, RFC 9106) or
from a key file of its own. A wrong passphrase or another key file is an error, and nothing is lost: the wrapping
authenticates. A sealed value is bound to its context, so it opens nowhere else.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final, Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from adyton import linux
from adyton.errors import StateError

_FILE: Final = "root.json"
_KEY_FILE: Final = "root.key"
_KEY_SIZE: Final = 32
_NONCE_SIZE: Final = 12
_CONTEXT: Final = b"adyton.dev/v1 root key"
_ARGON2_LANES: Final = 1
_ARGON2_ITERATIONS: Final = 3
_ARGON2_MEMORY_KIB: Final = 64 * 1024


class _WrappedRoot(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    opened_by: Literal["passphrase", "key-file"]
    wrapped: bytes
    salt: bytes = b""


class RootKey:
    """An opened root key.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def open(cls, folder: Path, *, passphrase: bytes | None = None) -> RootKey:
        """Open the root key of a broker's folder; make one first if there is none.

        Args:
            folder: Where it is stored.
            passphrase: What opens it; without one, a key file in the folder does.

        Raises:
            StateError: `broker.root.wrong` for another passphrase or key file; `broker.root.damaged`;
                `broker.root.unusable`.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            if not (folder / _FILE).exists():
                _create(folder, passphrase)
            wrapped = msgspec.json.decode((folder / _FILE).read_bytes(), type=_WrappedRoot)
        except OSError as error:
            raise _failed("unusable", f"expected to use {folder}: {error.strerror or error}") from error
        except msgspec.MsgspecError as error:
            raise _failed("damaged", f"{folder / _FILE} does not parse") from error
        return cls(_unwrap(folder, wrapped, passphrase))

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Seal a value to its context."""
        nonce = os.urandom(_NONCE_SIZE)
        return nonce + self._cipher.encrypt(nonce, plaintext, context)

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """Open a sealed value.

        Raises:
            StateError: `broker.seal.wrong` if it was sealed with another key, for another context, or was changed.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:], context)
        except (InvalidTag, ValueError) as error:
            raise StateError(
                "broker.seal.wrong",
                "expected a value sealed with this root key for this place, found one that does not open",
                remedy="restore the database and the root key from the same copy",
            ) from error


def _create(folder: Path, passphrase: bytes | None) -> None:
    salt = secrets.token_bytes(16) if passphrase is not None else b""
    if passphrase is None:
        linux.replace_file(folder / _KEY_FILE, secrets.token_bytes(_KEY_SIZE), mode=0o600)
    key, nonce = _wrapping_key(folder, passphrase, salt), os.urandom(_NONCE_SIZE)
    wrapped = nonce + AESGCM(key).encrypt(nonce, secrets.token_bytes(_KEY_SIZE), _CONTEXT)
    opened_by: Literal["passphrase", "key-file"] = "key-file" if passphrase is None else "passphrase"
    document = _WrappedRoot(opened_by=opened_by, wrapped=wrapped, salt=salt)
    linux.replace_file(folder / _FILE, msgspec.json.encode(document), mode=0o600)


def _unwrap(folder: Path, wrapped: _WrappedRoot, passphrase: bytes | None) -> bytes:
    if (wrapped.opened_by == "passphrase") != (passphrase is not None):
        raise _failed("wrong", f"the root key is opened by a {wrapped.opened_by}, found another way")
    key = _wrapping_key(folder, passphrase, wrapped.salt)
    try:
        return AESGCM(key).decrypt(wrapped.wrapped[:_NONCE_SIZE], wrapped.wrapped[_NONCE_SIZE:], _CONTEXT)
    except (InvalidTag, ValueError) as error:
        raise _failed("wrong", f"this {wrapped.opened_by} does not open the root key") from error


def _wrapping_key(folder: Path, passphrase: bytes | None, salt: bytes) -> bytes:
    if passphrase is None:
        key = (folder / _KEY_FILE).read_bytes()
        if len(key) != _KEY_SIZE:
            raise _failed("damaged", f"expected {_KEY_SIZE} bytes in {folder / _KEY_FILE}, found {len(key)}")
        return key
    derive = Argon2id(
        salt=salt,
        length=_KEY_SIZE,
        iterations=_ARGON2_ITERATIONS,
        lanes=_ARGON2_LANES,
        memory_cost=_ARGON2_MEMORY_KIB,
    )
    return derive.derive(passphrase)


def _failed(suffix: str, found: str) -> StateError:
    return StateError(
        f"broker.root.{suffix}",
        found,
        remedy="give the passphrase or key file that this folder was made with; nothing in it was changed",
    )
