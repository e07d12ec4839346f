"""The policy document: strict, canonical, and never open by omission."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adyton.errors import MalformedDocument
from adyton.formats.policy import API_VERSION, POLICY_SIZE_CAP, AppraisalPolicy

MINIMAL = f"""
api_version: {API_VERSION}
kind: AppraisalPolicy
name: one enclave
sgx:
  enclaves:
    - mr_enclave: {"ab" * 32}
"""


def test_yaml_and_json_say_the_same():
    from_yaml = AppraisalPolicy.parse(MINIMAL.encode())
    assert AppraisalPolicy.parse(from_yaml.to_bytes()) == from_yaml
    assert from_yaml.digest() == AppraisalPolicy.parse(from_yaml.to_bytes()).digest()


def test_a_short_policy_asks_for_hardware_and_an_up_to_date_platform():
    policy = AppraisalPolicy.parse(MINIMAL.encode())
    assert policy.roots == ("intel",)
    assert policy.tcb.accepted_statuses == ("UpToDate",)
    assert policy.sgx is not None
    assert not policy.sgx.dangerous_allow_debug


@pytest.mark.parametrize(
    "change",
    [
        ("sgx:", "sgxx:"),
        ("mr_enclave:", "mrenclave:"),
        ("ab" * 32, "AB" * 32),
        ("ab" * 32, "ab" * 31),
        (f"mr_enclave: {'ab' * 32}", f"mr_signer: {'ab' * 32}"),
        (f"mr_enclave: {'ab' * 32}", "isv_prod_id: 1"),
        ("AppraisalPolicy", "Policy"),
        ("v1", "v2"),
        ("name: one enclave", "name: ''"),
        ("name: one enclave", "name: x\nroots: []"),
        ("name: one enclave", "name: x\nroots: [simulated]"),
        ("name: one enclave", "name: x\ntcb: {accepted_statuses: [uptodate]}"),
    ],
)
def test_a_misspelt_or_open_rule_is_an_error_and_not_an_absent_one(change):
    with pytest.raises(MalformedDocument, match=r"policy\.document\.invalid"):
        AppraisalPolicy.parse(MINIMAL.replace(*change).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff\xfe", b"a: &a [*a]", b"!!python/object:os.system {}"])
def test_what_is_no_policy_is_a_clear_error(data):
    with pytest.raises(MalformedDocument) as caught:
        AppraisalPolicy.parse(data)
    assert caught.value.remedy


def test_an_oversized_policy_is_not_read():
    with pytest.raises(MalformedDocument, match=r"policy\.document\.size"):
        AppraisalPolicy.parse(b" " * (POLICY_SIZE_CAP + 1))


@given(st.binary(max_size=300))
def test_no_bytes_lead_to_anything_but_a_policy_or_this_project_s_error(data):
    with contextlib.suppress(MalformedDocument):
        AppraisalPolicy.parse(data)


def test_the_digest_follows_the_meaning_and_not_the_layout():
    spaced = MINIMAL.replace("name: one enclave", "name:   one enclave\nroots: [intel]")
    assert AppraisalPolicy.parse(spaced.encode()).digest() == AppraisalPolicy.parse(MINIMAL.encode()).digest()


def test_the_canonical_form_has_sorted_keys_and_spells_out_what_was_left_unsaid():
    document = msgspec.json.decode(AppraisalPolicy.parse(MINIMAL.encode()).to_bytes())
    assert list(document) == sorted(document)
    assert document["tcb"]["accepted_statuses"] == ["UpToDate"]
    assert document["sgx"]["dangerous_allow_debug"] is False
