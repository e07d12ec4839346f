"""Endorsements from their vendors: fetching what evidence is checked with, and keeping it for when a vendor is away.

An upstream is not trusted. What it gives is verified under the caller's roots before it is kept or handed on, and what
is kept is never replaced by anything older. Relying parties verify it all again: a cache that lies can only deny.
"""

from adyton.endorsements.cache import EndorsementCache, Served
from adyton.endorsements.config import EndorsementConfig
from adyton.endorsements.fetch import Edition, fetch_collateral, fetch_snp
from adyton.endorsements.item import Entry, Facts, Item, Source
from adyton.endorsements.origin import AMD_KDS, INTEL_PCS, Direct, Origin
from adyton.endorsements.request import ItemRequest, Kind, Vendor
from adyton.endorsements.store import ItemStore
from adyton.endorsements.upstream import Address, Upstream

__all__ = [
    "AMD_KDS",
    "INTEL_PCS",
    "Address",
    "Direct",
    "Edition",
    "EndorsementCache",
    "EndorsementConfig",
    "Entry",
    "Facts",
    "Item",
    "ItemRequest",
    "ItemStore",
    "Kind",
    "Origin",
    "Served",
    "Source",
    "Upstream",
    "Vendor",
    "fetch_collateral",
    "fetch_snp",
]
