"""AMD SEV-SNP attestation reports, versions 2 to 5, and the certificates they are checked with.

Source: AMD 56860 (SEV-SNP Firmware ABI, table ATTESTATION_REPORT), AMD 57230 (VCEK certificates and KDS). Milan and
Genoa lay a TCB version out as boot loader, TEE, .., SNP, microcode; Turin begins with the FMC.

Kept here: exactly 1184 bytes; reserved bytes are zero; known version, algorithm and signing key; the endorsements file
has its certificates as base64 of DER; `SnpReport.parse(data).to_bytes() == data`.
"""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final, Self

import msgspec

from adyton.errors import MalformedEvidence

SNP_REPORT_SIZE: Final = 1184
SNP_ENDORSEMENTS_SIZE_CAP: Final = 1024 * 1024
SIGNED_SIZE: Final = 0x2A0
_CERTIFICATE_SIZE_CAP: Final = 64 * 1024
_VERSIONS: Final = range(2, 6)
_CPUID_SINCE: Final = 3
# CPUID family, and model without its low nibble (AMD 56860, table 23, since report version 3; AMD 57230, 1.5).
_PRODUCTS: Final = {
    (0x19, 0x0): "Milan", (0x19, 0x1): "Genoa", (0x19, 0xA): "Genoa", (0x1A, 0x0): "Turin", (0x1A, 0x1): "Turin"
}  # fmt: skip
_MITIGATIONS_SINCE: Final = 5
_ECDSA_P384_SHA384: Final = 1
_REMEDY: Final = "collect the report again with SNP_GET_REPORT, and pass its 1184 bytes unchanged"

# Fields in the order of the class below; the letters after a number are sizes, and 'x' would not check reserved bytes.
_BODY: Final = struct.Struct(
    "<I I Q 16s 16s I I 8s Q I 4s 64s 48s 32s 48s 48s 32s 32s 8s 24s 64s 8s 3s s 3s s 8s 8s 8s 152s"
)
_SIGNATURE: Final = struct.Struct("<72s 72s 368s")
_SCALAR_SIZE: Final = 48


SNP_REPORT_SPANS: Final = {
    "version": (0, 4), "guest_svn": (4, 4), "policy": (8, 8), "family_id": (16, 16), "image_id": (32, 16),
    "vmpl": (48, 4), "current_tcb": (56, 8), "platform_info": (64, 8), "flags": (72, 4), "report_data": (80, 64),
    "measurement": (144, 48), "host_data": (192, 32), "id_key_digest": (224, 48), "author_key_digest": (272, 48),
    "reported_tcb": (384, 8), "cpuid": (392, 3), "chip_id": (416, 64), "committed_tcb": (480, 8),
    "current_version": (488, 3), "committed_version": (492, 3), "launch_tcb": (496, 8),
}  # fmt: skip
"""Where fields stand in a report: offset and size, bytes."""


class SigningKey(IntEnum):
    """Which key signed a report (flags, bits 4 to 2)."""

    VCEK = 0
    VLEK = 1
    NONE = 7


class GuestPolicyBits(IntFlag):
    """POLICY, from bit 16 on (AMD 56860, table 9)."""

    SMT = 1 << 16
    RESERVED_ONE = 1 << 17
    MIGRATE_MA = 1 << 18
    DEBUG = 1 << 19
    SINGLE_SOCKET = 1 << 20
    CXL_ALLOW = 1 << 21
    MEM_AES_256_XTS = 1 << 22
    RAPL_DIS = 1 << 23
    CIPHERTEXT_HIDING_DRAM = 1 << 24
    PAGE_SWAP_DISABLE = 1 << 25


class PlatformInfoBits(IntFlag):
    """PLATFORM_INFO (AMD 56860, table 24)."""

    SMT_ENABLED = 1 << 0
    TSME_ENABLED = 1 << 1
    ECC_ENABLED = 1 << 2
    RAPL_DISABLED = 1 << 3
    CIPHERTEXT_HIDING_DRAM = 1 << 4
    ALIAS_CHECK_COMPLETE = 1 << 5


@dataclass(frozen=True, slots=True)
class TcbVersion:
    """Security versions of the firmware under a guest, each 0 to 255.

    Attributes:
        boot_loader: Of the AMD secure processor's boot loader.
        tee: Of its operating system.
        snp: Of the SNP firmware.
        microcode: Of the cores' microcode.
        fmc: Of the first mutable code; None before Turin.
    """

    boot_loader: int
    tee: int
    snp: int
    microcode: int
    fmc: int | None = None

    @classmethod
    def parse(cls, data: bytes, *, turin: bool) -> Self:
        """Read 8 bytes in the layout of a product.

        Raises:
            MalformedEvidence: `snp.report.tcb` if a byte that the layout reserves is set.
        """
        reserved = data[4:7] if turin else data[2:6]
        if len(data) != 8 or any(reserved):
            raise _malformed(
                "tcb", f"expected a TCB version of 8 bytes whose reserved bytes are zero, found {data.hex()}"
            )
        if turin:
            return cls(fmc=data[0], boot_loader=data[1], tee=data[2], snp=data[3], microcode=data[7])
        return cls(boot_loader=data[0], tee=data[1], snp=data[6], microcode=data[7])

    def to_bytes(self) -> bytes:
        """Return the 8 bytes: with an FMC in Turin's layout."""
        if self.fmc is not None:
            return bytes((self.fmc, self.boot_loader, self.tee, self.snp, 0, 0, 0, self.microcode))
        return bytes((self.boot_loader, self.tee, 0, 0, 0, 0, self.snp, self.microcode))

    def named(self) -> tuple[tuple[str, int], ...]:
        """Return the versions by name, without those that the product lacks."""
        names = ("fmc", "boot_loader", "tee", "snp", "microcode")
        return tuple((name, value) for name in names if (value := getattr(self, name)) is not None)


@dataclass(frozen=True, slots=True)
class SnpReport:
    """What the secure processor says about a guest; nothing about it is believed yet.

    Attributes:
        version: 2 to 5.
        guest_svn: Security version of the guest, chosen by its owner.
        policy: The guest's policy; bits of `GuestPolicyBits` above the two bytes of the lowest ABI.
        family_id: Chosen by the guest's owner, 16 bytes.
        image_id: Chosen by the guest's owner, 16 bytes.
        vmpl: The privilege level that asked, 0 the highest.
        current_tcb: Versions that run, 8 bytes.
        platform_info: What the platform has switched on.
        flags: Author key, masked chip key, signing key.
        report_data: 64 bytes that the guest chose.
        measurement: Of the guest's first memory, 48 bytes.
        host_data: 32 bytes that the host chose at launch.
        id_key_digest: Digest of the key that signed the identity block, 48 bytes.
        author_key_digest: Digest of the key that certified that key, 48 bytes.
        report_id: This guest's, 32 bytes.
        report_id_ma: Its migration agent's, 32 bytes.
        reported_tcb: Versions that the signing key stands for, 8 bytes.
        cpuid: Family, model and stepping; zero in version 2.
        chip_id: The chip's, 64 bytes; zero if the platform masks it.
        committed_tcb: Versions that cannot be undone, 8 bytes.
        current_version: Build, minor, major of the firmware that runs.
        committed_version: Build, minor, major of the firmware that cannot be undone.
        launch_tcb: Versions when the guest was launched, 8 bytes.
        launch_mitigations: Mitigations verified at launch; since version 5.
        current_mitigations: Mitigations verified now; since version 5.
        signature: ECDSA P-384: r and s, big-endian, 96 bytes.
    """

    version: int
    guest_svn: int
    policy: int
    family_id: bytes
    image_id: bytes
    vmpl: int
    current_tcb: bytes
    platform_info: int
    flags: int
    report_data: bytes
    measurement: bytes
    host_data: bytes
    id_key_digest: bytes
    author_key_digest: bytes
    report_id: bytes
    report_id_ma: bytes
    reported_tcb: bytes
    cpuid: tuple[int, int, int]
    chip_id: bytes
    committed_tcb: bytes
    current_version: tuple[int, int, int]
    committed_version: tuple[int, int, int]
    launch_tcb: bytes
    launch_mitigations: bytes
    current_mitigations: bytes
    signature: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a report.

        Raises:
            MalformedEvidence: `snp.report.length`, `.version`, `.algorithm`, `.signing_key`, `.reserved`, `.signature`.
        """
        if len(data) != SNP_REPORT_SIZE:
            raise _malformed("length", f"expected {SNP_REPORT_SIZE} bytes, found {len(data)}")
        (
            version, guest_svn, policy, family_id, image_id, vmpl, algorithm, current_tcb, platform_info, flags,
            reserved1, report_data, measurement, host_data, id_key_digest, author_key_digest, report_id, report_id_ma,
            reported_tcb, cpuid, chip_id, committed_tcb, current, reserved2, committed, reserved3, launch_tcb,
            launch_mitigations, current_mitigations, reserved4,
        ) = _BODY.unpack_from(data)  # fmt: skip
        if version not in _VERSIONS:
            raise _malformed("version", f"expected report version 2 to 5, found {version}")
        if algorithm != _ECDSA_P384_SHA384:
            raise _malformed(
                "algorithm", f"expected signature algorithm 1 (ECDSA P-384 with SHA-384), found {algorithm}"
            )
        later = b"" if version >= _MITIGATIONS_SINCE else launch_mitigations + current_mitigations
        cpu_reserved = cpuid[3:] if version >= _CPUID_SINCE else cpuid
        if any((*reserved1, *reserved2, *reserved3, *reserved4, *later, *cpu_reserved, flags >> 5)):
            raise _malformed("reserved", f"bytes that version {version} reserves have to be zero, and are not")
        if (flags >> 2) & 7 not in list(SigningKey):
            raise _malformed(
                "signing_key", f"expected signing key 0 (VCEK), 1 (VLEK) or 7 (none), found {flags >> 2 & 7}"
            )
        return cls(
            version, guest_svn, policy, family_id, image_id, vmpl, current_tcb, platform_info, flags, report_data,
            measurement, host_data, id_key_digest, author_key_digest, report_id, report_id_ma, reported_tcb,
            _triple(cpuid), chip_id, committed_tcb, _triple(current), _triple(committed), launch_tcb,
            launch_mitigations, current_mitigations, _parse_signature(data[SIGNED_SIZE:]),
        )  # fmt: skip

    def signed_bytes(self) -> bytes:
        """Return what the chip signs: the first 672 bytes."""
        return _BODY.pack(
            self.version, self.guest_svn, self.policy, self.family_id, self.image_id, self.vmpl, _ECDSA_P384_SHA384,
            self.current_tcb, self.platform_info, self.flags, b"", self.report_data, self.measurement, self.host_data,
            self.id_key_digest, self.author_key_digest, self.report_id, self.report_id_ma, self.reported_tcb,
            bytes(self.cpuid), self.chip_id, self.committed_tcb, bytes(self.current_version), b"",
            bytes(self.committed_version), b"", self.launch_tcb, self.launch_mitigations, self.current_mitigations, b"",
        )  # fmt: skip

    def to_bytes(self) -> bytes:
        """Return the 1184 bytes."""
        r, s = self.signature[:_SCALAR_SIZE], self.signature[_SCALAR_SIZE:]
        return self.signed_bytes() + _SIGNATURE.pack(r[::-1], s[::-1], b"")

    @property
    def signing_key(self) -> SigningKey:
        """Which key signed it."""
        return SigningKey((self.flags >> 2) & 7)

    def product(self, *, before: str) -> str:
        """Return the product line that the processor says it is: Milan, Genoa, Turin, or `unknown`.

        Args:
            before: The answer for version 2, which says nothing of the processor.
        """
        family, model, _ = self.cpuid
        return _PRODUCTS.get((family, model >> 4), "unknown") if self.version >= _CPUID_SINCE else before

    @property
    def debug(self) -> bool:
        """Whether the host may read the guest's memory through the secure processor."""
        return bool(self.policy & GuestPolicyBits.DEBUG)


class _EndorsementsFile(msgspec.Struct, frozen=True):
    leaf: str
    intermediate: str
    root: str
    crl: str | None = None


@dataclass(frozen=True, slots=True)
class SnpEndorsements:
    """The certificates that a report is checked with, DER, exactly as received.

    Attributes:
        leaf: The VCEK or VLEK certificate.
        intermediate: The ASK's or ASVK's.
        root: The ARK's.
        crl: The ARK's revocation list; empty if there is none.
    """

    leaf: bytes
    intermediate: bytes
    root: bytes
    crl: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read an endorsements file: JSON with `leaf`, `intermediate`, `root` and optional `crl`, base64 of DER.

        Raises:
            MalformedEvidence: `snp.endorsements.size` over 1 MiB; `snp.endorsements.format`.
        """
        if len(data) > SNP_ENDORSEMENTS_SIZE_CAP:
            raise _malformed_endorsements(
                "size", f"expected at most {SNP_ENDORSEMENTS_SIZE_CAP} bytes, found {len(data)}"
            )
        try:
            document = msgspec.json.decode(data, type=_EndorsementsFile)
            leaf, intermediate, root, crl = (
                base64.b64decode(text, validate=True)
                for text in (document.leaf, document.intermediate, document.root, document.crl or "")
            )
        except (msgspec.MsgspecError, binascii.Error, ValueError, RecursionError) as error:
            raise _malformed_endorsements("format", f"this is not a file of SNP endorsements: {error}") from error
        if max(map(len, (leaf, intermediate, root))) > _CERTIFICATE_SIZE_CAP:
            raise _malformed_endorsements("size", f"expected certificates of at most {_CERTIFICATE_SIZE_CAP} bytes")
        return cls(leaf, intermediate, root, crl)

    def to_bytes(self) -> bytes:
        """Return an endorsements file."""
        named = {"leaf": self.leaf, "intermediate": self.intermediate, "root": self.root}
        crl = {"crl": self.crl} if self.crl else {}
        return msgspec.json.encode(
            {name: base64.b64encode(content).decode() for name, content in (named | crl).items()}
        )


def _parse_signature(data: bytes) -> bytes:
    r: bytes
    s: bytes
    r, s, reserved = _SIGNATURE.unpack(data)
    if any(r[_SCALAR_SIZE:]) or any(s[_SCALAR_SIZE:]) or any(reserved):
        raise _malformed("signature", "expected r and s of 48 bytes each and zeros behind them")
    return r[_SCALAR_SIZE - 1 :: -1] + s[_SCALAR_SIZE - 1 :: -1]


def _triple(data: bytes) -> tuple[int, int, int]:
    return data[0], data[1], data[2]


def _malformed(suffix: str, found: str) -> MalformedEvidence:
    return MalformedEvidence(f"snp.report.{suffix}", f"SNP report: {found}", remedy=_REMEDY)


def _malformed_endorsements(suffix: str, found: str) -> MalformedEvidence:
    return MalformedEvidence(
        f"snp.endorsements.{suffix}", found, remedy="pass leaf, intermediate and root as base64 of DER, from AMD's KDS"
    )
