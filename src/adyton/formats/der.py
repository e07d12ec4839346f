"""The one door to the DER decoder (ITU-T X.690): structures are declared, and the library reads them.

The decoder is pyca/cryptography's, in Rust: strict (shortest definite lengths, shortest integers, nothing left over),
and several times as fast as the same rules in Python. Of that library `formats` uses this and nothing else: no key is
loaded and no signature is verified here.

Kept here: every failure is `MalformedEvidence` with code `der.format` or `der.tag`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, TypeVar

from cryptography.hazmat.asn1 import (
    TLV,
    BitString,
    Default,
    Explicit,
    GeneralizedTime,
    SetOf,
    UTCTime,
    decode_der,
    sequence,
)
from cryptography.x509 import ObjectIdentifier

from adyton.errors import MalformedEvidence

__all__ = [
    "TLV",
    "BitString",
    "Default",
    "Explicit",
    "Moment",
    "ObjectIdentifier",
    "Pair",
    "SetOf",
    "Tag",
    "content",
    "decode",
    "element",
    "encoded",
    "sequence",
]

_T = TypeVar("_T")
_LONG_LENGTH: Final = 0x80
_REMEDY: Final = "use the certificate as its issuer made it, unchanged"

Moment = UTCTime | GeneralizedTime


class Tag(IntEnum):
    """The types that certificates and TEE extensions use."""

    BOOLEAN = 0x01
    INTEGER = 0x02
    BIT_STRING = 0x03
    OCTET_STRING = 0x04
    OID = 0x06
    ENUMERATED = 0x0A
    UTF8_STRING = 0x0C
    PRINTABLE_STRING = 0x13
    IA5_STRING = 0x16
    UTC_TIME = 0x17
    GENERALIZED_TIME = 0x18
    SEQUENCE = 0x30
    SET = 0x31


@sequence
class Pair:
    """An identifier and a value of whatever type goes with it."""

    name: ObjectIdentifier
    value: TLV


def decode(kind: type[_T], data: bytes) -> _T:
    """Read one element that is all of `data`.

    Args:
        kind: What it has to be: a class declared with `sequence`, or `int`, `bytes`, `bool`, `TLV`.
        data: DER.

    Raises:
        MalformedEvidence: `der.format` if it is anything else.
    """
    try:
        return decode_der(kind, data)
    except ValueError as error:
        raise _malformed(kind, error) from error


def element(tag: int, content: bytes) -> bytes:
    """Write an element: its tag, the length in its shortest form, the content."""
    size = len(content)
    if size < _LONG_LENGTH:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_LENGTH | len(length))) + length + content


def encoded(value: TLV) -> bytes:
    """Return an element that was read, with its header: DER has one form for it."""
    return element(value.tag_bytes[0], bytes(value.data))


def content(value: TLV, tag: int = Tag.SEQUENCE) -> bytes:
    """Return what an element of a type holds, without its header.

    Raises:
        MalformedEvidence: `der.tag` if it is another type.
    """
    if value.tag_bytes[0] != tag:
        raise MalformedEvidence(
            "der.tag", f"DER: expected tag {tag:#04x}, found {value.tag_bytes.hex()}", remedy=_REMEDY
        )
    return bytes(value.data)


def _malformed(kind: type, error: ValueError) -> MalformedEvidence:
    return MalformedEvidence(
        "der.format",
        f"DER: expected {kind.__name__.strip('_')}, found something else ({error})",
        remedy=_REMEDY,
    )
