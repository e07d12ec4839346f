"""Writing the SGX extension of a PCK certificate (the inverse of `adyton.formats.pck`)."""

from __future__ import annotations

from typing import Final

from adyton.formats.der import Tag, element
from adyton.formats.pck import PckExtension

_PREFIX: Final = bytes.fromhex("2a864886f84d010d01")


def sgx_extension(platform: PckExtension) -> bytes:
    """Return the extension's value, DER."""
    tcb = [(bytes([2, at]), _integer(svn)) for at, svn in enumerate(platform.components, 1)]
    tcb += [
        (bytes([2, 17]), _integer(platform.pce_svn)),
        (bytes([2, 18]), element(Tag.OCTET_STRING, platform.cpu_svn)),
    ]
    fields = [
        (bytes([1]), element(Tag.OCTET_STRING, platform.ppid)),
        (bytes([2]), _fields(tcb)),
        (bytes([3]), element(Tag.OCTET_STRING, platform.pce_id)),
        (bytes([4]), element(Tag.OCTET_STRING, platform.fmspc)),
        (bytes([5]), element(Tag.ENUMERATED, bytes([platform.sgx_type]))),
    ]
    if platform.platform_instance_id is not None:
        flags = (platform.dynamic_platform, platform.cached_keys, platform.smt_enabled)
        configuration = [
            (bytes([7, at]), element(Tag.BOOLEAN, b"\xff" if flag else b"\x00")) for at, flag in enumerate(flags, 1)
        ]
        fields.append((bytes([6]), element(Tag.OCTET_STRING, platform.platform_instance_id)))
        fields.append((bytes([7]), _fields(configuration)))
    return _fields(fields)


def _fields(fields: list[tuple[bytes, bytes]]) -> bytes:
    pairs = (element(Tag.SEQUENCE, element(Tag.OID, _PREFIX + arcs) + value) for arcs, value in fields)
    return element(Tag.SEQUENCE, b"".join(pairs))


def _integer(value: int) -> bytes:
    return element(Tag.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))
