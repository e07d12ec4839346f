"""Changing JSON by its structure: libraries in C give no coverage to be guided by, so changes have to be well formed.

One value is replaced, removed, doubled, wrapped or moved; then the document is written down again. A JSON document in a
JSON string (collateral) is changed inside too.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

_LONG = 5000
VALUES = (
    None, True, False, 0, -1, 1 << 15, 1 << 16, 1 << 31, 1 << 63, (1 << 64) - 1, 1 << 64, -(1 << 63) - 1, 10**400, 0.5,
    1e300, "", "a",
    "\x00", "\ud800", "é", "\u202e", "0" * 64, "ab" * 32, "ab" * 31 + "zz", "ab" * 32 + "\n", "x" * _LONG,
    "AA==", "AA", "=", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+23:59",
    [], {}, [[]], [{}], [None], {"": None}, [0] * 17,
)  # fmt: skip
"""What a value is replaced with: each a limit, a wrong type or a text that looks right."""
_RAW = '"raw value"'


def mutate_json(chance: random.Random, data: bytes, raw: Sequence[bytes] = ()) -> bytes | None:
    """Return a changed document; None if the bytes are not JSON.

    Args:
        chance: Where choices come from.
        data: The document; bytes before its first brace are kept.
        raw: Texts that may stand in place of a value as they are, such as values of YAML.
    """
    head, brace, rest = data.partition(b"{")
    try:
        document = json.loads(brace + rest)
    except (ValueError, RecursionError):
        return None
    for _ in range(chance.randint(1, 3)):
        document = _changed(chance, document, bool(raw))
    text = json.dumps(document).encode()
    while raw and _RAW.encode() in text:
        text = text.replace(_RAW.encode(), chance.choice(raw), 1)
    return head + text


def _changed(chance: random.Random, value: object, raw: bool) -> object:  # noqa: FBT001, a private step
    """Go down a random way, and change what is there."""
    if isinstance(value, str) and value[:1] == "{" and chance.random() < 0.8:
        inner = mutate_json(chance, value.encode(errors="replace"))
        return value if inner is None else inner.decode()
    if isinstance(value, dict | list) and value and chance.random() < 0.85:
        return _changed_inside(chance, value, raw)
    return _replaced(chance, value, raw)


def _changed_inside(chance: random.Random, value: dict[str, object] | list[object], raw: bool) -> object:  # noqa: FBT001
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    at = chance.randrange(len(items))
    key, content = items[at]
    match chance.randrange(8):
        case 0:
            del items[at]
        case 1:
            items.append((f"{key}2", content))
        case 2:
            items[at] = (key, chance.choice(items)[1])
        case _:
            items[at] = (key, _changed(chance, content, raw))
    return dict(items) if isinstance(value, dict) else [content for _, content in items]


def _replaced(chance: random.Random, value: object, raw: bool) -> object:  # noqa: FBT001
    match chance.randrange(6):
        case 0 if raw:
            return _RAW.strip('"')
        case 1:
            return [value, value]
        case 2 if isinstance(value, str) and value:
            at = chance.randrange(len(value))
            return value[:at] + chance.choice(("", "0", "f", "Z", "\n", "\x00")) + value[at + chance.randint(0, 2) :]
        case 3 if isinstance(value, int):
            return value + chance.choice((-1, 1, 255, -256))
        case _:
            return chance.choice(VALUES)
