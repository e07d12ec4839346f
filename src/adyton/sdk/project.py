"""An enclave project: a folder with `enclave.toml` and Python files.

name = "classifier"
module = "classifier"            # its ecall functions can be called
heap_size = 1073741824           # bytes
packages = ["cryptography"]      # what it imports besides the standard library

[identity]
isv_prod_id = 1
isv_svn = 1
allow_debug = false              # true: whoever starts it may read its memory
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec

from adyton.errors import MalformedDocument, UsageError

CONFIGURATION: Final = "enclave.toml"
FILES_CAP: Final = 1000
FILE_SIZE_CAP: Final = 16 * 1024 * 1024
_Uint16 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]


class ProductIdentity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the signer says about an enclave.

    Attributes:
        isv_prod_id: Product number.
        isv_svn: Security version; raise it when a fault is mended.
        allow_debug: Whether it can be launched so that the host reads its memory.
    """

    isv_prod_id: _Uint16 = 0
    isv_svn: _Uint16 = 1
    allow_debug: bool = False


class _Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$(?!\n)")]
    module: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$(?!\n)")]
    heap_size: Annotated[int, msgspec.Meta(ge=16 * 1024 * 1024, le=1 << 40)] = 512 * 1024 * 1024
    packages: tuple[str, ...] = ()
    identity: ProductIdentity = ProductIdentity()


@dataclass(frozen=True, slots=True)
class EnclaveProject:
    """A project that was read.

    Attributes:
        name: The enclave's name.
        module: The module whose functions can be called.
        heap_size: How much memory it may use, in bytes.
        packages: Distribution names of what it imports.
        identity: What the signer says about it.
        files: Path of each Python file below the folder, with its content.
    """

    name: str
    module: str
    heap_size: int
    packages: tuple[str, ...]
    identity: ProductIdentity
    files: dict[str, bytes]

    @classmethod
    def load(cls, folder: Path) -> EnclaveProject:
        """Read a project.

        Raises:
            UsageError: `sdk.project.unreadable`; `sdk.project.module` if its module is not there.
            MalformedDocument: `sdk.project.invalid`, with the field; `sdk.project.size`.
        """
        configuration = _read_configuration(folder / CONFIGURATION)
        files = _read_files(folder)
        if f"{configuration.module}.py" not in files:
            raise UsageError(
                "sdk.project.module",
                f"expected {configuration.module}.py in {folder}",
                remedy=f"add it, or name another module in {CONFIGURATION}",
            )
        return cls(
            configuration.name,
            configuration.module,
            configuration.heap_size,
            configuration.packages,
            configuration.identity,
            files,
        )


def _read_configuration(path: Path) -> _Configuration:
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), _Configuration)
    except OSError as error:
        raise UsageError(
            "sdk.project.unreadable",
            f"expected an enclave project's {path}: {error.strerror or error}",
            remedy="name the folder that holds enclave.toml",
        ) from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise MalformedDocument(
            "sdk.project.invalid", f"{path}: {error}", remedy="compare it with the example in `adyton.sdk.project`"
        ) from error


def _read_files(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*.py") if path.is_file())
    if len(paths) > FILES_CAP or any(path.stat().st_size > FILE_SIZE_CAP for path in paths):
        raise MalformedDocument(
            "sdk.project.size",
            f"expected at most {FILES_CAP} files of at most {FILE_SIZE_CAP} bytes in {folder}",
            remedy="leave out of the folder what the enclave does not need",
        )
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
