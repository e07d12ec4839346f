"""Conceptual message wrappers and collateral bundles: read as they are written, and nothing else is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from forged import Forged

from adyton.errors import MalformedDocument
from adyton.formats.bundle import CollateralBundle, is_bundle
from adyton.formats.cmw import CmwRecord, Indicator, parse_collection, write_collection

RECORD = CmwRecord("application/eat+jwt", b"a token", Indicator.ATTESTATION_RESULTS)


def test_a_record_is_an_array_of_type_value_and_indicator():
    assert RECORD.to_bytes() == b'["application/eat+jwt","YSB0b2tlbg",8]'
    assert CmwRecord.parse(RECORD.to_bytes()) == RECORD
    assert CmwRecord.parse(b'["application/eat+jwt","YSB0b2tlbg"]').indicator == 0


def test_a_collection_keeps_its_records_by_label():
    written = write_collection({"result": RECORD}, kind="tag:example.org,2026:x")
    assert parse_collection(written) == {"result": RECORD}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"[]", b'["application/eat+jwt"]', b'["no type","YQ"]', b'["a/b","YQ=="]', b'["a/b","!"]',
        b'["a/b","YQ",1,2]', b'["a/b","YQ",16]',
        b'{"__cmwc_t":"x"}', b'{"a":"b"}', b'{"a":{"b":["a/b","YQ"]}}', b"[" * 999,
    ],
)  # fmt: skip
def test_what_is_no_wrapper_is_refused(data):
    for parse in (CmwRecord.parse, parse_collection):
        with pytest.raises(MalformedDocument, match=r"cmw\."):
            parse(data)


def bundle():
    sets = tuple(msgspec.Raw(Forged().collateral().to_bytes()) for _ in range(2))
    return CollateralBundle(made_at=datetime(2026, 6, 1, tzinfo=UTC), stale_after_days=7, collateral=sets)


def test_a_bundle_keeps_its_sets_byte_for_byte_and_says_until_when_it_is_vouched_for():
    read = CollateralBundle.parse(bundle_bytes := bundle().to_bytes())
    assert is_bundle(bundle_bytes)
    assert read.to_bytes() == bundle_bytes
    assert read.stale_at == read.made_at + timedelta(days=7)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"kind":"CollateralBundle"}', b"\xff", b"[" * 9999])
def test_what_is_no_bundle_is_refused(data):
    with pytest.raises(MalformedDocument, match=r"bundle\.invalid"):
        CollateralBundle.parse(data)
