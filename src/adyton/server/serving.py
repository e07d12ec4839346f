"""Running an application on an address until the process is told to end."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from typing import Final

from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.applications import Starlette

from adyton.errors import StateError

_OPEN_ATTEMPTS: Final = 500
_OPEN_PAUSE_S: Final = 0.01


async def serve(
    app: Starlette, host: str, port: int, announce: Callable[[str], None], *, ending: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        app: The application.
        host: Where it listens.
        port: The same.
        announce: Called with the address as soon as connections are accepted.
        ending: Called before requests that are under way are waited for; it makes them end.
    """
    server = Server(app, address=host, port=port, interface=Interfaces.ASGI, log_enabled=False)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    serving = loop.create_task(server.serve())
    await _wait_until_open(host, port)
    announce(f"http://{host}:{port}")
    await ended.wait()
    ending()
    server.stop()  # type: ignore[no-untyped-call]
    await serving


def free_address(listen: str) -> tuple[str, int]:
    """Return the host and port of HOST:PORT; port 0 takes a free one.

    Raises:
        StateError: `server.listen` if nobody can listen there.
    """
    host, _, port = listen.rpartition(":")
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, int(port)))
            address: tuple[str, int] = probe.getsockname()
            return address
    except (OSError, ValueError, OverflowError) as error:
        raise StateError(
            "server.listen",
            f"expected to listen on {listen}: {error}",
            remedy="choose another HOST:PORT; port 0 takes a free one",
        ) from error


async def _wait_until_open(host: str, port: int) -> None:
    for _ in range(_OPEN_ATTEMPTS):
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(_OPEN_PAUSE_S)
        else:
            writer.close()
            return
