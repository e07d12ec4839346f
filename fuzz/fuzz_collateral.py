"""Fuzz the readers of collateral files, TCB info and QE identity."""

from __future__ import annotations

import contextlib

from harness import main
from seeds import collaterals as seeds

from adyton.errors import MalformedEvidence
from adyton.formats.collateral import Collateral
from adyton.formats.tcb import QeIdentity, TcbInfo


def one_input(data: bytes) -> None:
    """Parse a collateral file, and the bytes as each of its documents."""
    for parse in (Collateral.parse, TcbInfo.parse, QeIdentity.parse):
        with contextlib.suppress(MalformedEvidence):
            parse(data)


if __name__ == "__main__":
    main(one_input, seeds())
