"""The roots of trust that evidence may chain to, pinned by public key.

A root is a P-256 public key, never a certificate: Intel has re-issued its root certificate with the same key. Roots are
the caller's choice; the evidence's own root certificate is compared with them and never trusted by itself. A simulated
root is named by its fingerprint, and everything that stands on it says so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Self

from adyton.errors import UsageError
from adyton.formats.check import Mode

# The public key of "Intel SGX Root CA" (RFC 5280 SubjectPublicKeyInfo's point, uncompressed).
_INTEL_ROOT_POINT: Final = bytes.fromhex(
    "04"
    "0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5"
    "67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394"
)


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """A key that evidence may chain to.

    Attributes:
        name: `intel`, or `simulated:<fingerprint>`.
        point: The P-256 public key, uncompressed: 65 bytes.
        mode: Whether it stands for hardware or for a simulation.
    """

    name: str
    point: bytes
    mode: Mode

    @classmethod
    def simulated(cls, point: bytes) -> Self:
        """Name a simulated platform's root by its fingerprint: the first 16 bytes of the SHA-256 of its point, in hex.

        Raises:
            UsageError: `roots.point` unless `point` is an uncompressed P-256 point.
        """
        if len(point) != 65 or point[0] != 4:
            raise UsageError(
                "roots.point",
                f"expected an uncompressed P-256 point of 65 bytes, found {len(point)} bytes",
                remedy="pass the root's public key as it stands in its certificate",
            )
        return cls(f"simulated:{hashlib.sha256(point).hexdigest()[:32]}", point, Mode.SIMULATED)


INTEL_ROOT: Final = TrustRoot("intel", _INTEL_ROOT_POINT, Mode.HARDWARE)


@dataclass(frozen=True, slots=True)
class TrustRoots:
    """The set of roots that a caller trusts.

    Attributes:
        roots: At least one root.
    """

    roots: tuple[TrustRoot, ...] = (INTEL_ROOT,)

    def __post_init__(self) -> None:
        if not self.roots:
            raise UsageError(
                "roots.empty", "expected at least one root of trust, found none", remedy="name a root, such as Intel's"
            )

    def find(self, point: bytes) -> TrustRoot | None:
        """Return the trusted root with this public key, if there is one."""
        return next((root for root in self.roots if root.point == point), None)
