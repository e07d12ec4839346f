"""What authentication yields: the quote with everything that is now known to be true about it.

Facts that do not decide authenticity (collateral past its date, a TCB status, a simulated root) are recorded here and
judged by `adyton.policy`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from adyton.attest.roots import TrustRoot
from adyton.attest.signatures import LoadedKey
from adyton.formats.check import Check
from adyton.formats.pck import PckExtension
from adyton.formats.quote import Quote
from adyton.formats.snp import SigningKey, SnpReport, TcbVersion
from adyton.formats.tcb import TcbStatus


@dataclass(frozen=True, slots=True)
class TcbPart:
    """One part's level: the platform's, the TDX module's or the quoting enclave's.

    Attributes:
        status: The matching level's status.
        date: The matching level's TCB date, UTC.
        advisories: Intel security advisories that the level names, in the order given.
    """

    status: TcbStatus
    date: datetime
    advisories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tcb:
    """The trusted computing base as a whole: the parts and what they converge to.

    Attributes:
        status: The converged status (Intel QVL `EvaluateTcb.cpp`).
        date: The earliest of the parts' dates.
        advisories: Those of the platform, the quoting enclave and the module, each once.
        evaluation_number: The lower `tcbEvaluationDataNumber` of TCB info and QE identity.
        platform: The platform's level.
        qe: The quoting enclave's level.
        module: The TDX module's level; None for SGX, and where TCB info has no identity for it.
    """

    status: TcbStatus
    date: datetime
    advisories: tuple[str, ...]
    evaluation_number: int
    platform: TcbPart
    qe: TcbPart
    module: TcbPart | None = None


@dataclass(frozen=True, slots=True)
class CollateralItem:
    """One endorsement that was used.

    Attributes:
        name: `pck_chain`, `tcb_info`, `tcb_info_chain`, `qe_identity`, `qe_identity_chain`, `root_crl`, `pck_crl`; for
            SNP `vcek` or `vlek`, `ask` or `asvk`, `ark`, `crl`.
        digest: SHA-256 of the bytes as received, 32 bytes.
        issued: When it begins to be valid, UTC; the latest of a chain's certificates.
        expires: When it ends to be valid, UTC; the earliest of a chain's certificates.
    """

    name: str
    digest: bytes
    issued: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class CollateralFacts:
    """The endorsements that the authentication stood on.

    Attributes:
        items: Each endorsement, with its digest and its dates.
        digest: SHA-256 over the items' names and digests: names the whole set.
        earliest_issue: The earliest issue time among the items.
        latest_issue: The latest issue time among the items.
        earliest_expiry: The earliest expiry among the items.
        crl_numbers: The number of each revocation list, by its item's name; empty if none was given.
        tcb_info_version: 2 or 3; None for SNP, which has no TCB info.
    """

    items: tuple[CollateralItem, ...]
    digest: bytes
    earliest_issue: datetime
    latest_issue: datetime
    earliest_expiry: datetime
    crl_numbers: tuple[tuple[str, int], ...] = ()
    tcb_info_version: int | None = None

    @classmethod
    def of(
        cls,
        items: tuple[CollateralItem, ...],
        *,
        crl_numbers: tuple[tuple[str, int], ...],
        tcb_info_version: int | None = None,
    ) -> CollateralFacts:
        """Sum endorsements up."""
        named = b"".join(item.name.encode() + b"\x00" + item.digest for item in items)
        return cls(
            items=items,
            digest=hashlib.sha256(named).digest(),
            earliest_issue=min(item.issued for item in items),
            latest_issue=max(item.issued for item in items),
            earliest_expiry=min(item.expires for item in items),
            crl_numbers=crl_numbers,
            tcb_info_version=tcb_info_version,
        )


@dataclass(frozen=True, slots=True)
class AuthenticQuote:
    """A quote that the hardware, or a simulated platform that the caller trusts, really made.

    Only `adyton.attest.authenticate` makes one.

    Attributes:
        quote: The quote.
        tcb: State of the trusted computing base.
        platform: What the PCK certificate says about the machine.
        collateral: The endorsements used.
        root: The root it chains to: hardware or simulated.
        authenticated_at: The time that it was verified for, UTC.
        checks: Every check of the authentication, in order; all passed.
    """

    quote: Quote
    tcb: Tcb
    platform: PckExtension
    collateral: CollateralFacts
    root: TrustRoot
    authenticated_at: datetime
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class SnpPlatform:
    """An SNP chip, as its certificate and its report agree on it.

    Attributes:
        root: The root it chains to.
        product: `Milan`, `Genoa` or `Turin`.
        signing_key: VCEK, the chip's own, or VLEK, a cloud provider's.
        reported_tcb: The firmware versions that the key stands for.
        chip_id: The chip's id, 64 bytes or on Turin 8; None with a VLEK.
        csp_id: The cloud provider of a VLEK; None with a VCEK.
    """

    root: TrustRoot
    product: str
    signing_key: SigningKey
    reported_tcb: TcbVersion
    chip_id: bytes | None
    csp_id: str | None


@dataclass(frozen=True, slots=True)
class VerifiedChip:
    """A chip that was verified, and what its reports rest on.

    Attributes:
        key: The key that signs its reports.
        platform: What certificate and report agree on.
        collateral: The certificates and the list.
        checks: Every check of them, in order; all passed.
    """

    key: LoadedKey
    platform: SnpPlatform
    collateral: CollateralFacts
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class AuthenticReport:
    """An SNP report that the secure processor, or a simulated one that the caller trusts, really made.

    Only `adyton.attest.authenticate_report` makes one.

    Attributes:
        report: The report.
        platform: The chip.
        collateral: The certificates used.
        root: The root it chains to: hardware or simulated.
        authenticated_at: The time that it was verified for, UTC.
        checks: Every check of the authentication, in order; all passed.
    """

    report: SnpReport
    platform: SnpPlatform
    collateral: CollateralFacts
    root: TrustRoot
    authenticated_at: datetime
    checks: tuple[Check, ...]


Authentic = AuthenticQuote | AuthenticReport
"""What a policy appraises."""
