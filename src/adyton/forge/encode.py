"""Writing the SGX extension of a PCK certificate (the inverse of `adyton.formats.pck`)."""

from __future__ import annotations

from typing import Final

from adyton.forge import der
from adyton.formats.der import Tag
from adyton.formats.pck import PckExtension

_PREFIX: Final = bytes.fromhex("2a864886f84d010d01")


def sgx_extension(platform: PckExtension) -> bytes:
    """Return the extension's value, DER."""
    tcb = [(bytes([2, at]), der.integer(svn)) for at, svn in enumerate(platform.components, 1)]
    tcb += [
        (bytes([2, 17]), der.integer(platform.pce_svn)),
        (bytes([2, 18]), der.octets(platform.cpu_svn)),
    ]
    fields = [
        (bytes([1]), der.octets(platform.ppid)),
        (bytes([2]), _fields(tcb)),
        (bytes([3]), der.octets(platform.pce_id)),
        (bytes([4]), der.octets(platform.fmspc)),
        (bytes([5]), der.element(Tag.ENUMERATED, bytes([platform.sgx_type]))),
    ]
    if platform.platform_instance_id is not None:
        flags = (platform.dynamic_platform, platform.cached_keys, platform.smt_enabled)
        configuration = [(bytes([7, at]), der.boolean(value=bool(flag))) for at, flag in enumerate(flags, 1)]
        fields.append((bytes([6]), der.octets(platform.platform_instance_id)))
        fields.append((bytes([7]), _fields(configuration)))
    return _fields(fields)


def _fields(fields: list[tuple[bytes, bytes]]) -> bytes:
    pairs = (der.sequence(der.element(Tag.OID, _PREFIX + arcs), value) for arcs, value in fields)
    return der.sequence(*pairs)
