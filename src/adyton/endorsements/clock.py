"""Time as an argument: what the date is, how long something takes, and waiting."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A clock; tests bring one of their own."""

    def now(self) -> datetime:
        """Return the time, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock; `wake` ends every wait, at once and from then on, so that a server can end."""

    def __init__(self) -> None:
        self._woken = threading.Event()

    def now(self) -> datetime:
        """Return the time, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._woken.wait(seconds)

    def wake(self) -> None:
        """Let nobody wait any longer."""
        self._woken.set()
