"""Enclave images: the pages of an enclave as the stream of records that its measurement hashes.

Sources: Intel SDM Vol. 3D (ECREATE, EADD, EEXTEND: what each adds to MRENCLAVE); the SGXS convention, in which the file
is that stream itself, so MRENCLAVE is the SHA-256 of the file.

    ECREATE   tag, SSAFRAMESIZE u32, SIZE u64, 44 zero bytes
    EADD      tag, offset u64, SECINFO.FLAGS u64, 40 zero bytes
    EEXTEND   tag, offset u64, 48 zero bytes; then the 256 bytes at that offset

Kept here: records in order; every page is added once, inside SIZE, and measured whole, so nothing that is loaded is
left out of MRENCLAVE; SIZE is a power of two; reserved bytes are zero; nothing follows the last record.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from adyton.errors import MalformedDocument

IMAGE_SIZE_CAP: Final = 256 * 1024 * 1024
PAGE_SIZE: Final = 4096
PAGE_R: Final = 0x001
PAGE_RW: Final = 0x003
PAGE_RX: Final = 0x005
PAGE_REGULAR: Final = 0x200
PAGE_TCS: Final = 0x100
_RECORD: Final = 64
_CHUNK: Final = 256
_MEASURED_PAGE: Final = _RECORD + (PAGE_SIZE // _CHUNK) * (_RECORD + _CHUNK)
_ECREATE: Final = struct.Struct("<8sIQ44x")
_EADD: Final = struct.Struct("<8sQQ40x")
_EEXTEND: Final = struct.Struct("<8sQ48x")
_TCS: Final = struct.Struct("<32xQ8xQ")  # OENTRY at 32, OFSBASE at 48
_REMEDY: Final = "build the enclave again with `adyton.sdk.build`"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an enclave.

    Attributes:
        offset: Where it is in the enclave; a multiple of 4,096.
        flags: SECINFO.FLAGS: permissions and type.
        content: 4,096 bytes.
    """

    offset: int
    flags: int
    content: bytes


@dataclass(frozen=True, slots=True)
class EnclaveImage:
    """An enclave before it is loaded.

    Attributes:
        size: SIZE: the span of the enclave's addresses in bytes, a power of two.
        ssa_frame_size: Size of a state save area frame in pages.
        pages: The pages, in the order in which they are added.
        stream: The image's bytes.
    """

    size: int
    ssa_frame_size: int
    pages: tuple[Page, ...] = field(repr=False)
    stream: bytes = field(repr=False)

    @classmethod
    def build(cls, size: int, pages: Iterable[Page], *, ssa_frame_size: int = 1) -> Self:
        """Make an image of pages.

        Raises:
            MalformedDocument: As `parse`.
        """
        records = [_ECREATE.pack(b"ECREATE\x00", ssa_frame_size, size)]
        for page in pages:
            records.append(_EADD.pack(b"EADD\x00\x00\x00\x00", page.offset, page.flags))
            for at in range(0, PAGE_SIZE, _CHUNK):
                records.append(_EEXTEND.pack(b"EEXTEND\x00", page.offset + at))
                records.append(page.content[at : at + _CHUNK])
        return cls.parse(b"".join(records))

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read an image.

        Raises:
            MalformedDocument: `sgx.image.size` over 256 MiB; `sgx.image.format`, with the record's place.
        """
        if len(data) > IMAGE_SIZE_CAP:
            raise _malformed("size", f"an image has at most {IMAGE_SIZE_CAP} bytes, found {len(data)}")
        pages, remains = divmod(len(data) - _RECORD, _MEASURED_PAGE)
        if len(data) < _RECORD or remains:
            raise _malformed("format", f"{len(data)} bytes are not a record and a number of measured pages")
        tag, ssa_frame_size, size = _ECREATE.unpack_from(data)
        whole = _ECREATE.pack(b"ECREATE\x00", ssa_frame_size, size) == data[:_RECORD]
        if not whole or size & (size - 1) or size < PAGE_SIZE or ssa_frame_size == 0:
            raise _malformed("format", f"expected ECREATE of a power of two, found {tag!r} of {size} bytes")
        found = tuple(_page(data, _RECORD + number * _MEASURED_PAGE, size) for number in range(pages))
        if len({page.offset for page in found}) != len(found):
            raise _malformed("format", "a page is added twice")
        return cls(size, ssa_frame_size, found, data)

    @property
    def mr_enclave(self) -> bytes:
        """The measurement, 32 bytes."""
        return hashlib.sha256(self.stream).digest()

    @property
    def entry(self) -> int:
        """OENTRY of the first TCS: where execution begins.

        Raises:
            MalformedDocument: `sgx.image.no_tcs`.
        """
        return self._tcs()[0]

    @property
    def manifest(self) -> int:
        """OFSBASE of the first TCS: where this project's images keep their manifest.

        Raises:
            MalformedDocument: `sgx.image.no_tcs`.
        """
        return self._tcs()[1]

    def read(self, offset: int, size: int) -> bytes:
        """Return loaded bytes.

        Raises:
            MalformedDocument: `sgx.image.address` if they are not all in pages.
        """
        return _read(self._contents(), offset, size)

    def read_text(self, offset: int) -> str:
        """Return the text from an offset to its first NUL.

        Raises:
            MalformedDocument: `sgx.image.address`, `sgx.image.text`.
        """
        contents, text = self._contents(), bytearray()
        while True:
            part = _read(contents, offset, PAGE_SIZE - offset % PAGE_SIZE)
            end = part.find(0)
            text += part if end < 0 else part[:end]
            if end >= 0:
                break
            offset += len(part)
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            raise _malformed("text", "the entry point's program is not UTF-8") from error

    def _contents(self) -> dict[int, bytes]:
        return {page.offset: page.content for page in self.pages}

    def _tcs(self) -> tuple[int, int]:
        for page in self.pages:
            if page.flags & PAGE_TCS:
                entry, manifest = _TCS.unpack_from(page.content)
                return entry, manifest
        raise _malformed("no_tcs", "no page is a thread control structure")


def tcs_page(offset: int, *, entry: int, manifest: int) -> Page:
    """Return a thread control structure."""
    return Page(offset, PAGE_TCS, _TCS.pack(entry, manifest).ljust(PAGE_SIZE, b"\x00"))


def _read(contents: Mapping[int, bytes], offset: int, size: int) -> bytes:
    first, end = offset - offset % PAGE_SIZE, offset + size
    try:
        loaded = b"".join(contents[at] for at in range(first, end, PAGE_SIZE))
    except KeyError as error:
        raise _malformed("address", f"{size} bytes at offset {offset} are not in the enclave's pages") from error
    return loaded[offset - first : end - first]


def _page(data: bytes, start: int, size: int) -> Page:
    _, offset, flags = _EADD.unpack_from(data, start)
    if data[start : start + _RECORD] != _EADD.pack(b"EADD\x00\x00\x00\x00", offset, flags):
        raise _malformed("format", f"expected EADD at byte {start}")
    if offset % PAGE_SIZE or offset + PAGE_SIZE > size:
        raise _malformed("format", f"the page at {offset:#x} is not inside the enclave")
    content = bytearray()
    for number in range(PAGE_SIZE // _CHUNK):
        at = start + _RECORD + number * (_RECORD + _CHUNK)
        if data[at : at + _RECORD] != _EEXTEND.pack(b"EEXTEND\x00", offset + number * _CHUNK):
            raise _malformed("format", f"expected EEXTEND at byte {at}")
        content += data[at + _RECORD : at + _RECORD + _CHUNK]
    return Page(offset, flags, bytes(content))


def _malformed(suffix: str, found: str) -> MalformedDocument:
    return MalformedDocument(f"sgx.image.{suffix}", f"enclave image: {found}", remedy=_REMEDY)
