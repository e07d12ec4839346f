"""An upstream that lies: what is not authentic, or not what was asked for, is refused by name and never handed on."""

from __future__ import annotations

import base64
import contextlib
import json
from datetime import timedelta
from urllib.parse import quote

import pytest
from forged import VALIDITY, Forged
from forged_kds import CHIP_ID, PRODUCT, SINCE, TCB, chip
from hypothesis import given
from hypothesis import strategies as st
from stub_upstream import HTML, StubAnswer, amd, intel, other_family, pck_answer, signed_answer

from adyton.attest import TrustRoots
from adyton.endorsements import Direct, EndorsementConfig, Origin
from adyton.endorsements import request as ask
from adyton.endorsements.answers import CHAIN_HEADERS, TCBM_HEADER, Answer, read_answer, signed_document
from adyton.endorsements.request import Kind, PckPlatform
from adyton.errors import AdytonError, TransportError, UsageError
from adyton.forge import Validity
from adyton.formats.quote import Tee
from adyton.formats.snp import TcbVersion

INFO = ask.tcb_info(Tee.SGX, bytes.fromhex("ad1700000000"))
QE = ask.qe_identity(Tee.SGX)
ROOT_CRL, PCK_CRL = ask.root_crl(), ask.pck_crl("platform")
MACHINE = ask.pck_certificate(PckPlatform(bytes(16), bytes([5] * 16), 11, bytes(2), b"\x07" * 384))
EVERY_KIND = [INFO, ask.tcb_info(Tee.SGX, bytes.fromhex("ad1700000000"), version=3), QE, ask.qve_identity(),
              ask.evaluation_numbers(Tee.SGX), ROOT_CRL, PCK_CRL, MACHINE]  # fmt: skip
VCEK, SNP_CHAIN, SNP_CRL = ask.vcek(PRODUCT, CHIP_ID, TCB), ask.snp_chain(PRODUCT), ask.snp_crl(PRODUCT)


@pytest.fixture
def answers(forged):
    return intel(forged, machine=MACHINE)


@pytest.fixture
def ask_for(stub, answers, forged):
    """Ask the stub, which answers as the test has arranged it; give what came, or the code of the refusal."""

    def ask_for(request, *, roots=None):
        stub.answers = answers
        origin = stub.origin(*(roots or (forged.root_name, chip().root_name)), config=EndorsementConfig(attempts=1))
        try:
            return Direct(origin).get(request)
        except AdytonError as error:
            return error.code if error.remedy else "no remedy"

    return ask_for


@pytest.mark.parametrize("request_", EVERY_KIND, ids=lambda request: f"{request.kind}-{request.version}")
def test_an_honest_upstream_s_item_is_taken(ask_for, forged, request_):
    assert ask_for(request_).facts.root == forged.root_name


@pytest.mark.parametrize("request_", [VCEK, SNP_CHAIN, SNP_CRL], ids=lambda request: request.kind)
def test_an_honest_kds_s_item_is_taken(ask_for, answers, request_):
    answers.update(amd(chip(), issued=SINCE))
    assert ask_for(request_).facts.root == chip().root_name


@pytest.mark.parametrize("request_", EVERY_KIND, ids=lambda request: f"{request.kind}-{request.version}")
def test_an_item_under_another_root_is_refused(ask_for, request_):
    assert ask_for(request_, roots=("intel",)) == "dcap.chain.untrusted_root"


@pytest.mark.parametrize("request_", EVERY_KIND, ids=lambda request: f"{request.kind}-{request.version}")
def test_an_item_signed_again_by_another_vendor_is_refused(ask_for, answers, request_):
    answers.update(intel(Forged(), machine=MACHINE))
    assert ask_for(request_) == "dcap.chain.untrusted_root"


@pytest.mark.parametrize("request_", [VCEK, SNP_CHAIN, SNP_CRL], ids=lambda request: request.kind)
def test_amd_s_items_under_another_root_are_refused(ask_for, answers, request_):
    answers.update(amd(chip(), issued=SINCE))
    assert ask_for(request_, roots=("amd",)) == "snp.chain.untrusted_root"


def test_another_vendor_s_document_under_the_right_chain_is_refused(ask_for, answers, forged):
    other = intel(Forged())[INFO.key]
    answers[INFO.key] = StubAnswer(other.body, {"TCB-Info-Issuer-Chain": quote(forged.vendor.tcb_chain, safe="")})
    assert ask_for(INFO) == "dcap.tcb_info.signature"


@pytest.mark.parametrize("request_", [INFO, QE], ids=lambda request: request.kind)
def test_a_document_that_was_changed_is_refused(ask_for, answers, request_):
    honest = answers[request_.key]
    changed = honest.body.replace(b'"OutOfDate"', b'"UpToDate" ')
    assert changed != honest.body
    answers[request_.key] = StubAnswer(changed, honest.headers)
    assert ask_for(request_).endswith(".signature")


def test_another_family_s_tcb_info_is_refused(ask_for, answers, forged):
    other = other_family(forged)
    found = intel(other)
    answers[INFO.key] = found[ask.tcb_info(Tee.SGX, other.platform.fmspc).key]
    assert ask_for(INFO) == "collateral.item.mismatch"


def test_sgx_tcb_info_does_not_pass_for_tdx(ask_for, answers, forged):
    request = ask.tcb_info(Tee.TDX, forged.platform.fmspc)
    answers[request.key] = answers[INFO.key]
    assert ask_for(request) == "collateral.item.mismatch"


def test_an_sgx_quoting_enclave_does_not_pass_for_tdx(ask_for, answers):
    request = ask.qe_identity(Tee.TDX)
    answers[request.key] = answers[QE.key]
    assert ask_for(request) == "collateral.item.mismatch"


def test_a_quoting_enclave_does_not_pass_for_the_verification_enclave(ask_for, answers):
    answers[ask.qve_identity().key] = answers[QE.key]
    assert ask_for(ask.qve_identity()) == "dcap.qe_identity.format"


def test_an_old_document_version_does_not_pass_for_the_new_api(ask_for, answers, forged):
    old = answers[ask.tcb_info(Tee.SGX, forged.platform.fmspc, version=3).key]
    answers[INFO.key] = StubAnswer(old.body, {"TCB-Info-Issuer-Chain": old.headers["SGX-TCB-Info-Issuer-Chain"]})
    assert ask_for(INFO) == "collateral.item.mismatch"


def test_another_edition_than_the_one_asked_for_is_refused(ask_for, answers, forged):
    request = ask.tcb_info(Tee.SGX, forged.platform.fmspc, number=17)
    answers[request.key] = answers[INFO.key]
    assert ask_for(request) == "collateral.item.mismatch"


def test_the_platform_ca_s_list_does_not_pass_for_the_processor_ca_s(ask_for, answers):
    answers[ask.pck_crl("processor").key] = answers[PCK_CRL.key]
    assert ask_for(ask.pck_crl("processor")) == "collateral.item.mismatch"


def test_the_root_s_list_does_not_pass_for_a_pck_list(ask_for, answers):
    honest = answers[PCK_CRL.key]
    answers[PCK_CRL.key] = StubAnswer(answers[ROOT_CRL.key].body, honest.headers)
    assert ask_for(PCK_CRL) == "dcap.pck_crl.issuer"


def test_a_pck_list_does_not_pass_for_the_root_s(ask_for, answers):
    answers[ROOT_CRL.key] = StubAnswer(answers[PCK_CRL.key].body)
    assert ask_for(ROOT_CRL) == "dcap.root_crl.issuer"


def test_a_certificate_for_other_firmware_than_its_header_says_is_refused(ask_for, answers, forged):
    honest = pck_answer(forged)
    answers[MACHINE.key] = StubAnswer(honest.body, honest.headers | {"SGX-TCBm": "00" * 18})
    assert ask_for(MACHINE) == "collateral.item.mismatch"


def test_a_certificate_for_another_pce_is_refused(ask_for, answers, forged):
    other = ask.pck_certificate(PckPlatform(bytes(16), bytes([5] * 16), 11, b"\x01\x00", b"\x07" * 384))
    answers[other.key] = pck_answer(forged)
    assert ask_for(other) == "collateral.item.mismatch"


def test_sgx_evaluation_numbers_do_not_pass_for_tdx(ask_for, answers):
    other = ask.evaluation_numbers(Tee.TDX)
    answers[other.key] = answers[ask.evaluation_numbers(Tee.SGX).key]
    assert ask_for(other) == "collateral.item.mismatch"


@pytest.mark.parametrize("request_", [INFO, QE, PCK_CRL, ROOT_CRL], ids=lambda request: request.kind)
def test_an_item_ends_with_its_issuer_s_certificate_if_that_ends_before(ask_for, answers, forged, request_):
    answers.update(intel(forged, validity=Validity(VALIDITY.issued, timedelta(days=20 * 365))))
    assert ask_for(request_).facts.expires == forged.vendor.root.not_valid_after_utc


@pytest.mark.parametrize(
    "request_",
    [
        ask.vcek(PRODUCT, bytes(64), TCB),
        ask.vcek(PRODUCT, CHIP_ID, TcbVersion(TCB.boot_loader, TCB.tee, TCB.snp, TCB.microcode + 1)),
    ],
    ids=["chip", "firmware"],
)
def test_another_chip_s_or_firmware_s_vcek_is_refused(ask_for, answers, request_):
    answers.update(amd(chip(), issued=SINCE))
    answers[request_.key] = answers[VCEK.key]
    assert ask_for(request_) == "collateral.item.mismatch"


def test_another_product_s_chain_is_refused(ask_for, answers):
    answers[ask.snp_chain("Genoa").key] = StubAnswer(chip().cert_chain)
    assert ask_for(ask.snp_chain("Genoa")) == "collateral.item.mismatch"


def test_a_list_that_the_ark_did_not_sign_is_refused(ask_for, answers):
    answers.update(amd(chip(), issued=SINCE))
    answers[SNP_CRL.key] = StubAnswer(chip().crl(SINCE, by=chip()._ask_key))
    assert ask_for(SNP_CRL) == "snp.crl.issuer"


BROKEN = {
    "page": HTML, "empty": b"", "brace": b"{", "list": b"[]", "null": b"null", "deep": b"[" * 100_000,
    "binary": b"\xff\xfe\x00", "string": b'{"tcbInfo":"x","signature":"' + b"00" * 64 + b'"}',
    "short signature": b'{"tcbInfo":{},"enclaveIdentity":{},"signature":"00"}', "der": b"\x30", "spaces": b" " * 1000,
}  # fmt: skip


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("request_", [*EVERY_KIND, SNP_CHAIN], ids=lambda request: f"{request.kind}-{request.version}")
def test_garbage_with_status_200_is_a_clear_error(ask_for, answers, request_, body):
    headers = answers[request_.key].headers if request_.key in answers else {}
    answers[request_.key] = StubAnswer(body, headers)
    code = ask_for(request_)
    assert code == "collateral.upstream.format" or (body == b"\x30" and code.endswith("_crl.format"))


@given(body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode), chain=st.text(max_size=200))
def test_whatever_an_upstream_answers_it_is_an_item_or_a_clear_error(body, chain):
    for request in [*EVERY_KIND, VCEK, SNP_CHAIN, SNP_CRL]:
        headers = {name: chain for names in CHAIN_HEADERS.values() for name in names} | {TCBM_HEADER: chain}
        with contextlib.suppress(TransportError):
            assert read_answer(request, Answer("host/path", headers, body)).request == request


@pytest.mark.parametrize(
    "chain",
    ["", "nothing", "%", "%00%ff", quote("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"), "A" * 30_000],
)
@pytest.mark.parametrize("request_", [INFO, QE, PCK_CRL, MACHINE], ids=lambda request: request.kind)
def test_a_chain_header_that_is_none_is_a_clear_error(ask_for, answers, request_, chain):
    honest = answers[request_.key]
    name = next(name for name in honest.headers if name.endswith("Chain"))
    answers[request_.key] = StubAnswer(honest.body, honest.headers | {name: chain})
    assert ask_for(request_) == "collateral.upstream.format"


def test_text_injected_beside_the_certificates_of_a_chain_does_not_travel_on(ask_for, answers, forged):
    honest = answers[INFO.key]
    injected = forged.vendor.tcb_chain + b"\r\nSet-Cookie: owned=1\r\n\r\n<script>"
    answers[INFO.key] = StubAnswer(honest.body, {"TCB-Info-Issuer-Chain": quote(injected, safe="")})
    assert ask_for(INFO).item.chain == forged.vendor.tcb_chain


def test_fields_injected_around_a_signed_document_do_not_travel_on(ask_for, answers):
    honest = answers[INFO.key]
    body = b'{"evil":1,' + honest.body[1:-1] + b',"more":{"tcbInfo":0}}'
    answers[INFO.key] = StubAnswer(body, honest.headers)
    assert ask_for(INFO).item.body == honest.body


def test_a_document_keeps_its_spaces_and_its_order_because_they_are_signed(ask_for, answers, forged):
    info = json.loads(answers[INFO.key].body)["tcbInfo"]
    content = json.dumps(dict(reversed(info.items())), indent=3).encode()
    honest = signed_answer(forged, content)
    answers[INFO.key] = StubAnswer(b"\n {  " + honest.body[1:] + b"\n", honest.headers)
    found = ask_for(INFO)
    assert signed_document(found.item.body, Kind.TCB_INFO).content == content


@pytest.mark.parametrize("form", ["der", "hex", "HEX", "pem"])
def test_a_list_is_taken_in_every_form_that_upstreams_use(ask_for, answers, form):
    crl = bytes.fromhex(answers[ROOT_CRL.key].body.decode())
    forms = {"der": crl, "hex": crl.hex().encode(), "HEX": crl.hex().upper().encode() + b"\n", "pem": _pem_crl(crl)}
    answers[ROOT_CRL.key] = StubAnswer(forms[form])
    assert ask_for(ROOT_CRL).item.body == crl


def _pem_crl(crl):
    return b"-----BEGIN X509 CRL-----\n" + base64.encodebytes(crl) + b"-----END X509 CRL-----\n"


def test_nothing_is_asked_of_a_vendor_without_an_upstream(forged):
    with pytest.raises(UsageError, match=r"collateral\.upstream\.none"):
        Direct(Origin({}, TrustRoots.named([forged.root_name]))).get(QE)
