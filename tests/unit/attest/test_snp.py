"""An SNP report is authentic or refused, and the error names the rule. Tests are named after what an attacker tried."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from places import VECTORS
from snp import (
    CHIP_ID,
    CHIPS,
    FLEET,
    NOW,
    OTHER_SEED,
    REPORT,
    SINCE,
    TCB,
    TURIN,
    TURIN_TCB,
    Chip,
    endorsements,
    vendor,
)
from snp import roots as roots_of

from adyton.attest import TrustRoots, VerificationCache, authenticate_report
from adyton.errors import MalformedEvidence, UntrustedEvidence, UsageError
from adyton.forge import AmdKeys, AmdVendor, ChipFacts, seeded_p384
from adyton.forge.amd import ARK_SERIAL, ASK_SERIAL, ASVK_SERIAL
from adyton.formats.check import Outcome
from adyton.formats.snp import GuestPolicyBits, SigningKey, SnpEndorsements, SnpReport, TcbVersion

PRODUCTS = list(CHIPS)
SIGNED_END = 0x2A0


def judge(chip, report=None, *, roots=None, cache=None, now=NOW, **fields):
    return authenticate_report(
        report or chip.report(), endorsements(chip, **fields), roots=roots or roots_of(chip), now=now, cache=cache
    )


def refused(chip, report=None, **fields):
    with pytest.raises((UntrustedEvidence, MalformedEvidence)) as caught:
        judge(chip, report, **fields)
    assert caught.value.message
    assert caught.value.remedy
    return caught.value.code


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_a_sound_report_of_every_product_and_version_is_authentic_and_says_simulated(product, version):
    chip = CHIPS[product]
    evidence = judge(chip, chip.report(version=version))
    assert evidence.root.mode == "simulated"
    assert evidence.platform.product == product
    assert evidence.platform.signing_key is SigningKey.VCEK
    assert evidence.platform.reported_tcb == chip.tcb
    assert evidence.platform.chip_id == chip.hardware_id
    assert all(check.outcome is not Outcome.FAILED for check in evidence.checks)
    assert evidence.checks[-1].id == "snp.report.signature"


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_report_survives_being_written_and_read(product):
    report = CHIPS[product].report(version=5, launch_mitigations=b"\x01" * 8, current_mitigations=b"\x02" * 8)
    assert SnpReport.parse(report.to_bytes()) == report
    assert judge(CHIPS[product], SnpReport.parse(report.to_bytes())).report == report


@pytest.mark.parametrize(("stepping", "model"), [("Bergamo-A1", 0xA0), ("Siena-A1", 0xA0)])
def test_products_under_genoa_s_root_are_genoa_s(stepping, model):
    chip = Chip("Genoa", stepping)
    assert judge(chip, chip.report(cpuid=(0x19, model, 1))).platform.product == "Genoa"


def test_a_sound_report_of_a_fleet_s_key_names_its_provider_and_no_chip():
    evidence = judge(FLEET, FLEET.report(chip_id=CHIP_ID))
    assert evidence.platform.signing_key is SigningKey.VLEK
    assert (evidence.platform.csp_id, evidence.platform.chip_id) == ("Example Cloud", None)
    assert [item.name for item in evidence.collateral.items] == ["vlek", "asvk", "ark"]


def test_a_hardware_id_in_an_octet_string_of_its_own_is_the_same_id():
    assert judge(Chip(wrapped=True)).platform.chip_id == CHIP_ID


def test_a_simulated_chip_is_refused_by_whoever_trusts_amd_alone():
    assert refused(Chip(), roots=TrustRoots()) == "snp.chain.untrusted_root"
    assert refused(Chip(), roots=TrustRoots.named(["intel"])) == "snp.chain.untrusted_root"


def test_a_chip_of_another_vendor_with_the_same_names_is_refused():
    assert refused(Chip(seed=OTHER_SEED), roots=roots_of(Chip())) == "snp.chain.untrusted_root"


def test_the_trusted_root_beside_another_vendor_s_chip_is_refused():
    assert (
        refused(Chip(seed=OTHER_SEED), roots=roots_of(Chip()), root=vendor("Milan").ark) == "snp.vcek_chain.signature"
    )


def test_another_vendor_s_vcek_under_the_trusted_ask_is_refused():
    other = Chip(seed=OTHER_SEED)
    assert refused(Chip(), other.report(), leaf=other.key.certificate) == "snp.vcek_chain.signature"


def test_a_report_that_names_no_key_is_refused():
    report = Chip().report(flags=SigningKey.NONE << 2)
    assert refused(Chip(), report).startswith("snp.")


def test_a_fleet_s_key_in_place_of_a_chip_s_is_refused():
    assert refused(FLEET, FLEET.report(flags=0)) == "snp.vcek_chain.names"


def test_a_chip_s_key_in_place_of_a_fleet_s_is_refused():
    assert refused(Chip(), Chip().report(flags=SigningKey.VLEK << 2)) == "snp.vlek_chain.names"


def test_a_vcek_under_the_fleets_authority_is_refused():
    assert refused(Chip(), intermediate=vendor("Milan").asvk) == "snp.vcek_chain.signature"


def test_a_vlek_under_the_chips_authority_is_refused():
    assert refused(FLEET, intermediate=vendor("Milan").ask).startswith("snp.vlek_chain.")


def test_a_report_of_another_chip_is_refused():
    assert refused(Chip(), Chip().report(chip_id=CHIP_ID[::-1])) == "snp.chip_id"


def test_a_masked_chip_id_is_refused_because_it_is_nobody_s():
    assert refused(Chip(), Chip().report(chip_id=bytes(64))) == "snp.chip_id"


def test_a_vcek_without_a_hardware_id_is_refused():
    chip = Chip(hardware_id=None)
    assert refused(chip) == "snp.chip_id"


def test_on_turin_the_rest_of_the_chip_id_has_to_be_zero():
    assert refused(TURIN, TURIN.report(chip_id=CHIP_ID)) == "snp.chip_id"


@pytest.mark.parametrize("field", ["boot_loader", "tee", "snp", "microcode"])
@pytest.mark.parametrize("step", [-1, 1])
def test_a_key_for_other_firmware_than_the_report_s_is_refused(field, step):
    chip = Chip(tcb=replace(TCB, tee=3))
    reported = replace(chip.tcb, **{field: getattr(chip.tcb, field) + step}).to_bytes()
    assert refused(chip, chip.report(reported_tcb=reported)) == "snp.reported_tcb"


@pytest.mark.parametrize("field", ["fmc", "boot_loader", "snp", "microcode"])
def test_on_turin_every_version_counts_the_first_mutable_code_s_too(field):
    reported = replace(TURIN_TCB, **{field: getattr(TURIN_TCB, field) + 1}).to_bytes()
    assert refused(TURIN, TURIN.report(reported_tcb=reported)) == "snp.reported_tcb"


def test_a_turin_key_without_a_first_mutable_code_version_is_refused():
    chip = replace(TURIN, tcb=TCB)
    assert refused(chip, chip.report(reported_tcb=TURIN_TCB.to_bytes())) == "snp.reported_tcb"


def test_a_milan_key_with_a_first_mutable_code_version_is_refused():
    chip = Chip(tcb=TURIN_TCB)
    assert refused(chip, chip.report(reported_tcb=TCB.to_bytes())) == "snp.reported_tcb"


def test_reserved_bytes_of_a_tcb_version_are_refused():
    assert refused(Chip(), Chip().report(reported_tcb=b"\x04\x00\x01\x00\x00\x00\x18\xdb")) == "snp.report.tcb"


def test_a_certificate_of_another_product_than_its_root_is_refused():
    assert refused(Chip("Milan", "Genoa-B0")) == "snp.product"


@pytest.mark.parametrize("cpuid", [(0x19, 0x11, 1), (0x1A, 0x02, 1), (0x17, 0x01, 1), (0, 0, 0)])
def test_a_processor_of_another_product_than_its_certificate_is_refused(cpuid):
    assert refused(Chip(), Chip().report(cpuid=cpuid)) == "snp.product"


def test_a_chip_s_certificate_from_the_authority_for_fleets_is_refused():
    chip = Chip(seed=OTHER_SEED)
    crossed = AmdVendor(AmdKeys.seeded(OTHER_SEED), chip.product, since=SINCE)
    crossed._ask_name, crossed._ask, crossed.ask = crossed._asvk_name, crossed._asvk, crossed.asvk
    key = crossed.issue_vcek(ChipFacts(chip.name, chip.tcb, chip.hardware_id), seeded_p384(b"crossed", "chip"))
    found = crossed.endorsements(key)
    report = key.sign(chip.report())
    assert refused(chip, report, leaf=found.leaf, intermediate=found.intermediate) == "snp.product"


def test_a_revoked_intermediate_is_refused():
    assert refused(Chip(), crl=Chip().crl(ASK_SERIAL)) == "snp.ask.revoked"
    assert refused(FLEET, crl=FLEET.crl(ASVK_SERIAL)) == "snp.ask.revoked"


def test_a_list_that_revokes_others_stands_in_nobody_s_way():
    evidence = judge(Chip(), crl=Chip().crl(ASVK_SERIAL, 5, ARK_SERIAL + 9))
    assert evidence.collateral.crl_numbers == (("crl", 7),)
    assert [item.name for item in evidence.collateral.items] == ["vcek", "ask", "ark", "crl"]


def test_a_missing_list_is_recorded_as_such():
    checks = {check.id: check for check in judge(Chip()).checks}
    assert checks["snp.crl.issuer"].outcome is Outcome.NOT_APPLICABLE


def test_another_vendor_s_revocation_list_with_the_same_name_is_refused():
    foreign = Chip(seed=OTHER_SEED).crl()
    assert refused(Chip(), crl=foreign) == "snp.crl.issuer"


def test_another_product_s_revocation_list_is_refused():
    assert refused(Chip(), crl=CHIPS["Genoa"].crl()) == "snp.crl.issuer"


def test_a_changed_revocation_list_is_refused():
    crl = bytearray(Chip().crl(ASK_SERIAL))
    at = bytes(crl).index((ASK_SERIAL).to_bytes(3, "big"))
    crl[at + 2] ^= 4
    assert refused(Chip(), crl=bytes(crl)) == "snp.crl.issuer"


@pytest.mark.parametrize("crl", [b"\x30", b"garbage", b"\x30\x03\x02\x01\x00"])
def test_garbage_in_place_of_a_list_is_refused(crl):
    assert refused(Chip(), crl=crl) == "snp.crl.format"


@pytest.mark.parametrize("field", ["leaf", "intermediate", "root"])
def test_garbage_in_place_of_a_certificate_is_refused(field):
    for garbage in (b"", b"\x30\x00", b"garbage"):
        assert refused(Chip(), **{field: garbage}) == "snp.vcek_chain.format"


def test_a_chain_of_ecdsa_keys_is_refused():
    leaf = Chip().key.certificate
    assert refused(Chip(), intermediate=leaf) == "snp.vcek_chain.format"
    assert refused(Chip(), root=leaf) == "snp.vcek_chain.format"


def test_the_ask_as_its_own_root_is_refused():
    assert refused(Chip(), root=vendor("Milan").ask) == "snp.chain.untrusted_root"


SIGNED_PLACES = (
    0x00, 0x08, 0x10, 0x30, 0x38, 0x48, 0x50, 0x90, 0xC0, 0x140, 0x180, 0x18B, 0x1A0, 0x1E0, 0x298
)  # fmt: skip


@pytest.mark.parametrize("at", SIGNED_PLACES)
def test_a_flipped_bit_anywhere_in_what_is_signed_is_refused(at):
    changed = bytearray(Chip().report().to_bytes())
    changed[at] ^= 0x02
    with pytest.raises((UntrustedEvidence, MalformedEvidence)):
        judge(Chip(), SnpReport.parse(bytes(changed)))


@pytest.mark.parametrize("field", ["policy", "measurement", "report_data", "host_data", "vmpl", "current_tcb"])
def test_a_changed_field_is_refused_by_the_signature(field):
    report = Chip().report()
    value = getattr(report, field)
    other = value ^ 1 if isinstance(value, int) else bytes([value[0] ^ 1]) + value[1:]
    assert refused(Chip(), replace(report, **{field: other})) == "snp.report.signature"


@pytest.mark.parametrize("signature", [bytes(96), b"\xff" * 96, bytes(48) + b"\x01" * 48])
def test_a_signature_that_is_none_is_refused(signature):
    assert refused(Chip(), replace(Chip().report(), signature=signature)) == "snp.report.signature"


def test_a_flipped_bit_in_a_certificate_is_refused():
    for field, der in (
        ("leaf", Chip().key.certificate),
        ("intermediate", vendor("Milan").ask),
        ("root", vendor("Milan").ark),
    ):
        changed = bytearray(der)
        changed[-1] ^= 1
        assert refused(Chip(), **{field: bytes(changed)}) == "snp.vcek_chain.signature"


def test_debug_and_privilege_level_are_facts_that_policy_judges():
    report = Chip().report(policy=REPORT.policy | GuestPolicyBits.DEBUG, vmpl=3)
    evidence = judge(Chip(), report)
    assert (evidence.report.debug, evidence.report.vmpl) == (True, 3)


def test_dates_are_facts_that_policy_judges():
    evidence = judge(Chip(), now=SINCE - timedelta(days=1), crl=Chip().crl())
    assert evidence.collateral.latest_issue > evidence.authenticated_at
    later = datetime(2090, 1, 1, tzinfo=UTC)
    assert judge(Chip(), now=later).collateral.earliest_expiry < later


def test_a_time_without_a_zone_is_an_error():
    with pytest.raises(UsageError):
        judge(Chip(), now=NOW.replace(tzinfo=None))


def test_a_cache_changes_no_result_and_carries_no_trust():
    cache, chip = VerificationCache(), Chip()
    first = judge(chip, cache=cache)
    assert judge(chip, cache=cache) == first == judge(chip)
    assert refused(chip, cache=cache, roots=TrustRoots()) == "snp.chain.untrusted_root"
    assert refused(chip, cache=cache, crl=chip.crl(ASK_SERIAL)) == "snp.ask.revoked"
    assert refused(chip, chip.report(chip_id=bytes(64)), cache=cache) == "snp.chip_id"
    assert refused(chip, chip.report(cpuid=(0x19, 0x11, 1)), cache=cache) == "snp.product"
    assert refused(chip, replace(chip.report(), measurement=bytes(48)), cache=cache) == "snp.report.signature"


def encoded(**patches):
    data = bytearray(Chip().report().to_bytes())
    for at, byte in patches.values():
        data[at] = byte
    return bytes(data)


@pytest.mark.parametrize(
    ("at", "byte", "code"),
    [
        (0x00, 6, "version"), (0x00, 1, "version"), (0x00, 0, "version"), (0x34, 2, "algorithm"),
        (0x48, 3 << 2, "signing_key"), (0x48, 6 << 2, "signing_key"), (0x48, 1 << 5, "reserved"),
        (0x4C, 1, "reserved"), (0x18B, 1, "reserved"), (0x19F, 1, "reserved"), (0x1EB, 1, "reserved"),
        (0x1EF, 1, "reserved"), (0x1F8, 1, "reserved"), (0x200, 1, "reserved"), (0x208, 1, "reserved"),
        (0x29F, 1, "reserved"), (0x2D0, 1, "signature"), (0x318, 1, "signature"), (0x330, 1, "signature"),
        (0x49F, 1, "signature"),
    ],
)  # fmt: skip
def test_a_report_of_an_unknown_form_is_malformed(at, byte, code):
    with pytest.raises(MalformedEvidence) as caught:
        SnpReport.parse(encoded(patch=(at, byte)))
    assert caught.value.code == f"snp.report.{code}"


def test_version_2_reserves_where_version_3_names_the_processor():
    report = bytearray(Chip().report().to_bytes())
    report[0] = 2
    with pytest.raises(MalformedEvidence, match=r"snp\.report\.reserved"):
        SnpReport.parse(bytes(report))


@pytest.mark.parametrize("size", [0, 1183, 1185, SIGNED_END])
def test_a_report_of_another_size_is_malformed(size):
    with pytest.raises(MalformedEvidence, match=r"snp\.report\.length"):
        SnpReport.parse(Chip().report().to_bytes().ljust(1185, b"\x00")[:size])


@pytest.mark.parametrize("size", [0, 7, 9, 63, 65])
def test_a_hardware_id_of_another_size_is_malformed(size):
    assert refused(Chip(hardware_id=b"\x01" * size, wrapped=True)) == "snp.vcek.extension"


def test_a_tcb_version_survives_both_layouts():
    assert TcbVersion.parse(TCB.to_bytes(), turin=False) == TCB
    assert TcbVersion.parse(TURIN_TCB.to_bytes(), turin=True) == TURIN_TCB


def test_endorsements_survive_their_own_file_form():
    for crl in (b"", Chip().crl()):
        given = endorsements(Chip(), crl=crl)
        assert SnpEndorsements.parse(given.to_bytes()) == given


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"leaf": "AA=="}', b'{"leaf":"!","intermediate":"","root":""}'])
def test_a_file_that_holds_no_endorsements_is_malformed(data):
    with pytest.raises(MalformedEvidence, match=r"snp\.endorsements\.format"):
        SnpEndorsements.parse(data)


def genuine():
    path = VECTORS / "snp" / "cases.json"
    return json.loads(path.read_text()) if path.exists() else [None]


def _name(case):
    return "missing" if case is None else case["report_sha256"][:10]


@pytest.mark.vectors
@pytest.mark.parametrize("case", genuine(), ids=_name)
def test_a_genuine_report_of_amd_s_is_authentic(case):
    raw = bytes.fromhex(case["report"])
    certificates = (base64.b64decode(case[name]) for name in ("leaf", "intermediate", "root"))
    evidence = authenticate_report(
        SnpReport.parse(raw), SnpEndorsements(*certificates), roots=TrustRoots.named(["amd"]), now=NOW
    )
    assert hashlib.sha256(evidence.report.to_bytes()).hexdigest() == case["report_sha256"]
    assert (evidence.root.name, evidence.root.mode) == ("amd", "hardware")
    assert evidence.platform.product == case["product"]
    assert evidence.platform.signing_key.name.lower() == case["signing_key"]
    assert (evidence.report.debug, evidence.report.vmpl, evidence.report.version) == (
        case["debug"], case["vmpl"], case["version"],
    )  # fmt: skip


@pytest.mark.vectors
@pytest.mark.parametrize("case", genuine(), ids=_name)
def test_a_genuine_report_with_one_bit_changed_is_refused(case):
    raw = bytearray(bytes.fromhex(case["report"]))
    raw[0x90] ^= 1
    certificates = (base64.b64decode(case[name]) for name in ("leaf", "intermediate", "root"))
    with pytest.raises(UntrustedEvidence, match=r"snp\.report\.signature"):
        authenticate_report(SnpReport.parse(bytes(raw)), SnpEndorsements(*certificates), roots=TrustRoots(), now=NOW)
