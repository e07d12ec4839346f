"""A simulated SEV-SNP chip whose each part a case may replace; all keys are from a seed, so its bytes never change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from adyton.conformance.stage import SEED, SINCE, VALIDITY
from adyton.forge import AmdKeys, AmdVendor, ChipFacts, SnpKey, seeded_p384
from adyton.formats.snp import GuestPolicyBits, SigningKey, SnpEndorsements, SnpReport, TcbVersion

TCB: Final = TcbVersion(boot_loader=4, tee=0, snp=24, microcode=219)
TURIN_TCB: Final = replace(TCB, fmc=1)
CHIP_ID: Final = bytes(range(1, 65))
MODELS: Final = {"Milan": (0x19, 0x01, 1), "Genoa": (0x19, 0x11, 1), "Turin": (0x1A, 0x02, 1)}
VLEK_FLAG: Final = SigningKey.VLEK << 2
POLICY: Final = GuestPolicyBits.RESERVED_ONE | GuestPolicyBits.SMT
REPORT: Final = SnpReport(
    version=3,
    guest_svn=0,
    policy=int(POLICY),
    family_id=bytes(16),
    image_id=bytes(16),
    vmpl=0,
    current_tcb=TCB.to_bytes(),
    platform_info=1,
    flags=0,
    report_data=b"\xcc" * 64,
    measurement=b"\xdd" * 48,
    host_data=bytes(32),
    id_key_digest=bytes(48),
    author_key_digest=bytes(48),
    report_id=b"\x01" * 32,
    report_id_ma=b"\xff" * 32,
    reported_tcb=TCB.to_bytes(),
    cpuid=MODELS["Milan"],
    chip_id=CHIP_ID,
    committed_tcb=TCB.to_bytes(),
    current_version=(1, 55, 1),
    committed_version=(1, 55, 1),
    launch_tcb=TCB.to_bytes(),
    launch_mitigations=bytes(8),
    current_mitigations=bytes(8),
    signature=bytes(96),
)
"""A report of Milan that nobody has signed."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A simulated chip, or with `csp_id` a cloud provider's fleet.

    Attributes:
        product: `Milan`, `Genoa` or `Turin`: whose root it is certified under.
        name: The product's name in its certificate.
        tcb: The firmware versions that it runs and that its key stands for.
        hardware_id: Its id, 64 bytes or on Turin 8; None if its certificate names none.
        csp_id: The cloud provider of a fleet.
        wrapped: Whether the certificate has the id in an OCTET STRING of its own.
        seed: What its vendor's keys are from.
    """

    product: str = "Milan"
    name: str = "Milan-B0"
    tcb: TcbVersion = TCB
    hardware_id: bytes | None = CHIP_ID
    csp_id: str | None = None
    wrapped: bool = False
    seed: bytes = SEED

    @property
    def vendor(self) -> AmdVendor:
        """Its vendor."""
        return vendor(self.product, self.seed)

    @property
    def key(self) -> SnpKey:
        """Its certified key."""
        return _key(self)

    @property
    def endorsements(self) -> SnpEndorsements:
        """Its certificates, without a revocation list."""
        return self.vendor.endorsements(self.key)

    def crl(self, *serials: int) -> bytes:
        """Return its vendor's revocation list."""
        return _crl(self.product, self.seed, serials)

    def report(self, **fields: Any) -> SnpReport:  # noqa: ANN401, a report's fields have many types
        """Return a report that it signed; fields replace what it would say."""
        tcb = self.tcb.to_bytes()
        own = replace(
            REPORT,
            flags=VLEK_FLAG if self.csp_id else 0,
            cpuid=MODELS[self.product],
            chip_id=(self.hardware_id or bytes(64)).ljust(64, b"\x00"),
            current_tcb=tcb,
            reported_tcb=tcb,
            committed_tcb=tcb,
            launch_tcb=tcb,
        )
        # Version 2 does not name the processor.
        without = {"cpuid": (0, 0, 0)} if fields.get("version") == 2 else {}
        return self.key.sign(replace(own, **(fields | without)))


MILAN: Final = Chip()
GENOA: Final = Chip("Genoa", "Genoa-B0")
TURIN: Final = Chip("Turin", "Turin-B0", TURIN_TCB, CHIP_ID[:8])
FLEET: Final = Chip(hardware_id=None, csp_id="Example Cloud")


@cache
def vendor(product: str, seed: bytes = SEED) -> AmdVendor:
    """Return the vendor of a product's chips."""
    return AmdVendor(AmdKeys.seeded(seed), product, since=SINCE)


@cache
def _key(chip: Chip) -> SnpKey:
    facts = ChipFacts(chip.name, chip.tcb, chip.hardware_id, chip.csp_id, chip.wrapped)
    issue = chip.vendor.issue_vlek if chip.csp_id else chip.vendor.issue_vcek
    return issue(facts, seeded_p384(chip.seed, f"chip {chip.product}"))


@cache
def _crl(product: str, seed: bytes, serials: tuple[int, ...]) -> bytes:
    return vendor(product, seed).crl(VALIDITY.issued, VALIDITY.expires, revoked=serials, number=7)
