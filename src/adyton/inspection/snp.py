"""The table of SNP reports (AMD 56860, table ATTESTATION_REPORT), versions 2 to 5."""

from __future__ import annotations

from enum import IntFlag
from typing import Final

from adyton.errors import MalformedEvidence
from adyton.formats.snp import GuestPolicyBits, TcbVersion
from adyton.inspection.layout import Field, Layout, Shown, Values
from adyton.inspection.limits import View
from adyton.inspection.show import bit_names, bits, names, note, number, reserved, set_bytes, words, zeros

_TURIN_FAMILY: Final = 0x1A
_CPUID_AT: Final = 392
_CHIP_ID: Final = slice(416, 480)
_TURIN_ID_SIZE: Final = 8
_KEYS: Final = {0: "VCEK", 1: "VLEK", 7: "none"}
_FLAGS_RESERVED_FROM: Final = 5


class PlatformInfoBits(IntFlag):
    """PLATFORM_INFO (AMD 56860, in table ATTESTATION_REPORT)."""

    SMT_EN = 1 << 0
    TSME_EN = 1 << 1
    ECC_EN = 1 << 2
    RAPL_DIS = 1 << 3
    CIPHERTEXT_HIDING_DRAM_EN = 1 << 4
    ALIAS_CHECK_COMPLETE = 1 << 5
    TIO_EN = 1 << 7


def known_of_report(data: bytes) -> Values:
    """Return what the table has to know before it is read: the version, and whether the product is Turin."""
    version = int.from_bytes(data[:4], "little")
    chip_id = data[_CHIP_ID]
    short_id = any(chip_id[:_TURIN_ID_SIZE]) and not any(chip_id[_TURIN_ID_SIZE:])
    family = data[_CPUID_AT] if len(data) > _CPUID_AT else 0
    turin = family == _TURIN_FAMILY if version > 2 else short_id
    return {"report_version": version, "turin": int(turin)}


def _tcb(raw: bytes, values: Values, _view: View) -> Shown:
    turin = bool(values["turin"])
    try:
        named = TcbVersion.parse(raw, turin=turin).named()
    except MalformedEvidence:
        layout = "Turin" if turin else "Milan and Genoa"
        return Shown(f"not the layout of {layout}", ("bytes that the layout reserves are set",))
    return Shown(", ".join(f"{name} {version}" for name, version in named))


def _policy(raw: bytes, _values: Values, _view: View) -> Shown:
    value = int.from_bytes(raw, "little")
    danger = []
    if value & GuestPolicyBits.DEBUG:
        danger.append("a debug guest: its host can read its memory")
    if value & GuestPolicyBits.MIGRATE_MA:
        danger.append("a migration agent may be bound to it")
    allowed = bit_names(value & ~0xFFFF, GuestPolicyBits)
    return Shown(f"ABI at least {raw[1]}.{raw[0]}; {allowed}", tuple(danger))


def _flags(raw: bytes, _values: Values, _view: View) -> Shown:
    value = int.from_bytes(raw, "little")
    key = value >> 2 & 7
    said = [f"signed by {_KEYS.get(key, f'unknown key {key}')}"]
    said += ["an author key signed the id key"] * (value & 1) + ["the chip's key is masked"] * (value >> 1 & 1)
    danger = ("this report is not signed",) if key == 7 else ()
    return Shown(", ".join(said), danger, wrong=key not in _KEYS or bool(value >> _FLAGS_RESERVED_FROM))


def _cpuid(values: Values) -> Layout:
    if values["report_version"] < 3:
        return (reserved("cpuid_reserved", 24),)
    return (
        Field("cpuid_family", 1, names({0x19: "Zen 3 and 4 (Milan, Genoa)", 0x1A: "Zen 5 (Turin)"})),
        Field("cpuid_model", 1, number()),
        Field("cpuid_stepping", 1, number()),
        reserved("cpuid_reserved", 21),
    )


def _firmware(raw: bytes, _values: Values, _view: View) -> Shown:
    return Shown(f"{raw[2]}.{raw[1]} build {raw[0]}")


def _mitigations(raw: bytes, values: Values, view: View) -> Shown:
    return Shown("mitigations, a bit each") if values["report_version"] >= 5 else zeros(raw, values, view)


REPORT: Final[Layout] = (
    Field("version", 4, words({version: f"version {version}" for version in range(2, 6)})),
    Field("guest_svn", 4, number()),
    Field("policy", 8, _policy),
    Field("family_id", 16, note("chosen by the guest's owner")),
    Field("image_id", 16, note("chosen by the guest's owner")),
    Field("vmpl", 4, number()),
    Field("signature_algorithm", 4, words({1: "ECDSA P-384 with SHA-384"})),
    Field("current_tcb", 8, _tcb),
    Field("platform_info", 8, bits(PlatformInfoBits)),
    Field("flags", 4, _flags),
    reserved("reserved1", 4),
    Field("report_data", 64, set_bytes("64 bytes that the guest chose", "the guest chose zeros: nothing is bound")),
    Field("measurement", 48, note("of the guest's first memory")),
    Field("host_data", 32, set_bytes("chosen by the host at launch", "zero")),
    Field("id_key_digest", 48, set_bytes("of the key that signed the identity block", "no identity block")),
    Field("author_key_digest", 48, set_bytes("of the key that certified that key", "none")),
    Field("report_id", 32, note("this guest's")),
    Field("report_id_ma", 32, note("its migration agent's; ones if it has none")),
    Field("reported_tcb", 8, _tcb),
    Field("cpuid", 24, parts=_cpuid),
    Field("chip_id", 64, set_bytes("the chip's", "masked by the platform")),
    Field("committed_tcb", 8, _tcb),
    Field("current_version", 3, _firmware),
    reserved("reserved2", 1),
    Field("committed_version", 3, _firmware),
    reserved("reserved3", 1),
    Field("launch_tcb", 8, _tcb),
    Field("launch_mitigations", 8, _mitigations),
    Field("current_mitigations", 8, _mitigations),
    reserved("reserved4", 152),
    Field("signature_r", 48, note("little-endian; not verified here")),
    reserved("signature_r_reserved", 24),
    Field("signature_s", 48, note("little-endian; not verified here")),
    reserved("signature_s_reserved", 24),
    reserved("signature_reserved", 368),
)
