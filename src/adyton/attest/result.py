"""What authentication yields: the quote with everything that is now known to be true about it.

Facts that do not decide authenticity (collateral past its date, a TCB status, a simulated root) are recorded here and
judged by `adyton.policy`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

import msgspec

from adyton.attest.roots import TrustRoot
from adyton.attest.signatures import LoadedKey
from adyton.formats.check import Check, Outcome
from adyton.formats.pck import PckExtension
from adyton.formats.quote import Quote, Tee
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
class Shortfall:
    """A version that is too low for the best level.

    Attributes:
        id: Which, such as `sgx.tcb.component[2]`.
        needs: What the best level asks for.
        has: What the platform has.
        what: What has to be updated, in the vendor's words where it gives any.
    """

    id: str
    needs: int
    has: int
    what: str

    def __str__(self) -> str:
        """Say what is needed, what is there, and what to update."""
        return f"{self.id} needs {self.needs}, has {self.has}; update {self.what}"


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
        shortfalls: What keeps it from being up to date; empty if it is, or if no update would help.
    """

    status: TcbStatus
    date: datetime
    advisories: tuple[str, ...]
    evaluation_number: int
    platform: TcbPart
    qe: TcbPart
    module: TcbPart | None = None
    shortfalls: tuple[Shortfall, ...] = ()


class CollateralItem(msgspec.Struct, frozen=True):
    """One endorsement that was used.

    Attributes:
        name: `pck_chain`, `tcb_info`, `tcb_info_chain`, `qe_identity`, `qe_identity_chain`, `root_crl`, `pck_crl`; for
            SNP `vcek` or `vlek`, `ask` or `asvk`, `ark`, `crl`.
        content: The bytes as received.
        issued: When it begins to be valid, UTC; the latest of a chain's certificates.
        expires: When it ends to be valid, UTC; the earliest of a chain's certificates.
    """

    name: str
    content: bytes
    issued: datetime
    expires: datetime

    @property
    def digest(self) -> bytes:
        """SHA-256 of the bytes as received, 32 bytes."""
        return hashlib.sha256(self.content).digest()


@dataclass(frozen=True)
class CollateralFacts:
    """The endorsements that the authentication stood on.

    Attributes:
        items: Each endorsement, with its dates.
        earliest_issue: The earliest issue time among the items.
        latest_issue: The latest issue time among the items.
        earliest_expiry: The earliest expiry among the items.
        crl_numbers: The number of each revocation list, by its item's name; empty if none was given.
        tcb_info_version: 2 or 3; None for SNP, which has no TCB info.
    """

    items: tuple[CollateralItem, ...]
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
        issued = [item.issued for item in items]
        return cls(
            items=items,
            earliest_issue=min(issued),
            latest_issue=max(issued),
            earliest_expiry=min([item.expires for item in items]),
            crl_numbers=crl_numbers,
            tcb_info_version=tcb_info_version,
        )

    @cached_property
    def digests(self) -> dict[str, bytes]:
        """SHA-256 of each item, by its name."""
        return {item.name: item.digest for item in self.items}

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over the items' names and digests: names the whole set, 32 bytes."""
        named = b"".join(name.encode() + b"\x00" + digest for name, digest in self.digests.items())
        return hashlib.sha256(named).digest()


@dataclass(frozen=True)
class PlatformState:
    """What a platform is worth: the same for every quoting enclave of one version on it.

    Attributes:
        root: The root that platform and endorsements chain to.
        platform: What the PCK certificate says about the machine.
        tcb: State of the trusted computing base.
        collateral: The endorsements, with the PCK chain among them.
    """

    root: TrustRoot
    platform: PckExtension
    tcb: Tcb
    collateral: CollateralFacts

    # Equal states are equal; but what is remembered of one is looked up without reading all of it.
    __hash__ = object.__hash__


@dataclass(frozen=True)
class VerifiedPlatform:
    """A platform that was verified, and what its quotes rest on: the same for every quote of one quoting enclave.

    Attributes:
        key: The quoting enclave's attestation key.
        state: What the platform is worth.
        checks: Every check of endorsements and platform, in order; all passed.
    """

    key: LoadedKey
    state: PlatformState
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class VerifiedChip:
    """An SNP chip that was verified, and what its reports rest on: the same for every report of it at one TCB.

    Attributes:
        key: The key that signs its reports.
        root: The root that the key's certificate chains to.
        platform: What certificate and report agree on.
        collateral: The certificates and the list.
        checks: Every check of them, in order; all passed.
    """

    key: LoadedKey
    root: TrustRoot
    platform: SnpPlatform
    collateral: CollateralFacts
    checks: tuple[Check, ...]

    __hash__ = object.__hash__

    @property
    def state(self) -> VerifiedChip:
        """What the chip is worth: of a chip, all that was verified."""
        return self


@dataclass(frozen=True, slots=True)
class SnpPlatform:
    """An SNP chip, as its certificate and its report agree on it.

    Attributes:
        product: `Milan`, `Genoa` or `Turin`.
        signing_key: VCEK, the chip's own, or VLEK, a cloud provider's.
        reported_tcb: The firmware versions that the key stands for.
        chip_id: The chip's id, 64 bytes or on Turin 8; None with a VLEK.
        csp_id: The cloud provider of a VLEK; None with a VCEK.
    """

    product: str
    signing_key: SigningKey
    reported_tcb: TcbVersion
    chip_id: bytes | None
    csp_id: str | None


@dataclass(frozen=True, slots=True)
class AuthenticQuote:
    """A quote that the hardware, or a simulated platform that the caller trusts, really made.

    Only `adyton.attest.authenticate` makes one.

    Attributes:
        quote: The quote.
        basis: The platform, its endorsements and its root.
        authenticated_at: The time that it was verified for, UTC.
    """

    quote: Quote
    basis: VerifiedPlatform
    authenticated_at: datetime

    @property
    def tee(self) -> Tee:
        """What made it."""
        return self.quote.header.tee

    @property
    def report_data(self) -> bytes:
        """The 64 bytes that the code chose."""
        return self.quote.body.report_data

    @property
    def tcb(self) -> Tcb:
        """State of the trusted computing base."""
        return self.basis.state.tcb

    @property
    def platform(self) -> PckExtension:
        """What the PCK certificate says about the machine."""
        return self.basis.state.platform

    @property
    def collateral(self) -> CollateralFacts:
        """The endorsements used."""
        return self.basis.state.collateral

    @property
    def root(self) -> TrustRoot:
        """The root it chains to: hardware or simulated."""
        return self.basis.state.root

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every check of the authentication, in order; all passed."""
        return (*self.basis.checks, QUOTE_SIGNED)

    def signed_bytes(self) -> bytes:
        """Return what the platform signed."""
        return self.quote.signed_bytes()


@dataclass(frozen=True, slots=True)
class AuthenticReport:
    """An SNP report that the secure processor, or a simulated one that the caller trusts, really made.

    Only `adyton.attest.authenticate_report` makes one.

    Attributes:
        report: The report.
        basis: The chip, its certificates and its root.
        authenticated_at: The time that it was verified for, UTC.
    """

    report: SnpReport
    basis: VerifiedChip
    authenticated_at: datetime

    @property
    def tee(self) -> Tee:
        """What made it."""
        return Tee.SNP

    @property
    def report_data(self) -> bytes:
        """The 64 bytes that the guest chose."""
        return self.report.report_data

    @property
    def platform(self) -> SnpPlatform:
        """The chip."""
        return self.basis.platform

    @property
    def collateral(self) -> CollateralFacts:
        """The certificates used."""
        return self.basis.collateral

    @property
    def root(self) -> TrustRoot:
        """The root it chains to: hardware or simulated."""
        return self.basis.root

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every check of the authentication, in order; all passed."""
        return (*self.basis.checks, REPORT_SIGNED)

    def signed_bytes(self) -> bytes:
        """Return what the chip signed."""
        return self.report.signed_bytes()


QUOTE_SIGNED: Final = Check(
    "dcap.quote.signature",
    Outcome.PASSED,
    "the quote signed by the platform's attestation key",
    "a signature that verifies",
    where="quote signature",
)
REPORT_SIGNED: Final = Check(
    "snp.report.signature",
    Outcome.PASSED,
    "the report signed by the chip's key",
    "a signature that verifies",
    where="report bytes 0 to 671",
)

Authentic = AuthenticQuote | AuthenticReport
"""What a policy appraises."""
