"""A trust domain's quote is authentic or refused, on a platform with fresh keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from forged import MODULES, NOW, TD, TD_UP_TO_DATE, Forged

from adyton.attest import TcbStatus, VerificationCache, authenticate
from adyton.errors import UntrustedEvidence
from adyton.forge import Level, ModuleFacts
from adyton.formats.quote import Tee


def judge(forged, quote=None, *, cache=None, **fields):
    quote = quote or forged.quote()
    return authenticate(quote, forged.collateral(**fields), roots=forged.roots, now=NOW, cache=cache)


def refused(forged, quote=None, **fields):
    with pytest.raises(UntrustedEvidence) as caught:
        judge(forged, quote, **fields)
    return caught.value.code


@pytest.mark.parametrize("version", [4, 5])
def test_a_sound_trust_domain_is_authentic(version):
    forged = Forged.tdx()
    evidence = judge(forged, forged.quote(version=version))
    assert evidence.quote.tee is Tee.TDX
    assert evidence.tcb.status is TcbStatus.UP_TO_DATE
    assert evidence.tcb.module is not None


def test_the_sgx_quoting_enclave_s_identity_is_refused_for_a_trust_domain():
    forged = Forged.tdx()
    sgx = replace(forged, modules=()).collateral()
    code = refused(forged, qe_identity=sgx.qe_identity, qe_identity_signature=sgx.qe_identity_signature)
    assert code == "dcap.qe_identity.tee"


def test_sgx_tcb_info_is_refused_for_a_trust_domain_and_the_other_way_round():
    forged = Forged.tdx()
    sgx = replace(forged, modules=(), levels=(Level((0,) * 16),))
    for one, other in ((forged, sgx), (sgx, forged)):
        foreign = other.collateral()
        code = refused(one, tcb_info=foreign.tcb_info, tcb_info_signature=foreign.tcb_info_signature)
        assert code == "dcap.tcb_info.tee"


def test_a_module_that_alone_is_out_of_date_makes_the_whole_so_and_names_its_advisories():
    old = (MODULES[0], ModuleFacts(1, (Level((5,)), Level((4,), "OutOfDate", advisories=("SIM-SA-00003",)))))
    tcb = judge(Forged.tdx(modules=old)).tcb
    assert (tcb.platform.status, tcb.qe.status) == (TcbStatus.UP_TO_DATE, TcbStatus.UP_TO_DATE)
    assert (tcb.status, tcb.advisories) == (TcbStatus.OUT_OF_DATE, ("SIM-SA-00003",))


@pytest.mark.parametrize("body", [replace(TD, mr_signer_seam=b"\x66" * 48), replace(TD, seam_attributes=1)])
def test_a_module_that_is_not_the_vendor_s_is_refused(body):
    forged = Forged.tdx()
    assert refused(forged, forged.quote(body)) == "dcap.tdx.module"


def test_every_tdx_component_from_the_third_on_counts():
    best, lowest = TD_UP_TO_DATE
    for at in range(16):
        svns = tuple(svn + (place == at) for place, svn in enumerate(best.tdx_svn))
        levels = (replace(best, tdx_svn=svns), lowest)
        # The first two are the module's own, which has levels of its own.
        expected = TcbStatus.UP_TO_DATE if at < 2 else TcbStatus.OUT_OF_DATE
        assert judge(Forged.tdx(levels=levels)).tcb.status is expected


def test_a_cache_does_not_carry_a_level_from_one_module_to_another():
    forged, cache = Forged.tdx(), VerificationCache()
    quote = forged.quote()
    assert judge(forged, quote, cache=cache).tcb.status is TcbStatus.UP_TO_DATE
    older = replace(quote, body=replace(TD, tee_tcb_svn=bytes((3, 1, 5)) + bytes(13)))
    assert refused(forged, older, cache=cache) == "dcap.quote.signature"
