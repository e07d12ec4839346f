"""Appending to the ledger, and proving what is in it; within the transaction of whatever is recorded."""

from __future__ import annotations

import secrets
from datetime import datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from adyton.broker.model import Secret
from adyton.broker.receipt import sign_head
from adyton.broker.store import Rows
from adyton.errors import NotFound
from adyton.formats.ledger import consistency_proof, inclusion_proof, leaf_hash, node_hash, root_hash
from adyton.formats.receipt import LedgerEntry, Receipt, TreeHead
from adyton.policy import Appraisal


class Ledger:
    """The ledger of one broker.

    Args:
        key: What its heads are signed with.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def append(self, rows: Rows, entry: LedgerEntry) -> str:
        """Append an entry; return the name of its receipt."""
        content, position, name = entry.to_bytes(), rows.ledger_size(), secrets.token_hex(16)
        rows.add_entry(position, content, name)
        level, value = 0, leaf_hash(content)
        rows.add_node(level, position, value)
        while position & 1:
            value = node_hash(rows.node(level, position - 1), value)
            level, position = level + 1, position >> 1
            rows.add_node(level, position, value)
        return name

    def head(self, rows: Rows, now: datetime) -> TreeHead:
        """Return the ledger's head, signed now."""
        size = rows.ledger_size()
        return sign_head(TreeHead(size=size, root=root_hash(size, rows.node), at=now), self._key)

    def receipt(self, rows: Rows, name: str, now: datetime) -> Receipt:
        """Return a receipt, proven in the ledger as it is now.

        Raises:
            NotFound: `receipt.unknown`.
        """
        found = rows.entry(name)
        if found is None:
            raise NotFound(
                "receipt.unknown", "expected a receipt of this broker, found none by this name", remedy="check its name"
            )
        position, entry = found
        head = self.head(rows, now)
        proof = tuple(inclusion_proof(position, head.size, rows.node))
        return Receipt(entry=entry, position=position, proof=proof, head=head)

    def consistency(self, rows: Rows, old: int, new: int) -> list[bytes]:
        """Return the proof that the ledger of `new` entries continues that of `old`."""
        return consistency_proof(old, min(new, rows.ledger_size()), rows.node)


def entry_of(kind: str, secret: Secret | None, appraisal: Appraisal | None, now: datetime) -> LedgerEntry:
    """Return an entry about a secret and an appraisal, as far as there are any."""
    fields: dict[str, object] = {"kind": kind, "at": now}
    if secret is not None:
        fields |= {
            "secret": secret.path,
            "version": secret.version,
            "policy": secret.policy.name,
            "policy_digest": secret.policy.digest().hex(),
        }
    if appraisal is not None:
        fields |= {
            "evidence_digest": appraisal.evidence_digest.hex(),
            "collateral_digest": appraisal.collateral_digest.hex(),
            "measurement": appraisal.claims.measurement,
            "tcb_status": appraisal.tcb_status or "",
            "mode": appraisal.mode,
            "root": appraisal.evidence.root.name,
        }
    return msgspec.convert(fields, LedgerEntry)
