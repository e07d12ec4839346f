"""What is fetched for a piece of evidence is what authenticates it."""

from __future__ import annotations

import base64
import json
from contextlib import closing
from dataclasses import replace

import pytest
from forged import NOW
from forged_kds import SINCE, chip
from places import VECTORS
from stub_upstream import StubAnswer, StubUpstream, amd, genuine, intel, pck_answer

from adyton.attest import TrustRoots, authenticate, authenticate_report
from adyton.endorsements import (
    Address,
    Direct,
    Edition,
    EndorsementConfig,
    Origin,
    Upstream,
    Vendor,
    fetch_collateral,
    fetch_snp,
    origin,
)
from adyton.endorsements import request as ask
from adyton.endorsements.answers import pem
from adyton.endorsements.fetch import product_of
from adyton.endorsements.request import PckPlatform, pck_certificate
from adyton.errors import NotFound, UntrustedEvidence, UsageError
from adyton.formats.collateral import Collateral
from adyton.formats.quote import CertificationType, Quote, Tee
from adyton.formats.snp import SnpReport, TcbVersion
from adyton.formats.x509 import pem_blocks

ONCE = EndorsementConfig(attempts=1)


def direct(stub, *roots):
    return Direct(stub.origin(*roots, config=ONCE))


def without_chain(quote, kind=CertificationType.PPID_RSA3072_OAEP, size=384):
    """Return a quote that names its machine, and the request for its certificate."""
    data = b"\x07" * size + bytes([5] * 16) + (11).to_bytes(2, "little") + bytes(2)
    ppid = b"\x07" * 384 if kind is CertificationType.PPID_RSA3072_OAEP else b""
    machine = PckPlatform(quote.header.user_data[:16], bytes([5] * 16), 11, bytes(2), ppid)
    return replace(quote, qe=replace(quote.qe, kind=kind, data=data)), machine


@pytest.mark.parametrize("version", [3, 4])
def test_a_quote_is_authentic_with_what_was_fetched_for_it(stub, forged, version):
    source = direct(stub, forged.root_name)
    quote = forged.quote()
    collateral = fetch_collateral(quote, source, Edition(version=version))
    assert authenticate(quote, collateral, roots=forged.roots, now=NOW).tcb.status == "UpToDate"
    assert len(stub.asked) == len(set(stub.asked)) == 4, "each item is asked for once"


def test_a_fetched_file_is_the_file_that_verify_reads(stub, forged):
    collateral = fetch_collateral(forged.quote(), direct(stub, forged.root_name))
    assert Collateral.parse(collateral.to_bytes()) == collateral


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        (CertificationType.PPID_PLAIN, 16),
        (CertificationType.PPID_RSA2048_OAEP, 256),
        (CertificationType.PPID_RSA3072_OAEP, 384),
    ],
)
def test_a_quote_without_its_chain_gets_it_from_the_pccs(stub, forged, kind, size):
    whole = forged.quote()
    quote, machine = without_chain(whole, kind, size)
    stub.answers[pck_certificate(machine).key] = pck_answer(forged, whole.qe.data)
    collateral = fetch_collateral(quote, direct(stub, forged.root_name))
    assert authenticate(quote, collateral, roots=forged.roots, now=NOW).tcb.status == "UpToDate"
    assert collateral.pck_chain.count(b"BEGIN CERTIFICATE") == 3
    assert pck_certificate(machine).key in stub.asked


def test_a_quote_that_names_nothing_is_refused(stub, forged):
    quote = forged.quote()
    quote = replace(quote, qe=replace(quote.qe, kind=CertificationType.PCK_LEAF))
    with pytest.raises(UntrustedEvidence, match=r"dcap\.certification\.unsupported"):
        fetch_collateral(quote, direct(stub, forged.root_name))


def test_a_report_is_authentic_with_what_was_fetched_for_it(stub):
    stub.answers = amd(chip(), issued=SINCE)
    report = chip().report()
    endorsements = fetch_snp(report, direct(stub, chip().root_name))
    roots = TrustRoots.named([chip().root_name])
    assert authenticate_report(report, endorsements, roots=roots, now=NOW).platform.product == "Milan"
    assert endorsements.crl
    assert len(stub.asked) == 3


def test_a_report_that_does_not_name_its_product_needs_it_named(stub):
    stub.answers = amd(chip(), issued=SINCE)
    report = chip().report(version=2)
    with pytest.raises(UsageError, match=r"collateral\.product"):
        fetch_snp(report, direct(stub, chip().root_name))
    assert fetch_snp(report, direct(stub, chip().root_name), product="Milan").leaf == chip().vcek


def test_a_product_that_contradicts_the_report_is_refused():
    with pytest.raises(UsageError, match=r"collateral\.product"):
        product_of(chip().report(), "Genoa")


def test_a_masked_chip_is_refused_by_name(stub):
    with pytest.raises(UntrustedEvidence, match=r"snp\.chip_id"):
        fetch_snp(chip().report(chip_id=bytes(64)), direct(stub, chip().root_name))


def test_a_report_signed_by_a_vlek_needs_the_cloud_provider_s_certificate(stub):
    with pytest.raises(NotFound, match=r"collateral\.vlek"):
        fetch_snp(chip().report(flags=1 << 2), direct(stub, chip().root_name))


def _genuine_cases():
    """Return one case for each genuine quote."""
    path = VECTORS / "dcap" / "cases.json"
    cases = json.loads(path.read_text()) if path.exists() else []
    return list({case["quote"]: case for case in cases if case["tcb_info_version"] == 3}.values()) or [None]


CASES = _genuine_cases()


@pytest.mark.vectors
@pytest.mark.parametrize("case", CASES, ids=lambda case: case and case["quote"][7:-4])
def test_intel_s_own_documents_stay_byte_for_byte(case):
    quote = Quote.parse((VECTORS / "dcap" / case["quote"]).read_bytes())
    file = VECTORS / "dcap" / case["collateral"]
    sgx = next(found for found in CASES if found["tee"].lower() == "sgx")
    answers = genuine(VECTORS / "dcap" / sgx["collateral"], bytes(6), Tee.SGX, sgx["ca"])
    answers |= genuine(file, bytes.fromhex(case["fmspc"]), Tee(case["tee"].lower()), case["ca"])
    with StubUpstream(answers) as stub:
        fetched = fetch_collateral(quote, direct(stub, "intel"))
    expected = Collateral.parse(file.read_bytes())
    for name in ("tcb_info", "tcb_info_signature", "qe_identity", "qe_identity_signature", "root_crl", "pck_crl"):
        assert getattr(fetched, name) == getattr(expected, name)


@pytest.mark.vectors
def test_a_genuine_report_gets_its_genuine_certificates():
    case = json.loads((VECTORS / "snp" / "cases.json").read_text())[0]
    report = SnpReport.parse(bytes.fromhex(case["report"]))
    leaf, *issuers = (base64.b64decode(case[name]) for name in ("leaf", "intermediate", "root"))
    tcb = TcbVersion.parse(report.reported_tcb, turin=False)
    request = ask.vcek(product_of(report, None), report.chip_id, tcb)
    answers = {request.key: StubAnswer(leaf), ask.snp_chain("Milan").key: StubAnswer(pem(issuers))}
    with StubUpstream(answers) as stub:
        source = direct(stub, "amd")
        entry = source.get(request)
        assert (entry.item.body, entry.facts.root) == (leaf, "amd")
        assert pem_blocks(source.get(ask.snp_chain("Milan")).item.body) == tuple(issuers)
        stub.answers[ask.vcek("Milan", bytes(64), tcb).key] = StubAnswer(leaf)
        with pytest.raises(UntrustedEvidence, match=r"collateral\.item\.mismatch"):
            source.get(ask.vcek("Milan", bytes(64), tcb))


def test_intel_s_root_list_comes_from_where_intel_publishes_it_and_without_the_subscription_key(forged, monkeypatch):
    answers = intel(forged)
    published = {"IntelSGXRootCA.der": answers.pop(ask.root_crl().key)}
    with StubUpstream(answers) as pcs, StubUpstream(published) as certificates:
        address = Address(pcs.url, headers={"Ocp-Apim-Subscription-Key": "secret"})
        monkeypatch.setattr(origin, "_INTEL_HOST", address.host)
        monkeypatch.setattr(origin, "_INTEL_CERTIFICATES", certificates.url)
        upstreams = {Vendor.INTEL: Upstream(address, ONCE)}
        with closing(Origin(upstreams, TrustRoots.named([forged.root_name]))) as opened:
            assert Direct(opened).get(ask.root_crl()).facts.number == 1
        assert "Ocp-Apim-Subscription-Key" in pcs.headers[0]
        assert "Ocp-Apim-Subscription-Key" not in certificates.headers[0]
