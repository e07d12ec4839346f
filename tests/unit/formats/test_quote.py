"""The quote's own rules, each broken in turn."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from evidence import ENCLAVE, TRUST_DOMAIN
from forged import Forged

from adyton.errors import MalformedEvidence
from adyton.formats.quote import BodyType, Quote, QuoteHeader, Tee
from adyton.formats.tdx import TdReportExtension

SGX = Forged().quote()
TDX = replace(SGX, header=replace(SGX.header, version=4, tee=Tee.TDX), body=TRUST_DOMAIN)
TD_15 = replace(TRUST_DOMAIN, tee_tcb_svn2=bytes(16), mr_service_td=bytes(48))
EXTENSION = TdReportExtension(
    1, b"\x01" * 32, b"\x02" * 48, b"\x03" * 48, 4, b"\x05" * 16, b"\x06" * 16, b"\x07" * 12, b"\x08" * 48, 9
)
TD_15_EX = replace(TD_15, extension=EXTENSION)


def refused(data):
    with pytest.raises(MalformedEvidence) as caught:
        Quote.parse(bytes(data))
    return caught.value.code


def changed(quote, at, content):
    data = bytearray(quote.to_bytes())
    data[at : at + len(content)] = content
    return data


@pytest.mark.parametrize(
    ("version", "tee", "body"),
    [
        (3, Tee.SGX, ENCLAVE),
        (4, Tee.TDX, TRUST_DOMAIN),
        (5, Tee.SGX, ENCLAVE),
        (5, Tee.TDX, TRUST_DOMAIN),
        (5, Tee.TDX, TD_15),
        (5, Tee.TDX, TD_15_EX),
    ],
)
def test_every_version_is_read_back(version, tee, body):
    quote = replace(SGX, header=replace(SGX.header, version=version, tee=tee), body=body)
    assert Quote.parse(quote.to_bytes()) == quote


def test_the_type_of_a_body_follows_from_it():
    assert [replace(TDX, body=body).body_type for body in (ENCLAVE, TRUST_DOMAIN, TD_15, TD_15_EX)] == list(BodyType)


@pytest.mark.parametrize(
    ("at", "content", "code"),
    [
        (0, b"\x06\x00", "dcap.quote.version"),
        (0, b"\x02\x00", "dcap.quote.epid"),
        (0, b"\x01\x00", "dcap.quote.epid"),
        (2, b"\x00\x00", "dcap.quote.epid"),
        (2, b"\x01\x00", "dcap.quote.epid"),
        (2, b"\x03\x00", "dcap.quote.key_type"),
        (4, b"\x81\x00\x00\x00", "dcap.quote.tee_type"),
        (4, b"\x01\x00\x00\x00", "dcap.quote.tee_type"),
        (12, bytes(16), "dcap.quote.qe_vendor"),
        (432, b"\xff\xff\xff\xff", "dcap.quote.length"),
        (432, b"\x00\x00\x00\x00", "dcap.quote.trailing"),
    ],
)
def test_a_field_of_another_value_is_refused_by_its_own_code(at, content, code):
    assert refused(changed(SGX, at, content)) == code


def test_an_unknown_certification_type_is_refused():
    at = len(SGX.to_bytes()) - len(SGX.qe.data) - 6
    for kind in (0, 6, 7, 65535):
        assert refused(changed(SGX, at, struct.pack("<H", kind))) == "dcap.qe.certification_type"


def test_a_version_4_quote_needs_the_outer_certification_type():
    at = 48 + 584 + 4 + 128
    assert refused(changed(TDX, at, b"\x05\x00")) == "dcap.quote.certification_type"
    assert refused(changed(TDX, at + 2, b"\x00\x00\x00\x01")) == "dcap.quote.length"


@pytest.mark.parametrize(
    ("descriptor", "tee"),
    [
        ((0, 384), Tee.SGX),
        ((4, 648), Tee.TDX),
        ((1, 384), Tee.TDX),
        ((2, 584), Tee.SGX),
        ((2, 648), Tee.TDX),
        ((3, 584), Tee.TDX),
    ],
)
def test_a_version_5_body_that_does_not_fit_its_descriptor_is_refused(descriptor, tee):
    body = ENCLAVE if tee is Tee.SGX else TRUST_DOMAIN
    quote = replace(SGX, header=replace(SGX.header, version=5, tee=tee), body=body)
    assert refused(changed(quote, 48, struct.pack("<HI", *descriptor))) == "dcap.quote.body_type"


def test_a_header_of_another_length_is_refused():
    with pytest.raises(MalformedEvidence, match=r"dcap\.quote\.length"):
        QuoteHeader.parse(bytes(47))


def test_an_oversized_quote_is_not_read():
    assert refused(bytes(64 * 1024 + 1)) == "dcap.quote.size"
