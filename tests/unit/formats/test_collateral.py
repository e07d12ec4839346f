"""Collateral files in all the forms that they come in, and in none that they do not."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from forged import Forged

from adyton.errors import MalformedEvidence
from adyton.formats.collateral import Collateral
from adyton.formats.tcb import QeIdentity, TcbInfo

COLLATERAL = Forged().collateral()
FILE = json.loads(COLLATERAL.to_bytes())
INFO = json.loads(COLLATERAL.tcb_info)
IDENTITY = json.loads(COLLATERAL.qe_identity)


def pem(der):
    return "-----BEGIN X509 CRL-----\n" + base64.encodebytes(der).decode() + "-----END X509 CRL-----\n"


@pytest.mark.parametrize(
    "form",
    [
        bytes.hex,
        lambda der: der.hex().upper(),
        pem,
        lambda der: pem(der).encode().hex(),
        lambda der: base64.b64encode(der).decode(),
        lambda der: f"  {der.hex()}\n",
    ],
    ids=["hex", "HEX", "PEM", "hex of PEM", "base64", "spaces"],
)
def test_a_revocation_list_is_read_in_every_form_it_is_served_in(form):
    changed = FILE | {"root_ca_crl": form(COLLATERAL.root_crl), "pck_crl": form(COLLATERAL.pck_crl)}
    assert Collateral.parse(json.dumps(changed).encode()) == COLLATERAL


def test_the_root_s_list_has_either_of_two_names():
    renamed = {("root_crl" if name == "root_ca_crl" else name): value for name, value in FILE.items()}
    assert Collateral.parse(json.dumps(renamed).encode()) == COLLATERAL


def test_the_chain_of_the_pck_list_may_be_left_out():
    bare = {name: value for name, value in FILE.items() if name != "pck_crl_issuer_chain"}
    assert Collateral.parse(json.dumps(bare).encode()).pck_crl_chain == b""


@pytest.mark.parametrize("name", sorted(set(FILE) - {"pck_crl_issuer_chain"}))
def test_a_part_that_is_missing_or_of_another_type_is_refused(name):
    for value in (None, 1, [], {}):
        with pytest.raises(MalformedEvidence):
            Collateral.parse(json.dumps(FILE | {name: value}).encode())
    with pytest.raises(MalformedEvidence):
        Collateral.parse(json.dumps({other: value for other, value in FILE.items() if other != name}).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"root_crl": FILE["root_ca_crl"]},
        {"tcb_info_signature": "00" * 63},
        {"tcb_info_signature": "zz" * 64},
        {"pck_crl": "neither hex nor base64!"},
        {"pck_crl": "-----BEGIN X509 CRL-----\n!!!\n-----END X509 CRL-----"},
    ],
)
def test_two_lists_short_signatures_and_unreadable_lists_are_refused(change):
    with pytest.raises(MalformedEvidence, match=r"dcap\.collateral"):
        Collateral.parse(json.dumps(FILE | change).encode())


def info(**change):
    return TcbInfo.parse(json.dumps(INFO | change).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1},
        {"version": 4},
        {"id": None},
        {"id": "TDX"},
        {"version": 2},
        {"fmspc": "00"},
        {"fmspc": "zz1700000000"},
        {"pceId": ""},
        {"tcbEvaluationDataNumber": -1},
        {"issueDate": "2026-05-20T00:00:00"},
        {"nextUpdate": "soon"},
        {"tcbLevels": []},
        {"tcbLevels": [INFO["tcbLevels"][0] | {"tcbStatus": "TDRelaunchAdvised"}]},
        {"tcbLevels": [INFO["tcbLevels"][0] | {"tcbStatus": "uptodate"}]},
        {"tcbLevels": [{"tcb": {"pcesvn": 1}, "tcbDate": "2026-01-01T00:00:00Z", "tcbStatus": "UpToDate"}]},
    ],
    ids=str,
)
def test_tcb_info_that_is_not_quite_one_is_refused(change):
    with pytest.raises(MalformedEvidence, match=r"dcap\.tcb_info\.format"):
        info(**change)


def test_a_family_is_read_in_either_case():
    assert info(fmspc="AD1700000000").fmspc == info(fmspc="ad1700000000").fmspc


def test_fields_that_the_vendor_adds_are_left_out():
    assert replace(info(somethingNew={"deep": [1]}), content=b"") == replace(info(), content=b"")


def test_tcb_info_of_version_2_names_its_sixteen_components():
    tcb = {f"sgxtcbcomp{number:02}svn": number for number in range(1, 17)} | {"pcesvn": 9}
    level = {"tcb": tcb, "tcbDate": "2026-01-01T00:00:00Z", "tcbStatus": "UpToDate"}
    old = {name: value for name, value in INFO.items() if name != "id"} | {"version": 2, "tcbLevels": [level]}
    read = TcbInfo.parse(json.dumps(old).encode())
    assert (read.id, read.levels[0].sgx_components, read.levels[0].pce_svn) == ("SGX", tuple(range(1, 17)), 9)
    del tcb["sgxtcbcomp16svn"]
    with pytest.raises(MalformedEvidence, match=r"dcap\.tcb_info\.format"):
        TcbInfo.parse(json.dumps(old).encode())


@pytest.mark.parametrize(
    "change",
    [{"id": "QVE"}, {"version": 1}, {"mrsigner": "00"}, {"attributes": ""}, {"tcbLevels": []}, {"isvprodid": -1}],
)
def test_a_qe_identity_that_is_not_quite_one_is_refused(change):
    with pytest.raises(MalformedEvidence, match=r"dcap\.qe_identity\.format"):
        QeIdentity.parse(json.dumps(IDENTITY | change).encode())
