"""Two ways to ask for the same thing are one request; a value out of its form is never sent."""

from __future__ import annotations

import pytest
from forged_kds import TCB

from adyton.endorsements import Kind
from adyton.endorsements import request as ask
from adyton.endorsements.request import ItemRequest, PckPlatform
from adyton.errors import UsageError
from adyton.formats.quote import Tee
from adyton.formats.snp import TcbVersion

FMSPC = bytes.fromhex("00906ed50000")
MACHINE = PckPlatform(b"\x01" * 16, b"\x02" * 16, 11, bytes(2), b"\x03" * 384)
EVERY = [
    ask.tcb_info(Tee.SGX, FMSPC, version=3),
    ask.tcb_info(Tee.TDX, FMSPC, update="early"),
    ask.qe_identity(Tee.TDX, number=17),
    ask.qve_identity(),
    ask.evaluation_numbers(Tee.SGX),
    ask.root_crl(),
    ask.pck_crl("processor"),
    ask.pck_certificate(MACHINE),
    ask.vcek("Milan", bytes(64), TCB),
    ask.vcek("Turin", bytes(8), TcbVersion(1, 2, 3, 4, fmc=5)),
    ask.snp_chain("Genoa", endorsement_key="vlek"),
    ask.snp_crl("Turin"),
]


def test_requests_are_the_vendors_own_paths():
    assert ask.tcb_info(Tee.SGX, FMSPC).key == "sgx/certification/v4/tcb?fmspc=00906ED50000"
    assert ask.pck_crl("platform", version=3).key == "sgx/certification/v3/pckcrl?ca=platform&encoding=der"
    assert ask.qe_identity(Tee.TDX, update="early").key == "tdx/certification/v4/qe/identity?update=early"
    key = ask.vcek("Milan", b"\xab" * 64, TCB).key
    assert key == f"vcek/v1/Milan/{'ab' * 64}?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115"
    assert ask.pck_certificate(MACHINE).parameter("pcesvn") == "0b00"


def test_a_default_that_is_spelt_out_is_the_same_request():
    assert ask.qe_identity(Tee.SGX, update="standard") == ask.qe_identity(Tee.SGX)


@pytest.mark.parametrize("request_", EVERY, ids=lambda request: request.key[:40])
def test_a_key_leads_back_to_its_request(request_):
    assert ItemRequest.of_key(request_.kind, request_.key) == request_
    assert not set(request_.key) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/?=&_")
    assert request_.vendor.value == ("amd" if request_.kind in (Kind.VCEK, Kind.SNP_CHAIN, Kind.SNP_CRL) else "intel")


@pytest.mark.parametrize(
    "build",
    [
        lambda: ask.tcb_info(Tee.SGX, bytes(5)),
        lambda: ask.tcb_info(Tee.SGX, FMSPC, version=5),
        lambda: ask.tcb_info(Tee.TDX, FMSPC, version=3),
        lambda: ask.tcb_info(Tee.SGX, FMSPC, update="../../etc"),
        lambda: ask.tcb_info(Tee.SGX, FMSPC, update="early", number=3),
        lambda: ask.tcb_info(Tee.SGX, FMSPC, number=-1),
        lambda: ask.pck_crl("root"),
        lambda: ask.vcek("Rome", bytes(64), TCB),
        lambda: ask.vcek("Milan/../..", bytes(64), TCB),
        lambda: ask.vcek("Turin", bytes(8), TCB),
        lambda: ask.vcek("Milan", bytes(63), TCB),
        lambda: ask.snp_chain("Milan", endorsement_key="ask"),
        lambda: ask.pck_certificate(PckPlatform(b"", bytes(16), 0, bytes(2))),
        lambda: ask.pck_certificate(PckPlatform(bytes(16), bytes(16), 70000, bytes(2))),
        lambda: ask.pck_certificate(PckPlatform(bytes(16), bytes(16), 0, bytes(2), bytes(10))),
    ],
)
def test_a_value_out_of_its_form_is_refused_before_anything_is_sent(build):
    with pytest.raises(UsageError, match=r"collateral\.request"):
        build()
