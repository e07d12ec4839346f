"""Reading the vendor's JSON: strict types, exact sizes, one error."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from adyton.errors import MalformedEvidence

_T = TypeVar("_T")
Hex = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-fA-F]{2})*$(?!\n)")]


def decode(data: bytes, kind: type[_T], what: str) -> _T:
    """Read a JSON document.

    Raises:
        MalformedEvidence: `dcap.<what>.format`.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(f"{what}.format", f"this is not {what.replace('_', ' ')}: {error}") from error


def octets(text: str, size: int, code: str) -> bytes:
    """Return bytes of an exact size from hex.

    Raises:
        MalformedEvidence: `dcap.<code>`.
    """
    data = bytes.fromhex(text)
    if len(data) != size:
        raise malformed(code, f"expected {size} bytes in hex, found {len(data)}")
    return data


def malformed(suffix: str, found: str) -> MalformedEvidence:
    """Return (not raise) the error of an endorsement."""
    return MalformedEvidence(
        f"dcap.{suffix}", found, remedy="fetch the collateral again, and keep the signed documents byte for byte"
    )
