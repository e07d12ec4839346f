"""Single flight: of all who want the same item at the same time, one asks for it, and all get its answer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from adyton.endorsements.clock import Clock
from adyton.endorsements.item import Entry
from adyton.endorsements.request import ItemRequest
from adyton.errors import AdytonError


class Flights:
    """The requests that are under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[ItemRequest, Future[Entry]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def join(self, request: ItemRequest) -> tuple[Future[Entry], bool]:
        """Return the flight of a request, and whether the caller has to fly it."""
        with self._lock:
            flight = self._flights.get(request)
            if flight is not None:
                return flight, False
            flight = self._flights[request] = Future()
            return flight, True

    def fly(self, request: ItemRequest, flight: Future[Entry], fetch: Callable[[], Entry]) -> None:
        """Fetch, and give the result or the error to everybody who joined."""
        try:
            flight.set_result(fetch())
        except BaseException as error:
            flight.set_exception(error)
            if not isinstance(error, AdytonError):
                raise
        finally:
            # After the result is set: whoever comes in between joins a flight that has landed, and not a new one.
            with self._lock:
                del self._flights[request]

    def cancel(self, request: ItemRequest) -> None:
        """Give up a flight that nobody will fly."""
        with self._lock:
            self._flights.pop(request).cancel()


class Failures:
    """Failures that are remembered for a while, so that an upstream that is away is not asked by every caller.

    Args:
        life_s: How long one is remembered.
        cap: How many are remembered; the oldest goes first.
        clock: What tells the time.
    """

    def __init__(self, life_s: float, cap: int, clock: Clock) -> None:
        self._life = life_s
        self._cap = cap
        self._clock = clock
        self._lock = threading.Lock()
        self._errors: OrderedDict[ItemRequest, tuple[float, AdytonError]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._errors)

    def remember(self, request: ItemRequest, error: AdytonError) -> None:
        """Remember a failure."""
        with self._lock:
            self._errors[request] = (self._clock.monotonic() + self._life, error)
            self._errors.move_to_end(request)
            while len(self._errors) > self._cap:
                self._errors.popitem(last=False)

    def forget(self, request: ItemRequest) -> None:
        """Forget a failure: it went well."""
        with self._lock:
            self._errors.pop(request, None)

    def find(self, request: ItemRequest) -> AdytonError | None:
        """Return the failure that is remembered, if there is one."""
        with self._lock:
            until, error = self._errors.get(request, (0.0, None))
            if error is not None and self._clock.monotonic() >= until:
                del self._errors[request]
                return None
            return error
