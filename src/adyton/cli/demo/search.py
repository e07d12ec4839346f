"""Searching files for what must not be in them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from adyton.cli.demo.stage import EncryptedModel


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found.

    Attributes:
        files: How many files were read.
        size: How many bytes.
        hits: What was found where.
    """

    files: int
    size: int
    hits: tuple[str, ...]


def search_plaintext(folder: Path, model: EncryptedModel, passphrase: bytes | None) -> Found:
    """Search every file below a folder for the model's key, its bytes, and the broker's passphrase."""
    files, size, hits = 0, 0, []
    needles = _needles(model, passphrase)
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        files, size = files + 1, size + len(content)
        hits += [f"{name} in {path.relative_to(folder)}" for name, needle in needles if needle in content]
    return Found(files, size, tuple(hits))


def _needles(model: EncryptedModel, passphrase: bytes | None) -> list[tuple[str, bytes]]:
    key = model.key
    needles = [
        ("the key", key),
        ("the key in hex", key.hex().encode()),
        ("the key in HEX", key.hex().upper().encode()),
        ("the key in base64", base64.b64encode(key)[:42]),
        ("the key in base64url", base64.urlsafe_b64encode(key)[:42]),
        ("the model", model.sample),
    ]
    if passphrase is not None:
        needles.append(("the passphrase", passphrase))
    return needles
