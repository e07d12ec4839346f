"""From bytes to a tree of named fields: recognise the format, undo hex and base64, walk its table.

1. The bytes are at most as many as the limits say, and fewer for every format but enclave images.
2. The format is known by its first bytes or its keys; if it is not, and the bytes are text, hex and base64 are undone.
3. Its table shows it, as far as the bytes go.
4. Its parser judges it; a half-valid file is a tree and an error.

Nothing is verified: no signature, no chain, no digest.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Final

from adyton.errors import AdytonError, ErrorReport, MalformedEvidence
from adyton.inspection.kinds import KINDS, Kind
from adyton.inspection.layout import Walked
from adyton.inspection.limits import InspectionLimits, View
from adyton.inspection.tree import Inspection, Node

_HEX: Final = re.compile(rb"(0[xX])?([0-9a-fA-F]{2})+")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_SPACE: Final = b" \t\r\n\x00"
_BINARY: Final = "binary"
_REMEDY: Final = "pass the whole file, as its maker wrote it; the formats that are known are listed in the how-to guide"


def inspect(data: bytes, *, at: datetime | None = None, limits: InspectionLimits | None = None) -> Inspection:
    """Show what a file is, field by field. Nothing in it is verified.

    Args:
        data: The file.
        at: The time that dates are compared with, with a time zone; None compares none.
        limits: How much is read and shown.

    Returns:
        The tree; with an error in it if the file is of a known format and not well formed.

    Raises:
        MalformedEvidence: `inspect.size`, `inspect.empty`; `inspect.unknown` if it is of no known format, with what was
            tried and how far it matched.
    """
    view = View(at, limits or InspectionLimits())
    # 1
    _require_size(data, view.limits.file_size_bytes)
    if not data.strip(_SPACE):
        raise _malformed("empty", f"expected evidence, found {len(data)} bytes of nothing")
    # 2
    kind, content, encoding = _recognise(data, view)
    if kind.name != "enclave-image":
        _require_size(content, view.limits.document_size_bytes)
    # 3
    walked = _read(kind, content, view)
    # 4
    error = _judge(kind, content, walked)
    binary = any(node.offset is not None for node in walked.nodes)
    root = Node(kind.name, 0 if binary else None, b"", len(content), kind.title, (), walked.nodes)
    return Inspection(kind.name, kind.title, encoding, len(content), at, root, error, walked.stopped)


def _require_size(data: bytes, most: int) -> None:
    if len(data) > most:
        raise _malformed("size", f"expected at most {most} bytes, found {len(data)}")


def _recognise(data: bytes, view: View) -> tuple[Kind, bytes, tuple[str, ...]]:
    layers: list[str] = []
    content = data
    while True:
        kind = next((kind for kind in KINDS if kind.fits(content)), None)
        if kind is not None:
            return kind, content, (*layers, _BINARY) if kind.marks else tuple(layers) or ("text",)
        inner = _undo(content, view) if len(layers) < view.limits.text_layers_count else None
        if inner is None:
            raise _unknown(content, layers)
        name, content = inner
        layers.append(name)


def _undo(text: bytes, view: View) -> tuple[str, bytes] | None:
    """Return what a text of hex or base64 stands for, and which it was; None if it is neither."""
    if len(text) > view.limits.text_size_bytes:
        return None
    packed = text.translate(None, _SPACE).strip(b'"')
    if _HEX.fullmatch(packed):
        return "hex", binascii.unhexlify(packed[2:] if packed[:2] in (b"0x", b"0X") else packed)
    if not _BASE64.fullmatch(packed):
        return None
    padded = packed.rstrip(b"=")
    padded += b"=" * (-len(padded) % 4)
    try:
        return "base64", base64.b64decode(padded.replace(b"-", b"+").replace(b"_", b"/"), validate=True)
    except binascii.Error:
        return None


def _read(kind: Kind, content: bytes, view: View) -> Walked:
    try:
        return kind.read(content, view)
    except AdytonError:
        # The parser says the same below, and its error is the one to give.
        return Walked((), None)


def _judge(kind: Kind, content: bytes, walked: Walked) -> ErrorReport | None:
    where = "" if walked.stopped is None else f" (byte {walked.stopped} of {len(content)})"
    try:
        kind.parse(content)
    except AdytonError as error:
        return ErrorReport(error.code, error.message + where, error.remedy)
    return None


def _unknown(content: bytes, layers: list[str]) -> MalformedEvidence:
    inside = f" inside {' inside '.join(reversed(layers))}" if layers else ""
    tried = (
        f"{kind.title}: differs at byte {at}" if (at := kind.differs_at(content)) is not None else f"{kind.title}: no"
        for kind in {kind.title: kind for kind in KINDS}.values()
    )
    begin = content[:16].hex()
    return _malformed(
        "unknown",
        f"{len(content)} bytes{inside} that begin with {begin} are of no known format. Tried: {'; '.join(tried)}",
    )


def _malformed(suffix: str, found: str) -> MalformedEvidence:
    return MalformedEvidence(f"inspect.{suffix}", found, remedy=_REMEDY)
