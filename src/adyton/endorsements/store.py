"""The items on disk: one SQLite file, in write-ahead mode, bounded.

Kept here: an item and the mark that it sets are written in one transaction; marks outlive their items, so an evicted
item cannot be rolled back either; a row is believed as far as it was written, and whoever reads it verifies it again.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from adyton.endorsements.item import Entry, Facts, Item
from adyton.endorsements.request import ItemRequest, Kind
from adyton.endorsements.rules import Mark, is_rollback
from adyton.errors import StateError

_SCHEMA_VERSION: Final = 1
_BUSY_TIMEOUT_S: Final = 10.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SCHEMA: Final = """
CREATE TABLE item (
  key TEXT PRIMARY KEY, kind TEXT NOT NULL, body BLOB NOT NULL, chain BLOB NOT NULL, tcbm TEXT NOT NULL,
  issued INTEGER NOT NULL, expires INTEGER NOT NULL, number INTEGER, root TEXT NOT NULL, fetched INTEGER NOT NULL
) STRICT;
CREATE INDEX item_by_age ON item (fetched);
CREATE TABLE mark (
  key TEXT NOT NULL, root TEXT NOT NULL, issued INTEGER NOT NULL, number INTEGER, PRIMARY KEY (key, root)
) STRICT;
PRAGMA user_version = 1;
"""
_KEEP: Final = "INSERT OR REPLACE INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_EVICT: Final = """
DELETE FROM item WHERE key IN
  (SELECT key FROM item ORDER BY fetched LIMIT max(0, (SELECT count(*) FROM item) - ?))
"""


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known about a stored item without reading it.

    Attributes:
        request: What it answers.
        facts: What it says about itself.
        fetched: When it was fetched, UTC.
    """

    request: ItemRequest
    facts: Facts
    fetched: datetime


class ItemStore:
    """The items on disk; safe to share between threads.

    Args:
        path: The file; it is made if it is not there. Its folder has to be.
        entries_cap: How many items are kept; the ones that were fetched longest ago go first.

    Raises:
        StateError: `collateral.cache.unusable` if it cannot be used.
    """

    def __init__(self, path: Path, *, entries_cap: int) -> None:
        self._path = path
        self._cap = entries_cap
        self._lock = threading.RLock()
        with self._translated():
            self._database = sqlite3.connect(
                path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
        try:
            self._prepare()
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def load(self, request: ItemRequest) -> Entry | None:
        """Return a stored item, which is to be verified again; None if there is none."""
        query = "SELECT kind, key, issued, expires, number, root, fetched, body, chain, tcbm FROM item WHERE key = ?"
        with self._translated():
            row = self._database.execute(query, (request.key,)).fetchone()
        if row is None or row[0] != request.kind:
            return None
        summary = _summary(row)
        return Entry(Item(request, row[7], row[8], row[9]), summary.facts, summary.fetched)

    def keep(self, entry: Entry) -> bool:
        """Store an item, unless it is older than what was there before; return whether it was stored."""
        key, facts = entry.item.request.key, entry.facts
        with self._transaction():
            mark = self._mark(key, facts.root)
            if is_rollback(facts, mark):
                return False
            self._database.execute(_KEEP, _row(entry))
            mark_row = (key, facts.root, _ticks(facts.issued), facts.number)
            self._database.execute("INSERT OR REPLACE INTO mark VALUES (?, ?, ?, ?)", mark_row)
            self._database.execute(_EVICT, (self._cap,))
            return True

    def drop(self, request: ItemRequest) -> None:
        """Remove an item; its mark stays."""
        with self._transaction():
            self._database.execute("DELETE FROM item WHERE key = ?", (request.key,))

    def summaries(self) -> tuple[Summary, ...]:
        """Return what is stored."""
        query = "SELECT kind, key, issued, expires, number, root, fetched FROM item ORDER BY key"
        with self._translated():
            return tuple(_summary(row) for row in self._database.execute(query).fetchall())

    def _mark(self, key: str, root: str) -> Mark | None:
        """Return the mark under one root: two vendors number their items apart."""
        query = "SELECT issued, number FROM mark WHERE key = ? AND root = ?"
        row = self._database.execute(query, (key, root)).fetchone()
        return None if row is None else Mark(_moment(row[0]), row[1])

    def _prepare(self) -> None:
        with self._translated():
            self._database.execute("PRAGMA journal_mode = WAL").fetchone()
            self._database.execute("PRAGMA synchronous = FULL")
        with self._transaction():
            version = self._database.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    self._database.execute(statement)
            elif version != _SCHEMA_VERSION:
                raise self._unusable(f"schema {_SCHEMA_VERSION}", f"schema {version}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._translated():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except (sqlite3.Error, ValueError, OverflowError) as error:
                raise self._unusable("a usable cache file", str(error)) from error

    def _unusable(self, expected: str, found: str) -> StateError:
        return StateError(
            "collateral.cache.unusable",
            f"expected {expected} in {self._path}, found: {found}",
            remedy="check its folder's space and permissions; the file may be removed, and is then filled anew",
        )


def _row(entry: Entry) -> tuple[str | bytes | int | None, ...]:
    item, facts = entry.item, entry.facts
    dates = (_ticks(facts.issued), _ticks(facts.expires))
    return (
        item.request.key, item.request.kind.value, item.body, item.chain, item.tcbm, *dates, facts.number, facts.root,
        _ticks(entry.fetched),
    )  # fmt: skip


def _summary(row: tuple[str, str, int, int, int | None, str, int]) -> Summary:
    kind, key, issued, expires, number, root, fetched = row[:7]
    facts = Facts(_moment(issued), _moment(expires), root, number)
    return Summary(ItemRequest.of_key(Kind(kind), key), facts, _moment(fetched))


def _ticks(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(ticks: int) -> datetime:
    return _EPOCH + ticks * _MICROSECOND
