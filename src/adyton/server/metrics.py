"""The cache's counts and dates in the Prometheus text format (exposition format 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from adyton.endorsements import EndorsementCache, Vendor
from adyton.endorsements.counters import Counts
from adyton.endorsements.store import Summary

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX: Final = "adyton_collateral"
_DAY_S: Final = 86_400
_COUNTERS: Final = {
    "hits": "Items served from the cache, in date.",
    "misses": "Items that had to be asked for.",
    "stale": "Items served past their date, within the grace.",
    "remembered": "Failures answered from memory.",
    "refreshed": "Items fetched anew ahead of time.",
    "refused_rollbacks": "Items refused because they were older than what was there.",
}


def metrics_text(cache: EndorsementCache) -> str:
    """Return the page."""
    lines = [*_counters(cache.counters.counts()), *_items(cache.summaries(), cache.clock.now())]
    return "".join(f"{line}\n" for line in lines)


def _counters(counts: Counts) -> Iterator[str]:
    for name, meaning in _COUNTERS.items():
        yield from _head(f"{name}_total", "counter", meaning)
        yield f"{_PREFIX}_{name}_total {getattr(counts, name)}"
    yield from _head("failures_total", "counter", "Items that could not be had, by the code of the reason.")
    for code, number in sorted(counts.failures.items()):
        yield f'{_PREFIX}_failures_total{{code="{code}"}} {number}'
    yield from _head("upstream_away", "gauge", "1 while a vendor's upstream gives nothing that can be used.")
    for vendor in Vendor:
        yield f'{_PREFIX}_upstream_away{{vendor="{vendor}"}} {int(vendor in counts.away_since)}'


def _items(summaries: Sequence[Summary], now: datetime) -> Iterator[str]:
    """A machine's certificates are one line of each kind: their names would identify machines, and there are many."""
    shortest: dict[tuple[str, str], float] = {}
    counts: dict[str, int] = {}
    for summary in summaries:
        request = summary.request
        name = (request.kind.value, "" if request.of_one_machine else request.key)
        left = (summary.facts.expires - now).total_seconds() / _DAY_S
        shortest[name] = min(left, shortest.get(name, left))
        counts[request.kind] = counts.get(request.kind, 0) + 1
    yield from _head("items", "gauge", "Items in the cache.")
    for kind, number in sorted(counts.items()):
        yield f'{_PREFIX}_items{{kind="{kind}"}} {number}'
    yield from _head("days_left", "gauge", "Days until an item ends; of machines' certificates, until the first ends.")
    for (kind, item), left in sorted(shortest.items()):
        yield f'{_PREFIX}_days_left{{kind="{kind}",item="{item}"}} {left:.3f}'


def _head(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {_PREFIX}_{name} {meaning}"
    yield f"# TYPE {_PREFIX}_{name} {kind}"
