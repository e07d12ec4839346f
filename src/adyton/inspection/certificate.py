"""The shapes of certificates and revocation lists, with Intel's and AMD's extensions inside (RFC 5280; AMD 57230)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from adyton.attest import TrustRoot
from adyton.attest.signatures import PublicKey
from adyton.errors import MalformedEvidence
from adyton.formats import x509
from adyton.formats.check import Mode
from adyton.formats.der import Tag
from adyton.formats.moment import time_text
from adyton.inspection.der import Shape, by_type, oid_of, walk_der
from adyton.inspection.elements import Element, elements
from adyton.inspection.layout import Shown, Walked
from adyton.inspection.limits import View
from adyton.inspection.oids import dotted, oid_name
from adyton.inspection.show import begins, ends

_SGX_TYPES: Final = ("standard", "scalable", "scalable with integrity")
_USAGES: Final = (
    "digital signature", "content commitment", "key encipherment", "data encipherment", "key agreement",
    "certificate signing", "CRL signing", "encipher only",
)  # fmt: skip
_REASONS: Final = {1: "key compromise", 2: "CA compromise", 3: "affiliation changed", 4: "superseded", 5: "cessation"}
_CENTURY_PIVOT: Final = "50"  # RFC 5280 4.1.2.5.1


def _name(element: Element, _view: View) -> Shown:
    try:
        sets = [relative.children(Tag.SET) for relative in element.children()]
        pairs = [attribute.children() for relative in sets for attribute in relative]
        return Shown(", ".join(f"{oid_name(pair[0].content)}={pair[1].text()}" for pair in pairs if len(pair) == 2))
    except MalformedEvidence as error:
        return Shown("not readable", (error.message,))


def _serial(element: Element, _view: View) -> Shown:
    return Shown(f"{int.from_bytes(element.content, 'big', signed=True):#x}")


def _beginning(element: Element, view: View) -> Shown:
    return _dated(element, view, begin=True)


def _end(element: Element, view: View) -> Shown:
    return _dated(element, view, begin=False)


def _dated(element: Element, view: View, *, begin: bool) -> Shown:
    moment = _moment(element)
    if moment is None:
        return Shown("not a time in UTC to the second")
    return Shown(time_text(moment), begins(moment, view) if begin else ends(moment, view))


def _moment(element: Element) -> datetime | None:
    digits = element.content.decode("ascii", "replace")
    if element.tag == Tag.UTC_TIME:
        digits = ("20" if digits < _CENTURY_PIVOT else "19") + digits
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _usage(element: Element, view: View) -> Shown:
    content = element.content
    if element.tag != Tag.BIT_STRING or len(content) < 2:
        return by_type(element, view)
    return Shown(", ".join(name for bit, name in enumerate(_USAGES) if content[1] << bit & 0x80) or "none")


def _reason(element: Element, _view: View) -> Shown:
    return Shown(_REASONS.get(int.from_bytes(element.content, "big"), "another"))


def _sgx_type(element: Element, _view: View) -> Shown:
    value = int.from_bytes(element.content, "big")
    return Shown(_SGX_TYPES[value] if value < len(_SGX_TYPES) else "unknown")


def _quiet(_element: Element, _view: View) -> Shown:
    return Shown()


def _key(element: Element, _view: View) -> Shown:
    key = PublicKey.of(element.encoded)
    return Shown("of a kind that evidence does not use" if key is None else key.kind.value)


_IDENTIFIER: Final = Shape("identifier")
_NAME_PARTS: Final = Shape("relative_name", every=Shape("attribute", (Shape("type"), Shape("value")), show=_quiet))


def _named(name: str) -> Shape:
    return Shape(name, every=_NAME_PARTS, show=_name)


def _algorithm(name: str) -> Shape:
    return Shape(name, (Shape("algorithm_name"), Shape("parameters")), show=_quiet)


def _constraints(element: Element, _view: View) -> Shown:
    return Shown("a CA" if element.content[:3] == b"\x01\x01\xff" else "not a CA")


_SHOWS: Final = {"key usage": _usage, "basic constraints": _constraints, "reason code": _reason, "sgx_type": _sgx_type}


def _pair(content: bytes) -> Shape:
    """A field of Intel's extension: an identifier and a value, which may hold fields of its own."""
    name = oid_name(oid_of(content))
    value = Shape("value", every=_SGX_FIELD, show=_SHOWS.get(name, by_type))
    return Shape(name, (_IDENTIFIER, value), show=_summary)


def _summary(element: Element, view: View) -> Shown:
    """Show what the one value in a small structure says, so that it is seen beside the name."""
    try:
        parts = elements(element.content)
    except MalformedEvidence:
        return Shown()
    simple = [part for part in parts[1:] if not part.tag & 0x20]
    show = _SHOWS.get(oid_name(parts[0].content), by_type) if parts else by_type
    found = [show(part, view).meaning for part in simple]
    return Shown(", ".join(found))


_SGX_FIELD: Final = Shape("field", choose=_pair)


def _extension(content: bytes) -> Shape:
    name = oid_name(oid_of(content))
    inner = Shape("content", show=_SHOWS.get(name, by_type), every=_SGX_FIELD if name == "SGX extension" else None)
    value = Shape("value", (inner,), wraps=name not in ("hardware_id", "csp_id"), show=_quiet)
    return Shape(name, (_IDENTIFIER, Shape("critical", tags=(Tag.BOOLEAN,)), value), show=_oid_only)


def _oid_only(element: Element, _view: View) -> Shown:
    critical = len(element.children()) > 2 if _reads(element) else False
    return Shown(dotted(oid_of(element.content)) + (", critical" if critical else ""))


def _reads(element: Element) -> bool:
    try:
        elements(element.content)
    except MalformedEvidence:
        return False
    return element.tag == Tag.SEQUENCE


_EXTENSIONS: Final = Shape("extensions", every=Shape("extension", choose=_extension), show=_quiet)


def _certificate(element: Element, _view: View) -> Shown:
    """Say whose it is; of one that signs itself, which root its key is."""
    try:
        found = x509.Certificate.parse(element.encoded)
    except MalformedEvidence:
        return Shown()
    words = found.common_name or "no common name"
    if found.issuer != found.subject:
        return Shown(words)
    key = PublicKey.of(found.public_key)
    root = None if key is None else TrustRoot.of(key.data)
    if root is not None and root.mode is Mode.HARDWARE:
        return Shown(f"{words}; the key of root `{root.name}`")
    name = "of a kind that no root has" if root is None else f"`{root.name}`"
    return Shown(words, (f"its root key is no vendor's: simulated or unknown, {name}",))


_VALIDITY: Final = Shape("validity", (Shape("not_before", show=_beginning), Shape("not_after", show=_end)), show=_quiet)
_SIGNED_CERTIFICATE: Final = Shape(
    "tbs_certificate",
    (
        Shape("version", (Shape("number"),), tags=(0xA0,)),
        Shape("serial", show=_serial),
        _algorithm("signature_algorithm"),
        _named("issuer"),
        _VALIDITY,
        _named("subject"),
        Shape("public_key", (_algorithm("algorithm"), Shape("key")), show=_key),
        Shape("extensions", (_EXTENSIONS,), tags=(0xA3,)),
    ),
)
_SIGNATURE: Final = (
    _algorithm("algorithm"),
    Shape("signature", show=lambda _element, _view: Shown("not verified here")),
)
CERTIFICATE: Final = Shape("certificate", (_SIGNED_CERTIFICATE, *_SIGNATURE), show=_certificate)


def _revoked(element: Element, _view: View) -> Shown:
    try:
        count = len(elements(element.content))
    except MalformedEvidence as error:
        return Shown("not readable", (error.message,))
    return Shown(f"{count:,} certificates")


def _list(element: Element, _view: View) -> Shown:
    try:
        found = x509.RevocationList.parse(element.encoded)
        return Shown(f"number {found.number}, {len(found.revoked):,} certificates revoked")
    except MalformedEvidence:
        return Shown()


_TIMES: Final = (Tag.UTC_TIME, Tag.GENERALIZED_TIME)
_ENTRY: Final = Shape(
    "entry", (Shape("serial", show=_serial), Shape("revoked_at", show=_beginning), _EXTENSIONS), show=_quiet
)
_SIGNED_LIST: Final = Shape(
    "tbs_cert_list",
    (
        Shape("version", tags=(Tag.INTEGER,)),
        _algorithm("signature_algorithm"),
        _named("issuer"),
        Shape("this_update", show=_beginning, tags=_TIMES),
        Shape("next_update", show=_end, tags=_TIMES),
        Shape("revoked", every=_ENTRY, show=_revoked, tags=(Tag.SEQUENCE,)),
        Shape("extensions", (_EXTENSIONS,), tags=(0xA0,)),
    ),
)
REVOCATION_LIST: Final = Shape("revocation_list", (_SIGNED_LIST, *_SIGNATURE), show=_list)


def walk_certificate(data: bytes, view: View) -> Walked:
    """Read a certificate, DER."""
    return walk_der(data, CERTIFICATE, view)


def walk_revocation_list(data: bytes, view: View) -> Walked:
    """Read a revocation list, DER."""
    return walk_der(data, REVOCATION_LIST, view)
