"""What Intel's extension of a PCK certificate says about a machine.

Source: Intel SGX PCK Certificate and Certificate Revocation List Profile Specification, 1.3.6.

Kept here: each field once, each of its exact type and size; the sixteen component versions and PCESVN are all there;
CPUSVN and its components stay as they are certified; unknown fields are errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from adyton.errors import MalformedEvidence
from adyton.formats import der

SGX_EXTENSION_OID: Final = "1.2.840.113741.1.13.1"
SGX_EXTENSION: Final = bytes.fromhex("2a864886f84d010d01")
"""The same identifier as a certificate carries it: the content of its DER."""
_PPID, _TCB, _PCE_ID, _FMSPC, _SGX_TYPE, _INSTANCE_ID, _CONFIGURATION = range(1, 8)
_COMPONENTS: Final = 16
_PCE_SVN, _CPU_SVN = 17, 18
_DYNAMIC_PLATFORM, _CACHED_KEYS, _SMT_ENABLED = 1, 2, 3


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
            MalformedEvidence: `der.*`; `pck.extension.field` if a field is missing, unknown or there twice.
        """
        fields = _fields(der.parse(data), SGX_EXTENSION, required=(_PPID, _TCB, _PCE_ID, _FMSPC, _SGX_TYPE), last=7)
        versions = (*range(1, _COMPONENTS + 1), _PCE_SVN, _CPU_SVN)
        tcb = _fields(fields[_TCB], SGX_EXTENSION + bytes([_TCB]), required=versions, last=_CPU_SVN)
        instance, configuration = fields.get(_INSTANCE_ID), fields.get(_CONFIGURATION)
        flags = {} if configuration is None else _flags(configuration)
        return cls(
            ppid=fields[_PPID].octets(16),
            components=tuple(tcb[number].uint(largest=255) for number in range(1, _COMPONENTS + 1)),
            pce_svn=tcb[_PCE_SVN].uint(largest=0xFFFF),
            cpu_svn=tcb[_CPU_SVN].octets(16),
            pce_id=fields[_PCE_ID].octets(2),
            fmspc=fields[_FMSPC].octets(6),
            sgx_type=fields[_SGX_TYPE].uint(der.Tag.ENUMERATED, largest=2),
            platform_instance_id=None if instance is None else instance.octets(16),
            dynamic_platform=flags.get(_DYNAMIC_PLATFORM),
            cached_keys=flags.get(_CACHED_KEYS),
            smt_enabled=flags.get(_SMT_ENABLED),
        )


def _flags(configuration: der.Element) -> dict[int, bool]:
    flags = _fields(configuration, SGX_EXTENSION + bytes([_CONFIGURATION]), required=(), last=_SMT_ENABLED)
    return {number: element.boolean() for number, element in flags.items()}


def _fields(sequence: der.Element, prefix: bytes, *, required: tuple[int, ...], last: int) -> dict[int, der.Element]:
    """Return a SEQUENCE of (OID, value) pairs by the last arc of their OIDs."""
    head = bytes([der.Tag.OID, len(prefix) + 1]) + prefix
    end = len(head) + 1
    found: dict[int, der.Element] = {}
    for pair in sequence.children():
        content = pair.expect(der.Tag.SEQUENCE)
        number = content[end - 1] if len(content) > end and content.startswith(head) else 0
        if not 1 <= number <= last or number in found:
            raise _malformed(f"the field {content[:end].hex()} is unknown, or there twice")
        found[number] = der.parse(content[end:])
    missing = [number for number in required if number not in found]
    if missing:
        raise _malformed(f"fields {missing} under OID content {prefix.hex()} are missing")
    return found


def _malformed(found: str) -> MalformedEvidence:
    return MalformedEvidence(
        "pck.extension.field",
        f"PCK certificate's SGX extension: {found}",
        remedy="use a PCK certificate that Intel's provisioning service issued",
    )
