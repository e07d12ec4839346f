"""Every verb, given what it cannot use: a code, a sentence, a remedy, no traceback, and nothing lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from adyton.formats.policy import AppraisalPolicy
from adyton.policy import BUILTIN_NAMES, builtin_policy

ADYTON = Path(sys.executable).with_name("adyton")
NOWHERE = "http://127.0.0.1:9"
GARBAGE = {"empty": b"", "text": b"hello", "brace": b"{", "list": b"[]", "binary": b"\xff\xfe\x00", "deep": b"[" * 5000}


@pytest.fixture(params=GARBAGE, ids=list(GARBAGE))
def garbage(request, tmp_path):
    path = tmp_path / "garbage"
    path.write_bytes(GARBAGE[request.param])
    return path


def verbs(path):
    """Return each verb that reads a file, with this file as its input."""
    return [
        ("verify", path, "--collateral", path),
        ("result", "verify", path, "--policy", "strict"),
        ("result", "verify", path, "--policy", path),
        ("receipt", "verify", path, "--url", NOWHERE),
        ("ledger", "verify", "--since", path, "--url", NOWHERE),
        ("secret", "put", "a/b/c", "--from", path, "--policy", path, "--owner", path, "--url", NOWHERE),
        ("secret", "list", "--owner", path, "--url", NOWHERE),
        ("policy", "show", path),
    ]


@pytest.mark.parametrize("number", range(len(verbs("file"))), ids=lambda number: " ".join(verbs("file")[number][:2]))
def test_garbage_in_a_file_is_a_clear_error_of_every_verb(run, garbage, number):
    before = garbage.read_bytes()
    words = verbs(garbage)[number]
    code, _, err = run(*words)
    assert code in (2, 3)
    assert "remedy" in err
    assert "Traceback" not in err
    _, out, _ = run(*words, "--json")
    shown = json.loads(out)["error"]
    assert shown["code"]
    assert shown["remedy"]
    assert garbage.read_bytes() == before


@pytest.mark.parametrize("number", range(len(verbs("file"))))
def test_a_file_that_is_not_there_is_a_clear_error_of_every_verb(run, tmp_path, number):
    code, _, err = run(*verbs(tmp_path / "nothing")[number])
    assert code in (2, 3)
    assert "remedy" in err


@pytest.mark.parametrize(
    "words",
    [
        ("ledger", "show"),
        ("ledger", "verify"),
        ("receipt", "show", "0" * 32),
    ],
)
def test_a_broker_that_is_not_there_is_a_clear_error(run, words):
    code, _, err = run(*words, "--url", NOWHERE)
    assert (code, "broker.unreachable" in err) == (2, True)


def test_a_state_folder_that_cannot_be_used_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    done = subprocess.run([ADYTON, "up", "--state", tmp_path / "file"], capture_output=True, check=False, text=True)
    assert (done.returncode, "up.state" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:99999", "127.0.0.1:-1", "256.0.0.1:0", "127.0.0.1:"])
def test_an_address_that_cannot_be_listened_on_is_a_clear_error(tmp_path, listen):
    command = [ADYTON, "up", "--state", tmp_path / "state", "--listen", listen]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert (done.returncode, "server.listen" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_an_empty_passphrase_file_is_a_clear_error(tmp_path):
    (tmp_path / "passphrase").write_text("\n")
    command = [ADYTON, "up", "--state", tmp_path / "state", "--passphrase-file", tmp_path / "passphrase"]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert ("up.passphrase" in done.stderr, "Traceback" in done.stderr) == (True, False)
    assert done.returncode in (2, 3)


@pytest.mark.parametrize("name", BUILTIN_NAMES)
def test_a_policy_that_is_shown_is_a_policy_that_can_be_used(run, name):
    _, out, _ = run("policy", "show", name)
    assert AppraisalPolicy.parse(out.encode()) == builtin_policy(name)
    _, out, _ = run("policy", "show", name, "--json")
    assert json.loads(out)["digest"] == builtin_policy(name).digest().hex()


def test_the_schema_knows_every_field(run):
    _, out, _ = run("policy", "schema")
    assert set(json.loads(out)["$defs"]["AppraisalPolicy"]["properties"]) == set(AppraisalPolicy.__struct_fields__)


def test_the_version_is_printed(run):
    code, out, _ = run("--version")
    assert (code, out.startswith("adyton")) == (0, True)
