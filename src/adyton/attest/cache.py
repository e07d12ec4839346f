"""Remembering what was verified, so that the next quote of the same platform costs one signature.

What is remembered does not depend on time: signatures, chains, revocations, levels. Dates are compared anew for every
appraisal. The keys are the exact bytes that were verified, so a changed document, list, certificate or root never meets
an entry of another. An error is never remembered. With or without a cache the results are equal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from adyton.attest.endorsements import Endorsements
from adyton.attest.platform import VerifiedPck
from adyton.attest.result import VerifiedChip, VerifiedPlatform

_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class CacheLimits:
    """How much is remembered.

    Attributes:
        endorsements: Sets of endorsements: one for each platform family in use.
        pcks: Certified keys: one for each machine, TEE and set of endorsements in use.
        platforms: Platforms: one for each of those and its quoting enclave.
        chips: SNP chips: one for each chip, TCB and set of certificates in use.
    """

    endorsements: int = 64
    pcks: int = 4096
    platforms: int = 4096
    chips: int = 4096


class VerificationCache:
    """A bounded memory of verified endorsements and platforms; safe to share between threads."""

    def __init__(self, limits: CacheLimits | None = None) -> None:
        limits = limits or CacheLimits()
        self.endorsements: Memory[Endorsements] = Memory(limits.endorsements)
        self.pcks: Memory[VerifiedPck] = Memory(limits.pcks)
        self.platforms: Memory[VerifiedPlatform] = Memory(limits.platforms)
        self.chips: Memory[VerifiedChip] = Memory(limits.chips)


class Memory(Generic[_V]):
    """Values by key; of more than there is room for, the oldest are forgotten.

    Args:
        size: How many at most.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: dict[Hashable, _V] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def find(self, key: Hashable) -> _V | None:
        """Return the value of a key; None if it is not remembered. It takes no lock: a look-up is one step."""
        return self._values.get(key)

    def get(self, key: Hashable, make: Callable[[], _V]) -> _V:
        """Return the value of a key, and make it first if it is not remembered."""
        value = self._values.get(key)
        if value is None:
            value = make()
            with self._lock:
                self._values[key] = value
                while len(self._values) > self._size:
                    del self._values[next(iter(self._values))]
        return value
