"""An appraisal: what a policy makes of authentic evidence, rule by rule, and what it was decided on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from adyton.attest.result import Authentic, AuthenticReport
from adyton.errors import PolicyDenied
from adyton.formats.check import Check, Mode, Verdict
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.quote import Tee
from adyton.formats.sgx import ReportBody
from adyton.formats.tcb import TcbStatus


@dataclass(frozen=True, slots=True)
class Claims:
    """What the evidence says of itself, for people and for policies further on; hex is lower case.

    Attributes:
        tee: What made the evidence.
        measurement: MRENCLAVE, MRTD or the SNP measurement, hex.
        signer: MRSIGNER, MRSIGNERSEAM or the SNP identity key's digest, hex.
        debug: Whether the host can read its memory.
        report_data: The 64 bytes that the code chose, hex.
        fmspc: The platform's family, hex; None for SNP.
        isv_prod_id: SGX product number; None for others.
        isv_svn: SGX or SNP guest security version; None for TDX.
        rtmrs: The TDX runtime measurement registers, hex; empty for others.
        product: SNP product, such as `Milan`; None for others.
        chip_id: SNP chip, hex; None for others, and with a VLEK.
        vmpl: SNP privilege level that asked for the report; None for others.
        host_data: What the host gave an SNP guest at launch, hex; None for others.
    """

    tee: Tee
    measurement: str
    signer: str
    debug: bool
    report_data: str
    fmspc: str | None
    isv_prod_id: int | None = None
    isv_svn: int | None = None
    rtmrs: tuple[str, ...] = ()
    product: str | None = None
    chip_id: str | None = None
    vmpl: int | None = None
    host_data: str | None = None

    @classmethod
    def of(cls, evidence: Authentic) -> Claims:
        """Read the claims from authentic evidence."""
        if isinstance(evidence, AuthenticReport):
            return cls._of_report(evidence)
        body, fmspc, tee = evidence.quote.body, evidence.platform.fmspc.hex(), evidence.tee
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

    @classmethod
    def _of_report(cls, evidence: AuthenticReport) -> Claims:
        report, platform = evidence.report, evidence.platform
        return cls(
            evidence.tee,
            report.measurement.hex(),
            report.id_key_digest.hex(),
            report.debug,
            report.report_data.hex(),
            None,
            isv_svn=report.guest_svn,
            product=platform.product,
            chip_id=None if platform.chip_id is None else platform.chip_id.hex(),
            vmpl=report.vmpl,
            host_data=report.host_data.hex(),
        )


@dataclass(frozen=True, slots=True)
class Appraisal:
    """The result of `adyton.policy.appraise`.

    Attributes:
        verdict: Accepted only if no check failed.
        policy: What it was appraised under.
        judged: The policy's checks, in order.
        evidence: What was appraised.
        appraised_at: The time that it was appraised for, UTC.
        expires: When it has to be done again at the latest: the earliest expiry among the endorsements, UTC.
    """

    verdict: Verdict
    policy: AppraisalPolicy
    judged: tuple[Check, ...]
    evidence: Authentic
    appraised_at: datetime
    expires: datetime

    @property
    def mode(self) -> Mode:
        """Hardware or simulated."""
        return self.evidence.root.mode

    @property
    def tcb_status(self) -> TcbStatus | None:
        """The vendor's word for the trusted computing base; None for SNP, where the vendor has none."""
        return None if isinstance(self.evidence, AuthenticReport) else self.evidence.tcb.status

    @property
    def checks(self) -> tuple[Check, ...]:
        """Those of the authentication, then those of the policy, in order."""
        return self.evidence.checks + self.judged

    @property
    def evidence_digest(self) -> bytes:
        """SHA-256 of the evidence's signed part, 32 bytes: the PEM text around it can be altered unnoticed."""
        return hashlib.sha256(self.evidence.signed_bytes()).digest()

    @property
    def collateral_digest(self) -> bytes:
        """SHA-256 that names the set of endorsements, 32 bytes."""
        return self.evidence.collateral.digest

    @property
    def policy_digest(self) -> bytes:
        """SHA-256 of the policy's canonical form, 32 bytes."""
        return _digest(self.policy)

    @property
    def claims(self) -> Claims:
        """What the evidence says of itself."""
        return Claims.of(self.evidence)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that denied it, in order."""
        return tuple(check for check in self.judged if not check.holds)

    def require(self) -> Appraisal:
        """Return the appraisal if it was accepted.

        Raises:
            PolicyDenied: Code of the first check that failed, with what it expected and found.
        """
        if self.verdict is Verdict.ACCEPTED:
            return self
        first = self.failed[0]
        raise PolicyDenied(
            first.id, f"policy {self.policy.name}: expected {first.expected}, found {first.actual}", remedy=first.remedy
        )


@lru_cache(maxsize=256)
def _digest(policy: AppraisalPolicy) -> bytes:
    return policy.digest()
