"""What AMD's extensions of a VCEK or VLEK certificate say about a chip.

Source: AMD 57230 (VCEK certificate and KDS interface specification), 2.1 and 3. The hardware id was once written
without its OCTET STRING header; both forms are in use.

Kept here: each extension of its exact type and range; the hardware id has 64 bytes, and 8 on Turin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from adyton.errors import MalformedEvidence
from adyton.formats import der, x509
from adyton.formats.der import ObjectIdentifier
from adyton.formats.snp import TcbVersion

_AMD: Final = "1.3.6.1.4.1.3704.1"
_PRODUCT_NAME: Final = ObjectIdentifier(f"{_AMD}.2")
_HARDWARE_ID: Final = ObjectIdentifier(f"{_AMD}.4")
_CSP_ID: Final = ObjectIdentifier(f"{_AMD}.5")
_SVNS: Final = {
    "boot_loader": ObjectIdentifier(f"{_AMD}.3.1"),
    "tee": ObjectIdentifier(f"{_AMD}.3.2"),
    "snp": ObjectIdentifier(f"{_AMD}.3.3"),
    "microcode": ObjectIdentifier(f"{_AMD}.3.8"),
}
_FMC: Final = ObjectIdentifier(f"{_AMD}.3.9")
_SVN_MAX: Final = 255
# Products that are certified under another's root (AMD 57230 3.1).
_UNDER_ROOT_OF: Final = {"Bergamo": "Genoa", "Siena": "Genoa"}
_HARDWARE_ID_SIZES: Final = (64, 8)


@dataclass(frozen=True, slots=True)
class ChipExtensions:
    """A chip, as its VCEK or VLEK certificate describes it.

    Attributes:
        product_name: Such as `Milan-B0`.
        tcb: The firmware versions that the key stands for.
        hardware_id: The chip's id, 64 bytes or on Turin 8; None in a VLEK, which is for a cloud provider's fleet.
        csp_id: The cloud provider that a VLEK is for; None in a VCEK.
    """

    product_name: str
    tcb: TcbVersion
    hardware_id: bytes | None
    csp_id: str | None

    @classmethod
    def parse(cls, extensions: Mapping[ObjectIdentifier, bytes]) -> Self:
        """Read them from a certificate's extensions.

        Raises:
            MalformedEvidence: `der.format`; `snp.vcek.extension` if one is missing or of another form.
        """
        svns = {field: _svn(extensions, name) for field, name in _SVNS.items()}
        fmc = _svn(extensions, _FMC) if _FMC in extensions else None
        hardware_id, csp_id = extensions.get(_HARDWARE_ID), extensions.get(_CSP_ID)
        return cls(
            product_name=_text(_required(extensions, _PRODUCT_NAME)),
            tcb=TcbVersion(fmc=fmc, **svns),
            hardware_id=None if hardware_id is None else _read_hardware_id(hardware_id),
            csp_id=None if csp_id is None else _text(csp_id),
        )

    @property
    def product(self) -> str:
        """The product without its stepping, such as `Milan`."""
        return self.product_name.partition("-")[0]

    @property
    def root_product(self) -> str:
        """The product whose root it is certified under: its own, but for Bergamo and Siena."""
        return _UNDER_ROOT_OF.get(self.product, self.product)


def authority_name(product: str, *, vlek: bool) -> str:
    """Return the common name of the authority that certifies a product's VCEKs, or VLEKs (AMD 57230 3.1)."""
    return f"SEV-VLEK-{product}" if vlek else f"SEV-{product}"


def _svn(extensions: Mapping[ObjectIdentifier, bytes], name: ObjectIdentifier) -> int:
    number = der.decode(int, _required(extensions, name))
    if not 0 <= number <= _SVN_MAX:
        raise _malformed(f"expected a version of 0 to {_SVN_MAX}, found {number}")
    return number


def _required(extensions: Mapping[ObjectIdentifier, bytes], name: ObjectIdentifier) -> bytes:
    value = extensions.get(name)
    if value is None:
        raise _malformed(f"extension {name.dotted_string} is missing")
    return value


def _text(value: bytes) -> str:
    return x509.text(der.decode(der.TLV, value))


def _read_hardware_id(value: bytes) -> bytes:
    content = value if len(value) in _HARDWARE_ID_SIZES else der.decode(bytes, value)
    if len(content) not in _HARDWARE_ID_SIZES:
        raise _malformed(f"expected a hardware id of 64 or 8 bytes, found {len(content)}")
    return content


def _malformed(found: str) -> MalformedEvidence:
    return MalformedEvidence(
        "snp.vcek.extension", f"VCEK certificate: {found}", remedy="use the certificate that AMD's KDS gave, unchanged"
    )
