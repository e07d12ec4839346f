"""Fuzz the DER reader and the PCK extension's reader."""

from __future__ import annotations

import contextlib

from harness import main
from seeds import PLATFORM

from adyton.errors import MalformedEvidence
from adyton.forge.encode import sgx_extension
from adyton.formats.pck import PckExtension


def seeds() -> list[bytes]:
    """Return a forged extension."""
    return [sgx_extension(PLATFORM)]


def one_input(data: bytes) -> None:
    """Parse a PCK extension; what parses is written back as it was, but for the order of its fields."""
    with contextlib.suppress(MalformedEvidence):
        assert len(sgx_extension(PckExtension.parse(data))) <= len(data) + 4


if __name__ == "__main__":
    main(one_input, seeds())
