"""What the cache counts, for metrics."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from adyton.endorsements.request import Vendor
from adyton.errors import AdytonError, NotFound


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts since the start.

    Attributes:
        hits: Items served from the cache, in date.
        misses: Items that had to be asked for.
        stale: Items served past their date, within the grace.
        remembered: Failures answered from memory.
        refreshed: Items fetched anew ahead of time.
        refused_rollbacks: Items refused because they were older than what was there.
        failures: Failures by their code.
        away_since: Since when a vendor's upstream gives nothing; vendors that answer are not in it.
    """

    hits: int
    misses: int
    stale: int
    remembered: int
    refreshed: int
    refused_rollbacks: int
    failures: dict[str, int]
    away_since: dict[Vendor, datetime]


class Counters:
    """Counting; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._away: dict[Vendor, datetime] = {}

    def add(self, name: str) -> None:
        """Count one more of what `Counts` names."""
        with self._lock:
            self._counts[name] += 1

    def failed(self, vendor: Vendor, error: AdytonError, now: datetime) -> None:
        """Count a failure, by its code; an upstream that says that it has no such item is not away."""
        with self._lock:
            self._failures[error.code] += 1
            if not isinstance(error, NotFound):
                self._away.setdefault(vendor, now)

    def answered(self, vendor: Vendor) -> None:
        """Note that a vendor's upstream answers."""
        with self._lock:
            self._away.pop(vendor, None)

    def counts(self) -> Counts:
        """Return the counts."""
        names = ("hits", "misses", "stale", "remembered", "refreshed", "refused_rollbacks")
        with self._lock:
            values = {name: self._counts[name] for name in names}
            return Counts(**values, failures=dict(self._failures), away_since=dict(self._away))
