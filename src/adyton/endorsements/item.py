"""An endorsement as it is kept: its bytes, its issuer's chain, and what is known about it once it was verified."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from adyton.endorsements.request import ItemRequest


@dataclass(frozen=True, slots=True)
class Item:
    """An endorsement.

    Attributes:
        request: What was asked for.
        body: Signed documents as the JSON object that holds them and their signature; revocation lists and VCEKs as
            DER; PCK certificates and AMD's chains as PEM.
        chain: Its issuer's certificates, PEM, issuer first, root last; empty where the body is a chain itself.
        tcbm: CPUSVN and PCESVN that a PCK certificate is for, 36 hex digits; else empty.
    """

    request: ItemRequest
    body: bytes
    chain: bytes = b""
    tcbm: str = ""

    @property
    def issuers(self) -> bytes:
        """The certificates of whoever issues what rests on this item, PEM, root last."""
        return self.chain or self.body


@dataclass(frozen=True, slots=True)
class Facts:
    """What a verified item says about itself.

    Attributes:
        issued: Issue date, UTC.
        expires: Until when it is valid, UTC.
        root: The root that it stands under, by name.
        number: `tcbEvaluationDataNumber` or CRL number; None for certificates.
        issuer_serial: Serial of its issuer's certificate, which the root's revocation list can withdraw.
    """

    issued: datetime
    expires: datetime
    root: str
    number: int | None = None
    issuer_serial: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A verified item.

    Attributes:
        item: The item.
        facts: What it says about itself.
        fetched: When it was fetched, UTC.
    """

    item: Item
    facts: Facts
    fetched: datetime


class Source(Protocol):
    """Whatever gives verified items: an upstream, or a cache before it."""

    def get(self, request: ItemRequest) -> Entry:
        """Return an item.

        Raises:
            AdytonError: It cannot be had, or what was given is not authentic.
        """
        ...
