"""Receipts: what proves an entry, and what was tried to have another one proven."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from brokers import PATH, World
from joserfc.jwk import ECKey

from adyton.broker import verify_receipt
from adyton.errors import MalformedDocument, NotFound, UntrustedEvidence
from adyton.formats.receipt import Receipt


@pytest.fixture
def proven(tmp_path):
    world = World(tmp_path)
    world.put()
    name = world.broker.release(world.attested(), PATH).receipt
    for _ in range(5):
        world.put()
    return world.broker.receipt(name), ECKey.import_key(world.broker.keys.signing_jwk).public_key, world


def test_a_receipt_survives_its_document_and_later_entries(proven):
    receipt, key, _ = proven
    assert verify_receipt(Receipt.parse(receipt.to_bytes()), key).kind == "release"
    assert receipt.head.size > receipt.position + 5


def test_a_receipt_of_another_broker_is_refused(proven):
    receipt, _, _ = proven
    stranger = ECKey.generate_key("P-256", private=True).public_key
    with pytest.raises(UntrustedEvidence, match=r"ledger\.head\.signature"):
        verify_receipt(receipt, stranger)


def test_an_altered_receipt_proves_nothing(proven):
    receipt, key, _ = proven
    head = receipt.head
    for change in (
        {"entry": receipt.entry.replace(b"release", b"denial")},
        {"position": receipt.position + 1},
        {"proof": receipt.proof[:-1]},
        {"head": msgspec.structs.replace(head, root=bytes(32))},
        {"head": msgspec.structs.replace(head, size=head.size + 1)},
        {"head": msgspec.structs.replace(head, at=head.at + timedelta(seconds=1))},
        {"head": msgspec.structs.replace(head, signature=b"")},
    ):
        with pytest.raises(UntrustedEvidence):
            verify_receipt(msgspec.structs.replace(receipt, **change), key)


def test_an_unknown_receipt_is_not_found(proven):
    with pytest.raises(NotFound, match=r"receipt\.unknown"):
        proven[2].broker.receipt("0" * 32)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b" " * (1024 * 1024 + 1)])
def test_what_is_no_receipt_is_refused(data):
    with pytest.raises(MalformedDocument, match=r"receipt\."):
        Receipt.parse(data)
