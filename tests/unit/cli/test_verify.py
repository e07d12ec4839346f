"""`adyton verify` as its user meets it: exit codes, one JSON object, and clear words for whatever is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from evidence import ENCLAVE, debug
from forged import NOW, VALIDITY, Forged
from places import VECTORS

from adyton.formats.policy import API_VERSION, AppraisalPolicy, EnclaveReference, SgxRules

AT = NOW.isoformat()
KEYS = [
    "verdict", "mode", "tee", "tcb", "checks", "collateral", "claims", "error", "policy", "policy_digest",
    "evidence_digest", "root", "appraised_at",
]  # fmt: skip


class Files:
    """A forged quote, its collateral and a policy that accepts it, as files."""

    def __init__(self, folder, body=ENCLAVE):
        self.forged = Forged()
        self.quote, self.collateral, self.policy = (
            folder / name for name in ("quote.bin", "collateral.json", "policy.json")
        )
        self.quote.write_bytes(self.forged.quote(body).to_bytes())
        self.collateral.write_bytes(self.forged.collateral().to_bytes())
        rules = SgxRules(enclaves=(EnclaveReference(mr_enclave=ENCLAVE.mr_enclave.hex()),))
        known = {"api_version": API_VERSION, "kind": "AppraisalPolicy", "name": "test"}
        self.policy.write_bytes(AppraisalPolicy(**known, roots=(self.forged.root_name,), sgx=rules).to_bytes())

    def words(self, *more, at=AT):
        return ("verify", self.quote, "--collateral", self.collateral, "--policy", self.policy, "--at", at, *more)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def test_an_acceptable_quote_exits_0_and_is_one_json_object(run, files):
    code, out, err = run(*files.words("--json"))
    shown = json.loads(out)
    assert (code, err) == (0, "")
    assert list(shown) == KEYS
    assert (shown["verdict"], shown["mode"], shown["tee"], shown["error"]) == ("accepted", "simulated", "sgx", None)
    assert shown["tcb"] == {
        "status": "UpToDate",
        "date": "2026-01-01T00:00:00Z",
        "advisories": [],
        "evaluation_number": 1,
    }
    assert shown["collateral"]["expired"] is False
    assert shown["claims"]["measurement"] == ENCLAVE.mr_enclave.hex()
    assert {"id", "outcome", "expected", "actual", "remedy", "where"} == set(shown["checks"][0])


def test_a_debug_enclave_exits_1_and_the_check_says_why(run, tmp_path):
    code, out, _ = run(*Files(tmp_path, debug(ENCLAVE)).words("--json"))
    shown = json.loads(out)
    failed = [check for check in shown["checks"] if check["outcome"] == "failed"]
    assert (code, shown["verdict"], shown["error"]) == (1, "denied", None)
    assert [check["id"] for check in failed] == ["sgx.attributes.debug"]
    assert failed[0]["remedy"]


def test_a_simulated_platform_exits_2_under_every_builtin_policy(run, files):
    for name in ("strict", "dangerous-authentic"):
        words = ("verify", files.quote, "--collateral", files.collateral, "--at", AT, "--policy", name, "--json")
        code, out, _ = run(*words)
        assert (code, json.loads(out)["error"]["code"]) == (2, "dcap.chain.untrusted_root")


def test_expired_collateral_exits_1_and_is_said_to_be_expired(run, files):
    late = (VALIDITY.expires + timedelta(seconds=1)).isoformat()
    code, out, _ = run(*files.words("--json", at=late))
    shown = json.loads(out)
    assert (code, shown["collateral"]["expired"]) == (1, True)
    assert run(*files.words(at=VALIDITY.expires.isoformat()))[0] == 0


def test_time_is_rfc_3339_or_unix_seconds(run, files):
    for at in (AT, "2026-06-01T00:00:00Z", str(int(NOW.timestamp())), "2026-06-01T02:00:00+02:00"):
        assert run(*files.words(at=at))[0] == 0


@pytest.mark.parametrize("at", ["yesterday", "2026-06-01", "2026-06-01T00:00:00", "", "-1", "1e9", "9" * 40, "٣"])
def test_any_other_time_exits_3(run, files, at):
    assert run(*files.words(at=at))[0] == 3


def test_the_report_data_is_compared_whole(run, files):
    right = ENCLAVE.report_data.hex()
    assert run(*files.words("--report-data", right))[0] == 0
    assert run(*files.words("--report-data", "00" * 64))[0] == 1
    for wrong in (right[:-2], right + "00", "zz" * 64, ""):
        assert run(*files.words("--report-data", wrong))[0] == 3


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "cli.file.empty"),
        (b"\x03\x00", "dcap.quote.length"),
        (b"x" * 70_000, "cli.file.size"),
        (bytes(5000), "dcap.quote.version"),
        (b"\x02\x00" + bytes(5000), "dcap.quote.epid"),
        (b"\x01\x00" + bytes(5000), "dcap.quote.epid"),
        (b"\x03\x00\x00\x00" + bytes(5000), "dcap.quote.epid"),
        (b"\x03\x00\x01\x00" + bytes(5000), "dcap.quote.epid"),
        (b"AwACAAAAAAAKAA8Ak5pyM/ecTKmUCg2zlX8GBw" * 3, "dcap.quote.version"),
    ],
)
def test_a_file_that_is_no_quote_exits_2_with_a_code(run, files, content, code):
    files.quote.write_bytes(content)
    status, out, _ = run(*files.words("--json"))
    shown = json.loads(out)
    assert (status, shown["verdict"], shown["error"]["code"]) == (2, "denied", code)
    assert shown["error"]["remedy"]
    assert list(shown) == KEYS


def test_epid_evidence_is_refused_in_words_that_name_dcap(run, files):
    files.quote.write_bytes(b"\x02\x00" + bytes(5000))
    _, _, err = run(*files.words())
    assert "EPID is not supported, DCAP is" in err


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"tcb_info": 1}', b"\xff" * 50, b" " * (5 * 1024 * 1024)]
)
def test_a_file_that_is_no_collateral_exits_2(run, files, content):
    files.collateral.write_bytes(content)
    code, out, _ = run(*files.words("--json"))
    assert code == 2
    assert json.loads(out)["error"]["code"]


def test_a_truncated_or_extended_quote_exits_2(run, files):
    whole = files.quote.read_bytes()
    for content in (whole[:-1], whole[:1000], whole + b"\x00"):
        files.quote.write_bytes(content)
        assert run(*files.words())[0] == 2


@pytest.mark.parametrize("content", [b"", b"{", b"name: x", b"\xff\xfe"])
def test_a_file_that_is_no_policy_exits_3(run, files, content):
    files.policy.write_bytes(content)
    assert run(*files.words("--json"))[0] in (2, 3)


@pytest.mark.parametrize(
    "words",
    [
        ("verify",),
        ("verify", "quote"),
        ("verify", "/nothing", "--collateral", "/nothing"),
        ("nothing",),
        ("verify", "--nothing"),
        ("verify", "/dev/null", "--collateral", "/nothing", "--policy", "lenient"),
    ],
)
def test_wrong_usage_exits_3_with_a_sentence_and_without_a_traceback(run, words):
    code, _, err = run(*words)
    assert code == 3
    assert "Traceback" not in err
    assert "remedy" in err
    code, out, _ = run(*words, "--json")
    assert (code, bool(json.loads(out)["error"]["code"])) == (3, True)


def test_a_page_without_a_terminal_has_no_colours(run, files):
    code, out, _ = run(*files.words())
    assert code == 0
    assert "\x1b" not in out
    assert out.startswith("ACCEPTED under policy test")
    assert "sgx.mr_enclave" in out


def test_a_denial_s_page_ends_with_the_remedy(run, tmp_path):
    _, out, _ = run(*Files(tmp_path, replace(ENCLAVE, mr_enclave=bytes(32))).words())
    assert out.startswith("DENIED under policy test")
    assert "remedy for sgx.mr_enclave:" in out


@pytest.mark.vectors
def test_a_genuine_quote_is_appraised_as_intel_s_verifier_does(run):
    case = json.loads((VECTORS / "dcap" / "cases.json").read_text())[5]
    quote, collateral = (VECTORS / "dcap" / case[name] for name in ("quote", "collateral"))
    words = ("verify", quote, "--collateral", collateral, "--at", case["time"], "--json")
    code, out, _ = run(*words, "--policy", "dangerous-authentic")
    shown = json.loads(out)
    assert (code, shown["verdict"], shown["mode"]) == (0, "accepted", "hardware")
    assert shown["tcb"]["status"] == "ConfigurationAndSWHardeningNeeded"
    assert shown["tcb"]["advisories"] == case["expected"]["dcap_qvl_0_7_0"]["advisory_ids"]
    assert run(*words)[0] == 1
