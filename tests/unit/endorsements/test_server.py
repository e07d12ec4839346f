"""The server's paths: statuses, headers and encodings as Intel's PCCS and AMD's KDS have them, and nothing injected."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from urllib.parse import unquote

import httpx2
import pytest
from forged import FMSPC, NOW, Forged
from forged_kds import CHIP_ID, PRODUCT, TCB, chip
from stub_upstream import amd, hang, intel, status

from adyton.attest import TrustRoots
from adyton.endorsements import EndorsementCache, ItemStore, Origin
from adyton.endorsements import request as ask
from adyton.endorsements.request import PckPlatform
from adyton.formats.quote import Tee
from adyton.server.collateral import create_app, sweeping

MACHINE = PckPlatform(b"\x09" * 16, bytes([5] * 16), 11, bytes(2), b"\x07" * 384)
PCK_QUERY = f"encrypted_ppid={'07' * 384}&cpusvn={'05' * 16}&pcesvn=0b00&pceid=0000&qeid={'09' * 16}"
DAY = 24 * 3600


@pytest.fixture
def get(world, forged):
    """Ask the server, whose upstream knows the forged platform and chip."""
    world.stub.answers = intel(forged, machine=ask.pck_certificate(MACHINE)) | amd(chip(), issued=NOW)
    world.stub.answers |= {
        ask.pck_certificate(MACHINE, version=3).key: world.stub.answers[ask.pck_certificate(MACHINE).key]
    }
    return _client(world.cache(root=(forged.root_name, chip().root_name)))


def _client(cache):
    app = create_app(cache)

    def get(path, method="GET"):
        async def ask_once():
            transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
            async with httpx2.AsyncClient(transport=transport, base_url="http://server") as client:
                return await client.request(method, path)

        return asyncio.run(ask_once())

    return get


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize(
    ("path", "media_type", "chain"),
    [
        (f"tcb?fmspc={FMSPC.hex()}", "application/json", "TCB-Info-Issuer-Chain"),
        (f"tcb?fmspc={FMSPC.hex().upper()}&update=standard", "application/json", "TCB-Info-Issuer-Chain"),
        ("qe/identity?update=standard", "application/json", "SGX-Enclave-Identity-Issuer-Chain"),
        ("qve/identity", "application/json", "SGX-Enclave-Identity-Issuer-Chain"),
        ("pckcrl?ca=platform&encoding=der", "application/pkix-crl", "SGX-PCK-CRL-Issuer-Chain"),
        ("pckcrl?ca=PLATFORM", "application/x-pem-file", "SGX-PCK-CRL-Issuer-Chain"),
        ("rootcacrl", "application/x-pem-file", None),
        (f"pckcert?{PCK_QUERY}", "application/x-pem-file", "SGX-PCK-Certificate-Issuer-Chain"),
    ],
)
def test_paths_answer_as_a_pccs_does(get, forged, version, path, media_type, chain):
    response = get(f"/sgx/certification/v{version}/{path}")
    assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (200, media_type)
    assert re.fullmatch("[0-9a-f]{32}", response.headers["Request-ID"])
    if chain:
        name = f"SGX-{chain}" if version == 3 and chain.startswith("TCB") else chain
        value = response.headers[name]
        assert not set(value) & set("\r\n ")
        assert unquote(value).encode() in (forged.vendor.tcb_chain, forged.vendor.pck_crl_chain)


def test_documents_are_what_the_upstream_signed(get, world):
    for request in (ask.tcb_info(Tee.SGX, FMSPC), ask.qe_identity(Tee.SGX), ask.evaluation_numbers(Tee.SGX)):
        assert get("/" + request.key).content == world.stub.answers[request.key].body


def test_lists_are_hex_unless_der_is_asked_for_and_the_root_s_always_is(get, world):
    crl = world.stub.answers[ask.pck_crl("platform").key].body
    assert get("/sgx/certification/v4/pckcrl?ca=platform&encoding=DER").content == crl
    assert get("/sgx/certification/v4/pckcrl?ca=platform&encoding=pem").text == crl.hex()
    root = world.stub.answers[ask.root_crl().key].body.decode()
    assert get("/sgx/certification/v4/rootcacrl").text == root
    uri = "https%3A%2F%2Fcertificates.trustedservices.intel.com%2FIntelSGXRootCA.der"
    assert get(f"/sgx/certification/v4/crl?uri={uri}").content.hex() == root
    uri = "https%3A%2F%2Fapi.trustedservices.intel.com%2Fsgx%2Fcertification%2Fv4%2Fpckcrl%3Fca%3Dplatform"
    assert get(f"/sgx/certification/v4/crl?uri={uri}").content == crl


def test_a_pck_certificate_comes_with_what_a_quote_provider_reads(get, forged):
    headers = get(f"/sgx/certification/v4/pckcert?{PCK_QUERY}").headers
    assert headers["SGX-TCBm"] == ("05" * 16 + "0b00").upper()
    assert headers["SGX-FMSPC"] == forged.platform.fmspc.hex().upper()
    assert headers["SGX-PCK-Certificate-CA-Type"] == "platform"


def test_paths_answer_as_the_kds_does(get, world):
    for request, media_type in (
        (ask.vcek(PRODUCT, CHIP_ID, TCB), "application/pkix-cert"),
        (ask.snp_chain(PRODUCT), "application/x-pem-file"),
        (ask.snp_crl(PRODUCT), "application/pkix-crl"),
    ):
        response = get("/" + request.key)
        assert response.content == world.stub.answers[request.key].body
        assert response.headers["content-type"].partition(";")[0] == media_type
    spelt = f"/vcek/v1/{PRODUCT}/{CHIP_ID.hex().upper()}?ucodeSPL=115&snpSPL=8&teeSPL=0&blSPL=3"
    asked = len(world.stub.asked)
    assert get(spelt).content == chip().vcek
    assert len(world.stub.asked) == asked, "it is the same chip, and is not asked for again"


@pytest.mark.parametrize(
    "path",
    [
        "/sgx/certification/v4/tcb",
        "/sgx/certification/v4/tcb?fmspc=00",
        "/sgx/certification/v4/tcb?fmspc=00906ED5000G",
        "/sgx/certification/v4/tcb?fmspc=00%20906ED5000",
        "/sgx/certification/v4/tcb?fmspc=ad1700000000&fmspc=00906ed50000",
        "/sgx/certification/v4/tcb?fmspc=ad1700000000&update=now",
        "/sgx/certification/v4/tcb?fmspc=ad1700000000&update=early&tcbEvaluationDataNumber=3",
        "/sgx/certification/v4/tcb?fmspc=ad1700000000&tcbEvaluationDataNumber=%D9%A3",
        "/sgx/certification/v4/tcb?fmspc=ad1700000000&tcbEvaluationDataNumber=-1",
        "/sgx/certification/v4/qe/identity?update=../../x",
        "/sgx/certification/v4/pckcrl",
        "/sgx/certification/v4/pckcrl?ca=root",
        "/sgx/certification/v4/pckcrl?ca=platform%0d%0aX-Evil:1",
        "/sgx/certification/v4/pckcert",
        f"/sgx/certification/v4/pckcert?{PCK_QUERY.replace('pcesvn=0b00', 'pcesvn=0b')}",
        "/sgx/certification/v4/crl",
        "/sgx/certification/v4/crl?uri=http://169.254.169.254/latest/meta-data",
        "/sgx/certification/v4/crl?uri=https://certificates.trustedservices.intel.com.evil.example/IntelSGXRootCA.der",
        "/sgx/certification/v4/crl?uri=https://x@certificates.trustedservices.intel.com/IntelSGXRootCA.der",
        "/sgx/certification/v4/crl?uri=https://[::1/IntelSGXRootCA.der",
        "/sgx/certification/v4/crl?uri=" + "https://x/" * 300,
        "/vcek/v1/Rome/cert_chain",
        "/ask/v1/Milan/cert_chain",
        "/vcek/v1/Milan/00?blSPL=1&teeSPL=1&snpSPL=1&ucodeSPL=1",
        f"/vcek/v1/Milan/{'00' * 64}",
        f"/vcek/v1/Milan/{'00' * 64}?blSPL=256&teeSPL=0&snpSPL=0&ucodeSPL=0",
        f"/vcek/v1/Milan/{'00' * 64}?blSPL=1&teeSPL=0&snpSPL=0&ucodeSPL=0&fmcSPL=0",
    ],
)
def test_a_bad_request_is_400_and_nothing_is_asked(get, world, path):
    response = get(path)
    assert response.status_code == 400
    assert response.headers["Adyton-Error"] == "collateral.request"
    assert response.text.startswith("Invalid request parameters.")
    assert "X-Evil" not in response.headers
    assert not world.stub.asked


@pytest.mark.parametrize(
    "path", ["/", "/sgx/certification/v2/tcb", "/tdx/certification/v3/tcb", "/tdx/certification/v4/pckcert"]
)
def test_what_a_pccs_does_not_have_is_404(get, path):
    assert get(path).status_code == 404


def test_nothing_can_be_written(get):
    assert get("/sgx/certification/v4/rootcacrl", "POST").status_code == 405


@pytest.mark.parametrize(
    ("fault", "path", "expected", "code"),
    [
        (status(500), "/sgx/certification/v4/rootcacrl", 502, "collateral.upstream.status"),
        (status(404), "/sgx/certification/v4/tcb?fmspc=ad1700000000", 404, "collateral.upstream.not_found"),
        (status(404), f"/sgx/certification/v4/pckcert?{PCK_QUERY}", 461, "collateral.upstream.not_found"),
        (status(429), "/sgx/certification/v4/qe/identity", 503, "collateral.upstream.rate_limited"),
        (status(429), f"/vcek/v1/{PRODUCT}/cert_chain", 429, "collateral.upstream.rate_limited"),
        (status(500), f"/vcek/v1/{PRODUCT}/cert_chain", 502, "collateral.upstream.status"),
    ],
)
def test_a_failing_upstream_is_the_status_that_clients_know(get, world, fault, path, expected, code):
    world.stub.fault = fault
    response = get(path)
    assert (response.status_code, response.headers["Adyton-Error"]) == (expected, code)
    assert ("Retry-After" in response.headers) == (expected in (429, 503))


def test_an_upstream_s_item_of_another_root_is_502_and_is_not_shown(get, world):
    world.stub.answers = intel(Forged())
    response = get("/sgx/certification/v4/qe/identity")
    assert (response.status_code, response.headers["Adyton-Error"]) == (502, "dcap.chain.untrusted_root")
    assert b"enclaveIdentity" not in response.content


def test_what_is_served_past_its_date_says_so(world, forged):
    world.stub.answers = intel(forged)
    get = _client(world.cache(outage_grace_s=3 * DAY))
    assert "Warning" not in get("/sgx/certification/v4/qe/identity").headers
    world.stub.fault = status(500)
    world.clock.advance((forged.validity.expires - NOW).total_seconds() + DAY)
    response = get("/sgx/certification/v4/qe/identity")
    assert (response.status_code, response.headers["Warning"][:3]) == (200, "110")
    assert "adyton_collateral_stale_total 1\n" in get("/metrics").text


def test_metrics_tell_days_left_hits_failures_and_rollbacks(get, world, forged):
    for _ in range(3):
        get("/sgx/certification/v4/qe/identity")
    get(f"/sgx/certification/v4/pckcert?{PCK_QUERY}")
    world.stub.answers = intel(forged, number=0)
    world.clock.advance(2 * DAY)
    get("/sgx/certification/v4/qe/identity")
    text = get("/metrics").text
    for line in (
        "adyton_collateral_hits_total 3",
        "adyton_collateral_misses_total 2",
        "adyton_collateral_refused_rollbacks_total 1",
        'adyton_collateral_failures_total{code="collateral.upstream.rollback"} 1',
        'adyton_collateral_upstream_away{vendor="intel"} 1',
        'adyton_collateral_upstream_away{vendor="amd"} 0',
        'adyton_collateral_items{kind="pck_certificate"} 1',
        'adyton_collateral_days_left{kind="qe_identity",item="sgx/certification/v4/qe/identity"} 16.000',
    ):
        assert f"\n{line}\n" in f"\n{text}", line
    assert "07070707" not in text, "metrics do not identify machines"


def test_every_line_of_the_metrics_is_in_prometheus_s_format(get):
    get("/sgx/certification/v4/rootcacrl")
    sample = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*\})? -?[0-9]+(\.[0-9]+)?')
    for line in get("/metrics").text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or sample.fullmatch(line), line


def test_health_is_the_server_s_and_not_the_vendor_s(get, world):
    world.stub.fault = status(500)
    get("/sgx/certification/v4/rootcacrl")
    health = get("/healthz")
    assert (health.status_code, health.json()["status"]) == (200, "ok")
    assert list(health.json()["away_since"]) == ["intel"]


def test_callers_that_wait_for_an_upstream_do_not_hold_up_who_needs_none(world, forged):
    world.stub.answers = intel(forged)
    cache = world.cache(waiting_requests_cap=2, read_timeout_s=1.0)
    cache.get(ask.qe_identity(Tee.SGX))
    world.stub.fault = hang
    unknown = [f"/sgx/certification/v4/tcb?fmspc={family:012x}" for family in range(60)]
    served, *refused = _together(cache, ["/sgx/certification/v4/qe/identity", *unknown])
    assert served.status_code == 200
    codes = [response.headers["Adyton-Error"] for response in refused]
    assert set(codes) == {"collateral.server.busy", "collateral.upstream.timeout"}
    assert codes.count("collateral.upstream.timeout") == 2


def test_a_hundred_callers_of_one_item_need_one_place_in_the_queue(world, forged):
    world.stub.answers = intel(forged)
    found = _together(world.cache(waiting_requests_cap=1), ["/sgx/certification/v4/qe/identity"] * 100)
    assert {response.status_code for response in found} == {200}
    assert world.stub.count(ask.qe_identity(Tee.SGX)) == 1


def _together(cache, paths):
    """Ask for all of it at the same time; return the responses in order."""
    app = create_app(cache)

    async def ask_all():
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://server") as client:
            return await asyncio.gather(*(client.get(path) for path in paths))

    return asyncio.run(ask_all())


def test_a_vendor_without_an_upstream_is_404(world, forged):
    origin = Origin({}, TrustRoots.named([forged.root_name]))
    cache = EndorsementCache(origin, ItemStore(world.path, entries_cap=10))
    response = _client(cache)("/vcek/v1/Milan/cert_chain")
    assert (response.status_code, response.headers["Adyton-Error"]) == (404, "collateral.upstream.none")
    cache.close()


def test_the_server_refreshes_what_is_due_by_itself(world, forged):
    cache = world.cache(sweep_interval_s=0.001)
    cache.get(ask.qe_identity(Tee.SGX))
    world.stub.answers = intel(forged, number=2)
    world.clock.advance(timedelta(days=2).total_seconds())
    with sweeping(cache):
        while cache.counters.counts().refreshed == 0:
            pass
    assert cache.get(ask.qe_identity(Tee.SGX)).facts.number == 2
