"""Parsers read what they write, refuse every other length, and raise nothing but this project's errors."""

from __future__ import annotations

import contextlib

import pytest
from evidence import ENCLAVE, TRUST_DOMAIN
from forged import PLATFORM, Forged
from hypothesis import given
from hypothesis import strategies as st
from places import VECTORS
from running import sample

from adyton.errors import MalformedDocument, MalformedEvidence, UntrustedEvidence
from adyton.forge.encode import sgx_extension
from adyton.formats import der, pck
from adyton.formats.image import EnclaveImage
from adyton.formats.pck import PckExtension
from adyton.formats.quote import Quote
from adyton.formats.sgx import Attributes, KeyName, KeyRequest, Report, ReportBody, TargetInfo
from adyton.formats.sigstruct import SigStruct
from adyton.formats.tdx import TdReport
from adyton.guest.dataset import decrypt, encrypt, new_key

KEY_REQUEST = KeyRequest(KeyName.SEAL, 2, 1, bytes(range(16)), Attributes(3, 1), bytes(range(32)), 5, 6)
STRUCTURES = [
    (ReportBody, ENCLAVE),
    (TdReport, TRUST_DOMAIN),
    (Report, Report(ENCLAVE, bytes(range(32)), bytes(range(16)))),
    (TargetInfo, TargetInfo(bytes(range(32)), Attributes(5, 3), 1, 2, bytes(range(64)))),
    (KeyRequest, KEY_REQUEST),
    (SigStruct, sample()[2]),
    (Quote, Forged().quote()),
]
IDS = [kind.__name__ for kind, _ in STRUCTURES]


@pytest.mark.parametrize(("kind", "value"), STRUCTURES, ids=IDS)
def test_what_is_written_is_read_back(kind, value):
    assert kind.parse(value.to_bytes()) == value


@pytest.mark.parametrize(("kind", "value"), STRUCTURES, ids=IDS)
def test_every_other_length_is_refused(kind, value):
    whole = value.to_bytes()
    for length in {*range(0, len(whole), max(1, len(whole) // 60)), len(whole) - 1}:
        with pytest.raises(MalformedEvidence):
            kind.parse(whole[:length])
    with pytest.raises(MalformedEvidence):
        kind.parse(whole + b"\x00")


@given(st.data())
@pytest.mark.parametrize(("kind", "value"), STRUCTURES, ids=IDS)
def test_a_changed_byte_is_refused_or_read_as_written(kind, value, data):
    changed = bytearray(value.to_bytes())
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MalformedEvidence):
        assert kind.parse(bytes(changed)).to_bytes() == bytes(changed)


@given(st.binary(max_size=2000))
@pytest.mark.parametrize("kind", [kind for kind, _ in STRUCTURES], ids=IDS)
def test_no_bytes_lead_to_another_error(kind, data):
    with contextlib.suppress(MalformedEvidence):
        kind.parse(data)


@pytest.mark.parametrize("offset", [20, 96, 160, 262])
def test_a_reserved_byte_of_a_report_has_to_be_zero(offset):
    changed = bytearray(ENCLAVE.to_bytes())
    changed[offset] = 1
    with pytest.raises(MalformedEvidence, match=r"sgx\.report\.reserved"):
        ReportBody.parse(bytes(changed))


@pytest.mark.vectors
def test_every_genuine_quote_is_read_back_byte_for_byte():
    for path in (VECTORS / "dcap" / "quotes").glob("*.bin"):
        assert Quote.parse(path.read_bytes()).to_bytes() == path.read_bytes()


def test_the_pck_extension_is_read_back():
    assert PckExtension.parse(sgx_extension(PLATFORM)) == PLATFORM


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x80\x00\x00",
        b"\x30\x81\x01\x00",
        b"\x30\x82\x00\x80" + bytes(128),
        b"\x30\x84\x00\x00\x00\x80" + bytes(128),
        b"\x30\x05\x00",
        b"\x30\x00\x00",
        b"\x1f\x01\x00",
    ],
)
def test_der_in_another_than_its_one_form_is_refused(data):
    with pytest.raises(MalformedEvidence, match=r"der\.format"):
        der.decode(der.TLV, data)


@pytest.mark.parametrize("content", ["", "0080ff", "80", "ff", "0100", "0001"])
def test_a_version_that_is_negative_too_large_or_padded_is_refused(content):
    version = der.element(der.Tag.INTEGER, bytes.fromhex(content))
    with pytest.raises(MalformedEvidence):
        pck._uint(der.decode(int, version), 255)


@pytest.mark.parametrize("fields", [(0, 0), (1, 0), (0,), ()])
def test_a_field_there_twice_missing_or_out_of_order_is_refused(fields):
    content = sgx_extension(PLATFORM)[4:]
    size = 2 + 12 + 2 + 16
    parts = [content[:size], content[size:]]
    with pytest.raises(MalformedEvidence):
        PckExtension.parse(der.element(der.Tag.SEQUENCE, b"".join(parts[at] for at in fields)))


@given(st.binary(max_size=300))
def test_a_data_set_opens_with_its_own_key_and_name(content):
    key = new_key()
    encrypted = encrypt(content, key, name="a")
    assert decrypt(encrypted, key, name="a") == content
    for wrong in ((encrypted, new_key(), "a"), (encrypted, key, "b"), (encrypted[:-1], key, "a")):
        with pytest.raises((UntrustedEvidence, MalformedDocument)):
            decrypt(wrong[0], wrong[1], name=wrong[2])


def test_chunks_of_a_data_set_cannot_be_dropped_or_moved(monkeypatch):
    monkeypatch.setattr("adyton.guest.dataset.CHUNK_SIZE", 100)
    key = new_key()
    encrypted = encrypt(bytes(300), key, name="a")
    header, chunks = encrypted[:19], [encrypted[19 + at : 19 + at + 116] for at in range(0, 348, 116)]
    assert decrypt(header + b"".join(chunks), key, name="a") == bytes(300)
    for order in ([0, 1], [1, 0, 2], [0, 2], [2], [], [0, 1, 2, 2]):
        with pytest.raises(UntrustedEvidence, match=r"dataset\.tag"):
            decrypt(header + b"".join(chunks[at] for at in order), key, name="a")


@pytest.mark.parametrize("at", [0, 8, 12, 64, 72, 80, 128, 64 + 5184])
def test_a_changed_record_of_an_image_is_refused_or_changes_its_measurement(at):
    image = sample()[1]
    changed = bytearray(image.stream)
    changed[at] ^= 1
    with contextlib.suppress(MalformedDocument):
        assert EnclaveImage.parse(bytes(changed)).mr_enclave != image.mr_enclave


def test_a_signature_with_changed_helpers_is_refused():
    sigstruct = sample()[2]
    raw = bytearray(sigstruct.to_bytes())
    raw[1040] ^= 1
    with pytest.raises(UntrustedEvidence, match=r"sgx\.sigstruct\.signature"):
        SigStruct.parse(bytes(raw)).verify()
    sigstruct.verify()
