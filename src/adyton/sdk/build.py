"""From a project to an image whose measurement covers all that will run.

Measured are: the project's files; the parts of this package that run inside (`errors`, `linux`, `formats`, `guest`);
the boot program at the entry point; the manifest, and in it the digest of every package that may be imported. Not
measured are the Python interpreter, its standard library and the system's libraries: under simulation they are the
processor's own, and on hardware a library OS measures them too.

Two builds of one tree with the same packages are equal byte for byte: sorted, without times and without paths.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from adyton.errors import UsageError
from adyton.formats.enclave import MANIFEST_LENGTH_SIZE, EnclaveManifest, TrustedPackage
from adyton.formats.image import PAGE_R, PAGE_REGULAR, PAGE_RX, PAGE_SIZE, EnclaveImage, Page, tcs_page
from adyton.guest.packages import find_package, package_digest
from adyton.sdk.project import EnclaveProject

_INSIDE: Final = ("__init__.py", "errors.py", "linux.py", "formats", "guest")
_BOOT: Final = "adyton/guest/enclave/boot.py"
# What the runtime itself imports; every enclave needs it.
_RUNTIME_PACKAGES: Final = ("msgspec",)


def build(project: EnclaveProject, *, package_paths: Sequence[str] | None = None) -> EnclaveImage:
    """Build an enclave.

    Args:
        project: What to build.
        package_paths: Where its packages are installed; the current interpreter's paths if not given.

    Raises:
        UsageError: `sdk.build.package` if a package is not installed there.
        MalformedDocument: `sgx.image.size`.
    """
    files = dict(sorted((runtime_files() | project.files).items()))
    places, at = {}, 0
    for path, content in files.items():
        places[path] = (at, len(content))
        at += len(content)
    paths = default_package_paths() if package_paths is None else package_paths
    packages = {name: _pin(name, paths) for name in sorted({*_RUNTIME_PACKAGES, *project.packages})}
    boot = files[_BOOT] + b"\x00"
    manifest = _manifest(project, places, packages, base=0)
    # The manifest holds the files' places, and its own length moves them: one more round with its final length in
    # sight.
    start = 2 * PAGE_SIZE + _round_up(len(boot)) + _round_up(len(manifest) + 16 * len(files))
    manifest = _manifest(project, places, packages, base=start)
    regions = [(boot, PAGE_RX), (manifest, PAGE_R), (b"".join(files.values()), PAGE_R)]
    return _lay_out(project, regions, [PAGE_SIZE, PAGE_SIZE + _round_up(len(boot)), start])


def runtime_files() -> dict[str, bytes]:
    """Return the files of this package that run inside an enclave, by path."""
    root = resources.files("adyton")
    return {f"adyton/{path}": content for name in _INSIDE for path, content in _walk(root / name, name)}


def default_package_paths() -> tuple[str, ...]:
    """Return the folders in which the current interpreter finds installed packages."""
    return tuple(path for path in sys.path if path.endswith(("site-packages", "dist-packages")))


def _walk(node: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    if node.is_file():
        if path.endswith(".py"):
            yield path, node.read_bytes()
        return
    for child in node.iterdir():
        if child.name != "__pycache__":
            yield from _walk(child, f"{path}/{child.name}")


def _pin(name: str, paths: Sequence[str]) -> TrustedPackage:
    found = find_package(name, paths)
    if found is None:
        raise UsageError(
            "sdk.build.package",
            f"expected package {name} in {', '.join(paths) or 'no path at all'}",
            remedy=f"pip install {name}, or take it out of the project's packages",
        )
    version = found[1].removesuffix(".dist-info").rpartition("-")[2]
    return TrustedPackage(version=version, digest=package_digest(*found))


def _manifest(
    project: EnclaveProject, places: dict[str, tuple[int, int]], packages: dict[str, TrustedPackage], *, base: int
) -> bytes:
    manifest = EnclaveManifest(
        name=project.name,
        module=project.module,
        heap_size=project.heap_size,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        files={path: (base + at, size) for path, (at, size) in places.items()},
        packages=packages,
    ).to_bytes()
    return len(manifest).to_bytes(MANIFEST_LENGTH_SIZE, "little") + manifest


def _lay_out(project: EnclaveProject, regions: list[tuple[bytes, int]], starts: list[int]) -> EnclaveImage:
    pages = [tcs_page(0, entry=starts[0], manifest=starts[1])]
    for (content, flags), start in zip(regions, starts, strict=True):
        pages += [
            Page(start + at, flags | PAGE_REGULAR, content[at : at + PAGE_SIZE].ljust(PAGE_SIZE, b"\x00"))
            for at in range(0, len(content), PAGE_SIZE)
        ]
    span = pages[-1].offset + PAGE_SIZE + project.heap_size
    return EnclaveImage.build(1 << (span - 1).bit_length(), pages)


def _round_up(size: int) -> int:
    return -(-size // PAGE_SIZE) * PAGE_SIZE
