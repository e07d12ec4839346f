"""The roots of trust that evidence may chain to, pinned by public key.

A root is a P-256 public key, never a certificate: Intel has re-issued its root certificate with the same key. Roots are
the caller's choice; the evidence's own root certificate is compared with them and never trusted by itself. A simulated
root is named by its fingerprint, and everything that stands on it says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from adyton.errors import UsageError
from adyton.formats.check import Mode

INTEL: Final = "intel"
_NAME: Final = re.compile(r"intel|simulated:[0-9a-f]{32}")

# The public key of "Intel SGX Root CA": an uncompressed P-256 point, as every certificate of that root carries it.
_INTEL_ROOT_POINT: Final = bytes.fromhex(
    "04"
    "0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5"
    "67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394"
)


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """A key that evidence chains to.

    Attributes:
        name: `intel`, or `simulated:` and the first 16 bytes of the SHA-256 of the key's point, in hex.
        point: The P-256 public key, an uncompressed point of 65 bytes.
        mode: Whether it stands for hardware or for a simulation.
    """

    name: str
    point: bytes
    mode: Mode

    @classmethod
    def of(cls, point: bytes) -> Self:
        """Name a root by its key: Intel's by its name, any other by its fingerprint."""
        if point == _INTEL_ROOT_POINT:
            return cls(INTEL, point, Mode.HARDWARE)
        return cls(f"simulated:{hashlib.sha256(point).hexdigest()[:32]}", point, Mode.SIMULATED)


INTEL_ROOT: Final = TrustRoot.of(_INTEL_ROOT_POINT)


@dataclass(frozen=True, slots=True)
class TrustRoots:
    """The roots that a caller trusts, by name; the name of a simulated one is a digest of its key.

    Attributes:
        names: At least one of `intel` and `simulated:<fingerprint>`.
    """

    names: frozenset[str] = frozenset({INTEL})

    def __post_init__(self) -> None:
        bad = sorted(name for name in self.names if not _NAME.fullmatch(name))
        if bad or not self.names:
            raise UsageError(
                "roots.name",
                f"expected names of roots of trust, found {', '.join(bad) or 'none'}",
                remedy="name `intel`, or a simulated platform as `simulated:<fingerprint>`",
            )

    @classmethod
    def named(cls, names: Iterable[str]) -> Self:
        """Return the roots of these names.

        Raises:
            UsageError: `roots.name` if there is none, or one is not a root's name.
        """
        return cls(frozenset(names))

    def find(self, point: bytes) -> TrustRoot | None:
        """Return the trusted root with this public key, if there is one."""
        root = TrustRoot.of(point)
        return root if root.name in self.names else None
