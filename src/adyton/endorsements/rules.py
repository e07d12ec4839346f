"""The rules of time and rollback; each is one function of facts, and does nothing.

1. An item is served until its own date, and past it only for the grace that the operator chose.
2. An item is due to be fetched anew before its life ends, and a long-lived one after a fixed time.
3. An item never goes back: neither its number nor its issue date is lower than what was there before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from adyton.endorsements.config import EndorsementConfig
from adyton.endorsements.item import Facts


@dataclass(frozen=True, slots=True)
class Mark:
    """The newest that was ever kept under a name; it outlives the item.

    Attributes:
        issued: Issue date, UTC.
        number: `tcbEvaluationDataNumber` or CRL number; None for certificates.
    """

    issued: datetime
    number: int | None


def in_date(facts: Facts, now: datetime, *, grace: timedelta = timedelta()) -> bool:
    """Return whether an item may be served: its last second included."""
    return now <= facts.expires + grace


def is_due(facts: Facts, fetched: datetime, now: datetime, config: EndorsementConfig) -> bool:
    """Return whether an item is to be fetched anew."""
    life = facts.expires - facts.issued
    left = facts.expires - now
    return left < life * config.refresh_life_share or now - fetched >= timedelta(seconds=config.refresh_after_s)


def is_rollback(facts: Facts, mark: Mark | None) -> bool:
    """Return whether an item is older than what was there before."""
    if mark is None:
        return False
    lower = facts.number is not None and mark.number is not None and facts.number < mark.number
    return lower or facts.issued < mark.issued
