"""`adyton collateral` as its user runs it: fetching, serving, an outage, a kill; and dcap-qvl as a client of it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dcap_qvl
import httpx2
import pytest
from brokers import alive
from cryptography.hazmat.primitives.serialization import Encoding
from forged import Forged
from forged_kds import CHIP_ID, PRODUCT, TCB, chip
from running import first_document
from stub_upstream import HTML, StubUpstream, amd, answer, huge, intel, pck_answer, status

from adyton.attest import TrustRoots, authenticate, authenticate_report
from adyton.endorsements import request as ask
from adyton.endorsements.request import PckPlatform
from adyton.formats.collateral import Collateral
from adyton.formats.quote import CertificationType, Tee
from adyton.formats.snp import SnpEndorsements

ADYTON = Path(sys.executable).with_name("adyton")
FREE = ("--listen", "127.0.0.1:0")
QE = "/" + ask.qe_identity(Tee.SGX).key


@pytest.fixture(scope="module")
def forged():
    return alive()


@pytest.fixture
def stub(forged):
    now = datetime.now(UTC).replace(microsecond=0)
    with StubUpstream(intel(forged) | amd(chip(), issued=now)) as running:
        yield running


@pytest.fixture
def server(stub, forged, tmp_path):
    with serving(stub, forged, tmp_path / "state") as url:
        yield url


@contextmanager
def serving(stub, forged, state, *options, end=signal.SIGTERM):
    """Run the server as a user does; give its address."""
    roots = ("--root", forged.root_name, "--root", chip().root_name)
    command = [ADYTON, "collateral", "serve", "--state", state, *FREE, "--json", "--upstream",
               stub.url, "--kds-upstream", stub.url, "--kds-interval", "0", *roots, *options]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield first_document(process)["url"]
    finally:
        process.send_signal(end)
        _, errors = process.communicate(timeout=30)
        assert "Traceback" not in errors, errors


def run(*words):
    """Run the command; give its exit code and what it printed."""
    done = subprocess.run([ADYTON, *map(str, words)], capture_output=True, check=False, text=True, timeout=60)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def get(url, path):
    return httpx2.get(url + path, trust_env=False, timeout=30)


def from_dcap_qvl(url, quote):
    """Return what dcap-qvl's own client gets from a PCCS."""

    async def ask_it():
        return await dcap_qvl.get_collateral(url, quote)

    return asyncio.run(ask_it())


def root_der(forged):
    return forged.vendor.root.public_bytes(Encoding.DER)


def test_dcap_qvl_gets_its_collateral_from_the_server_and_accepts_the_quote(server, forged):
    quote = forged.quote().to_bytes()
    collateral = from_dcap_qvl(server, quote)
    report = dcap_qvl.verify_with_root_ca(quote, collateral, root_der(forged), int(time.time()))
    assert report.status == "UpToDate"


def test_dcap_qvl_gets_the_certificate_of_a_machine_whose_quote_carries_none(server, stub, forged):
    quote = forged.quote()
    data = b"\x07" * 384 + bytes([5] * 16) + (11).to_bytes(2, "little") + bytes(2)
    kind = CertificationType.PPID_RSA3072_OAEP
    chain, quote = quote.qe.data, replace(quote, qe=replace(quote.qe, kind=kind, data=data))
    machine = PckPlatform(quote.header.user_data[:16], bytes([5] * 16), 11, bytes(2), b"\x07" * 384)
    stub.answers[ask.pck_certificate(machine).key] = pck_answer(forged, chain)
    collateral = from_dcap_qvl(server, quote.to_bytes())
    assert dcap_qvl.verify_with_root_ca(quote.to_bytes(), collateral, root_der(forged), int(time.time())).status


def test_dcap_qvl_does_not_notice_that_the_vendor_is_away(server, stub, forged):
    quote = forged.quote().to_bytes()
    from_dcap_qvl(server, quote)
    stub.fault = status(503)
    collateral = from_dcap_qvl(server, quote)
    assert dcap_qvl.verify_with_root_ca(quote, collateral, root_der(forged), int(time.time())).status == "UpToDate"


def test_what_was_served_before_a_kill_is_served_after_it_without_the_vendor(stub, forged, tmp_path):
    with serving(stub, forged, tmp_path, end=signal.SIGKILL) as url:
        before = get(url, QE).content
        chip_before = get(url, "/" + ask.vcek(PRODUCT, CHIP_ID, TCB).key).content
    stub.fault = status(500)
    with serving(stub, forged, tmp_path) as url:
        assert get(url, QE).content == before
        assert get(url, "/" + ask.vcek(PRODUCT, CHIP_ID, TCB).key).content == chip_before == chip().vcek


def test_a_fleet_that_asks_at_the_same_time_is_one_request_to_the_vendor(server, stub):
    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(lambda _: get(server, QE).status_code, range(100)))
    assert set(found) == {200}
    assert stub.count(ask.qe_identity(Tee.SGX)) == 1


@pytest.mark.parametrize("fault", [answer(HTML), huge, status(500)], ids=["portal", "10 GB", "500"])
def test_an_upstream_that_misbehaves_changes_nothing_of_what_is_kept(server, stub, fault):
    before = get(server, QE).content
    stub.fault = fault
    assert get(server, "/" + ask.root_crl().key).status_code in (502, 503)
    assert get(server, QE).content == before
    assert get(server, "/healthz").json()["status"] == "ok"


def test_an_upstream_of_another_root_is_refused(server, stub):
    stub.answers = intel(Forged())
    response = get(server, QE)
    assert (response.status_code, response.headers["Adyton-Error"]) == (502, "dcap.chain.untrusted_root")


def test_metrics_are_there_for_prometheus(server):
    get(server, QE)
    text = get(server, "/metrics").text
    assert f'adyton_collateral_days_left{{kind="qe_identity",item="{QE[1:]}"}} ' in text


def test_a_quote_is_verified_with_what_was_fetched_through_the_server(server, forged, tmp_path):
    evidence, output = tmp_path / "quote.bin", tmp_path / "collateral.json"
    evidence.write_bytes(forged.quote().to_bytes())
    words = ("collateral", "fetch", evidence, "--pccs", server, "--root", forged.root_name, "-o", output)
    code, out, _ = run(*words, "--json")
    shown = json.loads(out)
    assert (code, len(shown["items"])) == (0, 4)
    assert shown["files"] == [{"evidence": str(evidence), "written": str(output)}]
    collateral = Collateral.parse(output.read_bytes())
    assert authenticate(forged.quote(), collateral, roots=forged.roots, now=datetime.now(UTC)).tcb.status == "UpToDate"
    code, out, _ = run(*words)
    assert (code, out.splitlines()[0]) == (0, f"wrote {output} for {evidence}")


def test_quotes_and_reports_are_fetched_together_into_a_folder(stub, forged, tmp_path):
    (tmp_path / "quote.bin").write_bytes(forged.quote().to_bytes())
    (tmp_path / "report.bin").write_bytes(chip().report().to_bytes())
    code, _, _ = run(
        "collateral", "fetch", tmp_path / "quote.bin", tmp_path / "report.bin", "-o", tmp_path / "out", "--pccs",
        stub.url, "--kds", stub.url, "--kds-interval", 0, "--root", forged.root_name, "--root", chip().root_name,
    )  # fmt: skip
    assert code == 0
    assert Collateral.parse((tmp_path / "out" / "quote.json").read_bytes()).tcb_info
    endorsements = SnpEndorsements.parse((tmp_path / "out" / "report.json").read_bytes())
    roots = TrustRoots.named([chip().root_name])
    assert authenticate_report(chip().report(), endorsements, roots=roots, now=datetime.now(UTC))


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (status(404), "collateral.upstream.not_found"),
        (answer(HTML), "collateral.upstream.format"),
        (huge, "collateral.upstream.size"),
    ],
)
def test_a_fetch_that_fails_says_why_and_leaves_the_file_as_it_was(stub, forged, tmp_path, fault, code):
    evidence, output = tmp_path / "quote.bin", tmp_path / "collateral.json"
    evidence.write_bytes(forged.quote().to_bytes())
    output.write_text("before")
    stub.fault = fault
    words = ("collateral", "fetch", evidence, "--pccs", stub.url, "--root", forged.root_name, "-o", output)
    ended, out, _ = run(*words, "--json")
    error = json.loads(out)["error"]
    assert (ended, error["code"]) == (2, code)
    assert error["remedy"]
    assert output.read_text() == "before"


@pytest.mark.parametrize(
    ("words", "exit_code", "code"),
    [
        (("fetch", "{quote}", "--pccs", "nowhere", "-o", "{out}"), 3, "collateral.upstream.url"),
        (("fetch", "{quote}", "--pccs", "{url}", "-o", "{out}", "--root", "me"), 3, "roots.name"),
        (("fetch", "{quote}", "--pccs", "{url}", "-o", "{quote}/x", "--root", "{root}"), 2, "cli.output"),
        (("fetch", "{garbage}", "--pccs", "{url}", "-o", "{out}"), 2, "dcap.quote.version"),
        (("fetch", "/nothing", "--pccs", "{url}", "-o", "{out}"), 3, "cli.file.unreadable"),
        (("fetch", "{quote}", "-o", "{out}", "--api-key-file", "{garbage}"), 3, "collateral.api_key"),
        (("fetch", "{quote}", "-o", "{out}", "--ca-file", "{garbage}"), 3, "collateral.upstream.ca"),
        (("fetch", "{quote}"), 3, "cli.usage"),
        (("fetch", "{quote}", "{quote}", "-o", "{out}"), 3, "collateral.output"),
        (("serve", *FREE, "--state", "{quote}"), 2, "collateral.cache.unusable"),
        (("serve", "--state", "{out}", "--listen", "nonsense"), 2, "server.listen"),
        (("serve", *FREE, "--state", "{out}", "--upstream", "ftp://x"), 3, "collateral.upstream.url"),
        (("serve", "--state", "{out}", "--outage-grace", "-1"), 3, "cli.usage"),
    ],
)  # fmt: skip
def test_wrong_usage_is_a_clear_error(stub, forged, tmp_path, words, exit_code, code):
    places = {name: str(tmp_path / name) for name in ("quote", "garbage", "out")}
    places |= {"url": stub.url, "root": forged.root_name}
    (tmp_path / "quote").write_bytes(forged.quote().to_bytes())
    (tmp_path / "garbage").write_bytes(b"\xff\xfe" + bytes(500))
    ended, out, _ = run("collateral", *(word.format(**places) for word in words), "--json")
    error = json.loads(out)["error"]
    assert (ended, error["code"]) == (exit_code, code)
    assert error["remedy"]


def test_a_server_ends_when_it_is_told_to_although_requests_wait_for_their_turn_at_the_kds(stub, forged, tmp_path):
    with ThreadPoolExecutor(1) as pool:
        with serving(stub, forged, tmp_path, "--kds-interval", "60") as url:
            get(url, f"/vcek/v1/{PRODUCT}/cert_chain")
            waiting = pool.submit(get, url, f"/vcek/v1/{PRODUCT}/crl")
            while "adyton_collateral_misses_total 2\n" not in get(url, "/metrics").text:
                pass
            told = time.monotonic()
        assert time.monotonic() - told < 15
        assert waiting.result(30).status_code in (429, 502)
