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
import sys
from pathlib import Path
from typing import Final

import msgspec

from adyton import linux
from adyton.attest import TrustRoots
from adyton.broker import Broker, DirectoryCollateral, RootKey, Store
from adyton.errors import AdytonError, UsageError
from adyton.server.app import create_app
from adyton.server.serving import free_address, serve

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
        host, port = free_address(options.listen)
    except AdytonError as error:
        sys.stdout.buffer.write(msgspec.json.encode({"error": error.report()}) + b"\n")
        return error.exit_code
    asyncio.run(_serve(broker, host, port))
    return 0


async def _serve(broker: Broker, host: str, port: int) -> None:
    await serve(create_app(broker, ISSUER), host, port, _announce, ending=lambda: None)


def _announce(address: str) -> None:
    sys.stdout.buffer.write(msgspec.json.encode({"listening": address}) + b"\n")
    sys.stdout.flush()


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
