"""Certificates and revocation lists, as far as evidence needs them: read once, strictly, without loading a key.

Sources: RFC 5280; Intel SGX PCK Certificate and CRL Profile; AMD 57230 (VCEK certificates). A reader of our own, since
AMD numbers every VCEK with serial 0, which general X.509 libraries are about to refuse.

Kept here: DER only; the signed part names the signature's own algorithm; version 3; each extension once, and none that
is critical and unknown; nothing is left over.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Self

from adyton.errors import MalformedEvidence
from adyton.formats import der
from adyton.formats.der import TLV, BitString, ObjectIdentifier, Tag

CHAIN_SIZE_CAP: Final = 64 * 1024
_BLOCK: Final = re.compile(rb"-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----")
_SPACE: Final = b" \t\r\n"

_VERSION_3: Final = 2
_CRL_VERSION_2: Final = 1
_SERIAL_CAP: Final = 1 << 160  # 20 bytes (RFC 5280 4.1.2.2)
_STRINGS: Final[dict[int, str]] = {Tag.UTF8_STRING: "utf-8", Tag.PRINTABLE_STRING: "ascii", Tag.IA5_STRING: "ascii"}

# RFC 5280 4.2, 5.2.
_KEY_USAGE: Final = ObjectIdentifier("2.5.29.15")
_BASIC_CONSTRAINTS: Final = ObjectIdentifier("2.5.29.19")
_CRL_NUMBER: Final = ObjectIdentifier("2.5.29.20")
_DELTA_CRL: Final = ObjectIdentifier("2.5.29.27")
_ISSUING_POINT: Final = ObjectIdentifier("2.5.29.28")
_AUTHORITY_KEY: Final = ObjectIdentifier("2.5.29.35")
_UNDERSTOOD: Final = frozenset({_KEY_USAGE, _BASIC_CONSTRAINTS})
_COMMON_NAME: Final = bytes.fromhex("0603550403")  # the identifier 2.5.4.3, with its header
_KEY_CERT_SIGN: Final = 0x04


@der.sequence
class _Signed:
    content: TLV
    algorithm: TLV
    signature: BitString


@der.sequence
class _Extension:
    name: ObjectIdentifier
    critical: Annotated[bool, der.Default(value=False)]
    value: bytes


@der.sequence
class _Validity:
    not_before: der.Moment
    not_after: der.Moment


@der.sequence
class _Certificate:
    version: Annotated[int, der.Explicit(0)]
    serial: int
    algorithm: TLV
    issuer: TLV
    validity: _Validity
    subject: TLV
    public_key: TLV
    extensions: Annotated[list[_Extension], der.Explicit(3)]


@der.sequence
class _BasicConstraints:
    ca: Annotated[bool, der.Default(value=False)]
    path_length: int | None


@der.sequence
class _Revoked:
    serial: int
    at: der.Moment
    extensions: list[_Extension] | None


@der.sequence
class _RevocationList:
    version: int
    algorithm: TLV
    issuer: TLV
    issued: der.Moment
    expires: der.Moment
    revoked: list[_Revoked] | None
    extensions: Annotated[list[_Extension], der.Explicit(0)]


@dataclass(frozen=True, slots=True)
class Signed:
    """What a CA signed, and how.

    Attributes:
        content: The signed bytes.
        algorithm: The algorithm identifier: what its SEQUENCE holds, DER.
        signature: The signature's bytes, in the algorithm's own form.
    """

    content: bytes
    algorithm: bytes
    signature: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the three parts of whatever a CA signed.

        Raises:
            MalformedEvidence: `der.format`; `x509.signature` unless the signature is whole bytes.
        """
        parts = der.decode(_Signed, data)
        if parts.signature.padding_bits():
            raise _malformed("signature", "expected a signature of whole bytes")
        return cls(der.encoded(parts.content), der.content(parts.algorithm), parts.signature.as_bytes())


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that parses; nothing about it is verified.

    Attributes:
        der: All of it.
        signed: What its issuer signed.
        serial: Serial number; AMD's VCEKs all have 0.
        issuer: The issuer's name: what its SEQUENCE holds, DER.
        subject: Its own name, in the same form.
        common_name: The subject's one common name; empty if there is none, or more than one.
        not_before: From when it is valid, UTC.
        not_after: Until when it is valid, UTC; that second included.
        public_key: SubjectPublicKeyInfo: what its SEQUENCE holds, DER.
        signs: Whether it is a CA's that may sign certificates (basic constraints and key usage, both).
        extensions: Values by their identifiers.
    """

    der: bytes
    signed: Signed
    serial: int
    issuer: bytes
    subject: bytes
    common_name: str
    not_before: datetime
    not_after: datetime
    public_key: bytes
    signs: bool
    extensions: Mapping[ObjectIdentifier, bytes]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a certificate from DER.

        Raises:
            MalformedEvidence: `der.format`; `x509.certificate` and the like for what DER allows and a certificate does
                not.
        """
        signed = Signed.parse(data)
        fields = der.decode(_Certificate, signed.content)
        if fields.version != _VERSION_3:
            raise _malformed("certificate", "expected version 3")
        if der.content(fields.algorithm) != signed.algorithm:
            raise _malformed("certificate", "the signature's algorithm differs from the signed one")
        subject = der.content(fields.subject)
        extensions = _extensions(fields.extensions, understood=_UNDERSTOOD)
        return cls(
            der=data,
            signed=signed,
            serial=_serial(fields.serial),
            issuer=der.content(fields.issuer),
            subject=subject,
            common_name=_common_name(subject),
            not_before=fields.validity.not_before.as_datetime(),
            not_after=fields.validity.not_after.as_datetime(),
            public_key=der.content(fields.public_key),
            signs=_may_sign_certificates(extensions),
            extensions=extensions,
        )


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A revocation list that parses; nothing about it is verified.

    Attributes:
        signed: What its issuer signed.
        issuer: The issuer's name: what its SEQUENCE holds, DER.
        issued: `thisUpdate`, UTC.
        expires: `nextUpdate`, UTC.
        number: Its CRL number.
        names_key: Whether it names its issuer's key (authority key identifier).
        revoked: When each certificate was revoked, UTC, by its serial number.
    """

    signed: Signed
    issuer: bytes
    issued: datetime
    expires: datetime
    number: int
    names_key: bool
    revoked: Mapping[int, datetime]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a list from DER: complete, numbered, with an end date.

        Raises:
            MalformedEvidence: `der.format`; `x509.crl` and the like for what DER allows and such a list does not.
        """
        signed = Signed.parse(data)
        fields = der.decode(_RevocationList, signed.content)
        if fields.version != _CRL_VERSION_2 or der.content(fields.algorithm) != signed.algorithm:
            raise _malformed("crl", "expected version 2, and one algorithm")
        extensions = _extensions(fields.extensions, understood=frozenset())
        if _CRL_NUMBER not in extensions:
            raise _malformed("crl", "expected a number")
        if _DELTA_CRL in extensions or _ISSUING_POINT in extensions:
            raise _malformed("crl", "it covers a part of the certificates only")
        return cls(
            signed=signed,
            issuer=der.content(fields.issuer),
            issued=fields.issued.as_datetime(),
            expires=fields.expires.as_datetime(),
            number=_serial(der.decode(int, extensions[_CRL_NUMBER])),
            names_key=_AUTHORITY_KEY in extensions,
            revoked={_serial(entry.serial): entry.at.as_datetime() for entry in fields.revoked or ()},
        )


def pem_blocks(pem: bytes) -> tuple[bytes, ...]:
    """Return the certificates of a PEM text, DER, in order.

    Raises:
        MalformedEvidence: `x509.pem` over 64 KiB, or if a block is not base64.
    """
    if len(pem) > CHAIN_SIZE_CAP:
        raise _malformed("pem", f"expected at most {CHAIN_SIZE_CAP} bytes, found {len(pem)}")
    try:
        blocks = [block.translate(None, _SPACE) for block in _BLOCK.findall(pem)]
        return tuple(binascii.a2b_base64(block, strict_mode=True) for block in blocks)
    except binascii.Error as error:
        raise _malformed("pem", f"a certificate is not base64: {error}") from error


def text(value: TLV) -> str:
    """Return a character string.

    Raises:
        MalformedEvidence: `x509.text` if it is another type, or its bytes are not characters.
    """
    encoding = _STRINGS.get(value.tag_bytes[0])
    if encoding is None:
        raise _malformed("text", f"expected a character string, found tag {value.tag_bytes.hex()}")
    try:
        return bytes(value.data).decode(encoding)
    except UnicodeDecodeError as error:
        raise _malformed("text", "its bytes are not characters") from error


def _extensions(
    extensions: Iterable[_Extension], *, understood: frozenset[ObjectIdentifier]
) -> dict[ObjectIdentifier, bytes]:
    found: dict[ObjectIdentifier, bytes] = {}
    for extension in extensions:
        name = extension.name
        if name in found or (extension.critical and name not in understood):
            raise _malformed("extension", f"extension {name.dotted_string} is there twice, or critical and unknown")
        found[name] = extension.value
    return found


def _may_sign_certificates(extensions: Mapping[ObjectIdentifier, bytes]) -> bool:
    constraints, usage = extensions.get(_BASIC_CONSTRAINTS), extensions.get(_KEY_USAGE)
    if constraints is None or usage is None or not der.decode(_BasicConstraints, constraints).ca:
        return False
    bits = der.decode(BitString, usage).as_bytes()
    return bool(bits) and bool(bits[0] & _KEY_CERT_SIGN)


def _common_name(name: bytes) -> str:
    """Return the one common name: the string behind its identifier, in a SEQUENCE of the two."""
    at = name.find(_COMMON_NAME)
    if at < 2 or name.find(_COMMON_NAME, at + 1) >= 0:
        return ""
    return text(der.decode(der.Pair, name[at - 2 : at + name[at - 1]]).value)


def _serial(number: int) -> int:
    if not 0 <= number < _SERIAL_CAP:
        raise _malformed("serial", "expected a number of at most 20 bytes that is not negative")
    return number


def _malformed(suffix: str, found: str) -> MalformedEvidence:
    return MalformedEvidence(
        f"x509.{suffix}", found, remedy="use the certificate or list as its issuer made it, unchanged"
    )
