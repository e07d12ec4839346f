"""What is not authentic is refused, and the error names the check. Tests are named after what an attacker tried."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import dcap_qvl
import pytest
from evidence import ENCLAVE
from forged import NOW, PCK_SERIAL, PLATFORM, QE, Forged

from adyton.attest import TcbStatus, TrustRoots, VerificationCache, authenticate
from adyton.errors import MalformedEvidence, UntrustedEvidence, UsageError
from adyton.forge import Level, Vendor
from adyton.formats.collateral import Collateral
from adyton.formats.quote import CertificationType


def judge(forged, quote=None, *, cache=None, roots=None, **collateral):
    quote = quote or forged.quote()
    return authenticate(quote, forged.collateral(**collateral), roots=roots or forged.roots, now=NOW, cache=cache)


def refused(forged, quote=None, **fields):
    with pytest.raises((UntrustedEvidence, MalformedEvidence)) as caught:
        judge(forged, quote, **fields)
    assert caught.value.message
    assert caught.value.remedy
    return caught.value.code


def test_a_sound_quote_of_a_named_simulated_platform_is_authentic_and_says_simulated():
    evidence = judge(forged := Forged())
    assert evidence.root.name == forged.root_name
    assert evidence.root.mode == "simulated"
    assert evidence.tcb.status is TcbStatus.UP_TO_DATE
    assert evidence.platform == PLATFORM
    assert [check.id for check in evidence.checks][-1] == "dcap.quote.signature"


def test_dcap_qvl_accepts_what_the_forge_makes_under_the_forge_s_root():
    forged = Forged()
    quote, collateral = forged.quote().to_bytes(), forged.collateral()
    root = forged.vendor.root.public_bytes(_der())
    peer = dcap_qvl.QuoteCollateralV3.from_json(collateral.to_bytes().decode())
    assert dcap_qvl.verify_with_root_ca(quote, peer, root, int(NOW.timestamp())).status == "UpToDate"


def _der():
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    return Encoding.DER


def test_a_simulated_platform_is_refused_by_whoever_trusts_intel_alone():
    assert refused(Forged(), roots=TrustRoots()) == "dcap.chain.untrusted_root"


def test_a_platform_of_another_vendor_with_the_same_names_is_refused():
    assert refused(Forged(), roots=Forged().roots) == "dcap.chain.untrusted_root"


def test_a_quote_under_one_trusted_root_with_collateral_of_another_is_refused():
    one, other = Forged(), Forged()
    roots = TrustRoots.named([one.root_name, other.root_name])
    assert refused(one, other.quote(), roots=roots) == "dcap.pck_chain.root"


def test_a_forged_qe_identity_is_refused_cve_2026_22696():
    forged = Forged()
    identity = json.loads(forged.collateral().qe_identity)
    identity["mrsigner"] = "66" * 32
    assert refused(forged, qe_identity=json.dumps(identity).encode()) == "dcap.qe_identity.signature"


def test_a_qe_identity_signed_by_another_vendor_is_refused():
    other = Forged().collateral()
    code = refused(
        Forged(),
        qe_identity=other.qe_identity,
        qe_identity_signature=other.qe_identity_signature,
        qe_identity_chain=other.qe_identity_chain,
    )
    assert code == "dcap.chain.untrusted_root"


def test_tcb_info_that_was_reserialised_is_refused_because_its_bytes_were_signed():
    forged = Forged()
    spaced = json.dumps(json.loads(forged.collateral().tcb_info)).encode()
    assert refused(forged, tcb_info=spaced) == "dcap.tcb_info.signature"


def test_a_quoting_enclave_of_another_signer_is_refused():
    assert refused(Forged(qe=replace(QE, mr_signer=b"\x66" * 32))) == "dcap.qe.identity"


def test_a_quoting_enclave_of_another_product_is_refused():
    assert refused(Forged(qe=replace(QE, isv_prod_id=2))) == "dcap.qe.identity"


def test_a_revoked_pck_certificate_is_refused():
    assert refused(Forged(revoked_by_pck_ca=(PCK_SERIAL,))) == "dcap.pck.revoked"


@pytest.mark.parametrize(("serial", "code"), [(2, "dcap.pck_crl_chain.revoked"), (3, "dcap.tcb_info_chain.revoked")])
def test_a_revoked_ca_or_signer_is_refused(serial, code):
    assert refused(Forged(revoked_by_root=(serial,))) == code


def test_a_revoked_pck_ca_is_refused_even_if_its_chain_was_not_sent_with_the_list():
    assert refused(Forged(revoked_by_root=(2,)), pck_crl_chain=b"") == "dcap.pck_ca.revoked"


def test_the_root_s_list_in_place_of_the_pck_ca_s_is_refused():
    forged = Forged()
    root_crl = forged.collateral().root_crl
    assert refused(forged, pck_crl=root_crl) == "dcap.pck_crl.issuer"
    assert refused(forged, pck_crl=root_crl, pck_crl_chain=b"") == "dcap.pck_crl.issuer"


def test_a_revocation_list_of_another_vendor_with_the_same_name_is_refused():
    other = Vendor.generate(since=datetime(2026, 1, 1, tzinfo=UTC))
    forged = Forged()
    stolen = other.root_crl(forged.validity.issued, forged.validity.expires)
    assert refused(forged, root_crl=stolen) == "dcap.root_crl.issuer"


def test_collateral_of_another_family_is_refused():
    forged = Forged()
    other = replace(forged, platform=replace(PLATFORM, fmspc=bytes(6)))
    assert refused(forged, other.quote()) == "dcap.tcb_info.fmspc"


def test_a_flipped_bit_in_the_body_is_refused():
    forged = Forged()
    quote = forged.quote()
    assert refused(forged, replace(quote, body=replace(ENCLAVE, isv_svn=9))) == "dcap.quote.signature"


def test_an_attestation_key_that_the_quoting_enclave_did_not_bind_is_refused():
    forged = Forged()
    quote, other = forged.quote(), Forged().quote()
    assert refused(forged, replace(quote, attestation_key=other.attestation_key)) == "dcap.qe.report_data"


def test_bytes_behind_the_binding_in_the_quoting_enclave_s_report_are_refused():
    forged = Forged()
    quote = forged.quote()
    report = replace(quote.qe.report, report_data=quote.qe.report.report_data[:32] + b"\x01" * 32)
    assert refused(forged, replace(quote, qe=replace(quote.qe, report=report))) == "dcap.qe.report_signature"


def test_a_quote_without_its_pck_chain_is_refused_with_what_to_do():
    forged = Forged()
    quote = forged.quote()
    bare = replace(quote, qe=replace(quote.qe, kind=CertificationType.PPID_RSA3072_OAEP, data=bytes(420)))
    assert refused(forged, bare) == "dcap.certification.unsupported"


def test_a_shortened_chain_is_refused():
    forged = Forged()
    quote = forged.quote()
    two = quote.qe.data[: quote.qe.data.rindex(b"-----BEGIN")]
    assert refused(forged, replace(quote, qe=replace(quote.qe, data=two))) == "dcap.pck_chain.format"


def test_a_platform_below_every_level_is_refused_with_what_it_lacks():
    levels = (Level((5, 5, 6, *[5] * 13), pce_svn=12),)
    with pytest.raises(UntrustedEvidence) as caught:
        judge(Forged(levels=levels))
    assert caught.value.code == "dcap.tcb.no_matching_level"
    assert "sgx.tcb.component[2] needs 6, has 5" in caught.value.message
    assert "sgx.tcb.pce_svn needs 12, has 11" in caught.value.message


def test_one_short_component_lowers_the_level_wherever_it_is():
    for at in range(16):
        best = [5] * 16
        best[at] = 6
        levels = (Level(best, pce_svn=11), Level((0,) * 16, "OutOfDate"))
        assert judge(Forged(levels=levels)).tcb.status is TcbStatus.OUT_OF_DATE


@pytest.mark.parametrize("count", [15, 17, 0])
def test_a_level_with_another_number_of_components_is_malformed_and_never_cut(count):
    assert refused(Forged(levels=(Level((0,) * count),))) == "dcap.tcb_info.format"


@pytest.mark.parametrize(
    ("platform", "qe", "expected"),
    [
        ("UpToDate", "OutOfDate", "OutOfDate"),
        ("SWHardeningNeeded", "OutOfDate", "OutOfDate"),
        ("ConfigurationNeeded", "OutOfDate", "OutOfDateConfigurationNeeded"),
        ("ConfigurationAndSWHardeningNeeded", "OutOfDate", "OutOfDateConfigurationNeeded"),
        ("OutOfDate", "OutOfDate", "OutOfDate"),
        ("UpToDate", "Revoked", "Revoked"),
        ("Revoked", "UpToDate", "Revoked"),
        ("Revoked", "OutOfDate", "Revoked"),
    ],
)
def test_the_quoting_enclave_s_level_converges_with_the_platform_s(platform, qe, expected):
    forged = Forged(levels=(Level((0,) * 16, platform),), qe_levels=(Level((0,), qe, advisories=("A",)),))
    tcb = judge(forged).tcb
    assert (tcb.status, tcb.qe.status, tcb.platform.status) == (expected, qe, platform)
    assert tcb.advisories == ("A",)


def test_the_tcb_date_is_the_earliest_of_its_parts():
    early = datetime(2020, 2, 2, tzinfo=UTC)
    assert judge(Forged(qe_levels=(Level((0,), date=early),))).tcb.date == early


def test_what_a_cache_remembers_does_not_outlive_a_revocation():
    forged, cache = Forged(), VerificationCache()
    quote = forged.quote()
    judge(forged, quote, cache=cache)
    revoked = replace(forged, revoked_by_pck_ca=(PCK_SERIAL,))
    assert refused(revoked, quote, cache=cache) == "dcap.pck.revoked"


def test_a_cache_does_not_carry_trust_from_one_caller_s_roots_to_another_s():
    forged, cache = Forged(), VerificationCache()
    quote, collateral = forged.quote(), forged.collateral()
    authenticate(quote, collateral, roots=forged.roots, now=NOW, cache=cache)
    with pytest.raises(UntrustedEvidence, match=r"dcap\.chain\.untrusted_root"):
        authenticate(quote, collateral, roots=TrustRoots(), now=NOW, cache=cache)


def test_a_cached_platform_still_checks_each_quote_s_signature():
    forged, cache = Forged(), VerificationCache()
    quote = forged.quote()
    judge(forged, quote, cache=cache)
    assert refused(forged, replace(quote, body=replace(ENCLAVE, isv_svn=9)), cache=cache) == "dcap.quote.signature"


def test_a_time_without_a_zone_is_an_error():
    forged = Forged()
    with pytest.raises(UsageError):
        authenticate(forged.quote(), forged.collateral(), roots=forged.roots, now=NOW.replace(tzinfo=None))


@pytest.mark.parametrize("names", [[], ["Intel"], ["simulated:"], ["simulated:" + "0" * 31]])
def test_a_root_without_a_proper_name_is_an_error(names):
    with pytest.raises(UsageError, match=r"roots\.name"):
        TrustRoots.named(names)


def test_collateral_survives_its_own_file_form():
    collateral = Forged().collateral()
    assert Collateral.parse(collateral.to_bytes()) == collateral
