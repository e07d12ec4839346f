"""`python -m adyton.server --state DIR ...`: serve one broker over HTTP, in the foreground.

Prints one JSON line when it accepts connections. A passphrase comes over a descriptor, never as an argument. It ends
with SIGTERM, with SIGINT, and with the process that started it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Final

import msgspec
from granian.constants import Interfaces
from granian.server.embed import Server

from adyton import linux
from adyton.attest import TrustRoots
from adyton.broker import Broker, DirectoryCollateral, RootKey, Store
from adyton.errors import AdytonError, StateError, UsageError
from adyton.server.app import create_app

ISSUER: Final = "adyton"
_PASSPHRASE_CAP: Final = 4096


def main() -> int:
    """Serve until ended."""
    options = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    linux.set_parent_death_signal(signal.SIGTERM)
    linux.set_not_dumpable()
    try:
        broker = _open(options)
        host, port = _free_address(options.listen)
    except AdytonError as error:
        sys.stdout.buffer.write(msgspec.json.encode({"error": error.report()}) + b"\n")
        return error.exit_code
    asyncio.run(_serve(broker, host, port))
    return 0


async def _serve(broker: Broker, host: str, port: int) -> None:
    server = Server(create_app(broker, ISSUER), address=host, port=port, interface=Interfaces.ASGI, log_enabled=False)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    serving = loop.create_task(server.serve())
    await _wait_until_open(host, port)
    sys.stdout.buffer.write(msgspec.json.encode({"listening": f"http://{host}:{port}"}) + b"\n")
    sys.stdout.flush()
    await ended.wait()
    server.stop()  # type: ignore[no-untyped-call]
    await serving


async def _wait_until_open(host: str, port: int) -> None:
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


def _open(options: argparse.Namespace) -> Broker:
    folder: Path = options.state
    root_key = RootKey.open(folder, passphrase=_read_passphrase(options.passphrase_fd))
    broker = Broker(
        Store(folder / "broker.db"),
        root_key,
        DirectoryCollateral(options.collateral),
        roots=TrustRoots.named(options.root),
        issuer=ISSUER,
    )
    for party in sorted((folder / "parties").glob("*.jwk")):
        broker.enroll(party.stem, party.read_bytes())
    return broker


def _read_passphrase(descriptor: int | None) -> bytes | None:
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as file:
        passphrase = file.read(_PASSPHRASE_CAP).rstrip(b"\r\n")
    if not passphrase:
        raise UsageError("up.passphrase", "expected a passphrase, found nothing", remedy="write it into the file")
    return passphrase


def _free_address(listen: str) -> tuple[str, int]:
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


def _arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(prog="python -m adyton.server", description="One broker over HTTP.")
    arguments.add_argument("--state", type=Path, required=True, help="folder of its database and root key")
    arguments.add_argument("--listen", default="127.0.0.1:0", help="HOST:PORT; port 0 takes a free one")
    arguments.add_argument("--collateral", type=Path, action="append", default=[], help="collateral file or folder")
    arguments.add_argument("--root", action="append", default=["intel"], help="root of trust, by name")
    arguments.add_argument("--passphrase-fd", type=int, help="descriptor to read the root key's passphrase from")
    return arguments.parse_args()


if __name__ == "__main__":
    sys.exit(main())
