"""What parties exchange, in words: appraisal policies, signed results, receipts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from adyton.errors import MalformedDocument
from adyton.formats.check import Mode
from adyton.formats.moment import time_text
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.public_signers import where_public
from adyton.formats.receipt import Receipt
from adyton.formats.result import SignedResult
from adyton.inspection.limits import View
from adyton.inspection.show import public_signer
from adyton.inspection.tree import Node

_DANGEROUS: Final = "dangerous_"
_PAYLOAD_SHOWN_SIZE: Final = 2000


def policy_nodes(data: bytes, _view: View) -> tuple[Node, ...]:
    """Return a policy's rules, each exception marked.

    Raises:
        MalformedDocument: As `AppraisalPolicy.parse`.
    """
    policy = AppraisalPolicy.parse(data)
    rules = msgspec.to_builtins(policy)
    nodes = _fields(rules)
    silent = policy.sgx is None and policy.tdx is None and policy.snp is None
    return (*nodes, Node("digest", raw=policy.digest(), size=32, meaning=_names_nothing(silent=silent)))


def _names_nothing(*, silent: bool) -> str:
    return "SHA-256 of the canonical form" + ("; it accepts no code at all" if silent else "")


def _fields(rules: Mapping[str, object]) -> tuple[Node, ...]:
    return tuple(_field(name, value) for name, value in rules.items() if value is not None)


def _field(name: str, value: object) -> Node:
    if isinstance(value, Mapping):
        return Node(name, children=_fields(value))
    if isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
        return Node(name, children=tuple(Node(str(at), children=_fields(item)) for at, item in enumerate(value)))
    written = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value).lower()
    meaning = value if isinstance(value, str) else written
    return Node(name, meaning=meaning, danger=_dangers(name, value, meaning))


def _dangers(name: str, value: object, written: str) -> tuple[str, ...]:
    if name.startswith(_DANGEROUS) and value is True:
        return ("an exception from a safe rule",)
    if name == "roots" and "simulated:" in written:
        return ("it accepts evidence of a simulated platform",)
    where = where_public(bytes.fromhex(written)) if name == "mr_signer" else None
    return () if where is None else (public_signer(where),)


def receipt_nodes(data: bytes, _view: View) -> tuple[Node, ...]:
    """Return a receipt's entry, place and head.

    Raises:
        MalformedDocument: As `Receipt.parse`.
    """
    receipt = Receipt.parse(data)
    head = receipt.head
    return (
        _entry(receipt),
        Node("position", meaning=str(receipt.position)),
        Node("proof", meaning=f"{len(receipt.proof)} hashes from the entry to the root; not verified here"),
        Node("head.size", meaning=f"{head.size} entries"),
        Node("head.root", raw=head.root, size=len(head.root)),
        Node("head.at", meaning=time_text(head.at)),
        Node("head.signature", raw=head.signature, size=len(head.signature), meaning="not verified here"),
    )


def _entry(receipt: Receipt) -> Node:
    size = len(receipt.entry)
    try:
        entry = receipt.content()
    except MalformedDocument as error:
        return Node("entry", raw=receipt.entry, size=size, meaning="not readable", danger=(error.message,))
    simulated = ("it happened on a simulated platform",) if entry.mode is Mode.SIMULATED else ()
    decoded = _fields({name: value for name, value in msgspec.to_builtins(entry).items() if value not in ("", None)})
    return Node("entry", size=size, meaning=entry.kind, danger=simulated, decoded=decoded)


def result_nodes(result: SignedResult) -> tuple[Node, ...]:
    """Return the fields of a signed result, without those that hold other documents."""
    size = len(result.payload)
    text = result.payload[:_PAYLOAD_SHOWN_SIZE].decode("utf-8", "replace")
    return (
        Node("payload", raw=result.payload[:_PAYLOAD_SHOWN_SIZE], size=size, meaning=text),
        Node("point", raw=result.point, size=len(result.point), meaning="the enclave's result key, a P-256 point"),
        Node(
            "signature", raw=result.signature, size=len(result.signature), meaning="over the payload; not verified here"
        ),
    )
