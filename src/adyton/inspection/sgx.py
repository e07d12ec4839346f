"""The tables of SGX: report body, SIGSTRUCT, enclave image (Intel SDM Vol. 3D; the parsers name its tables)."""

from __future__ import annotations

import hashlib
from typing import Final

from adyton.formats.image import PAGE_R, PAGE_REGULAR, PAGE_RW, PAGE_RX, PAGE_SIZE, PAGE_TCS
from adyton.formats.public_signers import where_public
from adyton.formats.sgx import REPORT_BODY_SIZE, AttributeFlags
from adyton.formats.sigstruct import KEY_SIZE
from adyton.inspection.layout import Field, Layout, Shown, Values
from adyton.inspection.limits import View
from adyton.inspection.show import bits, constant, note, number, public_signer, reserved, set_bytes, signer, versions

_DEBUG: Final[dict[int, str]] = {AttributeFlags.DEBUG: "a debug enclave: its host can read and write its memory"}
_NOT_STARTED: Final[dict[int, str]] = {AttributeFlags.INIT: "INIT is not set: this enclave was never initialised"}
_KSS: Final = "zero without KSS"

ATTRIBUTES: Final[Layout] = (
    Field("flags", 8, bits(AttributeFlags, danger=_DEBUG)),
    Field("xfrm", 8, note("extended processor features, as XCR0")),
)
_REPORTED_ATTRIBUTES: Final[Layout] = (
    Field("flags", 8, bits(AttributeFlags, danger=_DEBUG, missing=_NOT_STARTED)),
    ATTRIBUTES[1],
)

REPORT_BODY: Final[Layout] = (
    Field("cpu_svn", 16, versions),
    Field("misc_select", 4, note("extended features of the state save area")),
    reserved("reserved1", 12),
    Field("isv_ext_prod_id", 16, set_bytes("extended product id", _KSS)),
    Field("attributes", 16, parts=_REPORTED_ATTRIBUTES),
    Field("mr_enclave", 32, note("measurement of the enclave's pages, SHA-256")),
    reserved("reserved2", 32),
    Field("mr_signer", 32, signer),
    reserved("reserved3", 32),
    Field("config_id", 64, set_bytes("chosen at launch", _KSS)),
    Field("isv_prod_id", 2, number()),
    Field("isv_svn", 2, number()),
    Field("config_svn", 2, number()),
    reserved("reserved4", 42),
    Field("isv_family_id", 16, set_bytes("product family", _KSS)),
    Field("report_data", 64, set_bytes("64 bytes that the enclave chose", "the enclave chose zeros: nothing is bound")),
)


def report_body(name: str, meaning: str) -> Field:
    """Return the field of a report body."""
    return Field(name, REPORT_BODY_SIZE, note(meaning), REPORT_BODY)


def _date(raw: bytes, _values: Values, _view: View) -> Shown:
    digits = raw[::-1].hex()
    return Shown(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}, binary coded decimal")


def _modulus(raw: bytes, _values: Values, _view: View) -> Shown:
    mr_signer = hashlib.sha256(raw).digest()
    where = where_public(mr_signer)
    return Shown(f"mr_signer {mr_signer.hex()}", () if where is None else (public_signer(where),))


def _attribute_mask(raw: bytes, _values: Values, _view: View) -> Shown:
    fixed = int.from_bytes(raw, "little") & AttributeFlags.DEBUG
    return Shown(
        "DEBUG has to be as signed" if fixed else "",
        () if fixed else ("DEBUG is not in the mask: whoever launches this enclave can make it a debug one",),
    )


SIGSTRUCT: Final[Layout] = (
    Field("header", 12, constant(bytes.fromhex("06000000e100000000000100"), "a SIGSTRUCT")),
    Field("type", 4, number()),
    Field("vendor", 4, set_bytes("0x8086 is Intel", "not Intel's")),
    Field("date", 4, _date),
    Field("header2", 16, constant(bytes.fromhex("01010000600000006000000001000000"), "sizes of the key")),
    Field("software_defined", 4, number()),
    reserved("reserved1", 84),
    Field("modulus", KEY_SIZE, _modulus),
    Field("exponent", 4, constant(b"\x03\x00\x00\x00", "3")),
    Field("signature", KEY_SIZE, note("RSA-3072 with SHA-256; not verified here")),
    Field("misc_select", 4, note("extended features that the enclave is to have")),
    Field("misc_mask", 4, note("which of them have to be as signed")),
    reserved("reserved2", 4),
    Field("isv_family_id", 16, set_bytes("product family", _KSS)),
    Field("attributes", 16, parts=ATTRIBUTES),
    Field("attribute_mask", 16, _attribute_mask),
    Field("enclave_hash", 32, note("mr_enclave of the enclave that was signed")),
    reserved("reserved3", 16),
    Field("isv_ext_prod_id", 16, set_bytes("extended product id", _KSS)),
    Field("isv_prod_id", 2, number()),
    Field("isv_svn", 2, number()),
    reserved("reserved4", 12),
    Field("q1", KEY_SIZE, note("helper of the processor's arithmetic")),
    Field("q2", KEY_SIZE, note("helper of the processor's arithmetic")),
)

_PAGE_KINDS: Final = {
    PAGE_TCS: "thread control structure",
    PAGE_REGULAR | PAGE_R: "regular, read",
    PAGE_REGULAR | PAGE_RW: "regular, read and write",
    PAGE_REGULAR | PAGE_RX: "regular, read and execute",
}
_CHUNKS_SIZE: Final = PAGE_SIZE // 256 * (64 + 256)


def _page_flags(raw: bytes, _values: Values, _view: View) -> Shown:
    return Shown(_PAGE_KINDS.get(int.from_bytes(raw, "little"), "another combination of permissions and type"))


def _chunks(raw: bytes, values: Values, _view: View) -> Shown:
    offset = values["page_offset"]
    for number_, at in enumerate(range(0, len(raw), 320)):
        expected = b"EEXTEND\x00" + (offset + number_ * 256).to_bytes(8, "little") + bytes(48)
        if raw[at : at + 64] != expected:
            return Shown(f"expected EEXTEND at byte {at} of these", wrong=True)
    return Shown("sixteen EEXTEND records, each with the 256 bytes that it measures")


def _ssa_frame_size(raw: bytes, _values: Values, _view: View) -> Shown:
    return Shown(f"{int.from_bytes(raw, 'little')} pages", wrong=not any(raw))


def _enclave_size(raw: bytes, _values: Values, _view: View) -> Shown:
    size = int.from_bytes(raw, "little")
    return Shown(f"{size:,} bytes of addresses", wrong=bool(size & (size - 1)) or size < PAGE_SIZE)


def _page_offset(raw: bytes, values: Values, _view: View) -> Shown:
    offset = int.from_bytes(raw, "little")
    outside = bool(offset % PAGE_SIZE) or offset + PAGE_SIZE > values["enclave_size"]
    return Shown(f"{offset:#x}" + (", not a page inside the enclave" if outside else ""), wrong=outside)


_PAGE: Final[Layout] = (
    Field("eadd", 8, constant(b"EADD\x00\x00\x00\x00", "a page")),
    Field("page_offset", 8, _page_offset),
    Field("page_flags", 8, _page_flags),
    reserved("eadd_reserved", 40),
    Field("page_content", _CHUNKS_SIZE, _chunks),
)
_ECREATE: Final[Layout] = (
    Field("ecreate", 8, constant(b"ECREATE\x00", "an enclave's beginning")),
    Field("ssa_frame_size", 4, _ssa_frame_size),
    Field("enclave_size", 8, _enclave_size),
    reserved("ecreate_reserved", 44),
)
_ECREATE_SIZE: Final = 64
_PAGE_RECORD_SIZE: Final = 64 + _CHUNKS_SIZE


def image_layout(size: int, view: View) -> Layout:
    """Return the table of an enclave image.

    Args:
        size: The image's size in bytes.
        view: Says how many pages are shown field by field.
    """
    pages, rest = divmod(max(0, size - _ECREATE_SIZE), _PAGE_RECORD_SIZE)
    shown = min(pages + bool(rest), view.limits.pages_count)
    beyond = size - _ECREATE_SIZE - shown * _PAGE_RECORD_SIZE
    fields = [*_ECREATE, *(Field(f"page_{number_}", _PAGE_RECORD_SIZE, parts=_PAGE) for number_ in range(shown))]
    if beyond > 0:
        fields.append(Field("further_pages", beyond, note("pages beyond the number that is shown")))
    return tuple(fields)
