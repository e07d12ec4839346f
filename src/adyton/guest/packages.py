"""Trusted packages: what an enclave imports from its host's disk, pinned by digest.

A package's digest is the SHA-256 over one line for each of its installed files (`RECORD`), sorted by path: path, NUL,
SHA-256 of the content in hex, line end. Left out is what an installer writes differently each time: `RECORD` itself,
`INSTALLER`, `REQUESTED`, `direct_url.json`, compiled files, and scripts outside the package's folder.

Standard library only: the same code computes a digest when an enclave is built and, inside, before any import.
"""

from __future__ import annotations

import csv
import hashlib
import os.path
import re
from collections.abc import Iterator, Sequence

_UNSTABLE = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


def find_package(name: str, paths: Sequence[str]) -> tuple[str, str] | None:
    """Return where a distribution is installed and the name of its metadata folder, or None."""
    wanted = re.sub(r"[-_.]+", "-", name).lower()
    for path in paths:
        for entry in sorted(os.listdir(path)) if os.path.isdir(path) else ():
            found = re.sub(r"[-_.]+", "-", entry.removesuffix(".dist-info").rpartition("-")[0]).lower()
            if entry.endswith(".dist-info") and found == wanted:
                return path, entry
    return None


def package_digest(path: str, metadata: str) -> str:
    """Return the digest of an installed package, hex.

    Args:
        path: The folder that it is installed in.
        metadata: The name of its metadata folder there.

    Raises:
        OSError: A file that it lists cannot be read.
    """
    digest = hashlib.sha256()
    for name in package_files(path, metadata):
        with open(os.path.join(path, name), "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


def package_files(path: str, metadata: str) -> list[str]:
    """Return the files that a package's digest covers, relative to where it is installed.

    Raises:
        OSError: Its record cannot be read.
    """
    return sorted(_files(path, metadata))


def _files(path: str, metadata: str) -> Iterator[str]:
    with open(os.path.join(path, metadata, "RECORD"), encoding="utf-8", newline="") as record:
        for row in csv.reader(record):
            name = row[0] if row else ""
            unstable = os.path.basename(name) in _UNSTABLE or name.endswith(".pyc")
            if name and not unstable and not name.startswith(("..", "/")):
                yield name
