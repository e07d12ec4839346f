"""What Intel's extension of a PCK certificate says about a machine.

Source: Intel SGX PCK Certificate and Certificate Revocation List Profile Specification, 1.3.6.

Kept here: each field once, in the profile's order, of its exact type and size; the sixteen component versions and
PCESVN are all there; CPUSVN and its components stay as they are certified; unknown fields are errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self, TypeVar

from adyton.errors import MalformedEvidence
from adyton.formats import der
from adyton.formats.der import TLV, ObjectIdentifier

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

SGX_EXTENSION: Final = ObjectIdentifier("1.2.840.113741.1.13.1")
_COMPONENTS: Final = 16
_PCE_SVN, _CPU_SVN = 17, 18
_DYNAMIC_PLATFORM, _CACHED_KEYS, _SMT_ENABLED = 1, 2, 3
_SGX_TYPES: Final = (b"\x00", b"\x01", b"\x02")


def _identifiers(*path: int, count: int) -> dict[ObjectIdentifier, int]:
    """Return the identifiers under the extension's, by their last arc."""
    stem = ".".join((SGX_EXTENSION.dotted_string, *map(str, path)))
    return {ObjectIdentifier(f"{stem}.{arc}"): arc for arc in range(1, count + 1)}


_FIELDS: Final = tuple(_identifiers(count=7))
_VERSIONS: Final = _identifiers(2, count=_CPU_SVN)
_FLAGS: Final = _identifiers(7, count=_SMT_ENABLED)


@der.sequence
class _Octets:
    name: ObjectIdentifier
    value: bytes


@der.sequence
class _Version:
    name: ObjectIdentifier
    value: int | bytes


@der.sequence
class _Tcb:
    name: ObjectIdentifier
    value: list[_Version]


@der.sequence
class _Flag:
    name: ObjectIdentifier
    value: bool


@der.sequence
class _Configuration:
    name: ObjectIdentifier
    value: list[_Flag]


@der.sequence
class _SgxExtension:
    ppid: _Octets
    tcb: _Tcb
    pce_id: _Octets
    fmspc: _Octets
    sgx_type: der.Pair
    platform_instance_id: _Octets | None
    configuration: _Configuration | None


@dataclass(frozen=True, slots=True)
class PckExtension:
    """A machine, as its PCK certificate describes it.

    Attributes:
        ppid: Platform provisioning id, 16 bytes.
        components: Security versions of the sixteen TCB components, each 0 to 255.
        pce_svn: Security version of the provisioning certification enclave.
        cpu_svn: CPUSVN, 16 bytes.
        pce_id: 2 bytes.
        fmspc: Family, model, stepping, platform type and custom SKU, 6 bytes.
        sgx_type: 0 standard, 1 scalable, 2 scalable with integrity.
        platform_instance_id: 16 bytes; platform CA only.
        dynamic_platform: Whether packages may be added; platform CA only.
        cached_keys: Whether the registration service keeps its keys; platform CA only.
        smt_enabled: Whether hyper-threading is on; platform CA only.
    """

    ppid: bytes
    components: tuple[int, ...]
    pce_svn: int
    cpu_svn: bytes
    pce_id: bytes
    fmspc: bytes
    sgx_type: int
    platform_instance_id: bytes | None = None
    dynamic_platform: bool | None = None
    cached_keys: bool | None = None
    smt_enabled: bool | None = None

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the extension's value.

        Raises:
            MalformedEvidence: `der.format`; `pck.extension.field` if a field is missing, unknown, there twice or of
                another size.
        """
        fields = der.decode(_SgxExtension, data)
        instance, configuration = fields.platform_instance_id, fields.configuration
        for field, name in zip(_present(fields), _FIELDS, strict=False):
            if field is not None and field.name != name:
                raise _malformed(f"expected field {name.dotted_string}, found {field.name.dotted_string}")
        versions = _numbered(fields.tcb.value, _VERSIONS)
        flags = {} if configuration is None else _numbered(configuration.value, _FLAGS)
        return cls(
            ppid=_octets(fields.ppid.value, 16),
            components=tuple([_uint(versions.get(number), 255) for number in range(1, _COMPONENTS + 1)]),
            pce_svn=_uint(versions.get(_PCE_SVN), 0xFFFF),
            cpu_svn=_octets(versions.get(_CPU_SVN), 16),
            pce_id=_octets(fields.pce_id.value, 2),
            fmspc=_octets(fields.fmspc.value, 6),
            sgx_type=_sgx_type(fields.sgx_type.value),
            platform_instance_id=None if instance is None else _octets(instance.value, 16),
            dynamic_platform=flags.get(_DYNAMIC_PLATFORM),
            cached_keys=flags.get(_CACHED_KEYS),
            smt_enabled=flags.get(_SMT_ENABLED),
        )


class _Named(Protocol[_T_co]):
    @property
    def name(self) -> ObjectIdentifier: ...
    @property
    def value(self) -> _T_co: ...


def _present(fields: _SgxExtension) -> tuple[_Named[object] | None, ...]:
    return (
        fields.ppid,
        fields.tcb,
        fields.pce_id,
        fields.fmspc,
        fields.sgx_type,
        fields.platform_instance_id,
        fields.configuration,
    )


def _numbered(fields: Sequence[_Named[_T]], known: Mapping[ObjectIdentifier, int]) -> dict[int, _T]:
    """Return values by the last arc of their identifiers."""
    found = {known.get(field.name): field.value for field in fields}
    if None in found or len(found) != len(fields):
        raise _malformed(f"of {len(fields)} fields one is unknown, or there twice")
    return found  # type: ignore[return-value]  # None is not in it


def _octets(value: int | bytes | None, size: int) -> bytes:
    if not isinstance(value, bytes) or len(value) != size:
        raise _malformed(f"expected {size} bytes, found {_shown(value)}")
    return value


def _uint(value: int | bytes | None, largest: int) -> int:
    if not isinstance(value, int) or not 0 <= value <= largest:
        raise _malformed(f"expected 0 to {largest}, found {_shown(value)}")
    return value


def _sgx_type(value: TLV) -> int:
    content = der.content(value, der.Tag.ENUMERATED)
    if content not in _SGX_TYPES:
        raise _malformed(f"expected SGX type 0, 1 or 2, found {content.hex()}")
    return content[0]


def _shown(value: int | bytes | None) -> str:
    return "none" if value is None else f"{len(value)} bytes" if isinstance(value, bytes) else str(value)


def _malformed(found: str) -> MalformedEvidence:
    return MalformedEvidence(
        "pck.extension.field",
        f"PCK certificate's SGX extension: {found}",
        remedy="use a PCK certificate that Intel's provisioning service issued",
    )
