"""The roots of trust that evidence may chain to, pinned by public key.

A root is a public key, never a certificate: Intel has re-issued its root certificate with the same key. Roots are the
caller's choice; the evidence's own root certificate is compared with them and never trusted by itself. A simulated root
is named by its fingerprint, and everything that stands on it says so.
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
AMD: Final = "amd"
VENDORS: Final = frozenset({INTEL, AMD})
_NAME: Final = re.compile(r"intel|amd|simulated:[0-9a-f]{32}")

# The public key of "Intel SGX Root CA": an uncompressed P-256 point, as every certificate of that root carries it.
_INTEL_ROOT_POINT: Final = bytes.fromhex(
    "04"
    "0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5"
    "67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394"
)
# The public keys of AMD's "ARK-Milan", "ARK-Genoa" and "ARK-Turin": SHA-256 of their SubjectPublicKeyInfo, DER.
_VENDOR_KEYS: Final = {
    hashlib.sha256(_INTEL_ROOT_POINT).hexdigest(): INTEL,
    "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9": AMD,
    "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831": AMD,
    "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08": AMD,
}


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """A key that evidence chains to.

    Attributes:
        name: `intel`, `amd`, or `simulated:` and the first 16 bytes of the SHA-256 of the key, in hex.
        key: The public key: an uncompressed point for ECDSA, a DER SubjectPublicKeyInfo for RSA.
        mode: Whether it stands for hardware or for a simulation.
    """

    name: str
    key: bytes
    mode: Mode

    @classmethod
    def of(cls, key: bytes) -> Self:
        """Name a root by its key: a vendor's by its name, any other by its fingerprint."""
        fingerprint = hashlib.sha256(key).hexdigest()
        vendor = _VENDOR_KEYS.get(fingerprint)
        if vendor is not None:
            return cls(vendor, key, Mode.HARDWARE)
        return cls(f"simulated:{fingerprint[:32]}", key, Mode.SIMULATED)


INTEL_ROOT: Final = TrustRoot.of(_INTEL_ROOT_POINT)


@dataclass(frozen=True, slots=True)
class TrustRoots:
    """The roots that a caller trusts, by name; the name of a simulated one is a digest of its key.

    Attributes:
        names: At least one of `intel`, `amd` and `simulated:<fingerprint>`.
    """

    names: frozenset[str] = VENDORS

    def __post_init__(self) -> None:
        bad = sorted(name for name in self.names if not _NAME.fullmatch(name))
        if bad or not self.names:
            raise UsageError(
                "roots.name",
                f"expected names of roots of trust, found {', '.join(bad) or 'none'}",
                remedy="name `intel` or `amd`, or a simulated platform as `simulated:<fingerprint>`",
            )

    @classmethod
    def named(cls, names: Iterable[str]) -> Self:
        """Return the roots of these names.

        Raises:
            UsageError: `roots.name` if there is none, or one is not a root's name.
        """
        return cls(frozenset(names))

    def find(self, key: bytes) -> TrustRoot | None:
        """Return the trusted root with this public key, if there is one."""
        root = TrustRoot.of(key)
        return root if root.name in self.names else None
