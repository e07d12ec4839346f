"""Certificates and revocation lists, as far as evidence needs them: read once, strictly, without a crypto library.

Sources: RFC 5280; Intel SGX PCK Certificate and CRL Profile; AMD 57230 (VCEK certificates). A reader of our own, for
two reasons: AMD numbers every VCEK with serial 0, which general libraries are about to refuse; and an appraisal reads
up to seven certificates, so reading is half of its cost.

Kept here: DER only; the signed part names the signature's own algorithm; version 3; each extension once, and none that
is critical and unknown; times in their one form; nothing is left over.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from adyton.errors import MalformedEvidence
from adyton.formats import der
from adyton.formats.der import Element, Tag

CHAIN_SIZE_CAP: Final = 64 * 1024
_BLOCK: Final = re.compile(rb"-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----")
_SPACE: Final = b" \t\r\n"

_VERSION_3: Final = 2
_SERIAL_CAP: Final = 1 << 160  # 20 bytes (RFC 5280 4.1.2.2)
_UTC_TIME_PIVOT: Final = "50"  # RFC 5280 4.1.2.5.1
_MOMENT_SIZES: Final[dict[int, int]] = {Tag.UTC_TIME: 13, Tag.GENERALIZED_TIME: 15}
_STRINGS: Final[dict[int, str]] = {Tag.UTF8_STRING: "utf-8", Tag.PRINTABLE_STRING: "ascii", Tag.IA5_STRING: "ascii"}

# Contents of object identifiers (RFC 5280 4.1, 4.2, 5.2).
_COMMON_NAME: Final = bytes.fromhex("0603550403")  # with its header
_RELATIVE_NAME_HEAD: Final = 4  # the headers of the SET and the SEQUENCE before it
_KEY_USAGE: Final = bytes.fromhex("551d0f")
_BASIC_CONSTRAINTS: Final = bytes.fromhex("551d13")
_CRL_NUMBER: Final = bytes.fromhex("551d14")
_DELTA_CRL: Final = bytes.fromhex("551d1b")
_ISSUING_POINT: Final = bytes.fromhex("551d1c")
_AUTHORITY_KEY: Final = bytes.fromhex("551d23")
_UNDERSTOOD: Final = frozenset({_KEY_USAGE, _BASIC_CONSTRAINTS})
_KEY_CERT_SIGN: Final = 0x04
_EXTENSIONS_TAG: Final = 0xA3
_CRL_EXTENSIONS_TAG: Final = 0xA0
_VERSION_TAG: Final = 0xA0


@dataclass(frozen=True, slots=True)
class Signed:
    """What a CA signed, and how.

    Attributes:
        content: The signed bytes.
        algorithm: The algorithm identifier, DER.
        signature: The signature's bytes, in the algorithm's own form.
    """

    content: bytes
    algorithm: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that parses; nothing about it is verified.

    Attributes:
        der: All of it.
        signed: What its issuer signed.
        serial: Serial number; AMD's VCEKs all have 0.
        issuer: The issuer's name, DER.
        subject: Its own name, DER.
        common_name: The subject's one common name; empty if there is none, or more than one.
        not_before: From when it is valid, UTC.
        not_after: Until when it is valid, UTC; that second included.
        public_key: SubjectPublicKeyInfo, DER.
        extensions: Values by the content of their object identifiers.
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
    extensions: Mapping[bytes, bytes]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a certificate from DER.

        Raises:
            MalformedEvidence: `der.*`; `x509.certificate` for what DER allows and a certificate does not.
        """
        signed, fields = _open(data, "certificate")
        if len(fields) < 7 or fields[0].tag != _VERSION_TAG:
            raise _malformed("certificate", "expected version 3")
        version, serial, algorithm, issuer, validity, subject, public_key, *rest = fields
        if der.parse(version.content).uint(largest=_VERSION_3) != _VERSION_3:
            raise _malformed("certificate", "expected version 3")
        if algorithm.encoded != signed.algorithm:
            raise _malformed("certificate", "the signature's algorithm differs from the signed one")
        if len(rest) != 1 or rest[0].tag != _EXTENSIONS_TAG:
            raise _malformed("certificate", "expected extensions, and nothing else, after the public key")
        moments = validity.children()
        if len(moments) != 2:
            raise _malformed("certificate", "expected two dates")
        return cls(
            der=data,
            signed=signed,
            serial=serial.uint(largest=_SERIAL_CAP),
            issuer=issuer.encoded,
            subject=subject.encoded,
            common_name=_common_name(subject),
            not_before=_moment(moments[0]),
            not_after=_moment(moments[1]),
            public_key=public_key.encoded,
            extensions=_extensions(der.parse(rest[0].content), understood=_UNDERSTOOD),
        )

    @property
    def may_sign_certificates(self) -> bool:
        """Whether it is a CA's that may sign certificates (basic constraints and key usage, both)."""
        constraints, usage = self.extensions.get(_BASIC_CONSTRAINTS), self.extensions.get(_KEY_USAGE)
        if constraints is None or usage is None:
            return False
        parts, bits = der.parse(constraints).children(), der.parse(usage).expect(Tag.BIT_STRING)
        is_ca = bool(parts) and parts[0].tag == Tag.BOOLEAN and parts[0].boolean()
        return is_ca and len(bits) > 1 and bool(bits[1] & _KEY_CERT_SIGN)


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A revocation list that parses; nothing about it is verified.

    Attributes:
        signed: What its issuer signed.
        issuer: The issuer's name, DER.
        issued: `thisUpdate`, UTC.
        expires: `nextUpdate`, UTC.
        number: Its CRL number.
        entries: The revoked certificates' entries, DER, one after the other.
    """

    signed: Signed
    issuer: bytes
    issued: datetime
    expires: datetime
    number: int
    entries: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a list from DER: complete, numbered, with an end date.

        Raises:
            MalformedEvidence: `der.*`; `x509.crl` for what DER allows and such a list does not.
        """
        signed, fields = _open(data, "crl")
        head, rest = fields[:5], fields[5:]
        if [field.tag for field in head[:3]] != [Tag.INTEGER, Tag.SEQUENCE, Tag.SEQUENCE] or len(head) < 5:
            raise _malformed("crl", "expected version, algorithm, issuer and two dates: a list without an end has none")
        if head[0].uint(largest=1) != 1 or head[1].encoded != signed.algorithm:
            raise _malformed("crl", "expected version 2, and one algorithm")
        entries = rest.pop(0).content if rest and rest[0].tag == Tag.SEQUENCE else b""
        if len(rest) != 1 or rest[0].tag != _CRL_EXTENSIONS_TAG:
            raise _malformed("crl", "expected extensions, and nothing else, at the end")
        extensions = _extensions(der.parse(rest[0].content), understood=frozenset())
        if _AUTHORITY_KEY not in extensions or _CRL_NUMBER not in extensions:
            raise _malformed("crl", "expected an authority key identifier and a number")
        if _DELTA_CRL in extensions or _ISSUING_POINT in extensions:
            raise _malformed("crl", "it covers a part of the certificates only")
        number = der.parse(extensions[_CRL_NUMBER]).uint(largest=_SERIAL_CAP)
        return cls(signed, head[2].encoded, _moment(head[3]), _moment(head[4]), number, entries)

    def revoked_at(self, serial: int) -> datetime | None:
        """Return when a certificate was revoked; None if it is not on the list.

        Raises:
            MalformedEvidence: `x509.crl` if an entry is not one.
        """
        encoded = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
        # A serial has one form in DER, so where its bytes do not occur it cannot be an entry's.
        if encoded not in self.entries:
            return None
        return next((_moment(moment) for found, moment in self._revoked() if found.content == encoded), None)

    def serials(self) -> tuple[int, ...]:
        """Return the serial numbers on the list.

        Raises:
            MalformedEvidence: `x509.crl` if an entry is not one.
        """
        return tuple(serial.uint(largest=_SERIAL_CAP) for serial, _ in self._revoked())

    def _revoked(self) -> Iterator[tuple[Element, Element]]:
        for entry in der.elements(self.entries):
            parts = entry.children()
            if len(parts) < 2 or parts[0].tag != Tag.INTEGER:
                raise _malformed("crl", "expected a serial number and a date in an entry")
            yield parts[0], parts[1]


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


def _open(data: bytes, what: str) -> tuple[Signed, list[Element]]:
    """Return what is signed, and its fields."""
    parts = der.parse(data).children()
    if len(parts) != 3:
        raise _malformed(what, f"expected a signed part, an algorithm and a signature, found {len(parts)} parts")
    content, algorithm, signature = parts
    return Signed(content.encoded, algorithm.encoded, signature.bits()), content.children()


def _extensions(sequence: Element, *, understood: frozenset[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for extension in sequence.children():
        parts = extension.children()
        critical = len(parts) == 3 and parts[1].boolean()
        if len(parts) != 2 and not critical:
            raise _malformed("extension", "expected an identifier, a mark if it is critical, and a value")
        name = parts[0].expect(Tag.OID)
        if name in found or (critical and name not in understood):
            raise _malformed("extension", f"extension {name.hex()} is there twice, or critical and unknown")
        found[name] = parts[-1].expect(Tag.OCTET_STRING)
    return found


def _common_name(name: Element) -> str:
    """Return the one common name, which stands alone in its SET and SEQUENCE."""
    encoded = name.expect(Tag.SEQUENCE)
    at = encoded.find(_COMMON_NAME)
    if at < _RELATIVE_NAME_HEAD or encoded.find(_COMMON_NAME, at + 1) >= 0:
        return ""
    relative = der.elements(encoded[at - _RELATIVE_NAME_HEAD :])[0]
    attribute = der.parse(relative.expect(Tag.SET)).children()
    return text(attribute[1]) if len(attribute) == 2 and attribute[0].encoded == _COMMON_NAME else ""


def text(element: Element) -> str:
    """Return a character string.

    Raises:
        MalformedEvidence: `der.tag` if it is another type; `x509.text` if its bytes are not characters.
    """
    encoding = _STRINGS.get(element.tag)
    if encoding is None:
        raise _malformed("text", f"expected a character string, found tag {element.tag:#04x}")
    try:
        return element.content.decode(encoding)
    except UnicodeDecodeError as error:
        raise _malformed("text", "its bytes are not characters") from error


def _moment(element: Element) -> datetime:
    content = element.content
    if len(content) != _MOMENT_SIZES.get(element.tag) or not content[:-1].isdigit() or content[-1:] != b"Z":
        raise _malformed("time", f"expected a time in UTC to the second, found {content[:20]!r}")
    digits = content.decode("ascii")
    if element.tag == Tag.UTC_TIME:
        digits = ("20" if digits < _UTC_TIME_PIVOT else "19") + digits
    try:
        return datetime.fromisoformat(f"{digits[:8]}T{digits[8:]}")
    except ValueError as error:
        raise _malformed("time", f"expected a time, found {content!r}") from error


def _malformed(suffix: str, found: str) -> MalformedEvidence:
    return MalformedEvidence(
        f"x509.{suffix}", found, remedy="use the certificate or list as its issuer made it, unchanged"
    )
