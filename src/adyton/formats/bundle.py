"""A collateral bundle: the endorsements of many platforms in one file, for machines that fetch nothing.

The bundle says when it was made and for how many days its maker vouches for it to be used. That is a statement and not
a check: what is inside has its own signed dates, and a policy's `maximum_age_days` is what denies.

Kept here: known fields only; each set stays byte for byte as it was put in.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final

import msgspec

from adyton.errors import MalformedDocument
from adyton.formats.policy import API_VERSION

BUNDLE_SIZE_CAP: Final = 64 * 1024 * 1024
_KIND: Final = "CollateralBundle"


class CollateralBundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Endorsements of several platforms.

    Attributes:
        made_at: When it was put together, UTC.
        stale_after_days: For how many days its maker vouches for it.
        collateral: Collateral files, for SGX and TDX.
        endorsements: Endorsements files, for SEV-SNP.
    """

    made_at: Annotated[datetime, msgspec.Meta(tz=True)]
    stale_after_days: Annotated[int, msgspec.Meta(ge=1)]
    collateral: tuple[msgspec.Raw, ...] = ()
    endorsements: tuple[msgspec.Raw, ...] = ()
    api_version: str = API_VERSION
    kind: str = _KIND

    @classmethod
    def parse(cls, data: bytes) -> CollateralBundle:
        """Read a bundle.

        Raises:
            MalformedDocument: `bundle.size` over 64 MiB; `bundle.invalid`.
        """
        if len(data) > BUNDLE_SIZE_CAP:
            raise _malformed("size", f"a bundle has at most {BUNDLE_SIZE_CAP} bytes, found {len(data)}")
        try:
            bundle = msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _malformed("invalid", f"this is not a collateral bundle: {error}") from error
        if (bundle.api_version, bundle.kind) != (API_VERSION, _KIND):
            raise _malformed("invalid", f"expected {_KIND} of {API_VERSION}")
        return bundle

    def to_bytes(self) -> bytes:
        """Return the document."""
        return msgspec.json.encode(self)

    @property
    def stale_at(self) -> datetime:
        """Until when its maker vouches for it, UTC."""
        return self.made_at + timedelta(days=self.stale_after_days)


def is_bundle(data: bytes) -> bool:
    """Return whether a file says that it is a bundle."""
    try:
        return msgspec.json.decode(data, type=_Kind).kind == _KIND
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


class _Kind(msgspec.Struct, frozen=True):
    kind: str = ""


def _malformed(suffix: str, found: str) -> MalformedDocument:
    return MalformedDocument(f"bundle.{suffix}", found, remedy="make it with `adyton collateral bundle`")
