"""Fuzz the quote parser: it reads what it writes, or says what is wrong."""

from __future__ import annotations

import contextlib

from harness import main
from seeds import quotes as seeds

from adyton.errors import MalformedEvidence
from adyton.formats.quote import Quote


def one_input(data: bytes) -> None:
    """Parse a quote; what parses is written back as it was."""
    with contextlib.suppress(MalformedEvidence):
        assert Quote.parse(data).to_bytes() == data


if __name__ == "__main__":
    main(one_input, seeds())
