"""The cache: what verifiers get when they ask, whether the vendor is there or not.

1. What is not authentic, or not what was asked for, is neither kept nor served (`verify`).
   The same goes for what an issuer signed whose certificate a kept revocation list withdraws.
2. What is older than what was there is refused, and the newer stays (`rules.is_rollback`).
3. What is in date is served without asking anybody (`rules.in_date`).
4. What is due is fetched anew beside that, and in the meantime served (`rules.is_due`).
5. Of all who wait for the same item, one asks (`flights`).
6. While the upstream gives nothing better, an item is served until its date, and past it for the operator's grace only.
7. A failure is remembered for a short while, and so many of them at most.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from adyton.endorsements.clock import Clock, SystemClock
from adyton.endorsements.config import EndorsementConfig
from adyton.endorsements.counters import Counters
from adyton.endorsements.flights import Failures, Flights
from adyton.endorsements.item import Entry
from adyton.endorsements.origin import Origin
from adyton.endorsements.request import ItemRequest
from adyton.endorsements.rules import in_date, is_due
from adyton.endorsements.store import ItemStore, Summary
from adyton.endorsements.verify import verify_item, withdrawn
from adyton.errors import AdytonError, MalformedEvidence, NotFound, TransportError, UntrustedEvidence

_log: Final = logging.getLogger(__name__)
_NO_GRACE: Final = timedelta()


@dataclass(frozen=True, slots=True)
class Served:
    """An item, as it is served.

    Attributes:
        entry: The item.
        stale: Whether it is past its date, and served because nothing better can be had.
    """

    entry: Entry
    stale: bool


class EndorsementCache:
    """A cache before upstreams; safe to share between threads.

    Args:
        origin: Where items come from, verified.
        store: Where they are kept.
        config: The limits.
        clock: What tells the time.
        executor: Where items are refreshed; None for threads of its own.
    """

    def __init__(
        self,
        origin: Origin,
        store: ItemStore,
        config: EndorsementConfig | None = None,
        *,
        clock: Clock | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.config = config or EndorsementConfig()
        self.clock = clock or SystemClock()
        self.counters = Counters()
        self._origin = origin
        self._shelf = _Shelf(origin, store, self.config.memory_entries_cap)
        self._store = store
        self._flights = Flights()
        self._failures = Failures(self.config.negative_life_s, self.config.negative_entries_cap, self.clock)
        self._tried: dict[ItemRequest, float] = {}
        self._executor = executor or ThreadPoolExecutor(self.config.refresh_threads, "endorsements")

    def close(self) -> None:
        """Stop refreshing, and close the file."""
        self._executor.shutdown()  # nothing is cancelled: somebody may wait for what is queued
        self._store.close()

    def get(self, request: ItemRequest) -> Entry:
        """Return an item; see `serve`."""
        return self.serve(request).entry

    def peek(self, request: ItemRequest) -> Served | None:
        """Return an item that is in date without asking anybody; None if there is none.

        Raises:
            StateError: `collateral.cache.unusable`.
        """
        held = self._shelf.find(request)
        if held is None or not in_date(held.facts, self.clock.now()):
            return None
        self.counters.add("hits")
        if is_due(held.facts, held.fetched, self.clock.now(), self.config):
            self._refresh(request)
        return Served(held, stale=False)

    def serve(self, request: ItemRequest) -> Served:
        """Return an item: from the cache if it is in date, else from its upstream, else within the grace.

        Raises:
            NotFound, TransportError: The upstream has no such item, or cannot be had, and nothing is left to serve.
            UntrustedEvidence: What it gave is not authentic, or `collateral.upstream.rollback`; the same holds.
            MalformedEvidence: What it gave is not in its format; the same holds.
            StateError: `collateral.cache.unusable`.
        """
        found = self.peek(request)
        if found is not None:
            return found
        self.counters.add("misses")
        try:
            return Served(self._fetch_once(request), stale=False)
        except (MalformedEvidence, NotFound, TransportError, UntrustedEvidence) as error:
            return self._last_resort(request, error)

    def summaries(self) -> tuple[Summary, ...]:
        """Return what is kept.

        Raises:
            StateError: `collateral.cache.unusable`.
        """
        return self._store.summaries()

    def sweep(self) -> None:
        """Refresh the documents and lists that are due; remove what is past every use."""
        now = self.clock.now()
        self._forget_attempts()
        for summary in self._store.summaries():
            grace = self.config.outage_grace + timedelta(seconds=self.config.refresh_after_s)
            if not in_date(summary.facts, now, grace=grace):
                self._shelf.drop(summary.request)
            elif not summary.request.of_one_machine and is_due(summary.facts, summary.fetched, now, self.config):
                self._refresh(summary.request)

    def _forget_attempts(self) -> None:
        oldest = self.clock.monotonic() - self.config.refresh_pause_s
        for request, tried in tuple(self._tried.items()):
            if tried <= oldest:
                self._tried.pop(request, None)

    def _last_resort(self, request: ItemRequest, error: AdytonError) -> Served:
        """Serve what is past its date within the grace; the default grace is none."""
        held = self._shelf.find(request)
        if held is None or not in_date(held.facts, self.clock.now(), grace=self.config.outage_grace):
            raise error
        self.counters.add("stale")
        _log.warning("%s is served past its date: %s", request.kind, ascii(str(error)))
        return Served(held, stale=True)

    def _fetch_once(self, request: ItemRequest) -> Entry:
        flight, mine = self._flights.join(request)
        if mine:
            self._flights.fly(request, flight, lambda: self._held_or_fetched(request))
        return flight.result()

    def _held_or_fetched(self, request: ItemRequest) -> Entry:
        # Between a caller's look and its flight another flight may have landed.
        held = self._shelf.find(request)
        if held is not None and in_date(held.facts, self.clock.now()):
            return held
        known = self._failures.find(request)
        if known is not None:
            self.counters.add("remembered")
            raise known
        return self._fetch(request)

    def _refresh(self, request: ItemRequest) -> None:
        """Fetch an item anew beside the caller, unless that is under way or was tried a moment ago."""
        now = self.clock.monotonic()
        if now - self._tried.get(request, float("-inf")) < self.config.refresh_pause_s:
            return
        flight, mine = self._flights.join(request)
        if mine:
            self._tried[request] = now
            try:
                self._executor.submit(self._fly_refresh, request, flight)
            except RuntimeError:  # the cache is being closed
                self._flights.cancel(request)

    def _fly_refresh(self, request: ItemRequest, flight: Future[Entry]) -> None:
        self._flights.fly(request, flight, lambda: self._fetch(request))
        if flight.exception() is None:
            self.counters.add("refreshed")

    def _fetch(self, request: ItemRequest) -> Entry:
        try:
            entry = self._take(self._origin.fetch(request, self._issuers(request)))
        except AdytonError as error:
            self.counters.failed(request.vendor, error, self.clock.now())
            self._failures.remember(request, error)
            _log.warning("%s could not be fetched: %s", request.kind, ascii(str(error)))
            raise
        self.counters.answered(request.vendor)
        self._failures.forget(request)
        return entry

    def _issuers(self, request: ItemRequest) -> bytes:
        """Return the certificates of an item's issuer: held ones whatever the date of the item that brought them."""
        below = request.rests_on
        if below is None:
            return b""
        # A refresh does not wait for another refresh, which may stand behind it in the same queue.
        return (self._shelf.find(below) or self.get(below)).item.issuers

    def _take(self, entry: Entry) -> Entry:
        """Keep a verified item that is in date and no rollback."""
        kind = entry.item.request.kind.replace("_", " ")
        if not in_date(entry.facts, self.clock.now(), grace=_NO_GRACE):
            raise TransportError(
                "collateral.upstream.expired",
                f"expected {kind} that is in date, found one that ended {entry.facts.expires:%Y-%m-%dT%H:%M:%SZ}",
                remedy="the upstream is behind: use another, and compare this machine's clock",
            )
        if self._shelf.is_withdrawn(entry):
            raise UntrustedEvidence(
                "collateral.item.revoked",
                f"expected {kind} of an issuer that is not revoked, found one of serial {entry.facts.issuer_serial:x}",
                remedy="the vendor has withdrawn the issuer's certificate: use an upstream that has newer items",
            )
        if not self._shelf.keep(entry):
            self.counters.add("refused_rollbacks")
            raise UntrustedEvidence(
                "collateral.upstream.rollback",
                f"expected {kind} no older than before, found number {entry.facts.number}, issued "
                f"{entry.facts.issued:%Y-%m-%dT%H:%M:%SZ}",
                remedy="the upstream gave an older item than it gave before: use another upstream",
            )
        return entry


class _Shelf:
    """The items that are kept: in memory those that this process verified, on disk all."""

    def __init__(self, origin: Origin, store: ItemStore, memory_cap: int) -> None:
        self._roots = origin.roots
        self._store = store
        self._cap = memory_cap
        self._lock = threading.Lock()
        self._verified: OrderedDict[ItemRequest, Entry] = OrderedDict()

    def find(self, request: ItemRequest) -> Entry | None:
        """Return an item whose issuer is not revoked; one from disk is verified again, since files and roots change."""
        with self._lock:
            entry = self._verified.get(request)
            if entry is not None:
                self._verified.move_to_end(request)
        entry = entry or self._from_disk(request)
        if entry is not None and self.is_withdrawn(entry):
            _log.warning("%s from the cache is of a revoked issuer, and is removed", request.kind)
            self.drop(request)
            return None
        return entry

    def is_withdrawn(self, entry: Entry) -> bool:
        """Return whether a list that is kept withdraws an item's issuer; an old list is good for that too."""
        lists = (self.find(request) for request in entry.item.request.withdrawn_by)
        return any(entry.facts.issuer_serial in withdrawn(found.item.body) for found in lists if found is not None)

    def _from_disk(self, request: ItemRequest) -> Entry | None:
        stored = self._store.load(request)
        if stored is None:
            return None
        try:
            entry = replace(stored, facts=verify_item(stored.item, self._roots))
        except AdytonError as error:
            _log.warning("%s from the cache file is not authentic, and is removed: %s", request.kind, ascii(str(error)))
            self.drop(request)
            return None
        self._remember(entry)
        return entry

    def keep(self, entry: Entry) -> bool:
        """Keep an item, unless it is a rollback; return whether it is kept."""
        kept = self._store.keep(entry)
        if kept:
            self._remember(entry)
        return kept

    def drop(self, request: ItemRequest) -> None:
        """Remove an item."""
        with self._lock:
            self._verified.pop(request, None)
        self._store.drop(request)

    def _remember(self, entry: Entry) -> None:
        with self._lock:
            self._verified[entry.item.request] = entry
            self._verified.move_to_end(entry.item.request)
            while len(self._verified) > self._cap:
                self._verified.popitem(last=False)
