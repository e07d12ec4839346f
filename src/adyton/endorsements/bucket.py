"""Asking no more often than an upstream allows: a token bucket, and the pauses that the upstream itself asks for."""

from __future__ import annotations

import threading

from adyton.endorsements.clock import Clock


class TokenBucket:
    """One request in each interval, and a few at once after a silence.

    Args:
        interval_s: The time in which one token comes; 0 for no limit.
        burst: How many tokens it holds.
        clock: What tells the time.
    """

    def __init__(self, interval_s: float, burst: int, clock: Clock) -> None:
        self._interval = interval_s
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        # The moment at which the bucket would be full again: one number holds its whole state.
        self._full_at = clock.monotonic()
        self._closed_until = clock.monotonic()

    def reserve(self, patience_s: float) -> float | None:
        """Take a token.

        Args:
            patience_s: How long the caller would wait for it.

        Returns:
            The seconds to wait before its use; None, with nothing taken, if that is longer than the caller's patience.
        """
        with self._lock:
            now = self._clock.monotonic()
            # While it is closed nothing happens, so what counts is the moment when it opens again.
            opens_at = max(now, self._closed_until)
            full_at = max(self._full_at, opens_at) + self._interval
            ready_at = max(full_at - self._burst * self._interval, opens_at)
            if ready_at - now > patience_s:
                return None
            self._full_at = full_at
            return ready_at - now

    def close(self, seconds: float) -> None:
        """Give nothing for a while: the upstream said that it is too much."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock.monotonic() + seconds)
