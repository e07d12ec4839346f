"""Where endorsements come from: upstreams, whose answers are verified before anybody sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from adyton.attest.roots import TrustRoots
from adyton.endorsements.answers import Answer, read_answer
from adyton.endorsements.clock import Clock, SystemClock
from adyton.endorsements.item import Entry
from adyton.endorsements.request import ItemRequest, Kind, Vendor
from adyton.endorsements.upstream import Upstream
from adyton.endorsements.verify import verify_item
from adyton.errors import UsageError

INTEL_PCS: Final = "https://api.trustedservices.intel.com"
AMD_KDS: Final = "https://kdsintf.amd.com"
_INTEL_HOST: Final = "api.trustedservices.intel.com"
_INTEL_CERTIFICATES: Final = "https://certificates.trustedservices.intel.com"
_INTEL_ROOT_CRL: Final = "IntelSGXRootCA.der"


class Origin:
    """The upstreams of each vendor, and the roots that their answers have to stand under.

    Args:
        upstreams: One for each vendor that is asked.
        roots: The roots of trust.
        clock: What tells the time.
    """

    def __init__(self, upstreams: Mapping[Vendor, Upstream], roots: TrustRoots, *, clock: Clock | None = None) -> None:
        self._upstreams = dict(upstreams)
        self._roots = roots
        self._clock = clock or SystemClock()
        intel = self._upstreams.get(Vendor.INTEL)
        self._certificates: Upstream | None = None
        if intel is not None and intel.address.host == _INTEL_HOST:
            self._certificates = intel.beside(_INTEL_CERTIFICATES)

    @property
    def roots(self) -> TrustRoots:
        """The roots of trust."""
        return self._roots

    def close(self) -> None:
        """End all connections."""
        for upstream in self._upstreams.values():
            upstream.close()
        if self._certificates is not None:
            self._certificates.close()

    def fetch(self, request: ItemRequest, issuers: bytes) -> Entry:
        """Fetch and verify an item.

        Args:
            request: What to ask for.
            issuers: The certificates of its issuer, PEM, if it does not bring them (`ItemRequest.rests_on`).

        Raises:
            UsageError: `collateral.upstream.none` if no upstream of its vendor is known.
            NotFound, TransportError: Those of `Upstream.get` and `read_answer`.
            MalformedEvidence, UntrustedEvidence: Those of `verify_item`.
        """
        item = read_answer(request, self._ask(request), chain=issuers)
        return Entry(item, verify_item(item, self._roots), self._clock.now())

    def _ask(self, request: ItemRequest) -> Answer:
        if request.kind is Kind.ROOT_CRL and self._certificates is not None:
            # Intel's PCS has no root list of its own: Intel publishes it where the root certificate says.
            return self._certificates.get(replace(request, path=_INTEL_ROOT_CRL))
        upstream = self._upstreams.get(request.vendor)
        if upstream is None:
            raise UsageError(
                "collateral.upstream.none",
                f"expected an upstream for {request.vendor.upper()}'s endorsements, found none",
                remedy="name one: a PCCS or Intel's PCS, AMD's KDS",
            )
        return upstream.get(request)


class Direct:
    """Items straight from their upstreams, each fetched once: for one command, not for a server.

    Args:
        origin: Where they come from.
    """

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._entries: dict[ItemRequest, Entry] = {}

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What was fetched, in order."""
        return tuple(self._entries.values())

    def get(self, request: ItemRequest) -> Entry:
        """Return an item.

        Raises:
            AdytonError: Those of `Origin.fetch`.
        """
        if request not in self._entries:
            below = request.rests_on
            issuers = b"" if below is None else self.get(below).item.issuers
            self._entries[request] = self._origin.fetch(request, issuers)
        return self._entries[request]
