"""The limits of this room: sizes, times and counts, each with its unit in its name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from adyton.errors import UsageError


@dataclass(frozen=True, slots=True)
class EndorsementConfig:
    """What fetching and keeping endorsements may cost.

    Attributes:
        connect_timeout_s: How long a connection may take.
        read_timeout_s: How long an upstream may be silent.
        deadline_s: How long one request may take, its repetitions and waits included.
        body_cap_bytes: The largest answer that is read.
        chain_cap_bytes: The largest issuer chain in a header, percent-encoded.
        attempts: How often a request is sent at most.
        backoff_base_s: The first wait between two attempts, before jitter; it doubles each time.
        backoff_cap_s: The longest such wait.
        retry_after_cap_s: The longest pause that an upstream can ask for.
        kds_interval_s: One request to AMD's KDS in this time; 0 for no limit.
        kds_burst: How many requests to the KDS may follow at once after a silence.
        entries_cap: How many items are kept on disk.
        memory_entries_cap: How many of them are kept verified in memory.
        refresh_life_share: An item is fetched anew when less than this share of its life is left.
        refresh_after_s: An item is fetched anew when it was fetched this long ago, however long it lives.
        refresh_pause_s: The shortest time between two attempts to refresh an item.
        refresh_threads: How many items are refreshed at the same time.
        sweep_interval_s: How often documents and lists that are due are looked for.
        outage_grace_s: How long past its date an item is served while the upstream gives nothing better.
        negative_life_s: How long a failure is remembered.
        negative_entries_cap: How many failures are remembered.
        waiting_requests_cap: How many requests may wait for an upstream; more are refused.
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 15.0
    deadline_s: float = 60.0
    body_cap_bytes: int = 2 * 1024 * 1024
    chain_cap_bytes: int = 64 * 1024
    attempts: int = 4
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 8.0
    retry_after_cap_s: float = 600.0
    kds_interval_s: float = 10.0
    kds_burst: int = 1
    entries_cap: int = 20_000
    memory_entries_cap: int = 2_000
    refresh_life_share: float = 0.5
    refresh_after_s: float = 24 * 3600.0
    refresh_pause_s: float = 300.0
    refresh_threads: int = 2
    sweep_interval_s: float = 300.0
    outage_grace_s: float = 0.0
    negative_life_s: float = 15.0
    negative_entries_cap: int = 1_000
    waiting_requests_cap: int = 64

    def __post_init__(self) -> None:
        negative = [name for name in self.__slots__ if getattr(self, name) < 0]
        zero = [name for name in ("attempts", "kds_burst", "refresh_threads", "entries_cap") if not getattr(self, name)]
        if negative or zero or self.refresh_life_share > 1:
            raise UsageError(
                "collateral.config",
                f"expected limits that can be kept, found {', '.join(negative + zero) or 'refresh_life_share'} out of "
                "range",
                remedy="use positive numbers, and a share of at most 1",
            )

    @property
    def outage_grace(self) -> timedelta:
        """`outage_grace_s` as a duration."""
        return timedelta(seconds=self.outage_grace_s)
