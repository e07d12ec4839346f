"""PEM text: its blocks and what is between them, each block decoded if it is a certificate or a revocation list."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Final

from adyton.errors import MalformedEvidence
from adyton.formats.x509 import Certificate, RevocationList
from adyton.inspection.certificate import walk_certificate, walk_revocation_list
from adyton.inspection.limits import View
from adyton.inspection.tree import Node

_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----([^-]*)-----END \1-----")
_SPACE: Final = b" \t\r\n"
_LABELS: Final = {b"CERTIFICATE": walk_certificate, b"X509 CRL": walk_revocation_list}
_PRIVATE: Final = b"PRIVATE KEY"
_BLOCKS_CAP: Final = 64


def pem_nodes(text: bytes, view: View) -> tuple[Node, ...]:
    """Return the blocks of a PEM text and what is between them, in order; none if there is no block."""
    nodes: list[Node] = []
    at = 0
    for block in _BLOCK.finditer(text):
        if len(nodes) > _BLOCKS_CAP:
            break
        nodes += _between(text, at, block.start())
        nodes.append(_block(block, f"_{1 + sum(bool(node.decoded) for node in nodes)}", view))
        at = block.end()
    return (*nodes, *_between(text, at, len(text))) if nodes else ()


def pem_blocks(text: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Yield each block's label and content; None for one that is not base64, and private keys not at all."""
    for block in _BLOCK.finditer(text):
        if not block[1].endswith(_PRIVATE):
            yield block[1].decode("ascii"), _decode(block[2])


def parse_pem(data: bytes) -> None:
    """Judge a PEM text: its certificates and revocation lists.

    Raises:
        MalformedEvidence: `inspect.pem` for a block that is not base64; as the parsers of certificates and lists.
    """
    for label, content in pem_blocks(data):
        if content is None:
            raise MalformedEvidence(
                "inspect.pem", f"expected base64 in the block {label}, found other text", remedy="copy the whole block"
            )
        if label == "CERTIFICATE":
            Certificate.parse(content)
        elif label == "X509 CRL":
            RevocationList.parse(content)


def _between(text: bytes, at: int, end: int) -> list[Node]:
    if at == end:
        return []
    raw = text[at:end]
    meaning = "line ends" if not raw.strip(_SPACE + b"\x00") else "text outside of blocks"
    return [Node("text", at, raw, end - at, meaning)]


def _block(block: re.Match[bytes], number: str, view: View) -> Node:
    label, at, size = block[1].decode("ascii"), block.start(), len(block[0])
    name = label.lower().replace(" ", "_") + number
    if block[1].endswith(_PRIVATE):
        # Whoever reads over a shoulder, or a log, would have the key.
        return Node(name, at, b"", size, "not shown", ("a private key: keep it where nobody else reads it",))
    content = _decode(block[2])
    if content is None:
        return Node(name, at, block[0], size, "not base64", ("this block cannot be decoded",))
    walked = _LABELS[block[1]](content, view) if block[1] in _LABELS else None
    if walked is None:
        return Node(name, at, block[0], size, f"{len(content)} bytes of DER")
    danger = () if walked.stopped is None else (f"it is cut short or broken at byte {walked.stopped} of its DER",)
    meaning = walked.nodes[0].meaning if walked.nodes else ""
    return Node(name, at, block[0], size, meaning, danger, (), walked.nodes)


def _decode(content: bytes) -> bytes | None:
    try:
        return binascii.a2b_base64(content.translate(None, _SPACE), strict_mode=True)
    except binascii.Error:
        return None
