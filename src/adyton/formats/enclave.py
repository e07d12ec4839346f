"""What is said about and to a Python enclave: the manifest inside its image, and the calls through its wall.

A call is one frame each way: its length as an unsigned 32-bit little-endian integer, then MessagePack. Arguments and
values are decoded by the types that the called function declares; what crosses the wall cannot name a class or run
code.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from adyton.errors import MalformedDocument

CALL_SIZE_CAP: Final = 64 * 1024 * 1024
MANIFEST_LENGTH_SIZE: Final = 4

_Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,127}$(?!\n)")]


class TrustedPackage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A package that the enclave may import from its host's disk, pinned by digest.

    Attributes:
        version: The installed version, for people.
        digest: SHA-256 over the package's files, hex (`adyton.guest.packages`).
    """

    version: str
    digest: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]


class EnclaveManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an image holds; part of what is measured.

    Attributes:
        name: The enclave's name.
        module: The module whose `ecall` functions can be called.
        heap_size: How much memory it may use, in bytes.
        python: The version of Python that it is for, such as `3.11`.
        files: Path of each measured file, to its offset and size.
        packages: Packages by distribution name.
    """

    name: _Name
    module: _Name
    heap_size: Annotated[int, msgspec.Meta(ge=1)]
    python: str
    files: dict[str, tuple[int, int]]
    packages: dict[str, TrustedPackage]

    @classmethod
    def parse(cls, data: bytes) -> EnclaveManifest:
        """Read a manifest.

        Raises:
            MalformedDocument: `enclave.manifest.invalid`.
        """
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedDocument(
                "enclave.manifest.invalid", f"enclave manifest: {error}", remedy="build the enclave again"
            ) from error

    def to_bytes(self) -> bytes:
        """Return the canonical form: JSON, keys sorted."""
        return msgspec.json.encode(self, order="sorted")


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A call into the enclave.

    Attributes:
        function: The function's name.
        arguments: Each argument, encoded.
    """

    function: str
    arguments: tuple[msgspec.Raw, ...]


class Returned(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="returned"):
    """A call's value, encoded."""

    value: msgspec.Raw


class Failed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="failed"):
    """A call's error.

    Attributes:
        status: Intel's `sgx_status_t` value.
        code: Stable dotted code.
        message: What was expected, what was found.
        remedy: What to do.
    """

    status: int
    code: str
    message: str
    remedy: str


Answer = Returned | Failed
