"""The platform as its user runs it: `adyton up`, its HTTP interface, and kills at any moment."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from joserfc.jwk import ECKey
from running import first_document, sample

from adyton.broker import verify_receipt
from adyton.cli.platform import Platform, PlatformConfig, read_owner
from adyton.errors import Conflict, StateError, TransportError
from adyton.formats import simcpu
from adyton.formats.ledger import extends
from adyton.formats.policy import API_VERSION, AppraisalPolicy, EnclaveReference, SgxRules
from adyton.guest.client import BrokerClient
from adyton.guest.http import Refusal
from adyton.guest.processor import ProcessorClient
from adyton.guest.session import AttestedSession
from adyton.sdk import Enclave
from adyton.server.owner import Owner, OwnerClient

ADYTON = Path(sys.executable).with_name("adyton")
SECRET = "test/key/one"


@contextmanager
def up(state, *options):
    """Run `adyton up` as a user does; give what it printed and the process."""
    command = [ADYTON, "up", "--state", state, "--listen", "127.0.0.1:0", "--json", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield first_document(process), process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    with Platform(PlatformConfig(tmp_path_factory.mktemp("platform"))) as running:
        yield running


def policy(root):
    _, image, _ = sample()
    rules = SgxRules(enclaves=(EnclaveReference(mr_enclave=image.mr_enclave.hex()),))
    return AppraisalPolicy(api_version=API_VERSION, kind="AppraisalPolicy", name="sample", roots=(root,), sgx=rules)


def post(platform, path, content, **headers):
    return httpx2.post(platform.url + path, content=content, headers=headers, trust_env=False)


def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path):
    acknowledged, stored, heads, keys = 0, 0, [], set()
    for delay in (0.05, 0.2, 0.4):
        with up(tmp_path) as (running, process), client_of(running, tmp_path) as client:
            keys.add(client.describe().signing_key["x"])
            head, stored = client.head(), len(client.secrets())
            assert acknowledged <= stored <= acknowledged + 1, (
                "at most the request that was cut off came through unsaid"
            )
            assert all(continues(client, old, head) for old in heads)
            heads.append(head)
            acknowledged = stored
            killer = threading.Timer(delay, kill_all, [process])
            killer.start()
            with contextlib.suppress(TransportError):
                while True:
                    client.put_secret(SECRET, b"value", policy(running["root"]))
                    acknowledged += 1
            killer.join()
    with up(tmp_path) as (running, _), client_of(running, tmp_path) as client:
        assert len(keys | {client.describe().signing_key["x"]}) == 1, "the broker kept its key"
        assert acknowledged <= len(client.secrets()) <= acknowledged + 1
        for line in client.ledger()[:: max(1, acknowledged // 10)]:
            verify_receipt(client.receipt(line.receipt), client.signing_key())
    assert acknowledged > 5, "there was something to lose"


def client_of(running, state):
    return OwnerClient(running["url"], read_owner(state / "owner.json"))


def continues(client, old, head):
    proof = client.consistency(old.size, head.size).proof
    return extends(old.size, head.size, old.root, head.root, proof)


def kill_all(process):
    """Kill `adyton up` and its services with no chance to clean up."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in (process.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    for pid in children:
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.01)


def test_services_end_with_the_process_that_started_them(tmp_path):
    with up(tmp_path) as (_, process):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 2
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for pid in children:
            while Path(f"/proc/{pid}").exists():
                time.sleep(0.01)


def test_the_simulated_platform_is_the_same_after_a_restart(tmp_path):
    with up(tmp_path) as (before, _):
        pass
    with up(tmp_path) as (after, _):
        assert after["root"] == before["root"]
        assert after["mode"] == "simulated"


def test_a_folder_runs_one_platform_at_a_time(platform):
    with pytest.raises(Conflict, match=r"up\.in_use"), Platform(PlatformConfig(platform.processor.parent.parent)):
        pass


def test_another_passphrase_does_not_start_it(tmp_path):
    with Platform(PlatformConfig(tmp_path, passphrase=b"right")):
        pass
    for wrong in (b"wrong", None):
        with (
            pytest.raises(Exception, match=r"broker\.root\.wrong"),
            Platform(PlatformConfig(tmp_path, passphrase=wrong)),
        ):
            pass


def test_a_damaged_processor_state_is_an_error_and_is_not_made_anew(tmp_path):
    with Platform(PlatformConfig(tmp_path)):
        pass
    state = tmp_path / "simcpu" / "processor.json"
    state.write_bytes(b"{}")
    with pytest.raises(Exception, match=r"simcpu\.state\.damaged"), Platform(PlatformConfig(tmp_path)):
        pass
    assert state.read_bytes() == b"{}"


def test_an_unusable_folder_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=r"up\.state"), Platform(PlatformConfig(tmp_path / "file")):
        pass


def test_an_enclave_gets_its_secret_over_the_protocol_and_another_does_not(platform):
    _, image, sigstruct = sample()
    with OwnerClient(platform.url, platform.owner) as owner:
        owner.put_secret(SECRET, b"value", policy(platform.root.name))
    with Enclave.create(image, sigstruct, processor=platform.processor) as enclave:
        attester = SampleAttester(enclave)
        with BrokerClient(platform.url) as client:
            released = client.release(attester, SECRET)
        with attester.session.open(released.content) as value:
            assert bytes(value) == b"value"


class SampleAttester:
    """Makes evidence with the sample enclave's quotes. The key is the test's own: the sample binds any report data."""

    def __init__(self, enclave):
        self._enclave = enclave
        self.session = AttestedSession(self)

    def quote(self, report_data):
        return self._enclave.call("quote", report_data, returns=bytes)

    def attestation(self, nonce):
        return self.session.attestation(nonce)


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/kbs/v0/auth", b"", 400),
        ("/kbs/v0/auth", b"{", 400),
        ("/kbs/v0/auth", b"[]", 400),
        ("/kbs/v0/auth", b'{"version":"0.4.0"}', 400),
        ("/kbs/v0/auth", b'{"version":"0.1.0","tee":"sgx"}', 401),
        ("/kbs/v0/auth", b'{"version":"0.4.0","tee":"sample"}', 401),
        ("/kbs/v0/auth", b"\xff\xfe", 400),
        ("/kbs/v0/auth", b"[" * 100_000, 400),
        ("/kbs/v0/auth", b" " * 300_000, 413),
        ("/kbs/v0/auth", b" " * 3_000_000, 413),
        ("/kbs/v0/attest", b"{}", 401),
        ("/nothing", b"", 404),
        ("/kbs/v0/resource/a/b/c", b"", 405),
    ],
)
def test_bad_input_is_answered_with_a_code_and_a_remedy(platform, path, content, status):
    response = post(platform, path, content)
    problem = response.json()
    assert response.status_code == status
    assert problem["code"]
    assert problem["detail"]
    assert problem["remedy"]


@pytest.mark.parametrize(
    ("evidence", "code"),
    [
        (b"", "dcap.quote.length"),
        (b"\x00" * 5000, "dcap.quote.version"),
        (b"\x02\x00\x00\x00" + bytes(1100), "dcap.quote.epid"),
        (b"\x03\x00" + bytes(60_000), "dcap.quote.epid"),
    ],
)
def test_evidence_that_is_no_quote_is_refused_by_name(platform, evidence, code):
    with BrokerClient(platform.url) as client, pytest.raises(Refusal) as caught:
        client.release(Forger(evidence), SECRET)
    assert caught.value.code == code


class Forger:
    """Sends whatever it is given as its quote."""

    def __init__(self, evidence):
        self._evidence = evidence
        self.attestation = AttestedSession(self).attestation

    def quote(self, _report_data):
        return self._evidence


def test_an_unsigned_owner_s_request_is_refused(platform):
    response = httpx2.get(platform.url + "/v1/secrets", trust_env=False)
    assert (response.status_code, response.json()["code"]) == (401, "party.token")


def test_a_stranger_s_key_may_put_nothing(platform):
    stranger = Owner("owner", ECKey.generate_key("P-256", private=True))
    with OwnerClient(platform.url, stranger) as client, pytest.raises(Refusal, match=r"party\.token"):
        client.put_secret(SECRET, b"mine", policy(platform.root.name))


def test_the_health_page_answers(platform):
    assert httpx2.get(platform.url + "/healthz", trust_env=False).json()["status"] == "ok"


def test_many_connections_that_say_nothing_do_not_stop_the_processor(platform):
    idle = []
    for _ in range(150):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(str(platform.processor))
        idle.append(peer)
    for peer in idle:
        peer.close()
    while not answers(platform):
        pass


def answers(platform):
    """Return whether the processor answers; while it is full it closes new connections at once."""
    try:
        with ProcessorClient.connect(platform.processor) as client:
            return bool(client.request(simcpu.DescribePlatform(), simcpu.PlatformDescribed))
    except TransportError:
        return False
