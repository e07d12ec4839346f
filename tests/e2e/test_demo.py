"""The demonstration, as its user runs it; and that it can fail."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from adyton.cli.demo.search import search_plaintext
from adyton.cli.demo.stage import EncryptedModel

pytestmark = pytest.mark.model

ADYTON = Path(sys.executable).with_name("adyton")
THEFTS = {
    "an enclave with one changed byte": "sgx.mr_enclave",
    "the right enclave, launched for debugging": "sgx.attributes.debug",
    "the right enclave, signed with a public key": "sgx.mr_signer.public",
    "a recorded quote, sent again": "report_data",
    "the right enclave on an outdated platform": "tcb.status",
    "an unknown simulated platform": "dcap.chain.untrusted_root",
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    state = tmp_path_factory.mktemp("demo")
    done = subprocess.run([ADYTON, "demo", "--json", "--state", state], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return state, json.loads(done.stdout)


def test_all_steps_happen_and_each_theft_fails_by_its_own_check(shown):
    _, told = shown
    assert told["ok"] is True
    assert told["mode"] == "simulated"
    assert {theft["name"]: theft["check"] for theft in told["thefts"] if theft["failed"]} == THEFTS
    assert all("expected" in theft["found"] and theft["remedy"] for theft in told["thefts"])


def test_the_enclave_s_labels_are_those_of_the_model_s_own_tool(shown):
    state, _ = shown
    from adyton.cli.demo.stage import real_files  # noqa: PLC0415, needs the extra

    magika = pytest.importorskip("magika")
    reference = magika.Magika()
    payload = json.loads(_payload(state))
    expected = {name: reference.identify_bytes(content) for name, content in real_files()}
    for found in payload["results"]:
        assert found["label"] == expected[found["name"]].dl.label
        assert found["score"] == pytest.approx(expected[found["name"]].score, abs=1e-3)


def _payload(state):
    import base64  # noqa: PLC0415

    return base64.b64decode(json.loads((state / "result.json").read_text())["payload"])


def test_the_saved_result_verifies_under_its_policy_and_under_no_other(shown):
    state, _ = shown
    verify = [ADYTON, "result", "verify", state / "result.json", "--policy"]
    assert subprocess.run([*verify, state / "policy.json"], capture_output=True, check=False).returncode == 0
    assert subprocess.run([*verify, "strict"], capture_output=True, check=False).returncode == 2


def test_a_result_with_one_changed_letter_does_not_verify(shown):
    state, _ = shown
    document = json.loads((state / "result.json").read_text())
    document["payload"] = document["payload"].replace("A", "B", 1)
    (state / "changed.json").write_text(json.dumps(document))
    verify = [ADYTON, "result", "verify", state / "changed.json", "--policy", state / "policy.json"]
    done = subprocess.run(verify, capture_output=True, check=False, text=True)
    assert (done.returncode, "result.signature" in done.stderr) == (2, True)


def test_the_search_for_plaintext_finds_what_is_there(tmp_path):
    model = EncryptedModel(bytes(range(32)), 10, b"sixty-four bytes of a model")
    (tmp_path / "clean").write_bytes(b"nothing")
    assert search_plaintext(tmp_path, model, b"passphrase").hits == ()
    (tmp_path / "leak").write_bytes(b"..." + model.key.hex().encode() + b"..." + model.sample)
    assert search_plaintext(tmp_path, model, None).hits == ("the key in hex in leak", "the model in leak")


def test_a_demo_that_is_kept_can_be_talked_to_and_ends_on_request(tmp_path):
    process = subprocess.Popen([ADYTON, "demo", "--keep", "--state", tmp_path], stdout=subprocess.PIPE, text=True)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "adyton up --state" in line:
            break
    commands = [line.split() for line in lines if line.startswith("  adyton ")]
    talk = [words for words in commands if "RECEIPT" not in words and words[1] in ("ledger", "secret", "result")]
    assert len(talk) == 3
    for words in talk:
        done = subprocess.run([ADYTON, *words[1:]], capture_output=True, check=False, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 130
