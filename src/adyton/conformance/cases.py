"""What a case is, and the list of all of them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from importlib import resources

import msgspec

from adyton.formats.collateral import Collateral
from adyton.formats.snp import SnpEndorsements


class Expected(Enum):
    """What a verifier has to do with a case."""

    ACCEPT = "accept"  # with the status and the advisories that the case names
    REFUSE = "refuse"  # whatever the verifier's policy: it is not authentic
    EITHER = "either"  # sound, and some verifiers refuse such evidence on purpose: accept with the status, or refuse
    DATED = "dated"  # out of date: refuse, or accept and say `"expired": true`


@dataclass(frozen=True, slots=True)
class Case:
    """Evidence, endorsements, a root, a time, and what has to come of it.

    Attributes:
        id: Stable name: its group, and what was tried.
        tee: `sgx`, `tdx` or `snp`.
        evidence: The quote or report.
        endorsements: What it is checked with.
        root: The root certificate that the verifier has to trust, DER.
        now: The time to verify at.
        expected: What a verifier has to do.
        status: The TCB status, for evidence that may be accepted; None for SNP.
        advisories: The advisories, in any order.
        code: The code of this project's error, for evidence that has to be refused; empty if it is no error.
    """

    id: str
    tee: str
    evidence: bytes
    endorsements: Collateral | SnpEndorsements
    root: bytes
    now: datetime
    expected: Expected
    status: str | None = None
    advisories: tuple[str, ...] = ()
    code: str = ""

    def message(self) -> bytes:
        """Return the line that a verifier reads."""
        dcap = isinstance(self.endorsements, Collateral)
        given = {"collateral" if dcap else "endorsements": json.loads(self.endorsements.to_bytes())}
        return msgspec.json.encode(
            {
                "id": self.id,
                "tee": self.tee,
                "quote": base64.b64encode(self.evidence).decode(),
                **given,
                "root": base64.b64encode(self.root).decode(),
                "time": int(self.now.timestamp()),
            }
        )

    def digest(self) -> str:
        """Return the SHA-256 of the line and of what is expected, hex."""
        expectation = f"{self.expected.value} {self.status} {sorted(self.advisories)}".encode()
        return hashlib.sha256(self.message() + b"\n" + expectation).hexdigest()


@cache
def all_cases() -> tuple[Case, ...]:
    """Return every case, in order; forged at the first call, which takes a second or two."""
    # The groups need the class above.
    from adyton.conformance import dcap_forged, dcap_sound, snp_cases  # noqa: PLC0415

    def each() -> Iterator[Case]:
        yield from dcap_sound.cases()
        yield from dcap_forged.cases()
        yield from snp_cases.cases()

    return tuple(each())


def manifest() -> bytes:
    """Return the cases' names, expectations and digests, as they are committed."""
    rows = [
        {"id": case.id, "expected": case.expected.value, "status": case.status, "sha256": case.digest()}
        for case in all_cases()
    ]
    return msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n"


def committed_manifest() -> bytes:
    """Return the manifest that came with this package."""
    return resources.files("adyton.conformance").joinpath("manifest.json").read_bytes()
