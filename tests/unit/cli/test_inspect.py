"""`adyton inspect` as its user meets it: pages, one JSON object, exit codes, and nothing that a terminal obeys."""

from __future__ import annotations

import io
import json

import pytest
from evidence import ENCLAVE, debug
from forged import NOW
from inspected import binaries, forged, texts

AT = NOW.isoformat()
ALL = binaries() | texts()


@pytest.fixture
def inspect(run, tmp_path):
    """Inspect bytes; give exit code and both streams."""

    def inspect(data, *words):
        path = tmp_path / "file"
        path.write_bytes(data)
        return run("inspect", path, "--at", AT, *words)

    return inspect


@pytest.mark.parametrize("name", ALL)
def test_a_file_of_each_format_is_a_page_and_one_json_object(inspect, name):
    code, page, err = inspect(ALL[name])
    assert (code, err) == (0, "")
    assert "Nothing here is verified" in page
    assert "\x1b" not in page
    code, out, _ = inspect(ALL[name], "--json")
    shown = json.loads(out)
    assert (code, shown["error"], shown["verified"]) == (0, None, False)
    assert shown["title"] in page
    assert shown["fields"]


def test_json_holds_every_value_whole(inspect):
    shown = json.loads(inspect(binaries()["SNP report v3"], "--json")[1])
    assert "".join(value(field) for field in shown["fields"]) == binaries()["SNP report v3"].hex()


def value(field):
    return field.get("value", "") or "".join(value(part) for part in field.get("fields", ()))


def test_dangers_stand_above_everything_else(inspect):
    page = inspect(forged().quote(debug(ENCLAVE)).to_bytes())[1].splitlines()
    assert page[2].startswith("danger signed_body.body.attributes.flags: a debug enclave")
    assert any("DANGER: a debug enclave" in line for line in page[6:])


def test_a_half_valid_quote_is_shown_and_exits_2(inspect):
    changed = bytearray(binaries()["quote v3"])
    changed[12] ^= 1
    code, page, err = inspect(bytes(changed))
    assert (code, "qe_svn" in page, "mr_enclave" in page) == (2, True, False)
    assert "dcap.quote.qe_vendor" in err
    assert "remedy" in err
    code, out, err = inspect(bytes(changed), "--json")
    shown = json.loads(out)
    assert (code, err, shown["stopped"], shown["error"]["code"]) == (2, "", 12, "dcap.quote.qe_vendor")


@pytest.mark.parametrize("content", [b"", b"hello", b"{", b"[" * 5000, b"\xff\xfe\x00", bytes(100)])
def test_what_is_of_no_known_format_exits_2_without_a_traceback(inspect, content):
    code, _, err = inspect(content)
    assert (code, "remedy" in err, "Traceback" in err) == (2, True, False)
    assert json.loads(inspect(content, "--json")[1])["error"]["code"]


def test_standard_input_is_read(run, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(binaries()["SIGSTRUCT"]))
    monkeypatch.setattr("sys.stdin", stream)
    code, page, _ = run("inspect", "-", "--at", AT)
    assert (code, page.startswith("SIGSTRUCT")) == (0, True)


def test_what_others_wrote_is_shown_and_not_obeyed(inspect):
    policy = json.loads(texts()["policy"])
    policy["name"] = "\x1b[2J\u202e[red]evil"
    page = inspect(json.dumps(policy).encode())[1]
    assert not set("\x1b\u202e") & set(page)
    assert "[red]evil" in page


def test_a_file_that_is_not_there_exits_3(run, tmp_path):
    assert run("inspect", tmp_path / "nothing")[0] == 3


@pytest.mark.parametrize("at", ["yesterday", "2026-06-01"])
def test_a_time_without_a_zone_exits_3(run, tmp_path, at):
    (tmp_path / "file").write_bytes(b"x")
    assert run("inspect", tmp_path / "file", "--at", at)[0] == 3
