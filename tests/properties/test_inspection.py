"""The leaves of an inspection cover every byte once and in order; it stops where the parser refuses, and only there."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspected import NOW, binaries, texts

from adyton.errors import AdytonError, MalformedEvidence
from adyton.formats.quote import Quote
from adyton.formats.sigstruct import SigStruct
from adyton.formats.snp import SnpReport
from adyton.inspection import inspect

TABLES = {
    **{name: Quote.parse for name in binaries() if name.startswith("quote")},
    **{name: SnpReport.parse for name in binaries() if name.startswith("SNP")},
    "SIGSTRUCT": SigStruct.parse,
}


def covered(found):
    """Check that leaves follow each other without gaps, and return where they end."""
    at = 0
    for leaf in found.root.leaves():
        assert leaf.offset == at, leaf.name
        assert len(leaf.raw) in (0, leaf.size)
        at += leaf.size
    return at


@pytest.mark.parametrize("name", binaries())
def test_the_leaves_cover_every_byte_once_and_in_order(name):
    data = binaries()[name]
    found = inspect(data, at=NOW)
    assert covered(found) == len(data) == found.size
    assert b"".join(leaf.raw for leaf in found.root.leaves()) == data


@pytest.mark.parametrize("name", binaries())
@given(data=st.data())
def test_what_is_shown_of_changed_bytes_is_a_beginning_of_them(name, data):
    changed = changed_by(data, binaries()[name])
    with contextlib.suppress(MalformedEvidence):
        found = inspect(changed, at=NOW)
        if found.encoding == ("binary",):
            end = covered(found)
            assert end == len(changed) or (found.stopped is not None and end >= found.stopped)


@pytest.mark.parametrize("name", TABLES)
@given(data=st.data())
def test_a_table_stops_where_the_parser_refuses_and_only_there(name, data):
    changed = changed_by(data, binaries()[name])
    try:
        found = inspect(changed)
    except MalformedEvidence:
        return
    assert (found.error is None) == (found.stopped is None)
    with contextlib.suppress(AdytonError):
        TABLES[name](changed)
        assert found.error is None


@given(st.binary(max_size=600))
def test_no_bytes_lead_to_another_error(data):
    with contextlib.suppress(MalformedEvidence):
        inspect(data, at=NOW)


@pytest.mark.parametrize("name", texts())
@given(data=st.data())
def test_no_changed_document_leads_to_another_error(name, data):
    with contextlib.suppress(MalformedEvidence):
        inspect(changed_by(data, texts()[name]), at=NOW)


def changed_by(data, whole):
    """Cut, or change a byte, mostly near the beginning, where the structure is."""
    changed = bytearray(whole)
    at = data.draw(st.one_of(st.integers(0, min(1300, len(changed) - 1)), st.integers(0, len(changed) - 1)))
    if data.draw(st.booleans()):
        changed[at] = data.draw(st.integers(0, 255))
        return bytes(changed)
    return bytes(changed[:at]) if data.draw(st.booleans()) else bytes(changed) + b"\x00" * (at % 9)
