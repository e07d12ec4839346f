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
from adyton.formats.snp import TcbVersion

_AMD: Final = bytes.fromhex("2b060104019c7801")  # 1.3.6.1.4.1.3704.1
_PRODUCT_NAME: Final = _AMD + b"\x02"
_HARDWARE_ID: Final = _AMD + b"\x04"
_CSP_ID: Final = _AMD + b"\x05"
_SVN_ARCS: Final = {"boot_loader": 1, "tee": 2, "snp": 3, "microcode": 8}
_FMC_ARC: Final = 9
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
    def parse(cls, extensions: Mapping[bytes, bytes]) -> Self:
        """Read them from a certificate's extensions.

        Raises:
            MalformedEvidence: `der.*`; `snp.vcek.extension` if one is missing or of another form.
        """
        svns = {name: _svn(extensions, arc) for name, arc in _SVN_ARCS.items()}
        fmc = _svn(extensions, _FMC_ARC) if _AMD + bytes((3, _FMC_ARC)) in extensions else None
        hardware_id, csp_id = extensions.get(_HARDWARE_ID), extensions.get(_CSP_ID)
        return cls(
            product_name=x509.text(der.parse(_required(extensions, _PRODUCT_NAME))),
            tcb=TcbVersion(fmc=fmc, **svns),
            hardware_id=None if hardware_id is None else _read_hardware_id(hardware_id),
            csp_id=None if csp_id is None else x509.text(der.parse(csp_id)),
        )

    @property
    def product(self) -> str:
        """The product without its stepping, such as `Milan`."""
        return self.product_name.partition("-")[0]


def _svn(extensions: Mapping[bytes, bytes], arc: int) -> int:
    return der.parse(_required(extensions, _AMD + bytes((3, arc)))).uint(largest=255)


def _required(extensions: Mapping[bytes, bytes], name: bytes) -> bytes:
    value = extensions.get(name)
    if value is None:
        raise _malformed(f"extension {name.hex()} is missing")
    return value


def _read_hardware_id(value: bytes) -> bytes:
    if len(value) in _HARDWARE_ID_SIZES:
        return value
    content = der.parse(value).expect(der.Tag.OCTET_STRING)
    if len(content) not in _HARDWARE_ID_SIZES:
        raise _malformed(f"expected a hardware id of 64 or 8 bytes, found {len(content)}")
    return content


def _malformed(found: str) -> MalformedEvidence:
    return MalformedEvidence(
        "snp.vcek.extension", f"VCEK certificate: {found}", remedy="use the certificate that AMD's KDS gave, unchanged"
    )
