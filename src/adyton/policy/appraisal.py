"""An appraisal: what a policy makes of authentic evidence, rule by rule, and what it was decided on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from adyton.attest.result import AuthenticQuote
from adyton.errors import PolicyDenied
from adyton.formats.check import Check, Mode, Verdict
from adyton.formats.quote import Tee
from adyton.formats.sgx import ReportBody


@dataclass(frozen=True, slots=True)
class Claims:
    """What the evidence says of itself, for people and for policies further on; hex is lower case.

    Attributes:
        tee: What made the evidence.
        measurement: MRENCLAVE or MRTD, hex.
        signer: MRSIGNER or MRSIGNERSEAM, hex.
        debug: Whether the host can read its memory.
        report_data: The 64 bytes that the code chose, hex.
        fmspc: The platform's family, hex.
        isv_prod_id: SGX product number; None for TDX.
        isv_svn: SGX security version; None for TDX.
        rtmrs: The TDX runtime measurement registers, hex; empty for SGX.
    """

    tee: Tee
    measurement: str
    signer: str
    debug: bool
    report_data: str
    fmspc: str
    isv_prod_id: int | None = None
    isv_svn: int | None = None
    rtmrs: tuple[str, ...] = ()

    @classmethod
    def of(cls, evidence: AuthenticQuote) -> Claims:
        """Read the claims from authentic evidence."""
        body, fmspc, tee = evidence.quote.body, evidence.platform.fmspc.hex(), evidence.quote.tee
        report_data = body.report_data.hex()
        if isinstance(body, ReportBody):
            return cls(
                tee,
                body.mr_enclave.hex(),
                body.mr_signer.hex(),
                body.attributes.debug,
                report_data,
                fmspc,
                body.isv_prod_id,
                body.isv_svn,
            )
        rtmrs = tuple(register.hex() for register in body.rtmrs)
        return cls(tee, body.mr_td.hex(), body.mr_signer_seam.hex(), body.debug, report_data, fmspc, rtmrs=rtmrs)


@dataclass(frozen=True, slots=True)
class Appraisal:
    """The result of `adyton.policy.appraise`.

    Attributes:
        verdict: Accepted only if no check failed.
        mode: Hardware or simulated.
        policy: The policy's name.
        checks: Those of the authentication, then those of the policy, in order.
        evidence: What was appraised.
        evidence_digest: SHA-256 of the quote's signed part, 32 bytes: the PEM text around it can be altered unnoticed.
        collateral_digest: SHA-256 that names the set of endorsements, 32 bytes.
        policy_digest: SHA-256 of the policy's canonical form, 32 bytes.
        appraised_at: The time that it was appraised for, UTC.
        expires: When it has to be done again at the latest: the earliest expiry among the endorsements, UTC.
    """

    verdict: Verdict
    mode: Mode
    policy: str
    checks: tuple[Check, ...]
    evidence: AuthenticQuote
    evidence_digest: bytes
    collateral_digest: bytes
    policy_digest: bytes
    appraised_at: datetime
    expires: datetime

    @property
    def claims(self) -> Claims:
        """What the evidence says of itself."""
        return Claims.of(self.evidence)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that denied it, in order."""
        return tuple(check for check in self.checks if not check.holds)

    def require(self) -> Appraisal:
        """Return the appraisal if it was accepted.

        Raises:
            PolicyDenied: Code of the first check that failed, with what it expected and found.
        """
        if self.verdict is Verdict.ACCEPTED:
            return self
        first = self.failed[0]
        raise PolicyDenied(
            first.id, f"policy {self.policy}: expected {first.expected}, found {first.actual}", remedy=first.remedy
        )
