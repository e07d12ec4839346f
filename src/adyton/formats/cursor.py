"""Reading bytes that somebody else wrote: one bounds-checked cursor for every binary format.

Rules kept here: no read past the end; reserved bytes are zero; nothing is left over at the end; every failure is
`MalformedEvidence` with the format's own code, the offset, what was expected and what was found.
"""

from __future__ import annotations

from typing import Final

from adyton.errors import MalformedEvidence

_REMEDY: Final = "check that the whole file was copied, unchanged and in its binary form"


class Cursor:
    """A position in `data` that only moves forward.

    Args:
        data: What to read.
        code: Dotted prefix of every error, such as `sgx.report`.
        what: The structure's name in words, for messages.
    """

    __slots__ = ("_at", "_code", "_data", "_what")

    def __init__(self, data: bytes, *, code: str, what: str) -> None:
        self._data = data
        self._at = 0
        self._code = code
        self._what = what

    @property
    def at(self) -> int:
        """The offset of the next byte."""
        return self._at

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return len(self._data) - self._at

    def take(self, size: int, field: str) -> bytes:
        """Read `size` bytes.

        Raises:
            MalformedEvidence: `<code>.length` if fewer are left.
        """
        end = self._at + size
        if size < 0 or end > len(self._data):
            raise self.malformed("length", f"{field} needs {size} bytes at offset {self._at}, and {self.left} are left")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def uint(self, size: int, field: str) -> int:
        """Read an unsigned little-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size, field), "little")

    def zeros(self, size: int, field: str) -> None:
        """Read `size` reserved bytes.

        Raises:
            MalformedEvidence: `<code>.reserved` unless all are zero.
        """
        at = self._at
        if self.take(size, field).count(0) != size:
            raise self.malformed("reserved", f"{field} at offset {at} has to be zero, and is not")

    def rest(self) -> bytes:
        """Read all that is left."""
        return self.take(self.left, "the rest")

    def finish(self) -> None:
        """End the reading.

        Raises:
            MalformedEvidence: `<code>.trailing` if bytes are left.
        """
        if self.left:
            raise self.malformed("trailing", f"{self.left} bytes follow the end at offset {self._at}")

    def malformed(self, suffix: str, found: str) -> MalformedEvidence:
        """Return (not raise) this structure's error."""
        return MalformedEvidence(f"{self._code}.{suffix}", f"{self._what}: {found}", remedy=_REMEDY)
