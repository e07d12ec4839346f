"""What fuzzing found, and stays repaired."""

from __future__ import annotations

import contextlib
import sys
import time

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from adyton.broker.receipt import verify_receipt
from adyton.errors import AdytonError, MalformedDocument, UntrustedEvidence
from adyton.formats.image import PAGE_REGULAR, PAGE_RX, EnclaveImage, Page, tcs_page
from adyton.formats.kbs import PathPart
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.receipt import Receipt


@pytest.mark.parametrize(
    "document",
    [b'a: !!bool "abc"', b'a: !!int ""', b'a: !!float ""', b'a: !!timestamp "abc"', b"a: 1:" + b"1:" * 400 + b"1.0"],
    ids=["KeyError", "IndexError", "IndexError of a float", "AttributeError", "OverflowError"],
)
def test_no_yaml_leads_to_another_error(document):
    with pytest.raises(MalformedDocument):
        AppraisalPolicy.parse(document)


def test_a_policy_that_is_read_can_be_written():
    head = b"api_version: adyton.dev/v1\nkind: AppraisalPolicy\nname: n\n"
    try:
        policy = AppraisalPolicy.parse(head + b"tcb: {minimum_evaluation_number: 0x" + b"9" * 5000 + b"}")
    except MalformedDocument:
        return
    assert len(policy.digest()) == 32


def merges(count):
    """Return mappings of which each merges the one before twice: `<<` doubles what the library keeps."""
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{at}: &a{at} {{<<: [*a{at - 1}, *a{at - 1}]}}" for at in range(1, count)]
    return "\n".join(lines).encode()


def calls(read, data):
    """Count calls, Python's and the interpreter's own."""
    counted = 0

    def count(_frame, _event, _argument):
        nonlocal counted
        counted += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        with contextlib.suppress(AdytonError):
            read(data)
    finally:
        sys.setprofile(before)
    return counted


def test_a_policy_of_merge_keys_takes_time_in_proportion():
    assert calls(AppraisalPolicy.parse, merges(16)) <= 4 * calls(AppraisalPolicy.parse, merges(8))


def test_a_policy_with_a_long_number_to_base_60_takes_time_in_proportion():
    def seconds(count):
        begin = time.process_time()
        with contextlib.suppress(AdytonError):
            AppraisalPolicy.parse(b"a: " + b"1:" * count + b"1")
        return time.process_time() - begin

    assert seconds(48_000) <= 24 * min(seconds(6000) for _ in range(3))


def text_over_pages(count):
    """Return an image whose program has no end: each page is full, and the last is followed by none."""
    pages = [Page((at + 1) * 4096, PAGE_REGULAR | PAGE_RX, b"a" * 4096) for at in range(count)]
    return EnclaveImage.build(4096 * 2 ** count.bit_length(), [tcs_page(0, entry=4096, manifest=4096), *pages])


def test_an_image_s_program_is_read_in_time_in_proportion_to_its_pages():
    def seconds(count):
        image = text_over_pages(count)
        begin = time.process_time()
        with contextlib.suppress(AdytonError):
            image.read_text(image.entry)
        return time.process_time() - begin

    assert seconds(1600) <= 24 * min(seconds(200) for _ in range(3))


@pytest.mark.parametrize("size", [-1, 1 << 64])
def test_a_receipt_whose_tree_has_an_impossible_size_is_refused(size):
    document = b'{"entry":"AA==","position":0,"proof":[],"head":{"size":%d,"root":"AA==","at":"2026-01-01T00:00:00Z"}}'
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises((MalformedDocument, UntrustedEvidence)):
        verify_receipt(Receipt.parse(document % size), key)


@pytest.mark.parametrize(
    "change",
    [{"roots": ["intel\n"]}, {"tcb": {"accepted_statuses": ["UpToDate\n"]}},
     {"sgx": {"enclaves": [{"mr_enclave": "ab" * 32 + "\n"}]}}],
    ids=["a root", "a status", "a measurement"],
)  # fmt: skip
def test_a_value_with_a_line_end_behind_it_is_refused(change):
    document = {"api_version": "adyton.dev/v1", "kind": "AppraisalPolicy", "name": "n", **change}
    with pytest.raises(MalformedDocument):
        AppraisalPolicy.parse(msgspec.json.encode(document))


def test_a_part_of_a_path_with_a_line_end_behind_it_is_refused():
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert("tag\n", PathPart)
