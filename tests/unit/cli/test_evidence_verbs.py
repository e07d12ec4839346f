"""The verbs around an appraisal, as their users meet them: records, tokens, forecasts, bundles, policy tests."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace

import pytest
from forged import NOW, UP_TO_DATE, Forged
from places import VECTORS
from snp import CHIPS
from snp import NOW as SNP_NOW

from adyton.attest import TrustRoot
from adyton.forge import Level
from adyton.formats.policy import API_VERSION, AppraisalPolicy, SgxRules, SnpRules

AT = NOW.isoformat()
NONCE = base64.b64encode(bytes(32)).decode()
CHIP = CHIPS["Turin"]


class Desk:
    """Files of a forged platform in one folder."""

    def __init__(self, folder):
        self.folder, self.forged = folder, Forged()
        self.write("quote.bin", self.forged.quote().to_bytes())
        self.write("collateral.json", self.forged.collateral().to_bytes())
        self.write("policy.json", self.policy(self.forged.root_name, sgx=SgxRules(dangerous_any_enclave=True)))

    def policy(self, root, **rules):
        known = {"api_version": API_VERSION, "kind": "AppraisalPolicy", "name": "test"}
        return AppraisalPolicy(**known, roots=(root,), **rules).to_bytes()

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def __getitem__(self, name):
        return self.folder / name

    def words(self, *more):
        given = ("--collateral", self["collateral.json"], "--policy", self["policy.json"], "--at", AT)
        return ("verify", self["quote.bin"], *given, *more)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture
def record(desk, run):
    assert run(*desk.words("--record", desk["record.json"]))[0] == 0
    return desk["record.json"]


def test_a_record_replays_to_the_same_bytes_offline_and_years_later(run, record):
    code, out, err = run("replay", record, "--json")
    kept = json.loads(record.read_text())
    assert (code, err, json.loads(out)) == (0, "", kept["result"])
    assert out.encode() == json.dumps(kept["result"], separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    assert run("replay", record)[1].startswith("SAME")


def test_a_record_with_another_result_does_not_replay(run, record):
    kept = json.loads(record.read_text())
    kept["result"]["verdict"] = "denied"
    record.write_text(json.dumps(kept))
    assert run("replay", record)[0] == 2


def test_offline_says_how_old_each_endorsement_is(run, desk):
    code, out, _ = run(*desk.words("--offline"))
    assert code == 0
    assert "tcb_info           2026-05-20T00:00:00Z  12 days" in out


def test_a_tee_that_the_evidence_is_not_of_exits_2(run, desk):
    code, out, _ = run(*desk.words("--tee", "tdx", "--json"))
    assert (code, json.loads(out)["error"]["code"]) == (2, "evidence.tee")
    assert run(*desk.words("--tee", "sgx"))[0] == 0


def snp_files(folder, **report):
    given = {
        "leaf": CHIP.endorsements.leaf,
        "intermediate": CHIP.endorsements.intermediate,
        "root": CHIP.endorsements.root,
    }
    encoded = {name: base64.b64encode(content).decode() for name, content in (given | {"crl": CHIP.crl()}).items()}
    root = TrustRoot.of(CHIP.vendor.root_key).name
    rules = SnpRules(dangerous_any_guest=True)
    known = AppraisalPolicy(api_version=API_VERSION, kind="AppraisalPolicy", name="snp", roots=(root,), snp=rules)
    for name, content in (
        ("report.bin", CHIP.report(version=5, **report).to_bytes()),
        ("endorsements.json", json.dumps(encoded).encode()),
        ("snp.json", known.to_bytes()),
    ):
        (folder / name).write_bytes(content)
    given = (
        "--endorsements",
        folder / "endorsements.json",
        "--policy",
        folder / "snp.json",
        "--at",
        SNP_NOW.isoformat(),
    )
    return ("verify", "--tee", "snp", folder / "report.bin", *given, "--json")


def test_an_snp_report_is_appraised_with_its_product_s_layout(run, tmp_path):
    code, out, _ = run(*snp_files(tmp_path))
    shown = json.loads(out)
    assert (code, shown["verdict"], shown["tee"], shown["tcb"], shown["mode"]) == (
        0,
        "accepted",
        "snp",
        None,
        "simulated",
    )
    assert (shown["claims"]["product"], shown["claims"]["vmpl"]) == ("Turin", 0)
    assert {check["id"] for check in shown["checks"]} >= {"snp.chip_id", "snp.reported_tcb", "snp.tcb.fmc", "snp.vmpl"}


def test_an_snp_report_of_a_lower_level_exits_1_and_says_where(run, tmp_path):
    code, out, _ = run(*snp_files(tmp_path, vmpl=2))
    (failed,) = [check for check in json.loads(out)["checks"] if check["outcome"] == "failed"]
    assert (code, failed["id"], failed["where"]) == (1, "snp.vmpl", "report bytes 48 to 51")


def test_an_snp_report_without_endorsements_exits_3(run, tmp_path):
    words = snp_files(tmp_path)
    assert run(*words[:4])[0] == 3


@pytest.mark.vectors
def test_every_genuine_snp_report_is_authentic_and_strict_asks_for_a_revocation_list(run, tmp_path):
    for number, case in enumerate(json.loads((VECTORS / "snp" / "cases.json").read_text())):
        report, given = tmp_path / f"{number}.bin", tmp_path / f"{number}.json"
        report.write_bytes(bytes.fromhex(case["report"]))
        given.write_text(json.dumps({name: case[name] for name in ("leaf", "intermediate", "root")}))
        words = ("verify", "--tee", "snp", report, "--endorsements", given, "--json")
        code, out, _ = run(*words, "--policy", "dangerous-authentic")
        shown = json.loads(out)
        assert (code, shown["root"], shown["claims"]["debug"]) == (0, "amd", case["debug"])
        code, out, _ = run(*words)
        failed = {check["id"] for check in json.loads(out)["checks"] if check["outcome"] == "failed"}
        assert (code, failed) == (1, {"snp.crl.missing"} | ({"snp.policy.debug"} if case["debug"] else set()))


def test_a_token_is_issued_from_a_record_and_verified_by_its_audience(run, desk, record):
    key = desk["key.pem"]
    assert run("ear", "key", key)[0] == 0
    assert key.stat().st_mode & 0o077 == 0
    assert run("ear", "key", key)[0] == 3
    for wrap in ((), ("--cmw",)):
        code, out, _ = run("ear", "issue", record, "--key", key, "--nonce", NONCE, "--audience", "me", *wrap)
        assert code == 0
        token = desk.write("token", out.encode())
        words = ("ear", "verify", token, "--jwks", f"{key}.jwks.json", "--at", AT)
        code, out, _ = run(*words, "--nonce", NONCE, "--audience", "me")
        shown = json.loads(out)
        assert (code, shown["ear_status"]) == (1, "contraindicated")
        assert shown["submods"]["cpu0"]["ear_verifier_claims"]["mode"] == "simulated"
        assert run(*words, "--nonce", NONCE, "--audience", "you")[0] == 2
        assert run(*words, "--nonce", NONCE)[0] == 3
        assert run(*words[:-2], "--nonce", NONCE, "--audience", "me")[0] == 2


def test_no_token_is_issued_for_evidence_that_is_not_authentic(run, desk):
    desk.write("quote.bin", Forged().quote().to_bytes())
    assert run(*desk.words("--record", desk["bad.json"]))[0] == 2
    run("ear", "key", desk["key.pem"])
    assert run("ear", "issue", desk["bad.json"], "--key", desk["key.pem"])[0] == 3


def test_a_forecast_names_the_platforms_that_get_worse_and_what_they_lack(run, desk):
    raised = replace(desk.forged, levels=(Level((6,) * 16, pce_svn=11), *UP_TO_DATE[1:]))
    coming = desk.write("next.json", raised.collateral().to_bytes())
    words = ("forecast", desk.folder, "--collateral", desk["collateral.json"], "--root", desk.forged.root_name)
    code, out, _ = run(*words, "--next", coming, "--json")
    (platform,) = json.loads(out)["platforms"]
    assert (code, platform["worsens"], platform["then"]["status"]) == (1, True, "OutOfDate")
    assert platform["then"]["lacks"][0] == "sgx.tcb.component[0] needs 6, has 5; update BIOS and microcode"
    assert run(*words, "--next", desk["collateral.json"])[0] == 0
    assert run(*words[:-2], "--next", coming)[0] == 2


def test_a_bundle_serves_each_quote_its_own_set_and_says_its_age(run, desk):
    other = Forged(vendor=desk.forged.vendor, platform=replace(desk.forged.platform, fmspc=bytes(6)))
    second = desk.write("other.json", other.collateral().to_bytes())
    bundle = desk["bundle"]
    assert run("collateral", "bundle", second, desk["collateral.json"], "--out", bundle)[0] == 0
    desk["collateral.json"].unlink()
    words = list(desk.words())
    words[words.index(desk["collateral.json"])] = bundle
    assert run(*words)[0] == 0
    code, out, _ = run("collateral", "show", bundle, "--at", AT, "--json")
    shown = json.loads(out)
    assert (code, shown["in_date"], len(shown["items"])) == (0, True, 8)
    assert run("collateral", "show", bundle, "--at", "2126-01-01T00:00:00Z")[0] == 1


def test_a_policy_is_tried_on_records_and_held_to_what_is_expected_of_it(run, desk, record):
    code, out, _ = run("policy", "test", "strict", record, "--json")
    (trial,) = json.loads(out)["trials"]
    assert (code, trial["verdict"], trial["was"], trial["failed"]) == (
        0,
        "denied",
        "accepted",
        ["dcap.chain.untrusted_root"],
    )
    cases = "api_version: adyton.dev/v1\nkind: PolicyTest\ncases:\n  - {{record: record.json, expect: {}}}\n"
    for expect, code in (("accepted", 0), ("denied", 1)):
        path = desk.write("cases.yaml", cases.format(expect).encode())
        assert run("policy", "test", desk["policy.json"], "--cases", path)[0] == code
    late = desk.write(
        "late.yaml",
        (cases.format("denied")[:-2] + ", failed: [collateral.expired], at: 2026-12-01T00:00:00Z}\n").encode(),
    )
    assert run("policy", "test", desk["policy.json"], "--cases", late)[0] == 0
    assert run("policy", "test", "strict")[0] == 3


def test_a_record_whose_kept_result_is_no_appraisal_is_an_error_and_no_traceback(run, desk, record):
    kept = json.loads(record.read_text())
    kept["result"], kept["digests"]["result"] = {}, hashlib.sha256(b"{}").hexdigest()
    other = desk.write("other.json", json.dumps(kept).encode())
    for words, error in ((("policy", "test", "strict"), "record.invalid"), (("replay",), "replay.differs")):
        code, _, err = run(*words, other)
        assert (code, error in err) == (2, True), err


def test_a_file_that_cannot_be_written_is_an_error_and_no_traceback(run, desk):
    inside = desk["quote.bin"] / "x"
    for words in (
        desk.words("--record", inside),
        ("ear", "key", inside),
        ("collateral", "bundle", desk["collateral.json"], "--out", inside),
    ):
        code, _, err = run(*words)
        assert (code, "cli.output" in err) == (2, True), err
