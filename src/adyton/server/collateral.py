"""The caching server for endorsements: Intel's PCCS and AMD's KDS, `/metrics` and `/healthz`, over one cache."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adyton.endorsements import EndorsementCache
from adyton.errors import AdytonError
from adyton.server.items import Desk
from adyton.server.kds import kds_routes
from adyton.server.metrics import MEDIA_TYPE, metrics_text
from adyton.server.pccs import pccs_routes

_log: Final = logging.getLogger(__name__)


def create_app(cache: EndorsementCache) -> Starlette:
    """Return the application."""
    desk = Desk(cache)

    async def metrics(_request: Request) -> Response:
        return Response(await run_in_threadpool(metrics_text, cache), media_type=MEDIA_TYPE)

    async def health(_request: Request) -> Response:
        return await run_in_threadpool(_health, cache)

    own = [Route("/metrics", metrics, methods=["GET"]), Route("/healthz", health, methods=["GET"])]
    return Starlette(routes=[*own, *pccs_routes(desk), *kds_routes(desk)], exception_handlers={Exception: _fault})


@contextmanager
def sweeping(cache: EndorsementCache) -> Iterator[None]:
    """Refresh what is due from time to time, in a thread, while the block runs."""
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            try:
                cache.sweep()
            except AdytonError as error:
                _log.warning("the cache could not be looked through: %s", error)
            ended.wait(cache.config.sweep_interval_s)

    thread = threading.Thread(target=work, name="endorsements-sweep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _health(cache: EndorsementCache) -> Response:
    """The server is well while it can serve what it has: an upstream that is away is news, and no fault of it."""
    try:
        items = len(cache.summaries())
    except AdytonError as error:
        return _json({"status": "failed", "error": error.report()}, 503)
    away = {vendor.value: since for vendor, since in cache.counters.counts().away_since.items()}
    return _json({"status": "ok", "items": items, "away_since": away}, 200)


def _json(value: object, status: int) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def _fault(_request: Request, error: Exception) -> Response:
    _log.error("a fault of this server: %s", type(error).__name__)
    return Response("Internal server error occurred.\n", 500, media_type="text/plain")
