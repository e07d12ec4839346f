"""Results that carry their own proof: who said it, and what was tried to put other words in its mouth."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from evidence import ENCLAVE
from forged import NOW, Forged

from adyton.errors import MalformedDocument, UntrustedEvidence
from adyton.formats.check import Verdict
from adyton.formats.policy import API_VERSION, AppraisalPolicy, EnclaveReference, SgxRules
from adyton.formats.result import SignedResult
from adyton.guest.result import ResultSigner
from adyton.policy import verify_result


class Provider:
    """Quotes of a forged platform about one enclave."""

    def __init__(self, forged, body=ENCLAVE):
        self._forged, self._body = forged, body

    def quote(self, report_data):
        return self._forged.quote(replace(self._body, report_data=report_data)).to_bytes()


FORGED = Forged()
POLICY = AppraisalPolicy(
    api_version=API_VERSION,
    kind="AppraisalPolicy",
    name="honest",
    roots=(FORGED.root_name,),
    sgx=SgxRules(enclaves=(EnclaveReference(mr_enclave=ENCLAVE.mr_enclave.hex()),)),
)
SIGNER = ResultSigner(Provider(FORGED))


def judge(result):
    return verify_result(result, FORGED.collateral(), POLICY, roots=FORGED.roots, now=NOW)


def test_what_the_enclave_signed_is_accepted():
    assert judge(SignedResult.parse(SIGNER.sign(b"said").to_bytes())).verdict is Verdict.ACCEPTED


def test_other_words_under_the_same_signature_are_refused():
    result = SIGNER.sign(b"said")
    for change in ({"payload": b"not said"}, {"signature": bytes(64)}, {"signature": b"\xff" * 64}):
        with pytest.raises(UntrustedEvidence, match=r"result\.signature"):
            judge(msgspec.structs.replace(result, **change))


def test_a_stranger_s_key_beside_an_honest_quote_is_denied():
    honest, stranger = SIGNER.sign(b"said"), ResultSigner(Provider(FORGED)).sign(b"said")
    mixed = msgspec.structs.replace(stranger, quote=honest.quote)
    assert [check.id for check in judge(mixed).failed] == ["report_data"]


def test_another_enclave_s_words_are_denied():
    other = ResultSigner(Provider(FORGED, replace(ENCLAVE, mr_enclave=bytes(32)))).sign(b"said")
    assert [check.id for check in judge(other).failed] == ["sgx.mr_enclave"]


def test_a_key_that_is_no_point_is_refused():
    broken = msgspec.structs.replace(SIGNER.sign(b"said"), point=b"\x04" + b"\xff" * 64)
    with pytest.raises(UntrustedEvidence, match=r"result\.signature"):
        judge(broken)


@pytest.mark.parametrize(
    "change", [{"kind": "Receipt"}, {"api_version": "v2"}, {"point": ""}, {"signature": "AA=="}, {"more": 1}]
)
def test_a_document_of_another_form_is_refused(change):
    document = msgspec.json.decode(SIGNER.sign(b"said").to_bytes()) | change
    with pytest.raises(MalformedDocument, match=r"result\.document\.invalid"):
        SignedResult.parse(msgspec.json.encode(document))
