"""What the forge makes is in the vendors' formats, passes their rules, and from a seed is always the same bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dcap_qvl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from adyton.attest import INTEL_ROOT, TrustRoot, TrustRoots, authenticate
from adyton.attest.tcb import evaluate
from adyton.conformance.stage import NOW, OTHER_SEED, SEED, SGX, SINCE, TD_15, TD_15_EX, TDX, VALIDITY
from adyton.errors import UsageError
from adyton.forge import AmdKeys, AmdVendor, Level, ModuleFacts, QuotingEnclave, Vendor, VendorKeys, named_platform
from adyton.forge import der as writer
from adyton.forge.certificates import key_id, pem
from adyton.forge.endorsements import tcb_info
from adyton.forge.keys import EcSigner, PssSigner, seeded_p256, seeded_p384
from adyton.forge.primes import distance_to_prime, seeded_rsa
from adyton.forge.vendor import PROFILES
from adyton.formats import der
from adyton.formats.check import Mode
from adyton.formats.pck import SGX_EXTENSION, PckExtension
from adyton.formats.quote import CertificationType, PlatformCertification, Quote, Tee
from adyton.formats.tcb import QeIdentity, TcbInfo, TcbStatus
from adyton.formats.x509 import Certificate, RevocationList, pem_blocks

AMD = AmdKeys.seeded(SEED)


def roots_of(stage):
    return TrustRoots.named([TrustRoot.of(stage.vendor.point).name])


def judged(stage, collateral=None, quote=None):
    return authenticate(quote or stage.quote(), collateral or stage.collateral(), roots=roots_of(stage), now=NOW)


@pytest.mark.parametrize(
    ("stage", "version", "body"),
    [
        (SGX, 3, SGX.body), (SGX, 4, SGX.body), (SGX, 5, SGX.body),
        (TDX, 4, TDX.body), (TDX, 5, TDX.body), (TDX, 5, TD_15), (TDX, 5, TD_15_EX),
    ],
)  # fmt: skip
def test_a_quote_of_every_version_is_read_back_and_authentic(stage, version, body):
    stage = replace(stage, version=version, body=body)
    quote = stage.quote()
    assert (quote.header.version, quote.tee) == (version, stage.tee)
    assert Quote.parse(quote.to_bytes()) == quote
    evidence = judged(stage)
    assert evidence.tcb.status is TcbStatus.UP_TO_DATE
    assert evidence.root.mode is Mode.SIMULATED


@pytest.mark.parametrize("kind", list(CertificationType)[:3])
@pytest.mark.parametrize("stage", [SGX, TDX], ids=["sgx", "tdx"])
def test_a_quote_may_name_its_platform_with_the_chain_beside_it(stage, kind):
    named = replace(stage, certification=named_platform(stage.platform, kind))
    quote = Quote.parse(named.quote().to_bytes())
    told = PlatformCertification.parse(quote.qe.kind, quote.qe.data)
    assert (told.kind, told.pce_id, told.pce_svn) == (kind, stage.platform.pce_id, stage.platform.pce_svn)
    assert judged(named, replace(named.collateral(), pck_chain=named.pck.chain)).platform == stage.platform


def test_tcb_info_of_each_kind_says_what_it_was_made_from():
    for info, id_, version in (
        (SGX.tcb_info(), "SGX", 3), (replace(SGX, tcb_info_version=2).tcb_info(), "SGX", 2), (TDX.tcb_info(), "TDX", 3)
    ):  # fmt: skip
        read = TcbInfo.parse(info)
        assert (read.id, read.version, read.fmspc) == (id_, version, SGX.platform.fmspc)
        assert read.levels[0].sgx_components == (5,) * 16
        assert (read.levels[0].tdx_components is None) == (id_ == "SGX")
    module = TcbInfo.parse(TDX.tcb_info()).modules[0]
    assert (module.id, module.mr_signer, module.levels[0].isv_svn) == ("TDX_01", bytes(48), 4)
    assert TcbInfo.parse(TDX.tcb_info()).module is not None


def test_version_2_does_not_name_the_tee():
    document = json.loads(tcb_info(bytes(6), [Level((1,) * 16)], VALIDITY, version=2))
    assert "id" not in document
    assert document["tcbLevels"][0]["tcb"]["sgxtcbcomp16svn"] == 1


def test_a_module_of_version_3_is_named_in_hex():
    document = json.loads(tcb_info(bytes(6), [], VALIDITY, modules=[ModuleFacts(0x1A, [Level((0,))])]))
    assert document["tdxModuleIdentities"][0]["id"] == "TDX_1A"
    assert "tdxModule" not in document


def test_the_quoting_enclaves_have_identities_of_their_own():
    assert QeIdentity.parse(SGX.identity()).id == "QE"
    assert QeIdentity.parse(TDX.identity()).id == "TD_QE"
    assert QeIdentity.parse(TDX.identity()).isv_prod_id != QeIdentity.parse(SGX.identity()).isv_prod_id


def test_an_identity_s_attributes_have_no_bit_outside_its_mask_as_intel_s_have():
    identity = QeIdentity.parse(SGX.identity())
    pairs = zip(identity.attributes, identity.attributes_mask, strict=True)
    assert all(byte & ~mask & 0xFF == 0 for byte, mask in pairs)


@pytest.mark.parametrize("stage", [SGX, TDX, replace(TDX, version=5, body=TD_15)], ids=["sgx", "tdx", "td15"])
def test_dcap_qvl_accepts_what_is_sound(stage):
    peer = dcap_qvl.QuoteCollateralV3.from_json(stage.collateral().to_bytes().decode())
    time = int(NOW.timestamp())
    report = dcap_qvl.verify_with_root_ca(stage.quote().to_bytes(), peer, stage.vendor.root_der, time)
    assert (report.status, list(report.advisory_ids)) == ("UpToDate", [])


def test_from_a_seed_certificates_signatures_and_lists_are_the_same_bytes_each_time():
    """The conformance kit's manifest holds the same of whole cases, across runs and machines."""
    vendor = Vendor(VendorKeys.seeded(SEED), since=SINCE, deterministic=True)
    assert vendor.root_der == SGX.vendor.root_der
    assert vendor.sign(b"x") == SGX.vendor.sign(b"x")
    assert vendor.pck_crl(NOW, NOW, revoked=(1,)) == SGX.vendor.pck_crl(NOW, NOW, revoked=(1,))
    one, other = (AmdVendor(AmdKeys.seeded(SEED), "Milan", since=SINCE) for _ in range(2))
    assert (one.ark, one.ask, one.asvk) == (other.ark, other.ask, other.asvk)


def test_another_seed_and_another_label_are_other_keys():
    keys = [seeded_p256(seed, label) for seed in (SEED, OTHER_SEED) for label in ("a", "b")]
    assert len({key.private_numbers().private_value for key in keys}) == 4
    # A label is not glued to its seed: no pair of both gives the bytes of another pair.
    assert _value(seeded_p384(b"ab", "c")) != _value(seeded_p384(b"a", "bc"))


def _value(key):
    return key.private_numbers().private_value


def test_fresh_keys_differ_and_sign_differently_each_time():
    one, other = Vendor.generate(since=SINCE), Vendor.generate(since=SINCE)
    assert one.point != other.point
    assert one.sign(b"x") != one.sign(b"x")


def test_no_forged_root_is_a_vendor_s():
    for key in (SGX.vendor.point, AmdVendor(AMD, "Genoa", since=SINCE).root_key):
        assert TrustRoot.of(key).mode is Mode.SIMULATED
    assert SGX.vendor.point != INTEL_ROOT.key


def test_certificates_name_a_simulated_vendor():
    amd = AmdVendor(AMD, "Turin", since=SINCE)
    for certificate in (SGX.vendor.root_der, SGX.vendor.tcb_signing_der, amd.ark, amd.ask, amd.asvk):
        subject = x509.load_der_x509_certificate(certificate).subject
        (organisation,) = subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
        assert organisation.value == "Adyton Simulated Platform"


def test_a_general_library_reads_and_verifies_the_certificates():
    vendor = SGX.vendor
    root, ca = (x509.load_der_x509_certificate(der_) for der_ in (vendor.root_der, vendor.pck_ca_der))
    leaf = x509.load_der_x509_certificate(SGX.pck.leaf)
    root.verify_directly_issued_by(root)
    ca.verify_directly_issued_by(root)
    leaf.verify_directly_issued_by(ca)
    extension = leaf.extensions.get_extension_for_oid(SGX_EXTENSION)
    assert PckExtension.parse(extension.value.value) == SGX.platform
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.content_commitment, usage.key_cert_sign) == (True, True, False)
    assert ca.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    expected = x509.SubjectKeyIdentifier.from_public_key(root.public_key())
    assert root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value == expected
    assert ca.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == expected.digest


def test_a_general_library_reads_and_verifies_amd_s_authorities():
    amd = AmdVendor(AMD, "Milan", since=SINCE)
    ark, ask = x509.load_der_x509_certificate(amd.ark), x509.load_der_x509_certificate(amd.ask)
    ark.verify_directly_issued_by(ark)
    ask.verify_directly_issued_by(ark)
    assert isinstance(ark.public_key(), rsa.RSAPublicKey)
    assert ark.public_key().key_size == 4096


def test_a_general_library_reads_and_verifies_the_lists():
    crl = x509.load_der_x509_crl(SGX.vendor.pck_crl(NOW, NOW + timedelta(days=1), number=9, revoked=(5, 1 << 90)))
    assert crl.is_signature_valid(x509.load_der_x509_certificate(SGX.vendor.pck_ca_der).public_key())
    assert [entry.serial_number for entry in crl] == [5, 1 << 90]
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 9
    read = RevocationList.parse(AmdVendor(AMD, "Milan", since=SINCE).crl(NOW, NOW + timedelta(days=1), revoked=(7,)))
    assert set(read.revoked) == {7}


def test_a_fixed_salt_gives_a_signature_that_the_library_verifies():
    fixed, fresh = PssSigner(AMD.ark, AMD.salt), PssSigner(AMD.ark)
    scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)
    for message in (b"", b"x", bytes(1000)):
        assert fixed.sign(message) == fixed.sign(message)
        for signature in (fixed.sign(message), fresh.sign(message)):
            AMD.ark.public_key().verify(signature, message, scheme, hashes.SHA384())
    assert fresh.sign(b"x") != fresh.sign(b"x")


def test_a_seeded_rsa_key_is_sound():
    numbers = AMD.ark.private_numbers()
    assert numbers.p * numbers.q == numbers.public_numbers.n
    # The library's own check, which `seeded_rsa` leaves out.
    assert numbers.private_key().key_size == 4096


def test_a_distance_that_leads_to_no_prime_is_an_error():
    with pytest.raises(UsageError, match=r"forge\.primes"):
        seeded_rsa(SEED, "ark", (98, 2512))


@pytest.mark.parametrize(("start", "prime"), [((1 << 89) - 1, (1 << 89) - 1), (((1 << 127) - 1) - 20, (1 << 127) - 1)])
def test_the_first_prime_is_found(start, prime):
    assert start + distance_to_prime(start) == prime


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_raw_signature_is_r_and_s(deterministic):
    signer = EcSigner(seeded_p384(SEED, "x"), deterministic)
    raw, encoded = signer.sign_raw(b"x"), signer.sign(b"x")
    assert len(raw) == 96
    assert (signer.sign(b"x") == encoded) is deterministic
    r, s = decode_dss_signature(encoded)
    assert (raw == r.to_bytes(48, "big") + s.to_bytes(48, "big")) is deterministic


def test_a_nonce_from_key_and_message_is_that_of_rfc_6979():
    """RFC 6979 A.2.5: P-256, SHA-256, message "sample"."""
    key = ec.derive_private_key(0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721, ec.SECP256R1())
    raw = EcSigner(key, deterministic=True).sign_raw(b"sample").hex()
    assert raw == (
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
    )


def test_written_der_is_read_back():
    assert der.decode(int, writer.integer(0)) == 0
    for value in (127, 128, 255, 256, 1 << 64):
        assert der.decode(int, writer.integer(value)) == value
    long = writer.octets(bytes(70000))
    assert der.decode(bytes, long) == bytes(70000)
    assert writer.identifier("1.2.840.113741.1.13.1").hex() == "06092a864886f84d010d01"


AROUND_2050 = (
    datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2049, 12, 31, tzinfo=UTC),
    datetime(2050, 1, 1, tzinfo=UTC),
)


@pytest.mark.parametrize("time", AROUND_2050)
def test_a_certificate_s_dates_survive_on_both_sides_of_2050(time):
    profile = {role: replace(facts, not_before=time, not_after=time) for role, facts in PROFILES.items()}
    vendor = Vendor(VendorKeys.seeded(SEED), since=SINCE, deterministic=True, profiles=profile)
    read = Certificate.parse(vendor.root_der)
    assert (read.not_before, read.not_after) == (time, time)


def test_pem_is_read_back():
    assert pem_blocks(pem(SGX.vendor.root_der, SGX.pck.leaf)) == (SGX.vendor.root_der, SGX.pck.leaf)
    assert len(key_id(EcSigner(SGX.pck.key).public_key)) == 20


def test_a_quoting_enclave_of_fresh_keys_is_authentic_too():
    vendor = Vendor.generate(since=SINCE)
    pck = vendor.issue_pck(SGX.platform, serial=1000)
    quote = QuotingEnclave(pck, ec.generate_private_key(ec.SECP256R1()), SGX.qe).quote(SGX.body)
    collateral = SGX.collateral()
    roots = TrustRoots.named([TrustRoot.of(vendor.point).name])
    own = _signed_by(vendor, collateral)
    assert authenticate(quote, own, roots=roots, now=NOW).quote.tee is Tee.SGX


def _signed_by(vendor, collateral):
    return replace(
        collateral,
        tcb_info_signature=vendor.sign(collateral.tcb_info),
        tcb_info_chain=vendor.tcb_chain,
        qe_identity_signature=vendor.sign(collateral.qe_identity),
        qe_identity_chain=vendor.tcb_chain,
        root_crl=vendor.root_crl(VALIDITY.issued, VALIDITY.expires),
        pck_crl=vendor.pck_crl(VALIDITY.issued, VALIDITY.expires),
        pck_crl_chain=vendor.pck_crl_chain,
    )


def test_the_stage_s_module_levels_are_what_the_evaluation_reads():
    info, identity = TcbInfo.parse(TDX.tcb_info()), QeIdentity.parse(TDX.identity())
    tcb = evaluate((TDX.body.tee_tcb_svn, TDX.body.tee_tcb_svn2), TDX.platform, info, identity, TDX.qe.isv_svn)
    assert tcb.module is not None
    assert tcb.module.status is TcbStatus.UP_TO_DATE
