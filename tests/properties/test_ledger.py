"""The ledger's tree against a naive one, and proofs that were tampered with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adyton.formats.ledger import (
    EMPTY_ROOT,
    consistency_proof,
    extends,
    includes,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_hash,
)


def naive_root(entries):
    """RFC 6962 2.1, word by word."""
    if not entries:
        return EMPTY_ROOT
    if len(entries) == 1:
        return leaf_hash(entries[0])
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return node_hash(naive_root(entries[:split]), naive_root(entries[split:]))


def source(entries):
    """Hashes of complete subtrees, as a ledger keeps them."""
    return lambda level, position: naive_root(entries[position << level : (position + 1) << level])


def entries_of(size):
    return [b"entry %d" % number for number in range(size)]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100])
def test_the_root_is_that_of_the_definition(size):
    entries = entries_of(size)
    assert root_hash(size, source(entries)) == naive_root(entries)


@given(st.data())
def test_every_entry_is_proven_and_no_other(data):
    size = data.draw(st.integers(1, 70))
    position = data.draw(st.integers(0, size - 1))
    entries = entries_of(size)
    root, proof = naive_root(entries), inclusion_proof(position, size, source(entries))
    assert includes(entries[position], position, size, proof, root)
    assert not includes(b"forged", position, size, proof, root)
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != position)) if size > 1 else size
    assert not includes(entries[position], other, size, proof, root)


@given(st.data())
def test_a_proof_that_was_changed_proves_nothing(data):
    size = data.draw(st.integers(2, 70))
    position = data.draw(st.integers(0, size - 1))
    entries = entries_of(size)
    root, proof = naive_root(entries), inclusion_proof(position, size, source(entries))
    at = data.draw(st.integers(0, len(proof) - 1))
    flipped = [*proof[:at], bytes(32), *proof[at + 1 :]]
    for changed in (flipped, proof[:-1], [*proof, bytes(32)], []):
        assert not includes(entries[position], position, size, changed, root)


@given(st.integers(0, 70), st.integers(0, 70))
def test_a_ledger_that_was_added_to_extends_the_old_one(one, other):
    old, new = sorted((one, other))
    entries = entries_of(new)
    proof = consistency_proof(old, new, source(entries))
    assert extends(old, new, naive_root(entries[:old]), naive_root(entries), proof)


@given(st.data())
def test_a_ledger_whose_history_was_rewritten_does_not_extend_the_old_one(data):
    new = data.draw(st.integers(2, 70))
    old = data.draw(st.integers(1, new - 1))
    entries = entries_of(new)
    rewritten = list(entries)
    rewritten[data.draw(st.integers(0, old - 1))] = b"rewritten"
    proof = consistency_proof(old, new, source(rewritten))
    assert not extends(old, new, naive_root(entries[:old]), naive_root(rewritten), proof)


def test_a_shorter_ledger_does_not_extend_a_longer_one():
    entries = entries_of(8)
    assert not extends(8, 5, naive_root(entries), naive_root(entries[:5]), [])
    assert not extends(5, 5, naive_root(entries[:5]), naive_root(entries[1:6]), [])
