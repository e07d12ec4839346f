"""All cases, made on the spot from seeded keys: the same bytes on every run."""

from __future__ import annotations

from functools import cache

from adyton.conformance.case import Case
from adyton.conformance.cases import chains, dates, documents, quotes, revocation, snp, sound, status

_GROUPS = (sound, status, documents, chains, revocation, quotes, dates, snp)


@cache
def all_cases() -> tuple[Case, ...]:
    """Return every case, in the order in which a verifier meets them."""
    return tuple(case for group in _GROUPS for case in group.cases())
