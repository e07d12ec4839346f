"""The manifest: which cases there are, which answers are right, and what their bytes hash to.

It is committed beside this module as `manifest.json`; a change of any case shows in it. Renew it with
`python -m adyton.conformance.manifest`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from adyton.conformance.case import Case, Expectation
from adyton.conformance.cases import all_cases

PATH: Final = Path(__file__).with_name("manifest.json")


class Entry(msgspec.Struct, frozen=True):
    """One case in the manifest.

    Attributes:
        id: Its name.
        expected: Which answers are right.
        sha256: SHA-256 of the line that a verifier reads, in hex.
    """

    id: str
    expected: Expectation
    sha256: str


def manifest(cases: Iterable[Case]) -> bytes:
    """Return the manifest of cases: JSON, a case a line."""
    lines = (msgspec.json.encode(Entry(case.id, case.expected, case.digest())).decode() for case in cases)
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()


if __name__ == "__main__":
    PATH.write_bytes(manifest(all_cases()))
