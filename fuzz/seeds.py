"""What the fuzz targets start from: forged evidence, made anew, and genuine evidence where it is there."""

from __future__ import annotations

import base64
import json
import sys
from functools import cache
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT.parent / "shared" / "vectors"
sys.path.insert(0, str(ROOT / "tests" / "support"))

from evidence import ENCLAVE, TRUST_DOMAIN  # noqa: E402, the tests' own forge
from forged import NOW, PLATFORM, Forged  # noqa: E402
from inspected import REPORT, TD_15, TURIN_REPORT, binaries, forged, quote_of, receipt, texts  # noqa: E402
from running import sample  # noqa: E402

from adyton.forge.encode import sgx_extension  # noqa: E402, the tests' folder has to be on the path before
from adyton.formats import simcpu  # noqa: E402
from adyton.formats.kbs import TeePublicKey  # noqa: E402
from adyton.formats.policy import AppraisalPolicy  # noqa: E402
from adyton.formats.sgx import Attributes, KeyName, KeyRequest, Report, TargetInfo  # noqa: E402
from adyton.formats.snp import SnpEndorsements  # noqa: E402
from adyton.formats.x509 import pem_blocks  # noqa: E402
from adyton.guest.dataset import encrypt  # noqa: E402
from adyton.policy import builtin_policy  # noqa: E402

DATASET_KEY = bytes(32)


def quotes() -> list[bytes]:
    """Return quotes: one forged of each shape, and genuine ones."""
    return [content for name, content in binaries().items() if name.startswith("quote")] + genuine("dcap/quotes/*.bin")


def sgx_structures() -> list[bytes]:
    """Return a report body, a report, target information and a key request."""
    request = KeyRequest(KeyName.SEAL, 2, 1, bytes(16), Attributes(3, 1), bytes(32), 5, 6)
    report = Report(ENCLAVE, bytes(32), bytes(16))
    return [value.to_bytes() for value in (ENCLAVE, report, TargetInfo(bytes(32), Attributes(5, 3)), request)]


def td_reports() -> list[bytes]:
    """Return a TD report body of each size."""
    return [TRUST_DOMAIN.to_bytes(), TD_15.to_bytes(), TD_15.to_bytes() + bytes(237)]


def qe_certifications() -> list[bytes]:
    """Return a quoting enclave's certification, and the certification data of types 1 to 3."""
    return [forged().quote().qe.to_bytes(), *(bytes(size + 20) for size in (16, 256, 384))]


def collaterals() -> list[bytes]:
    """Return collateral files: forged and genuine."""
    return [forged().collateral().to_bytes(), *genuine("dcap/collateral/*.json")[:5]]


def tcb_infos() -> list[bytes]:
    """Return TCB infos."""
    return [forged().collateral().tcb_info, *(json.loads(text)["tcb_info"].encode() for text in collaterals()[1:])]


def qe_identities() -> list[bytes]:
    """Return QE identities."""
    found = (json.loads(text)["qe_identity"].encode() for text in collaterals()[1:])
    return [forged().collateral().qe_identity, *found]


def certificates() -> list[bytes]:
    """Return certificates: forged ones of Intel's kinds, and genuine ones of AMD's."""
    return [*pem_blocks(forged().quote().qe.data), *(part for case in snp_cases()[:3] for part in case[1:])]


def revocation_lists() -> list[bytes]:
    """Return an empty list, and one with entries."""
    return [forged().collateral().pck_crl, Forged(revoked_by_root=(1, 300, 70_000)).collateral().root_crl]


def pems() -> list[bytes]:
    """Return a chain."""
    return [forged().quote().qe.data]


def pck_extensions() -> list[bytes]:
    """Return an extension of a platform CA's certificate."""
    return [sgx_extension(PLATFORM)]


def chip_extensions() -> list[bytes]:
    """Return AMD's extensions as the target reads them: one byte of length before each value; Milan's and Turin's."""
    svn, name = b"\x02\x01\x04", b"\x16\x08Milan-B0"
    milan = [name, b"\x04\x40" + bytes(64), b"", svn, svn, svn, svn, b""]
    turin = [b"\x16\x08Turin-B0", bytes(8), b"", svn, svn, svn, svn, svn]
    vlek = [name, b"", b"\x16\x05Cloud", svn, svn, svn, svn, b""]
    return [b"".join(bytes([len(value)]) + value for value in values) for values in (milan, turin, vlek)]


def snp_reports() -> list[bytes]:
    """Return reports: made up, and genuine ones."""
    return [REPORT.to_bytes(), TURIN_REPORT.to_bytes(), *(case[0] for case in snp_cases())]


def snp_endorsements() -> list[bytes]:
    """Return endorsements files."""
    files = [SnpEndorsements(*case[1:]).to_bytes() for case in snp_cases()[:2]]
    return [texts()["SNP endorsements"], *files]


@cache
def snp_cases() -> list[tuple[bytes, bytes, bytes, bytes]]:
    """Return genuine reports with their certificates, leaf to root; none where there are no vectors."""
    path = VECTORS / "snp" / "cases.json"
    cases = json.loads(path.read_text()) if path.exists() else []
    parts = ("leaf", "intermediate", "root")
    return [(bytes.fromhex(case["report"]), *(base64.b64decode(case[part]) for part in parts)) for case in cases]


def policies_json() -> list[bytes]:
    """Return policies."""
    return [builtin_policy("strict").to_bytes(), full_policy().to_bytes()]


def policies_yaml() -> list[bytes]:
    """Return policies."""
    plain = [msgspec.yaml.encode(builtin_policy("strict")), msgspec.yaml.encode(full_policy())]
    # JSON after a comment is YAML to the reader, and JSON to whatever changes it by its structure.
    return [*plain, *(b"#\n" + content for content in policies_json())]


def full_policy() -> AppraisalPolicy:
    """Return a policy with something in every part."""
    enclave = {"mr_signer": "ab" * 32, "isv_prod_id": 1, "minimum_isv_svn": 2}
    rules = {"enclaves": [enclave]}
    domain = {"trust_domains": [{"mr_td": "cd" * 48}]}
    head = {"api_version": "adyton.dev/v1", "kind": "AppraisalPolicy", "name": "full"}
    return msgspec.convert({**head, "sgx": rules, "tdx": domain}, AppraisalPolicy)


def sigstructs() -> list[bytes]:
    """Return the sample enclave's signature."""
    return [sample()[2].to_bytes()]


def images() -> list[bytes]:
    """Return the sample enclave's first pages."""
    return [sample()[1].stream[: 64 + 2 * 5184]]


def manifests() -> list[bytes]:
    """Return the sample enclave's manifest, and a part of one."""
    image = sample()[1]
    size = int.from_bytes(image.read(image.manifest, 4), "little")
    return [image.read(image.manifest + 4, size), b'{"name":"a"}']


def receipts() -> list[bytes]:
    """Return a receipt."""
    return [receipt().to_bytes()]


def results() -> list[bytes]:
    """Return a signed result."""
    return [texts()["result"]]


def kbs_messages() -> list[bytes]:
    """Return one of each message of the protocol."""
    key = msgspec.to_builtins(TeePublicKey(x="A" * 43, y="A" * 43))
    evidence = {"primary_evidence": {"quote": "AAAA"}, "additional_evidence": ""}
    messages = (
        {"version": "0.4.0", "tee": "sgx", "extra-params": {}},
        {"nonce": "nonce", "extra-params": {"selected-hash-algorithm": "sha384"}},
        {"runtime-data": {"nonce": "nonce", "tee-pubkey": key}, "tee-evidence": evidence},
        dict.fromkeys(("protected", "encrypted_key", "iv", "ciphertext", "tag"), "AA"),
        {"token": "a.b.c"},
        {"type": "a", "detail": "b", "code": "c", "remedy": "d", "checks": []},
    )
    return [msgspec.json.encode(message) for message in messages]


def simcpu_messages() -> list[bytes]:
    """Return messages to and from the simulated processor."""
    return [
        simcpu.encode(simcpu.CreateEnclave(sigstruct=bytes(1808))),
        simcpu.encode(simcpu.GetTargetInfo()),
        simcpu.encode(simcpu.Refused(status=1, code="a", message="b", remedy="c")),
    ]


def datasets() -> list[bytes]:
    """Return an encrypted data set."""
    return [encrypt(b"plaintext", DATASET_KEY, name="name")]


def inspected() -> list[bytes]:
    """Return a file of every format, the shorter ones in hex and base64 too."""
    plain = [content for content in (*binaries().values(), *texts().values()) if len(content) < 6000]
    short = [content for content in plain if len(content) < 1300]
    return [*plain, *(content.hex().encode() for content in short), *(base64.b64encode(content) for content in short)]


def genuine(pattern: str) -> list[bytes]:
    """Return genuine evidence; none where there are no vectors."""
    return [path.read_bytes() for path in sorted(VECTORS.glob(pattern))]


__all__ = ["NOW", "forged", "quote_of"]
