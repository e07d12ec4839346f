"""Serving endorsements over HTTP: from a request to an item, and from an error to a status.

What is in the cache is answered by threads of its own, so that requests that wait for an upstream never stand before
those that need none.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Final

import anyio.to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adyton.endorsements import EndorsementCache, Entry, ItemRequest, Served
from adyton.errors import AdytonError, NotFound, StateError, TransportError, UsageError

STALE: Final = '110 - "Response is Stale"'
_RETRY_AFTER_S: Final = "10"
_HEX: Final = re.compile("(?:[0-9a-fA-F]{2})*")
_BUSY: Final = frozenset({"collateral.upstream.rate_limited", "collateral.server.busy"})

Read = Callable[[Request], ItemRequest]
Respond = Callable[[Request, Entry], Response]


class Desk:
    """Where requests are served.

    Args:
        cache: What serves them.
    """

    def __init__(self, cache: EndorsementCache) -> None:
        self._cache = cache
        self._cap = cache.config.waiting_requests_cap
        self._limiter: anyio.CapacityLimiter | None = None
        self._waiting: dict[ItemRequest, asyncio.Task[Served]] = {}

    async def serve(self, request: ItemRequest) -> Served:
        """Return an item.

        Raises:
            TransportError: `collateral.server.busy` if too many items are waited for already.
            AdytonError: Those of the cache.
        """
        found = await run_in_threadpool(self._cache.peek, request)
        if found is not None:
            return found
        # All who want the same item wait for the same task; one that goes away does not take it from the others.
        return await asyncio.shield(self._waiting.get(request) or self._ask(request))

    def _ask(self, request: ItemRequest) -> asyncio.Task[Served]:
        if len(self._waiting) >= self._cap:
            raise TransportError(
                "collateral.server.busy",
                f"expected at most {self._cap} items that an upstream is asked for at the same time",
                remedy="try again later; see whether the upstream answers",
            )
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._cap)
        work = anyio.to_thread.run_sync(self._cache.serve, request, limiter=self._limiter)
        task = self._waiting[request] = asyncio.ensure_future(work)
        task.add_done_callback(lambda done: self._landed(request, done))
        return task

    def _landed(self, request: ItemRequest, task: asyncio.Task[Served]) -> None:
        del self._waiting[request]
        if not task.cancelled():
            task.exception()  # it is known to whoever still waits, and is no news to the event loop


def item_route(desk: Desk, path: str, read: Read, respond: Respond, statuses: Mapping[str, int]) -> Route:
    """Return a route that serves items.

    Args:
        desk: Where they are served.
        path: The route's path.
        read: Reads the request; raises UsageError for what it does not understand.
        respond: Makes the response.
        statuses: HTTP statuses that differ from the usual ones, by error code.
    """

    async def endpoint(request: Request) -> Response:
        try:
            served = await desk.serve(read(request))
            response = respond(request, served.entry)
        except AdytonError as error:
            response = _refusal(error, statuses)
        else:
            if served.stale:
                response.headers["Warning"] = STALE
        response.headers["Request-ID"] = secrets.token_hex(16)
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return Route(path, endpoint, methods=["GET"])


def parameter(request: Request, name: str, default: str = "") -> str:
    """Return a query parameter.

    Raises:
        UsageError: `collateral.request` if it is there more than once: two readers could take two different ones.
    """
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise bad_parameter(name, "expected it once")
    return values[0] if values else default


def hex_parameter(request: Request, name: str) -> bytes:
    """Return a query parameter that is hex; empty if it is not there.

    Raises:
        UsageError: `collateral.request`.
    """
    return hex_bytes(parameter(request, name), name)


def hex_bytes(text: str, name: str) -> bytes:
    """Return bytes from hex without spaces.

    Raises:
        UsageError: `collateral.request`.
    """
    if not _HEX.fullmatch(text):
        raise bad_parameter(name, "expected hex")
    return bytes.fromhex(text)


def number_parameter(request: Request, name: str, *, below: int) -> int | None:
    """Return a query parameter that is a decimal number; None if it is not there.

    Raises:
        UsageError: `collateral.request`.
    """
    text = parameter(request, name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) < below):
        raise bad_parameter(name, f"expected a number below {below}")
    return int(text)


def bad_parameter(name: str, expected: str) -> UsageError:
    """Return (not raise) the error of a parameter."""
    return UsageError("collateral.request", f"{name}: {expected}", remedy="see the vendor's API for its parameters")


def _refusal(error: AdytonError, statuses: Mapping[str, int]) -> Response:
    status = statuses.get(error.code) or _status(error)
    text = f"{_SENTENCES[status]}\n{error.code}: {error.message}\n{error.remedy}\n"
    response = Response(text, status, media_type="text/plain", headers={"Adyton-Error": error.code})
    if status in (429, 503):
        response.headers["Retry-After"] = _RETRY_AFTER_S
    return response


def _status(error: AdytonError) -> int:
    if error.code in _BUSY:
        return 503
    if isinstance(error, UsageError):
        # No upstream for this vendor is the operator's doing, and not the caller's.
        return 400 if error.code == "collateral.request" else 404
    if isinstance(error, NotFound):
        return 404
    return 500 if isinstance(error, StateError) else 502


# The words that Intel's PCCS uses.
_SENTENCES: Final = {
    400: "Invalid request parameters.",
    404: "No cache data for this platform.",
    429: "Too many requests.",
    461: "The platform was not found in the cache.",
    500: "Internal server error occurred.",
    502: "Unable to retrieve the collateral from the vendor.",
    503: "Server is currently unable to process the request.",
}
