"""`python -m adyton.simcpu --state DIR --socket PATH`: run the simulated processor in the foreground.

Prints one JSON line when it listens. It ends with SIGTERM, with SIGINT, and with the process that started it.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path

import msgspec

from adyton import linux
from adyton.errors import AdytonError
from adyton.simcpu.daemon import Daemon, Limits
from adyton.simcpu.platform import Platform


def main() -> int:
    """Run until ended."""
    arguments = argparse.ArgumentParser(prog="python -m adyton.simcpu", description="The simulated SGX processor.")
    arguments.add_argument("--state", type=Path, required=True, help="folder of its keys")
    arguments.add_argument("--socket", type=Path, required=True, help="where to listen")
    arguments.add_argument("--epc-size", type=int, default=Limits().epc_size, help="enclave memory in bytes")
    options = arguments.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    linux.set_parent_death_signal(signal.SIGTERM)
    linux.set_not_dumpable()
    try:
        daemon = Daemon(Platform(options.state), options.socket, Limits(epc_size=options.epc_size))
    except AdytonError as error:
        sys.stdout.buffer.write(msgspec.json.encode({"error": error.report()}) + b"\n")
        return error.exit_code
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.close())
    sys.stdout.buffer.write(msgspec.json.encode({"listening": str(options.socket)}) + b"\n")
    sys.stdout.flush()
    daemon.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
