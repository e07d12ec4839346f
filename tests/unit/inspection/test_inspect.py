"""A file of every format is recognised and shown; what is dangerous in it, or wrong with it, is said."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from evidence import ENCLAVE, TRUST_DOMAIN, debug
from forged import NOW, VALIDITY, Forged
from inspected import REPORT, TURIN_REPORT, binaries, forged, quote_of, texts
from places import VECTORS
from running import sample

from adyton.errors import MalformedEvidence
from adyton.formats.public_signers import PUBLIC_SIGNERS
from adyton.formats.tdx import TdAttributes
from adyton.inspection import InspectionLimits, inspect

KINDS = {
    "appraisal record": "appraisal-record",
    "collateral bundle": "collateral-bundle",
    "CMW collection": "cmw",
    "quote": "dcap-quote",
    "SNP report": "snp-report",
    "SIGSTRUCT": "sigstruct",
    "image": "enclave-image",
    "PCK": "certificate",
    "root": "certificate",
    "revocation": "revocation-list",
    "collateral": "collateral",
    "TCB": "tcb-info",
    "QE": "qe-identity",
    "signed": "signed-document",
    "PEM": "pem",
    "SNP endorsements": "snp-endorsements",
    "policy": "policy",
    "result": "signed-result",
    "receipt": "receipt",
}


def kind_of(name):
    return next(kind for beginning, kind in KINDS.items() if name.startswith(beginning))


def fields(found):
    """Return the first field of each name."""
    named = {}
    for node in found.root.every():
        named.setdefault(node.name, node)
    return named


def dangers(found):
    return " | ".join(words for _, words in found.dangers())


@pytest.mark.parametrize("name", [*binaries(), *texts()])
def test_a_file_of_each_format_is_recognised_by_its_content(name):
    found = inspect((binaries() | texts())[name], at=NOW)
    assert (found.kind, found.error, found.stopped) == (kind_of(name), None, None)
    assert len(list(found.root.every())) >= (3 if name == "CMW collection" else 6)


@pytest.mark.parametrize("name", [*binaries(), *texts()])
def test_hex_and_base64_of_a_file_are_recognised_too(name):
    data = (binaries() | texts())[name]
    plain = inspect(data, at=NOW)
    written = {
        "hex": [data.hex().encode(), b"0x" + data.hex().encode() + b"\n"],
        "base64": [base64.b64encode(data), base64.encodebytes(data), base64.urlsafe_b64encode(data).rstrip(b"=")],
    }
    for encoding, forms in written.items():
        for form in forms:
            found = inspect(form, at=NOW)
            assert (found.kind, found.root, found.encoding[0]) == (plain.kind, plain.root, encoding)


def test_hex_inside_base64_is_undone_up_to_the_limit():
    data = binaries()["SIGSTRUCT"]
    twice = base64.b64encode(data.hex().encode())
    assert inspect(twice).encoding == ("base64", "hex", "binary")
    with pytest.raises(MalformedEvidence, match=r"inspect\.unknown"):
        inspect(twice, limits=InspectionLimits(text_layers_count=1))


def test_a_field_has_its_offset_size_value_and_meaning():
    found = fields(inspect(binaries()["quote v3"]))
    mr_enclave = found["mr_enclave"]
    assert (mr_enclave.offset, mr_enclave.size, mr_enclave.raw) == (112, 32, ENCLAVE.mr_enclave)
    assert found["version"].meaning == "version 3: SGX"
    assert found["flags"].meaning == "INIT, MODE64BIT"
    assert found["fmspc"].children[-1].raw.endswith(bytes.fromhex("ad1700000000"))


def test_a_debug_enclave_is_marked():
    found = inspect(forged().quote(debug(ENCLAVE)).to_bytes())
    assert "a debug enclave: its host can read and write its memory" in dangers(found)
    assert ("signed_body.body.attributes.flags", dangers(found).split(" | ")[0]) == found.dangers()[0]


def test_a_publicly_known_signer_is_marked():
    body = replace(ENCLAVE, mr_signer=next(iter(PUBLIC_SIGNERS)))
    assert "anybody can sign as this signer" in dangers(inspect(forged().quote(body).to_bytes()))


def test_a_debug_trust_domain_and_one_that_can_be_profiled_or_migrated_are_marked():
    bits = TdAttributes.DEBUG | TdAttributes.PERF_PROF | TdAttributes.MIGRATABLE
    words = dangers(inspect(quote_of(4, replace(TRUST_DOMAIN, td_attributes=bits)).to_bytes()))
    for expected in ("a debug trust domain", "profiled", "migrate", "SEPT_VE_DISABLE is not set"):
        assert expected in words


def test_a_bound_service_trust_domain_is_marked():
    body = replace(TRUST_DOMAIN, tee_tcb_svn2=bytes(16), mr_service_td=b"\x01" * 48)
    assert "a service trust domain is bound" in dangers(inspect(quote_of(5, body).to_bytes()))


def test_a_root_that_is_no_vendor_s_is_marked_and_named():
    assert f"simulated or unknown, `{forged().root_name}`" in dangers(inspect(forged().quote().qe.data))


def test_dates_are_compared_with_the_time_asked_for():
    chain = forged().collateral()
    early, late = VALIDITY.issued - timedelta(seconds=1), VALIDITY.expires + timedelta(seconds=1)
    for document in (chain.tcb_info, chain.qe_identity, chain.root_crl):
        assert "not yet valid" in dangers(inspect(document, at=early))
        assert "expired" in dangers(inspect(document, at=late))
        for quiet in (VALIDITY.issued, VALIDITY.expires, None):
            assert dangers(inspect(document, at=quiet)) == ""


def test_tcb_levels_are_a_table_with_statuses_in_words():
    table = fields(inspect(forged().collateral().tcb_info))["tcb_levels"]
    assert table.columns[0] == "status"
    assert [row[0] for row in table.rows] == ["UpToDate", "OutOfDate"]
    assert table.rows[1][-2:] == ("SIM-SA-00001", "an update is missing")


def test_a_revocation_list_s_number_and_entries_are_shown():
    found = fields(inspect(Forged(revoked_by_root=(0x1234, 0x5678)).collateral().root_crl))
    assert found["revocation_list"].meaning == "number 1, 2 certificates revoked"
    assert [entry.children[1].meaning for entry in found["revoked"].children[1:]] == ["0x1234", "0x5678"]


def test_the_entries_of_a_long_list_are_shown_up_to_the_limit():
    crl = Forged(revoked_by_root=tuple(range(1, 60))).collateral().root_crl
    revoked = fields(inspect(crl, limits=InspectionLimits(entries_count=10)))["revoked"]
    assert revoked.meaning == "59 certificates"
    assert (len(revoked.children), revoked.children[-1].name) == (12, "further")


def test_the_pages_of_a_large_image_are_shown_up_to_the_limit():
    found = inspect(sample()[1].stream, limits=InspectionLimits(pages_count=1))
    names = [node.name for node in found.root.children]
    assert (names[-2:], found.error) == (["page_0", "further_pages"], None)


def test_a_tcb_version_is_read_in_the_layout_of_its_product():
    assert fields(inspect(REPORT.to_bytes()))["reported_tcb"].meaning == "boot_loader 4, tee 0, snp 24, microcode 219"
    turin = fields(inspect(TURIN_REPORT.to_bytes()))["reported_tcb"].meaning
    assert turin == "fmc 1, boot_loader 2, tee 3, snp 4, microcode 80"


def test_an_snp_report_s_policy_bits_and_flags_have_names_and_dangers():
    found = inspect(replace(REPORT, policy=REPORT.policy | 1 << 19 | 1 << 18, flags=7 << 2 | 2).to_bytes())
    named = fields(found)
    assert named["policy"].meaning == "ABI at least 0.31; SMT, RESERVED_ONE, MIGRATE_MA, DEBUG"
    assert named["flags"].meaning == "signed by none, the chip's key is masked"
    for expected in ("a debug guest", "a migration agent", "is not signed"):
        assert expected in dangers(found)


def test_a_policy_s_exceptions_are_marked():
    document = b"""
api_version: adyton.dev/v1
kind: AppraisalPolicy
name: lab
roots: ["simulated:%s"]
sgx: {dangerous_any_enclave: true, dangerous_allow_debug: true}
""" % (b"0" * 32)
    found = inspect(document)
    assert [path for path, _ in found.dangers()] == ["roots", "sgx.dangerous_any_enclave", "sgx.dangerous_allow_debug"]


def test_a_policy_that_names_a_public_signer_is_marked():
    enclave = {"mr_signer": next(iter(PUBLIC_SIGNERS)).hex(), "isv_prod_id": 1, "minimum_isv_svn": 1}
    head = {"api_version": "adyton.dev/v1", "kind": "AppraisalPolicy", "name": "n"}
    document = msgspec.json.encode({**head, "sgx": {"enclaves": [enclave]}})
    assert [path for path, _ in inspect(document).dangers()] == ["sgx.enclaves.0.mr_signer"]


def test_a_receipt_of_a_simulated_platform_is_marked():
    assert "simulated platform" in dangers(inspect(texts()["receipt"]))


@pytest.mark.parametrize(
    ("at", "code"),
    [(0, "dcap.quote.version"), (2, "dcap.quote.key_type"), (4, "dcap.quote.tee_type"), (12, "dcap.quote.qe_vendor"),
     (68, "sgx.report.reserved"), (435, "dcap.quote.length")],
)  # fmt: skip
def test_a_half_valid_quote_is_shown_up_to_the_byte_that_is_wrong(at, code):
    changed = bytearray(binaries()["quote v3"])
    changed[at] = 0xEE
    found = inspect(bytes(changed))
    assert found.error.code == code
    last = list(found.root.leaves())[-1]
    assert found.stopped in range(last.offset, last.offset + last.size + 1)
    assert f"byte {found.stopped} of {len(changed)}" in found.error.message
    assert last.offset <= max(at, found.stopped)


@pytest.mark.parametrize("length", [49, 200, 436, 600, 1010, 2000])
def test_a_truncated_quote_is_shown_as_far_as_it_goes(length):
    found = inspect(binaries()["quote v3"][:length])
    assert (found.kind, found.stopped is None) == ("dcap-quote", False)
    assert found.error.remedy
    assert sum(leaf.size for leaf in found.root.leaves()) == length


def test_epid_evidence_is_named():
    found = inspect(b"\x02\x00" + bytes(500))
    assert (found.kind, found.error.code) == ("dcap-quote", "dcap.quote.epid")


@pytest.mark.parametrize("name", texts())
def test_a_truncated_document_is_known_by_its_keys_and_refused(name):
    data = texts()[name]
    if name not in ("PEM chain", "policy, YAML"):
        found = inspect(data[: len(data) - 3])
        assert found.kind == kind_of(name)
        assert found.error.remedy


def test_a_record_shows_its_verdict_the_checks_that_decided_and_the_evidence_whole():
    found = inspect(texts()["appraisal record"], at=NOW)
    named = fields(found)
    assert named["verdict"].meaning == "denied; checks: 1"
    assert "the evidence was denied" in dangers(found)
    assert "failed: expected" in named["dcap.chain.untrusted_root"].meaning
    assert named["mr_enclave"].raw == ENCLAVE.mr_enclave


def test_a_record_whose_evidence_was_exchanged_is_refused():
    record = msgspec.json.decode(texts()["appraisal record"])
    found = inspect(msgspec.json.encode(record | {"evidence": "AAAA"}))
    assert (found.kind, found.error.code) == ("appraisal-record", "record.digest")


def test_a_record_whose_result_is_no_appraisal_is_refused():
    record = msgspec.json.decode(texts()["appraisal record"])
    record["result"], record["digests"]["result"] = {}, hashlib.sha256(b"{}").hexdigest()
    found = inspect(msgspec.json.encode(record))
    assert (found.kind, found.error.code) == ("appraisal-record", "record.invalid")


def test_bytes_of_no_known_format_say_what_was_tried_and_how_far_it_matched():
    with pytest.raises(MalformedEvidence) as caught:
        inspect(b"\x03\x00\x07" + bytes(100))
    assert caught.value.code == "inspect.unknown"
    assert "DCAP quote: differs at byte 2" in caught.value.message
    assert "SIGSTRUCT: the signature over an SGX enclave: differs at byte 0" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "empty"), (b" \n\n", "empty"), (bytes(64), "empty"), (b"hello", "unknown"), (b"{", "unknown"),
     (b"[" * 5000, "unknown"), (b"x" * 11, "size")],
)  # fmt: skip
def test_what_is_no_evidence_is_a_clear_error(data, code):
    limits = InspectionLimits(file_size_bytes=10) if code == "size" else None
    with pytest.raises(MalformedEvidence) as caught:
        inspect(data, limits=limits)
    assert caught.value.code == f"inspect.{code}"


def test_only_an_image_may_be_as_large_as_a_file():
    limits = InspectionLimits(document_size_bytes=1000)
    assert inspect(sample()[1].stream, limits=limits).error is None
    with pytest.raises(MalformedEvidence, match=r"inspect\.size"):
        inspect(binaries()["SIGSTRUCT"], limits=limits)


def test_a_private_key_is_not_shown():
    body = base64.b64encode(b"the secret scalar" * 4)
    found = inspect(b"-----BEGIN PRIVATE KEY-----\n" + body + b"\n-----END PRIVATE KEY-----\n")
    assert all(body not in node.raw for node in found.root.every())
    assert "a private key" in dangers(found)


@pytest.mark.parametrize(
    ("value", "code"),
    [(b'!!bool "abc"', "policy.document.invalid"), (b"1:" * 400 + b"1.0", "policy.document.invalid"),
     (b"n\ntcb: {minimum_evaluation_number: 0x" + b"f" * 5000 + b"}", "policy.document.invalid"),
     (b"{<<: {}}", "policy.document.invalid"), (b"1:" * 5000 + b"1", "policy.document.invalid")],
)  # fmt: skip
def test_yaml_that_its_library_fails_on_or_is_slow_with_is_a_clear_error(value, code):
    found = inspect(b"api_version: adyton.dev/v1\nkind: AppraisalPolicy\nname: " + value)
    assert (found.kind, found.error.code) == ("policy", code)


@pytest.mark.vectors
def test_every_genuine_quote_is_read_to_its_last_byte(vectors):
    for path in (vectors / "dcap" / "quotes").iterdir():
        found = inspect(path.read_bytes(), at=NOW)
        assert (found.kind, found.error) == ("dcap-quote", None)
        assert "Intel SGX Root CA; the key of root `intel`" in {node.meaning for node in found.root.every()}


@pytest.mark.vectors
def test_every_genuine_collateral_file_is_read(vectors):
    for path in (vectors / "dcap" / "collateral").iterdir():
        found = inspect(path.read_bytes())
        assert (found.kind, found.error, found.dangers()) == ("collateral", None, ())


@pytest.mark.vectors
def test_the_vectors_are_where_the_tests_look():
    assert VECTORS.is_dir()
