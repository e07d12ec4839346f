"""Writing certificates and revocation lists (RFC 5280): as a vendor would, or with one thing wrong.

A writer of our own, for three reasons: AMD numbers every VCEK with serial 0, which general libraries refuse; forged
evidence has to be the same bytes on every run; and a test needs what no library would write.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adyton.forge import der
from adyton.forge.keys import Signer
from adyton.formats.der import TLV, BitString, Tag, decode, sequence

COMMON_NAME: Final = "2.5.4.3"
ORGANISATION: Final = "2.5.4.10"
ORGANISATIONAL_UNIT: Final = "2.5.4.11"
COUNTRY: Final = "2.5.4.6"
LOCALITY: Final = "2.5.4.7"
STATE: Final = "2.5.4.8"
_SUBJECT_KEY: Final = "2.5.29.14"
_KEY_USAGE: Final = "2.5.29.15"
_BASIC_CONSTRAINTS: Final = "2.5.29.19"
_CRL_NUMBER: Final = "2.5.29.20"
_CRL_POINT: Final = "2.5.29.31"
_AUTHORITY_KEY: Final = "2.5.29.35"
# Digital signature and non-repudiation; certificate and list signing.
_LEAF_USAGE: Final = (b"\xc0", 6)
_CA_USAGE: Final = (b"\x06", 1)
_KEY_ID: Final = 0x80
_URI: Final = 0x86
_LINE: Final = 64


@dataclass(frozen=True, slots=True)
class Subject:
    """What a certificate is to say.

    Attributes:
        name: The subject's name, DER.
        public_key: SubjectPublicKeyInfo, DER.
        serial: Serial number, 0 included.
        not_before: From when it is valid.
        not_after: Until when it is valid.
        extensions: Its extensions, DER, in order.
    """

    name: bytes
    public_key: bytes
    serial: int
    not_before: datetime
    not_after: datetime
    extensions: Sequence[bytes] = ()


def name(*parts: tuple[str, str]) -> bytes:
    """Return a distinguished name from pairs of an attribute's dotted identifier and its text."""
    return der.sequence(*(_relative(attribute, text) for attribute, text in parts))


def certificate(subject: Subject, issuer: bytes, signer: Signer) -> bytes:
    """Return a certificate of version 3, DER, that an issuer of this name signs."""
    validity = der.sequence(der.moment(subject.not_before), der.moment(subject.not_after))
    content = der.sequence(
        der.explicit(0, der.integer(2)),
        der.integer(subject.serial),
        signer.algorithm,
        issuer,
        validity,
        subject.name,
        subject.public_key,
        der.explicit(3, der.sequence(*subject.extensions)),
    )
    return signed(content, signer)


def revocation_list(
    issuer: bytes, signer: Signer, *, issued: datetime, expires: datetime, number: int, revoked: Iterable[int] = ()
) -> bytes:
    """Return a complete, numbered revocation list, DER."""
    entries = [der.sequence(der.integer(serial), der.moment(issued)) for serial in revoked]
    extensions = (extension(_CRL_NUMBER, der.integer(number)), authority_key(signer.public_key))
    content = der.sequence(
        der.integer(1),
        signer.algorithm,
        issuer,
        der.moment(issued),
        der.moment(expires),
        der.sequence(*entries) if entries else b"",
        der.explicit(0, der.sequence(*extensions)),
    )
    return signed(content, signer)


@sequence
class _PublicKeyInfo:
    algorithm: TLV
    key: BitString


def signed(content: bytes, signer: Signer) -> bytes:
    """Return a signed part with its algorithm and its signature, DER."""
    return der.sequence(content, signer.algorithm, der.bits(signer.sign(content)))


def extension(dotted: str, value: bytes, *, critical: bool = False) -> bytes:
    """Return an extension, DER."""
    mark = der.boolean(value=True) if critical else b""
    return der.sequence(der.identifier(dotted), mark, der.octets(value))


def usual_extensions(public_key: bytes, issuer_key: bytes, *, ca: bool, crl_point: str) -> list[bytes]:
    """Return what Intel's profile has in every certificate."""
    return [
        authority_key(issuer_key),
        distribution_point(crl_point),
        extension(_SUBJECT_KEY, der.octets(key_id(public_key))),
        key_usage(ca=ca),
        extension(_BASIC_CONSTRAINTS, der.sequence(der.boolean(value=True) if ca else b""), critical=True),
    ]


def key_usage(*, ca: bool) -> bytes:
    """Return the extension that says what a key may sign."""
    flags, unused = _CA_USAGE if ca else _LEAF_USAGE
    return extension(_KEY_USAGE, der.bits(flags, unused=unused), critical=True)


def basic_constraints(*, path_length: int | None = None) -> bytes:
    """Return a CA's basic constraints."""
    length = b"" if path_length is None else der.integer(path_length)
    return extension(_BASIC_CONSTRAINTS, der.sequence(der.boolean(value=True), length), critical=True)


def authority_key(public_key: bytes) -> bytes:
    """Return the extension that names the issuer's key."""
    return extension(_AUTHORITY_KEY, der.sequence(der.element(_KEY_ID, key_id(public_key))))


def distribution_point(address: str) -> bytes:
    """Return the extension that says where the revocation list is."""
    names = der.explicit(0, der.explicit(0, der.element(_URI, address.encode("ascii"))))
    return extension(_CRL_POINT, der.sequence(der.sequence(names)))


def key_id(public_key: bytes) -> bytes:
    """Return SHA-1 of a public key's bits: what names a key, and protects nothing (RFC 5280 4.2.1.2)."""
    content = decode(_PublicKeyInfo, public_key).key.as_bytes()
    return hashlib.sha1(content, usedforsecurity=False).digest()


def pem(*certificates: bytes) -> bytes:
    """Return certificates as PEM text."""
    return b"".join(_pem(content) for content in certificates)


def _pem(content: bytes) -> bytes:
    text = base64.b64encode(content)
    lines = (text[at : at + _LINE] + b"\n" for at in range(0, len(text), _LINE))
    return b"-----BEGIN CERTIFICATE-----\n" + b"".join(lines) + b"-----END CERTIFICATE-----\n"


def _relative(attribute: str, text: str) -> bytes:
    value = der.printable(text) if attribute == COUNTRY else der.utf8(text)
    return der.element(Tag.SET, der.sequence(der.identifier(attribute), value))
