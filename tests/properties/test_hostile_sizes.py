"""What a hostile sender can make long costs time in proportion: 8 times the input, at most 12 times the calls.

Calls are counted, Python's and the interpreter's own, so the result does not depend on the machine. What happens inside
one call of a library is measured in processor time as well, with a wide margin: quadratic time is 64 times as much.
"""

from __future__ import annotations

import base64
import contextlib
import sys
import time

import msgspec
import pytest
from forged import Forged
from inspected import forged, texts

from adyton.errors import AdytonError
from adyton.forge.encode import sgx_extension
from adyton.formats.collateral import COLLATERAL_SIZE_CAP, Collateral
from adyton.formats.kbs import MESSAGE_SIZE_CAP, Attestation, KeyBrokerRequest
from adyton.formats.kbs import parse as parse_message
from adyton.formats.pck import PckExtension
from adyton.formats.policy import POLICY_SIZE_CAP, AppraisalPolicy
from adyton.formats.quote import QUOTE_SIZE_CAP, Quote
from adyton.formats.receipt import RECEIPT_SIZE_CAP, Receipt
from adyton.formats.result import RESULT_SIZE_CAP, SignedResult
from adyton.formats.snp import SNP_ENDORSEMENTS_SIZE_CAP, SnpEndorsements
from adyton.formats.tcb import TcbInfo
from adyton.formats.x509 import CHAIN_SIZE_CAP, Certificate, RevocationList, pem_blocks
from adyton.inspection import InspectionLimits, inspect
from adyton.inspection import elements as der

TIMES = 8
MOST_CALLS = 12
MOST_TIME = 32


def element(tag, content):
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def revocation_list(count):
    """Return a list with many entries: the forged one's parts, more of its one entry."""
    signed, *rest = der.parse(Forged(revoked_by_root=(1,)).collateral().root_crl).children()
    fields = signed.children()
    entry = fields[5].content[5:]
    entries = b"".join(
        element(0x30, element(2, b"\x01" + number.to_bytes(4, "big")) + entry) for number in range(count)
    )
    fields[5] = der.parse(element(0x30, entries))
    content = element(0x30, b"".join(field.encoded for field in fields))
    return element(0x30, content + b"".join(part.encoded for part in rest))


def certificate(count):
    """Return a certificate with many extensions."""
    signed, *rest = der.parse(pem_blocks(forged().quote().qe.data)[2]).children()
    *fields, _ = signed.children()
    extensions = b"".join(
        element(0x30, element(6, bytes((0x2A, number // 100 + 1, number % 100 + 1))) + element(4, b""))
        for number in range(count)
    )
    encoded = b"".join(field.encoded for field in fields) + element(0xA3, element(0x30, extensions))
    return element(0x30, element(0x30, encoded) + b"".join(part.encoded for part in rest))


def pem(count):
    return b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" * count


def pem_without_ends(count):
    return b"-----BEGIN CERTIFICATE-----AAAA" * count


def tcb_info(count):
    document = msgspec.json.decode(forged().collateral().tcb_info)
    document["tcbLevels"] *= count
    return msgspec.json.encode(document)


def policy(count):
    document = {"api_version": "adyton.dev/v1", "kind": "AppraisalPolicy", "name": "n"}
    return msgspec.json.encode({**document, "sgx": {"enclaves": [{"mr_enclave": "ab" * 32}] * count}})


def extension(count):
    pairs = der.parse(sgx_extension(forged().platform)).content
    return element(0x30, pairs * count)


def nested(count):
    return b"\x30\x80" * count


def nested_der(count):
    data = b""
    for _ in range(count):
        data = element(0x30, data)
    return data


def endorsements(count):
    content = base64.b64encode(bytes(count)).decode()
    return msgspec.json.encode({"leaf": content, "intermediate": content, "root": content})


def deep_json(count):
    return b'{"tcb_info":' + b'{"a":' * count


def deep_list(count):
    return b"[" * count


def unknown_fields(count):
    return b"{" + b",".join(b'"x%d":{}' % number for number in range(count)) + b"}"


def inspected_hex(count):
    return b"00" * count


GROWING = {
    "a list's entries": (RevocationList.parse, revocation_list, 500),
    "a certificate's extensions": (Certificate.parse, certificate, 500),
    "blocks of PEM": (pem_blocks, pem, 100),
    "PEM without ends": (pem_blocks, pem_without_ends, 200),
    "a PCK extension's fields": (PckExtension.parse, extension, 100),
    "nested DER": (Certificate.parse, nested_der, 200),
    "DER of indefinite length": (Certificate.parse, nested, 2000),
    "TCB levels": (TcbInfo.parse, tcb_info, 50),
    "a policy's enclaves": (AppraisalPolicy.parse, policy, 200),
    "deep JSON in collateral": (Collateral.parse, deep_json, 5000),
    "deep JSON in a receipt": (Receipt.parse, deep_list, 5000),
    "deep JSON in a message": (lambda data: parse_message(data, Attestation), deep_list, 5000),
    "unknown fields": (lambda data: parse_message(data, KeyBrokerRequest), unknown_fields, 1000),
    "an endorsements file": (SnpEndorsements.parse, endorsements, 5000),
    "inspection of a list": (inspect, revocation_list, 100),
    "inspection of a certificate": (inspect, certificate, 100),
    "inspection of nested DER": (inspect, lambda count: element(0x30, element(0x30, b"\xa0" + nested_der(count))), 200),
    "inspection of PEM": (inspect, pem, 200),
    "inspection of PEM without ends": (inspect, pem_without_ends, 1000),
    "inspection of hex": (inspect, inspected_hex, 20_000),
    "inspection of collateral": (inspect, lambda count: texts()["collateral"] + b" " * count, 5000),
}


@pytest.mark.parametrize(
    ("parse", "make"),
    [(RevocationList.parse, revocation_list), (Certificate.parse, certificate), (pem_blocks, pem),
     (TcbInfo.parse, tcb_info), (AppraisalPolicy.parse, policy), (SnpEndorsements.parse, endorsements)],
)  # fmt: skip
def test_what_grows_is_read_to_its_end(parse, make):
    parse(make(200))
    assert len(RevocationList.parse(revocation_list(200)).revoked) == 200


def run(read, data):
    with contextlib.suppress(AdytonError):
        read(data)


def calls(read, data):
    """Count calls: Python's and those of the interpreter's own functions."""
    counted = 0

    def count(_frame, event, _argument):
        nonlocal counted
        counted += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        run(read, data)
    finally:
        sys.setprofile(before)
    return counted


def seconds(read, data):
    """Return the shortest of five measurements of processor time."""

    def once():
        begin = time.process_time()
        run(read, data)
        return time.process_time() - begin

    return min(once() for _ in range(5))


@pytest.mark.parametrize("what", GROWING)
def test_a_longer_input_takes_calls_in_proportion(what):
    read, make, count = GROWING[what]
    few, many = (calls(read, make(size)) for size in (count, TIMES * count))
    assert many <= MOST_CALLS * max(few, 20)


@pytest.mark.parametrize("what", GROWING)
def test_a_longer_input_takes_time_in_proportion(what):
    read, make, count = GROWING[what]
    few, many = (seconds(read, make(size)) for size in (count, TIMES * count))
    # Below half a millisecond the clock's own steps are what is measured.
    assert many <= MOST_TIME * max(few, 0.0005)


CAPS = {
    "quote": (Quote.parse, QUOTE_SIZE_CAP, "dcap.quote.size"),
    "collateral": (Collateral.parse, COLLATERAL_SIZE_CAP, "dcap.collateral.size"),
    "SNP endorsements": (SnpEndorsements.parse, SNP_ENDORSEMENTS_SIZE_CAP, "snp.endorsements.size"),
    "policy": (AppraisalPolicy.parse, POLICY_SIZE_CAP, "policy.document.size"),
    "receipt": (Receipt.parse, RECEIPT_SIZE_CAP, "receipt.size"),
    "result": (SignedResult.parse, RESULT_SIZE_CAP, "result.document.size"),
    "message": (lambda data: parse_message(data, KeyBrokerRequest), MESSAGE_SIZE_CAP, "kbs.message.size"),
    "PEM": (pem_blocks, CHAIN_SIZE_CAP, "x509.pem"),
    "inspection": (lambda data: inspect(data, limits=InspectionLimits(file_size_bytes=4096)), 4096, "inspect.size"),
}


@pytest.mark.parametrize("what", CAPS)
def test_no_input_over_its_cap_is_read(what):
    read, cap, code = CAPS[what]
    data = b"{" + b" " * cap
    with pytest.raises(AdytonError) as caught:
        read(data)
    assert caught.value.code == code
    assert calls(read, data) <= 30
