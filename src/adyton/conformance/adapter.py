"""This project's verifier under the kit's protocol: `python -m adyton.conformance.adapter`.

It answers for a policy that waives nothing but the platform's state: every TCB status and every date is told, and debug
code, bound service trust domains and the like are refused, as `strict` refuses them.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Final

import msgspec

from adyton.attest import TcbStatus, TrustRoot, TrustRoots, authenticate, authenticate_report
from adyton.attest.result import Authentic, CollateralFacts
from adyton.attest.roots import INTEL
from adyton.attest.signatures import PublicKey
from adyton.conformance.case import AUTHENTIC, Request
from adyton.errors import AdytonError, MalformedEvidence
from adyton.formats.collateral import Collateral
from adyton.formats.policy import API_VERSION, AppraisalPolicy, CollateralRules, SgxRules, SnpRules, TcbRules, TdxRules
from adyton.formats.quote import Quote
from adyton.formats.snp import SnpEndorsements, SnpReport
from adyton.formats.x509 import Certificate
from adyton.policy import appraise

_REMEDY: Final = "none: this is what the kit asks for"
_DATED: Final = CollateralRules(
    dangerous_allow_expired=True, dangerous_allow_not_yet_valid=True, dangerous_allow_tcb_info_v2=True
)


def answer(request: Request) -> dict[str, object]:
    """Judge a case, and return the answer."""
    try:
        return {"id": request.id, **(_judge_report(request) if request.tee == "snp" else _judge_quote(request))}
    except AdytonError as error:
        return {"id": request.id, "error": f"{error.code}: {error.message}"}


def _judge_quote(request: Request) -> dict[str, object]:
    now, root = datetime.fromtimestamp(request.time, UTC), _root(request)
    collateral = Collateral.parse(msgspec.json.encode(request.collateral))
    evidence = authenticate(Quote.parse(request.quote), collateral, roots=TrustRoots.named([root]), now=now)
    _require_accepted(evidence, root, request, now)
    return _accepted(evidence.tcb.status, evidence.tcb.advisories, evidence.collateral, now)


def _judge_report(request: Request) -> dict[str, object]:
    now, root = datetime.fromtimestamp(request.time, UTC), _root(request)
    endorsements = SnpEndorsements.parse(msgspec.json.encode(request.endorsements))
    report = SnpReport.parse(request.quote)
    evidence = authenticate_report(report, endorsements, roots=TrustRoots.named([root]), now=now)
    _require_accepted(evidence, root, request, now)
    return _accepted(AUTHENTIC, (), evidence.collateral, now)


def _require_accepted(evidence: Authentic, root: str, request: Request, now: datetime) -> None:
    policy = _policy(root, request.minimum_evaluation_number or 0)
    appraise(evidence, policy, expected_report_data=request.report_data, now=now).require()


def _accepted(
    status: str, advisories: tuple[str, ...], collateral: CollateralFacts, now: datetime
) -> dict[str, object]:
    expired = {"expired": True} if collateral.earliest_expiry < now else {}
    return {"status": str(status), "advisories": advisories, **expired}


def _root(request: Request) -> str:
    """Return the name of the root to trust."""
    key = PublicKey.of(Certificate.parse(request.root).public_key)
    if key is None:
        raise MalformedEvidence("conformance.root", "expected a root with a key of a known kind", remedy=_REMEDY)
    return TrustRoot.of(key.data).name


def _policy(root: str, minimum: int) -> AppraisalPolicy:
    return AppraisalPolicy(
        api_version=API_VERSION,
        kind="AppraisalPolicy",
        name="conformance",
        roots=(root,),
        sgx=SgxRules(dangerous_any_enclave=True),
        tdx=TdxRules(dangerous_any_trust_domain=True),
        snp=None if root == INTEL else SnpRules(dangerous_any_guest=True, dangerous_allow_missing_crl=True),
        tcb=TcbRules(accepted_statuses=tuple(status.value for status in TcbStatus), minimum_evaluation_number=minimum),
        collateral=_DATED,
    )


def main() -> None:
    """Answer each line of standard input."""
    for line in sys.stdin.buffer:
        found = answer(msgspec.json.decode(line, type=Request))
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
