"""Conceptual message wrappers (RFC 9999): what kind of message this is, and the message; alone, or several by name.

JSON only. A record is `[media type, base64url, indicator]`; a collection is an object of records by label.

Kept here: known forms only; base64url without padding; no label twice; bounded depth (a collection holds records).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from typing import Annotated, Final, Self, TypeVar

import msgspec

from adyton.errors import MalformedDocument

CMW_SIZE_CAP: Final = 4 * 1024 * 1024
CMW_JSON: Final = "application/cmw+json"
EAT_JWT: Final = "application/eat+jwt"
_T = TypeVar("_T")
_TYPE_KEY: Final = "__cmwc_t"
_MediaType = Annotated[str, msgspec.Meta(pattern=r"^[a-z]+/[a-zA-Z0-9.+-]+(;.*)?$(?!\n)", max_length=300)]


class Indicator(IntFlag):
    """What a message is for (RFC 9999, `cm-type`)."""

    REFERENCE_VALUES = 1 << 0
    ENDORSEMENTS = 1 << 1
    EVIDENCE = 1 << 2
    ATTESTATION_RESULTS = 1 << 3


@dataclass(frozen=True, slots=True)
class CmwRecord:
    """One message.

    Attributes:
        media_type: What kind of message it is.
        value: The message.
        indicator: What it is for; 0 if that is not said.
    """

    media_type: str
    value: bytes
    indicator: int = 0

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a record.

        Raises:
            MalformedDocument: `cmw.size` over 4 MiB; `cmw.invalid`.
        """
        return cls._of(_decode(data, _Record))

    @classmethod
    def _of(cls, record: _Record) -> Self:
        try:
            value = base64.b64decode(record.value + "=" * (-len(record.value) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error) as error:
            raise _malformed("invalid", f"a record's value is not base64url: {error}") from error
        if "=" in record.value:
            raise _malformed("invalid", "a record's value has padding")
        return cls(record.type, value, record.indicator)

    def to_bytes(self) -> bytes:
        """Return the record, JSON."""
        return msgspec.json.encode(self._wire())

    def _wire(self) -> _Record:
        return _Record(self.media_type, base64.urlsafe_b64encode(self.value).decode().rstrip("="), self.indicator)


class _Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, omit_defaults=True):
    type: _MediaType
    value: str
    indicator: Annotated[int, msgspec.Meta(ge=0, le=15)] = 0


def parse_collection(data: bytes) -> Mapping[str, CmwRecord]:
    """Read a collection: records by label; the collection's own type is left out.

    Raises:
        MalformedDocument: `cmw.size` over 4 MiB; `cmw.invalid`.
    """
    found = _decode(data, dict[str, _Record | str])
    records = {label: item for label, item in found.items() if label != _TYPE_KEY}
    if not records or any(isinstance(item, str) for item in records.values()):
        raise _malformed("invalid", "expected a collection of records, and at least one")
    return {label: CmwRecord._of(item) for label, item in records.items() if isinstance(item, _Record)}  # noqa: SLF001


def write_collection(records: Mapping[str, CmwRecord], *, kind: str | None = None) -> bytes:
    """Return a collection, JSON; `kind` is its type: a URI or an object identifier."""
    head = {} if kind is None else {_TYPE_KEY: kind}
    return msgspec.json.encode(head | {label: record._wire() for label, record in records.items()})  # noqa: SLF001


def _decode(data: bytes, kind: type[_T]) -> _T:
    if len(data) > CMW_SIZE_CAP:
        raise _malformed("size", f"a wrapper has at most {CMW_SIZE_CAP} bytes, found {len(data)}")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed("invalid", f"this is not a conceptual message wrapper: {error}") from error


def _malformed(suffix: str, found: str) -> MalformedDocument:
    return MalformedDocument(f"cmw.{suffix}", found, remedy="pass a record or a collection in JSON, as RFC 9999 has it")
