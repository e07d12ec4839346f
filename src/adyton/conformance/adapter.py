"""This project's verifier under the kit's protocol: `python -m adyton.conformance.adapter`."""

from __future__ import annotations

import base64
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

from adyton.attest import TrustRoot, TrustRoots, authenticate, authenticate_report
from adyton.attest.result import CollateralFacts
from adyton.attest.signatures import PublicKey
from adyton.errors import AdytonError
from adyton.formats.collateral import Collateral
from adyton.formats.quote import Quote
from adyton.formats.snp import SnpEndorsements, SnpReport
from adyton.formats.x509 import Certificate


def main() -> None:
    """Answer each line."""
    for line in sys.stdin.buffer:
        asked = msgspec.json.decode(line)
        sys.stdout.buffer.write(msgspec.json.encode({"id": asked["id"], **answer(asked)}) + b"\n")
        sys.stdout.buffer.flush()


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what is said about one case."""
    now = datetime.fromtimestamp(asked["time"], UTC)
    evidence = base64.b64decode(asked["quote"])
    key = PublicKey.of(Certificate.parse(base64.b64decode(asked["root"])).public_key)
    if key is None:
        return {"unsupported": "a root of another kind of key"}
    roots = TrustRoots.named([TrustRoot.of(key.data).name])
    try:
        if asked["tee"] == "snp":
            endorsements = SnpEndorsements.parse(msgspec.json.encode(asked["endorsements"]))
            report = authenticate_report(SnpReport.parse(evidence), endorsements, roots=roots, now=now)
            return _dates(report.collateral, now)
        collateral = Collateral.parse(msgspec.json.encode(asked["collateral"]))
        quote = authenticate(Quote.parse(evidence), collateral, roots=roots, now=now)
    except AdytonError as error:
        return {"error": f"{error.code}: {error.message}"}
    return {**_dates(quote.collateral, now), "status": quote.tcb.status, "advisories": quote.tcb.advisories}


def _dates(facts: CollateralFacts, now: datetime) -> dict[str, Any]:
    return {"expired": facts.earliest_expiry < now or facts.latest_issue > now}


if __name__ == "__main__":
    main()
