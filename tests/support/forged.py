"""A forged platform as tests vary it, and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from adyton.attest import TrustRoot, TrustRoots
from adyton.forge.platform import (
    FMSPC,
    LEVELS,
    MODULES,
    PCK_SERIAL,
    PLATFORM,
    QE,
    QE_LEVELS,
    TRUST_DOMAIN,
    TRUST_DOMAIN_15,
    VALIDITY,
    ForgedPlatform,
)

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Forged(ForgedPlatform):
    """A forged platform, and the roots that trust it."""

    @property
    def roots(self):
        return TrustRoots.named([self.root_name])

    @property
    def root_name(self):
        return TrustRoot.of(self.vendor.point).name


__all__ = [
    "FMSPC",
    "LEVELS",
    "MODULES",
    "NOW",
    "PCK_SERIAL",
    "PLATFORM",
    "QE",
    "QE_LEVELS",
    "TRUST_DOMAIN",
    "TRUST_DOMAIN_15",
    "VALIDITY",
    "Forged",
]
