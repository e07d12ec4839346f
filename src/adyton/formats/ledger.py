"""The ledger's tree: RFC 6962 Merkle tree hashes, and the proofs that an auditor checks without the ledger.

A leaf is SHA-256 of 0x00 and the entry, a node SHA-256 of 0x01 and its two children (RFC 6962 2.1). Proofs are
verified as in RFC 9162 2.1.3.2 and 2.1.4.2. Complete subtrees never change, so a ledger keeps their hashes by level
and position, and every root and proof takes a number of them that grows with the logarithm of the size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

NodeSource = Callable[[int, int], bytes]
"""Returns the hash of the complete subtree at a level (0 for leaves) and a position on that level."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_hash(size: int, nodes: NodeSource) -> bytes:
    """Return the root of the first `size` entries."""
    return _range_hash(0, size, nodes) if size else EMPTY_ROOT


def inclusion_proof(position: int, size: int, nodes: NodeSource) -> list[bytes]:
    """Return the audit path of an entry in the tree of the first `size` entries (RFC 6962 2.1.1)."""
    proof: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        split = low + _split(high - low)
        if position < split:
            proof.append(_range_hash(split, high, nodes))
            high = split
        else:
            proof.append(_range_hash(low, split, nodes))
            low = split
    return proof[::-1]


def consistency_proof(old: int, new: int, nodes: NodeSource) -> list[bytes]:
    """Return the proof that the tree of `new` entries begins with that of `old` (RFC 6962 2.1.2)."""
    if not 0 < old < new:
        return []
    proof: list[bytes] = []
    low, high, whole = 0, new, True
    while old != high:
        split = low + _split(high - low)
        if old <= split:
            proof.append(_range_hash(split, high, nodes))
            high = split
        else:
            proof.append(_range_hash(low, split, nodes))
            low, whole = split, False
    if not whole:
        proof.append(_range_hash(low, high, nodes))
    return proof[::-1]


def includes(entry: bytes, position: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether a proof shows that an entry is in a tree (RFC 9162 2.1.3.2)."""
    if not 0 <= position < size:
        return False
    found, node, last = leaf_hash(entry), position, size - 1
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def extends(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether a proof shows that a tree is the continuation of an older one (RFC 9162 2.1.4.2)."""
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    if not 0 < old < new or not proof:
        return False
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old_found = new_found = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old_found, new_found = node_hash(sibling, old_found), node_hash(sibling, new_found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new_found = node_hash(new_found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old_found == old_root and new_found == new_root


def _range_hash(low: int, high: int, nodes: NodeSource) -> bytes:
    size = high - low
    if size & (size - 1) == 0 and low % size == 0:
        level = size.bit_length() - 1
        return nodes(level, low >> level)
    split = low + _split(size)
    return node_hash(_range_hash(low, split, nodes), _range_hash(split, high, nodes))


def _split(size: int) -> int:
    """Return the largest power of two that is smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)
