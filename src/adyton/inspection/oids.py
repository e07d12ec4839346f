"""Object identifiers in dotted form, and the names of those that TEE certificates carry."""

from __future__ import annotations

from typing import Final

from adyton.formats.pck import SGX_EXTENSION

_SGX: Final = SGX_EXTENSION.dotted_string
_MORE: Final = 0x80
_ARCS_CAP: Final = 64
_AMD: Final = "1.3.6.1.4.1.3704.1"
NAMES: Final = {
    "2.5.4.3": "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.29.14": "subject key identifier",
    "2.5.29.15": "key usage",
    "2.5.29.19": "basic constraints",
    "2.5.29.20": "CRL number",
    "2.5.29.21": "reason code",
    "2.5.29.27": "delta CRL indicator",
    "2.5.29.28": "issuing distribution point",
    "2.5.29.31": "CRL distribution points",
    "2.5.29.35": "authority key identifier",
    "2.5.29.37": "extended key usage",
    "1.2.840.10045.2.1": "EC public key",
    "1.2.840.10045.3.1.7": "P-256",
    "1.3.132.0.34": "P-384",
    "1.2.840.10045.4.3.2": "ECDSA with SHA-256",
    "1.2.840.10045.4.3.3": "ECDSA with SHA-384",
    "1.2.840.113549.1.1.1": "RSA",
    "1.2.840.113549.1.1.8": "MGF1",
    "1.2.840.113549.1.1.10": "RSASSA-PSS",
    "1.2.840.113549.1.1.11": "RSA with SHA-256",
    "2.16.840.1.101.3.4.2.1": "SHA-256",
    "2.16.840.1.101.3.4.2.2": "SHA-384",
    _SGX: "SGX extension",
    f"{_SGX}.1": "ppid",
    f"{_SGX}.2": "tcb",
    **{f"{_SGX}.2.{arc}": f"component_{arc}_svn" for arc in range(1, 17)},
    f"{_SGX}.2.17": "pce_svn",
    f"{_SGX}.2.18": "cpu_svn",
    f"{_SGX}.3": "pce_id",
    f"{_SGX}.4": "fmspc",
    f"{_SGX}.5": "sgx_type",
    f"{_SGX}.6": "platform_instance_id",
    f"{_SGX}.7": "configuration",
    f"{_SGX}.7.1": "dynamic_platform",
    f"{_SGX}.7.2": "cached_keys",
    f"{_SGX}.7.3": "smt_enabled",
    f"{_AMD}.1": "struct_version",
    f"{_AMD}.2": "product_name",
    f"{_AMD}.3.1": "boot_loader_svn",
    f"{_AMD}.3.2": "tee_svn",
    f"{_AMD}.3.3": "snp_svn",
    **{f"{_AMD}.3.{arc}": f"spl_{arc}_svn" for arc in range(4, 8)},
    f"{_AMD}.3.8": "microcode_svn",
    f"{_AMD}.3.9": "fmc_svn",
    f"{_AMD}.4": "hardware_id",
    f"{_AMD}.5": "csp_id",
}
"""Dotted form to name; Intel's and AMD's fields as this project names them."""


def dotted(content: bytes) -> str:
    """Return the dotted form of an identifier's content; of one that is not well formed, its hex.

    Args:
        content: What the element of type OBJECT IDENTIFIER contains.
    """
    arcs: list[int] = []
    arc = 0
    for byte in content:
        arc = arc << 7 | byte & ~_MORE
        if not byte & _MORE:
            arcs.append(arc)
            arc = 0
    if not content or content[-1] & _MORE or len(content) > _ARCS_CAP:
        return content.hex()
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def oid_words(content: bytes) -> str:
    """Return the dotted form, and the name if it has one."""
    written = dotted(content)
    name = NAMES.get(written)
    return written if name is None else f"{name} ({written})"


def oid_name(content: bytes) -> str:
    """Return the name, or the dotted form of what has none."""
    written = dotted(content)
    return NAMES.get(written, written)
