"""The first code that runs in an enclave: measured, and standing on the standard library alone.

1. Wall off: not dumpable, no new privileges, own namespaces, limits, an end with the processor's.
2. Read the image from its sealed file; from now on its modules come from those measured bytes and from nowhere else.
3. Compare each trusted package with its digest; only then, and only its listed files, can be imported.
4. Hand over to the runtime, which imports the enclave's module, puts up the remaining walls and serves calls.

Arguments: the descriptors of the image, the processor's socket and the host's socket, then the package paths.
"""

from __future__ import annotations

import ctypes
import importlib.abc
import importlib.machinery
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import NoReturn

# As in adyton.formats.image, which is in the image that is still to be read.
_RECORD, _CHUNK, _PAGE, _TCS = 64, 256, 4096, 0x100
# prctl(2), unshare(2).
_PARENT_DEATH_SIGNAL, _DUMPABLE, _NO_NEW_PRIVILEGES = 1, 4, 38
_NAMESPACES = {"user-namespace": 0x10000000, "network-namespace": 0x40000000, "ipc-namespace": 0x0C000000}


def _fail(message: str) -> NoReturn:
    sys.stderr.write(f"enclave: {message}\n")
    sys.stderr.flush()
    os._exit(70)


def _wall_off() -> list[str]:
    """Put up the walls that need nothing but the kernel; return their names."""
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getppid()
    for option, value in ((_PARENT_DEATH_SIGNAL, signal.SIGKILL), (_DUMPABLE, 0), (_NO_NEW_PRIVILEGES, 1)):
        if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
            _fail(f"the kernel refused prctl {option}")
    if os.getppid() != parent:
        _fail("the processor ended")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    walls = ["not-dumpable", "no-new-privileges"]
    return walls + [name for name, flags in _NAMESPACES.items() if libc.unshare(flags) == 0]


def _read_image(descriptor: int) -> tuple[dict[int, bytes], int]:
    """Return the loaded pages by offset, and the offset of the manifest."""
    size = os.fstat(descriptor).st_size
    stream, at, manifest = os.pread(descriptor, size, 0), _RECORD, -1
    pages: dict[int, bytes] = {}
    while at < len(stream):
        offset, flags = struct.unpack_from("<QQ", stream, at + 8)
        at += _RECORD
        parts = []
        for _ in range(_PAGE // _CHUNK):
            parts.append(stream[at + _RECORD : at + _RECORD + _CHUNK])
            at += _RECORD + _CHUNK
        pages[offset] = b"".join(parts)
        if flags & _TCS and manifest < 0:
            (manifest,) = struct.unpack_from("<Q", pages[offset], 48)
    return pages, manifest


def _read(pages: dict[int, bytes], offset: int, size: int) -> bytes:
    first = offset - offset % _PAGE
    loaded = b"".join(pages[at] for at in range(first, offset + size, _PAGE))
    return loaded[offset - first : offset - first + size]


class _MeasuredImporter(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports the image's modules from its measured bytes."""

    def __init__(self, sources: dict[str, bytes]) -> None:
        self._sources = sources

    def _locate(self, name: str) -> str:
        base = name.replace(".", "/")
        for path in (f"{base}/__init__.py", f"{base}.py"):
            if path in self._sources:
                return path
        return ""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        found = self._locate(fullname)
        if not found:
            return None
        return importlib.machinery.ModuleSpec(
            fullname, self, origin=f"enclave:{found}", is_package=self.is_package(fullname)
        )

    def is_package(self, fullname: str) -> bool:
        return self._locate(fullname).endswith("/__init__.py")

    def get_source(self, fullname: str) -> str:
        return self._sources[self._locate(fullname)].decode()

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.get_source(fullname), f"enclave:{self._locate(fullname)}", "exec", dont_inherit=True)


class _PinnedImporter(importlib.abc.MetaPathFinder):
    """Imports the standard library, and the pinned packages' own files and nothing that lies beside them."""

    def __init__(self, standard: list[str], pinned: set[str]) -> None:
        self._standard = tuple(path + os.sep for path in standard)
        self._pinned = pinned

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or self._is_trusted(spec.origin or ""):
            return spec
        raise ModuleNotFoundError(f"{fullname} is not a file of the enclave's pinned packages", name=fullname)

    def _is_trusted(self, origin: str) -> bool:
        standard = origin.startswith(self._standard) and "-packages" + os.sep not in origin
        return standard or origin in self._pinned


def _trust_packages(packages: dict[str, dict[str, str]], paths: list[str]) -> set[str]:
    """Compare packages with their digests; return the files that may be imported."""
    from adyton.guest.packages import find_package, package_digest, package_files  # noqa: PLC0415

    files = set()

    for name, pinned in sorted(packages.items()):
        found = find_package(name, paths)
        if found is None:
            _fail(f"package {name} is not installed in {', '.join(paths) or 'any path'}")
        digest = package_digest(*found)
        if digest != pinned["digest"]:
            _fail(
                f"package {name}: expected digest {pinned['digest']}, found {digest}; "
                "install the version that it was built with"
            )
        files |= {os.path.join(found[0], name) for name in package_files(*found)}
    return files


def _boot() -> None:
    image, processor, host = (int(number) for number in sys.argv[1:4])
    paths = sys.argv[4:]
    sys.dont_write_bytecode = True
    walls = _wall_off()
    pages, at = _read_image(image)
    os.close(image)
    (length,) = struct.unpack("<I", _read(pages, at, 4))
    manifest = json.loads(_read(pages, at + 4, length))
    if manifest["python"] != f"{sys.version_info[0]}.{sys.version_info[1]}":
        _fail(f"built for Python {manifest['python']}, started with {sys.version_info[0]}.{sys.version_info[1]}")
    resource.setrlimit(resource.RLIMIT_DATA, (manifest["heap_size"], manifest["heap_size"]))
    sources = {path: _read(pages, offset, size) for path, (offset, size) in manifest["files"].items()}
    sys.meta_path.insert(0, _MeasuredImporter(sources))
    pinned = _trust_packages(manifest["packages"], paths)
    sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = _PinnedImporter(list(sys.path), pinned)
    # Compiled files are not measured: a prefix that does not exist keeps Python from reading any.
    sys.pycache_prefix = "/nonexistent"
    sys.path += paths
    from adyton.guest.enclave.runtime import serve  # noqa: PLC0415

    serve(manifest["module"], processor, host, paths, walls)


if __name__ == "__main__":
    _boot()
