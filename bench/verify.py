"""How many appraisals a second: ours beside dcap-qvl and Intel's verifier, on genuine evidence, in one run.

    python bench/verify.py [--rounds N] [--seconds S] [--json]

An appraisal of ours is the whole road: parse, authenticate, appraise under a policy with every check listed. The peers
give a status and no verdict. Regimes:

- cold: nothing is remembered, and the collateral file is parsed. Shared: two cores verify one appraisal's signatures.
- warm: collateral and the platform's certified key are remembered: two signatures are verified.
- warm, QE: the quoting enclave's report is remembered as well: one signature is verified.
- signed result: the same, and an EAR token is signed.

The limit to compare with is the bare ECDSA verification of the same run, P-256 for Intel and P-384 for AMD. Everything
is measured on one core and on two. Subjects take turns, so that noise meets them all; figures are medians of rounds.

Exits 1 if an aim is missed; `--report` prints them and exits 0.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import dcap_qvl
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from adyton.attest import TrustRoots, VerificationCache
from adyton.formats.collateral import Collateral
from adyton.formats.quote import Quote
from adyton.formats.snp import SnpEndorsements, SnpReport
from adyton.formats.x509 import pem_blocks
from adyton.policy import builtin_policy, verify, verify_report
from adyton.policy.ear import EarRequest, EarSigner, ear_claims

VECTORS = Path(__file__).resolve().parent.parent.parent / "shared" / "vectors"
QUOTES = {"SGX v3": "quotes/f8b81014b6.bin", "TDX v4": "quotes/00b2526ab1.bin"}
POLICY, ROOTS = builtin_policy("dangerous-authentic"), TrustRoots()
Call = Callable[[], object]


@dataclass(frozen=True)
class Aim:
    """A ratio that has to be reached: one subject's rate over another's, each on some cores."""

    name: str
    subject: tuple[str, int]
    peer: tuple[str, int]
    least: float


AIMS = (
    Aim("warm, one core", ("ours, warm", 1), ("dcap-qvl", 1), 5.0),
    Aim("warm with the QE remembered, one core", ("ours, warm, QE", 1), ("dcap-qvl", 1), 8.0),
    Aim("warm, two cores over one", ("ours, warm", 2), ("ours, warm", 1), 1.8),
    Aim("warm with the QE remembered, two cores over one", ("ours, warm, QE", 2), ("ours, warm, QE", 1), 1.8),
    Aim("cold, one core", ("ours, cold", 1), ("dcap-qvl", 1), 1 / 1.5),
    Aim("cold, one appraisal on two cores", ("ours, cold, shared", 1), ("dcap-qvl", 1), 1.0),
)
SNP_AIMS = (Aim("warm, one core, over bare P-384", ("ours, warm", 1), ("ECDSA alone", 1), 0.8),)


def main() -> int:
    """Measure, print, compare with the aims."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=0.5)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--report", action="store_true", help="exit 0 whatever the figures are")
    options = arguments.parse_args()
    if not VECTORS.is_dir():
        print("there is no genuine evidence beside this checkout (../shared/vectors): nothing to measure with")
        return 0
    results = {}
    for name, path in QUOTES.items():
        results[name] = (measure(dcap_subjects(path), options.rounds, options.seconds), AIMS)
    results["SEV-SNP v3"] = (measure(snp_subjects(), options.rounds, options.seconds), SNP_AIMS)
    missed = [line for name, (rates, aims) in results.items() for line in judge(name, rates, aims) if "MISSED" in line]
    if options.json:
        plain = {
            name: {f"{who}/{cores}": rate for (who, cores), rate in rates.items()}
            for name, (rates, _) in results.items()
        }
        print(json.dumps({"per_second": plain, "missed": missed}))
    else:
        for name, (rates, aims) in results.items():
            show(name, rates)
            print("\n".join(judge(name, rates, aims)), end="\n\n")
    return int(bool(missed) and not options.report)


def dcap_subjects(path: str) -> dict[str, Call]:
    """Return what is measured on a quote, by name; each call is one appraisal."""
    known = json.loads((VECTORS / "dcap" / "cases.json").read_text())
    case = next(case for case in known if case["quote"] == path and case["tcb_info_version"] == 3)
    raw_quote, raw_collateral = ((VECTORS / "dcap" / case[name]).read_bytes() for name in ("quote", "collateral"))
    now, collateral = datetime.fromtimestamp(case["time"], UTC), Collateral.parse(raw_collateral)
    signer, request = EarSigner(ec.generate_private_key(ec.SECP256R1())), EarRequest("bench", timedelta(minutes=5))

    def appraise(endorsements: Collateral, **how: object) -> object:
        quote = Quote.parse(raw_quote)
        return verify(quote, endorsements, POLICY, roots=ROOTS, expected_report_data=None, now=now, **how)

    def forgetting_the_qe() -> object:
        cache = VerificationCache()
        cache.endorsements, cache.pcks = warm.endorsements, warm.pcks
        return appraise(collateral, cache=cache)

    warm, worker = VerificationCache(), ThreadPoolExecutor(1)
    appraise(collateral, cache=warm)
    peer = dcap_qvl.QuoteCollateralV3.from_json(peer_form(raw_collateral))
    subjects: dict[str, Call] = {
        "ECDSA alone": bare(ec.SECP256R1(), hashes.SHA256()),
        "ours, warm, QE": lambda: appraise(collateral, cache=warm),
        "ours, warm": forgetting_the_qe,
        "ours, signed result": lambda: signer.sign(ear_claims(appraise(collateral, cache=warm), request)),
        "ours, cold": lambda: appraise(Collateral.parse(raw_collateral)),
        "ours, cold, shared": lambda: appraise(Collateral.parse(raw_collateral), executor=worker),
        "dcap-qvl": lambda: dcap_qvl.verify(raw_quote, peer, case["time"]),
    }
    if case["tee"] == "SGX":
        subjects |= intel_qvl(raw_quote, collateral, now)
    return subjects


def intel_qvl(raw_quote: bytes, collateral: Collateral, now: datetime) -> dict[str, Call]:
    """Return Intel's verifier as its Python package wraps it, if it is there."""
    try:
        from sgx_dcap_quote_verify import verify as qvl
    except ImportError:
        return {}
    chain = Quote.parse(raw_quote).qe.data.rstrip(b"\x00").decode()
    blocks = ["-----BEGIN" + part for part in chain.split("-----BEGIN")[1:]]
    assert len(pem_blocks(chain.encode())) == len(blocks)
    ask = partial(
        qvl,
        trusted_root_ca_certificate=blocks[2],
        pck_certificate=blocks[0],
        pck_signing_chain=blocks[1] + blocks[2],
        root_ca_crl=collateral.root_crl.hex(),
        intermediate_ca_crl=collateral.pck_crl.hex(),
        tcb_info=signed(collateral.tcb_info, collateral.tcb_info_signature, "tcbInfo"),
        tcb_signing_chain=collateral.tcb_info_chain.decode(),
        quote=raw_quote,
        qe_identity=signed(collateral.qe_identity, collateral.qe_identity_signature, "enclaveIdentity"),
        expiration_date=now,
    )
    return {"Intel QVL": ask}


def snp_subjects() -> dict[str, Call]:
    """Return what is measured on an SNP report."""
    case = next(case for case in json.loads((VECTORS / "snp" / "cases.json").read_text()) if case["version"] == 3)
    report = bytes.fromhex(case["report"])
    given = json.dumps({name: case[name] for name in ("leaf", "intermediate", "root")}).encode()
    now, endorsements, warm = datetime.now(UTC), SnpEndorsements.parse(given), VerificationCache()

    def appraise(known: SnpEndorsements, cache: VerificationCache | None) -> object:
        found = SnpReport.parse(report)
        return verify_report(found, known, POLICY, roots=ROOTS, expected_report_data=None, now=now, cache=cache)

    return {
        "ECDSA alone": bare(ec.SECP384R1(), hashes.SHA384()),
        "ours, warm": lambda: appraise(endorsements, warm),
        "ours, cold": lambda: appraise(SnpEndorsements.parse(given), None),
    }


def bare(curve: ec.EllipticCurve, digest: hashes.HashAlgorithm) -> Call:
    """Return one signature's verification."""
    key, message, algorithm = ec.generate_private_key(curve), bytes(432), ec.ECDSA(digest)
    signature, public = key.sign(message, algorithm), key.public_key()
    return lambda: public.verify(signature, message, algorithm)


def peer_form(raw: bytes) -> str:
    """Return the collateral in the form that dcap-qvl reads: its own name for the root's list."""
    document = json.loads(raw)
    document.setdefault("root_ca_crl", document.pop("root_crl", None))
    return json.dumps(document)


def signed(document: bytes, signature: bytes, name: str) -> str:
    """Return a document as Intel's verifier reads it."""
    return f'{{"{name}":{document.decode()},"signature":"{signature.hex()}"}}'


def measure(subjects: dict[str, Call], rounds: int, seconds: float) -> dict[tuple[str, int], float]:
    """Return calls per second by subject and cores, medians of rounds."""
    samples: dict[tuple[str, int], list[float]] = {(name, cores): [] for name in subjects for cores in (1, 2)}
    for _ in range(rounds):
        for name, call in subjects.items():
            for cores in (1, 2):
                samples[name, cores].append(rate(call, cores, seconds))
    return {subject: statistics.median(values) for subject, values in samples.items()}


def rate(call: Call, cores: int, seconds: float) -> float:
    """Return how often a call is made in a second, by as many threads as cores; each is one caller."""
    call()
    counts, start = [0] * cores, threading.Barrier(cores + 1)

    def caller(at: int) -> None:
        start.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for _ in range(10):
                call()
            counts[at] += 10

    threads = [threading.Thread(target=caller, args=(at,)) for at in range(cores)]
    for thread in threads:
        thread.start()
    start.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - begin)


def show(name: str, rates: dict[tuple[str, int], float]) -> None:
    """Print a table."""
    peer = rates.get(("dcap-qvl", 1)) or rates["ECDSA alone", 1]
    print(f"{name:24}{'1 core':>10}{'us':>9}{'x peer':>9}{'2 cores':>11}{'x 1 core':>10}")
    for who in dict.fromkeys(who for who, _ in rates):
        one, two = rates[who, 1], rates[who, 2]
        print(f"{who:24}{one:10,.0f}{1e6 / one:9.1f}{one / peer:9.2f}{two:11,.0f}{two / one:10.2f}")


def judge(name: str, rates: dict[tuple[str, int], float], aims: tuple[Aim, ...]) -> list[str]:
    """Return a line for each aim."""
    lines = []
    for aim in aims:
        ratio = rates[aim.subject] / rates[aim.peer]
        word = "reached" if ratio >= aim.least else "MISSED"
        lines.append(f"{word:8} {name}, {aim.name}: {ratio:.2f}, aim {aim.least:.2f}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
