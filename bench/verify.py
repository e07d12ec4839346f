"""How many appraisals a second: ours, warm and cold, beside dcap-qvl, on the same SGX quote in the same run.

    python bench/verify.py [--rounds N] [--seconds S] [--json]

An appraisal of ours is the whole road: parse, authenticate, appraise under a policy. dcap-qvl's `verify` does less: it
gives a status and no policy verdict. The limit is the bare ECDSA P-256 verifications per second of the same run: a warm
appraisal needs one (the quote's) or two (the quote's and the quoting enclave report's), a cold one ten.

Exits 1 if the warm appraisal misses its aim of four times dcap-qvl.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dcap_qvl
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from adyton.attest import TrustRoots, VerificationCache
from adyton.formats.collateral import Collateral
from adyton.formats.quote import Quote
from adyton.policy import builtin_policy, verify

VECTORS = Path(__file__).resolve().parent.parent.parent / "shared" / "vectors" / "dcap"
QUOTE = "quotes/f8b81014b6.bin"
AIM = 4.0


def main() -> int:
    """Measure, print, compare with the aim."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=1.0)
    arguments.add_argument("--json", action="store_true")
    options = arguments.parse_args()
    if not VECTORS.is_dir():
        print("there is no genuine evidence beside this checkout (../shared/vectors): nothing to measure with")
        return 0
    rates = measure(contenders(), options.rounds, options.seconds)
    ratio = rates["ours, warm"] / rates["dcap-qvl verify"]
    if options.json:
        print(json.dumps({"per_second": rates, "warm_over_dcap_qvl": ratio, "aim": AIM}))
    else:
        show(rates, ratio)
    return 0 if ratio >= AIM else 1


def contenders() -> dict[str, Callable[[], object]]:
    """Return what is measured, by name; each call is one appraisal."""
    case = next(case for case in json.loads((VECTORS / "cases.json").read_text()) if case["quote"] == QUOTE)
    raw_quote, raw_collateral = (VECTORS / QUOTE).read_bytes(), (VECTORS / case["collateral"]).read_bytes()
    now, policy, roots = datetime.fromtimestamp(case["time"], UTC), builtin_policy("dangerous-authentic"), TrustRoots()
    collateral = Collateral.parse(raw_collateral)

    def appraise(endorsements: Collateral, cache: VerificationCache | None) -> object:
        quote = Quote.parse(raw_quote)
        return verify(quote, endorsements, policy, roots=roots, expected_report_data=None, now=now, cache=cache)

    def forget_platform() -> object:
        warm.platforms = VerificationCache().platforms
        return appraise(collateral, warm)

    warm, warm_all = VerificationCache(), VerificationCache()
    peer = dcap_qvl.QuoteCollateralV3.from_json(peer_form(raw_collateral))
    key = ec.generate_private_key(ec.SECP256R1())
    message, algorithm = bytes(432), ec.ECDSA(hashes.SHA256())
    signature, public = key.sign(message, algorithm), key.public_key()
    return {
        "ECDSA P-256 verify alone": lambda: public.verify(signature, message, algorithm),
        "ours, warm": lambda: appraise(collateral, warm_all),
        "ours, collateral warm": forget_platform,
        "ours, cold": lambda: appraise(Collateral.parse(raw_collateral), None),
        "dcap-qvl verify": lambda: dcap_qvl.verify(raw_quote, peer, case["time"]),
    }


def peer_form(raw: bytes) -> str:
    """Return the collateral in the form that dcap-qvl reads: its own name for the root's list."""
    document = json.loads(raw)
    document.setdefault("root_ca_crl", document.pop("root_crl", None))
    return json.dumps(document)


def measure(subjects: dict[str, Callable[[], object]], rounds: int, seconds: float) -> dict[str, float]:
    """Return calls per second, the median of rounds; the subjects take turns, so that noise meets them all."""
    samples: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, call in subjects.items():
            samples[name].append(rate(call, seconds))
    return {name: statistics.median(values) for name, values in samples.items()}


def rate(call: Callable[[], object], seconds: float) -> float:
    """Return how often a call is made in a second."""
    call()
    count, begin = 0, time.perf_counter()
    while (spent := time.perf_counter() - begin) < seconds:
        for _ in range(20):
            call()
        count += 20
    return count / spent


def show(rates: dict[str, float], ratio: float) -> None:
    """Print a table."""
    peer = rates["dcap-qvl verify"]
    print(f"{'one core, one SGX v3 quote':30}{'per second':>12}{'microseconds':>14}{'x dcap-qvl':>12}")
    for name, value in rates.items():
        print(f"{name:30}{value:12,.0f}{1e6 / value:14.1f}{value / peer:12.2f}")
    print(f"warm is {ratio:.2f} times dcap-qvl; the aim is {AIM:.0f}")


if __name__ == "__main__":
    sys.exit(main())
