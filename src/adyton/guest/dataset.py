r"""Data at rest between its owner and the TEE: one encrypted file, opened only with the key that the broker releases.

The format is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar 2015) over AES-256-GCM:

    8 bytes   magic, `ADYTON\x00\x01`
    4 bytes   chunk size, little-endian
    7 bytes   random prefix of every nonce
    then      chunks of `chunk size` bytes of plaintext, each with its 16-byte tag; the last may be shorter, even empty

A chunk's nonce is the prefix, the chunk's number (4 bytes, big-endian) and 1 for the last chunk, 0 for any other. So
chunks cannot be reordered, dropped, or cut off at a chunk's end. The associated data is the header and the data set's
name: a file that is served under another name does not open.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adyton.errors import MalformedDocument, UntrustedEvidence, UsageError

KEY_SIZE: Final = 32
CHUNK_SIZE: Final = 1024 * 1024
CHUNK_SIZE_CAP: Final = 64 * 1024 * 1024
_MAGIC: Final = b"ADYTON\x00\x01"
_HEADER: Final = struct.Struct("<8sI7s")
_TAG_SIZE: Final = 16


def new_key() -> bytes:
    """Return a fresh key for one data set, 32 bytes."""
    return os.urandom(KEY_SIZE)


def encrypt(plaintext: bytes, key: bytes, *, name: str) -> bytes:
    """Encrypt a data set.

    Args:
        plaintext: The data, whole.
        key: 32 bytes, used for this owner's data only.
        name: The data set's name and version; whoever opens it has to give the same.

    Raises:
        UsageError: `dataset.key` unless the key has 32 bytes.
    """
    cipher, header = _cipher(key), _HEADER.pack(_MAGIC, CHUNK_SIZE, os.urandom(7))
    chunks = [plaintext[at : at + CHUNK_SIZE] for at in range(0, len(plaintext), CHUNK_SIZE)] or [b""]
    nonces = _nonces(header, len(chunks))
    associated = _associated(header, name)
    return header + b"".join(
        cipher.encrypt(nonce, chunk, associated) for nonce, chunk in zip(nonces, chunks, strict=True)
    )


def decrypt(encrypted: bytes, key: bytes, *, name: str) -> bytes:
    """Open a data set.

    Returns:
        The plaintext. Nothing is returned unless every chunk is authentic.

    Raises:
        UsageError: `dataset.key` unless the key has 32 bytes.
        MalformedDocument: `dataset.header` if it is not a data set in this format.
        UntrustedEvidence: `dataset.tag` if the key or the name is another's, or a byte was changed, moved or cut off.
    """
    cipher = _cipher(key)
    header, step = encrypted[: _HEADER.size], _chunk_size(encrypted) + _TAG_SIZE
    chunks = [encrypted[at : at + step] for at in range(_HEADER.size, len(encrypted), step)] or [b""]
    nonces = _nonces(header, len(chunks))
    associated = _associated(header, name)
    try:
        return b"".join(cipher.decrypt(nonce, chunk, associated) for nonce, chunk in zip(nonces, chunks, strict=True))
    except InvalidTag:
        raise UntrustedEvidence(
            "dataset.tag",
            f"expected data set {name!r} under this key, found data that does not authenticate",
            remedy="fetch the data set again; if it stays so, ask its owner for the right name, version and key",
        ) from None


def _cipher(key: bytes) -> AESGCM:
    if len(key) != KEY_SIZE:
        raise UsageError(
            "dataset.key", f"expected a key of {KEY_SIZE} bytes, found {len(key)}", remedy="use the released key whole"
        )
    return AESGCM(key)


def _chunk_size(encrypted: bytes) -> int:
    if len(encrypted) >= _HEADER.size:
        magic, chunk_size, _ = _HEADER.unpack_from(encrypted)
        if magic == _MAGIC and 0 < chunk_size <= CHUNK_SIZE_CAP:
            return int(chunk_size)
    raise MalformedDocument(
        "dataset.header",
        "expected an encrypted data set (magic ADYTON), found something else",
        remedy="pass the file that the owner encrypted, unchanged",
    )


def _nonces(header: bytes, count: int) -> Iterator[bytes]:
    prefix = header[-7:]
    return (prefix + struct.pack(">IB", number, number == count - 1) for number in range(count))


def _associated(header: bytes, name: str) -> bytes:
    return header + name.encode()
