"""Records: the same bytes again, at any time; and no record that was touched passes for one."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from forged import NOW, Forged

from adyton.errors import MalformedDocument
from adyton.formats.check import Verdict
from adyton.formats.policy import API_VERSION, AppraisalPolicy, SgxRules
from adyton.formats.quote import Tee
from adyton.formats.record import AppraisalRecord
from adyton.policy import builtin_policy
from adyton.policy.record import Case, judge, make_record, replay

FORGED = Forged()
POLICY = AppraisalPolicy(
    api_version=API_VERSION, kind="AppraisalPolicy", name="test", roots=(FORGED.root_name,),
    sgx=SgxRules(dangerous_any_enclave=True),
)  # fmt: skip
CASE = Case("dcap", FORGED.quote().to_bytes(), FORGED.collateral().to_bytes(), POLICY, None, NOW)


def record(case=CASE):
    return make_record(case, judge(case))


@pytest.mark.parametrize(
    "case",
    [
        CASE,
        replace(CASE, policy=builtin_policy("strict")),
        replace(CASE, report_data=bytes(64)),
        replace(CASE, evidence=b"no quote"),
        replace(CASE, endorsements=b"{}"),
    ],
    ids=["accepted", "not authentic", "denied", "no quote", "no collateral"],
)
def test_a_record_gives_the_same_bytes_again_whatever_came_of_it(case):
    kept = AppraisalRecord.parse(record(case).to_bytes())
    assert replay(kept).document.to_bytes() == bytes(kept.result)
    assert record(case).to_bytes() == kept.to_bytes()


def test_a_record_names_evidence_policy_time_and_every_endorsement():
    kept = record()
    assert kept.appraised_at == "2026-06-01T00:00:00Z"
    assert kept.digests.policy == POLICY.digest().hex()
    assert set(kept.digests.collateral) == {
        "pck_chain", "tcb_info", "tcb_info_chain", "qe_identity", "qe_identity_chain", "root_crl", "pck_crl"
    }  # fmt: skip


@pytest.mark.parametrize("field", ["evidence", "endorsements", "result", "policy"])
def test_an_exchanged_input_is_found_out_before_it_is_used(field):
    other = {
        "evidence": Forged().quote().to_bytes(),
        "endorsements": Forged().collateral().to_bytes(),
        "result": msgspec.Raw(bytes(record().result).replace(b"accepted", b"denied..")),
        "policy": builtin_policy("dangerous-authentic"),
    }
    changed = msgspec.structs.replace(record(), **{field: other[field]})
    with pytest.raises(MalformedDocument, match=r"record\.digest"):
        AppraisalRecord.parse(changed.to_bytes())


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b"[" * 9999])
def test_what_is_no_record_is_refused(data):
    with pytest.raises(MalformedDocument, match=r"record\.invalid"):
        AppraisalRecord.parse(data)


@pytest.mark.parametrize(
    ("field", "value"), [("appraised_at", "yesterday"), ("appraised_at", "2026-06-01T00:00:00"), ("report_data", "zz")]
)
def test_a_record_whose_time_or_report_data_cannot_be_read_is_refused(field, value):
    with pytest.raises(MalformedDocument, match=r"record\.invalid"):
        replay(msgspec.structs.replace(record(), **{field: value}))


def test_evidence_does_not_choose_what_it_is_taken_for():
    outcome = judge(replace(CASE, tee=Tee.TDX))
    assert outcome.error.code == "evidence.tee"
    assert outcome.document.verdict is Verdict.DENIED
