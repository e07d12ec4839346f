"""What a coming TCB recovery will change: the same evidence under today's endorsements and under the next ones.

Intel publishes a new evaluation of platforms before verifiers have to use it (`update=early`, or a higher
`tcbEvaluationDataNumber`). So it can be known which platforms will stop being up to date, which versions they lack, and
when: at the earliest when a verifier takes the new endorsements, and at the latest when the old ones expire.

Kept here: both sets are authenticated with the quote, each for a time at which it is in date; nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from adyton.attest.authenticate import authenticate
from adyton.attest.cache import VerificationCache
from adyton.attest.result import AuthenticQuote, Shortfall
from adyton.attest.roots import TrustRoots
from adyton.attest.tcb import NO_MATCHING_LEVEL
from adyton.errors import UntrustedEvidence
from adyton.formats.collateral import Collateral
from adyton.formats.quote import Quote
from adyton.formats.tcb import TcbStatus


@dataclass(frozen=True, slots=True)
class Outlook:
    """A platform under one set of endorsements.

    Attributes:
        status: The TCB status; None if the platform reaches no level.
        evaluation_number: `tcbEvaluationDataNumber`; None if the platform reaches no level.
        advisories: Advisories that apply.
        shortfalls: What keeps it from being up to date.
        missing: In words, what it lacks for any level at all; empty if it reaches one.
    """

    status: TcbStatus | None
    evaluation_number: int | None
    advisories: tuple[str, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What changes for a platform.

    Attributes:
        fmspc: Its family, 6 bytes; None if it reaches no level in either set.
        ppid: Which machine it is, 16 bytes; None if it reaches no level in either set.
        now: Under today's endorsements.
        then: Under the next ones.
        from_time: When the next ones were issued: a verifier can use them from then on.
        until: When today's expire: a verifier has to use newer ones after that.
    """

    fmspc: bytes | None
    ppid: bytes | None
    now: Outlook
    then: Outlook
    from_time: datetime | None
    until: datetime | None

    @property
    def worsens(self) -> bool:
        """Whether the status changes from up to date to anything else, or from a status to none."""
        if self.then.status is None:
            return self.now.status is not None
        return self.now.status is TcbStatus.UP_TO_DATE and self.then.status is not TcbStatus.UP_TO_DATE


def forecast(
    quote: Quote,
    current: Collateral,
    coming: Collateral,
    *,
    roots: TrustRoots,
    now: datetime,
    cache: VerificationCache | None = None,
) -> Forecast:
    """Compare what two sets of endorsements say about a platform.

    Args:
        quote: Evidence from the platform, of any age.
        current: Today's endorsements.
        coming: The next ones.
        roots: The roots of trust that all of it may chain to.
        now: The time that is recorded, with a time zone.
        cache: What was verified before.

    Raises:
        MalformedEvidence: Endorsements are not in their format.
        UntrustedEvidence: The quote or the endorsements are not authentic.
    """
    before, one = _outlook(quote, current, roots, now, cache)
    after, other = _outlook(quote, coming, roots, now, cache)
    known = one or other
    return Forecast(
        fmspc=None if known is None else known.platform.fmspc,
        ppid=None if known is None else known.platform.ppid,
        now=before,
        then=after,
        from_time=None if other is None else _issued(other),
        until=None if one is None else _expires(one),
    )


def _outlook(
    quote: Quote, collateral: Collateral, roots: TrustRoots, now: datetime, cache: VerificationCache | None
) -> tuple[Outlook, AuthenticQuote | None]:
    try:
        found = authenticate(quote, collateral, roots=roots, now=now, cache=cache)
    except UntrustedEvidence as error:
        if error.code != NO_MATCHING_LEVEL:
            raise
        return Outlook(None, None, missing=error.message), None
    tcb = found.tcb
    return Outlook(tcb.status, tcb.evaluation_number, tcb.advisories, tcb.shortfalls), found


def _issued(evidence: AuthenticQuote) -> datetime:
    return max(item.issued for item in evidence.collateral.items if item.name in ("tcb_info", "qe_identity"))


def _expires(evidence: AuthenticQuote) -> datetime:
    return min(item.expires for item in evidence.collateral.items if item.name in ("tcb_info", "qe_identity"))
