"""SEV-SNP evidence: sound reports of each product and version, and each rule broken in turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from adyton.conformance.cases import Case, Expected
from adyton.forge import AmdKeys, AmdVendor, LeafFacts, derive_key, sign_report
from adyton.formats.snp import SnpEndorsements, SnpReport, TcbVersion

NOW: Final = datetime(2026, 6, 1, tzinfo=UTC)
_SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
_KEY: Final = derive_key(b"adyton conformance, first edition", "vcek", ec.SECP384R1())
_CPUID: Final = {"Milan": (0x19, 0x01, 1), "Genoa": (0x19, 0x11, 1), "Turin": (0x1A, 0x02, 1)}
_VLEK_FLAGS: Final = 1 << 2
_UNSIGNED_FLAGS: Final = 7 << 2
_SMT_AND_RESERVED_ONE: Final = 0x30000
_ARK, _ASK, _ASVK = 0x10000, 0x10001, 0x10002


@dataclass(frozen=True)
class Chip:
    """A forged chip: its product, its versions, and a guest on it.

    Attributes:
        product: `Milan`, `Genoa` or `Turin`.
        version: The report's version.
        vlek: Whether a cloud provider's key signs.
    """

    product: str = "Milan"
    version: int = 3
    vlek: bool = False

    @property
    def vendor(self) -> AmdVendor:
        """Who certifies it."""
        return _vendor(self.product)

    @property
    def tcb(self) -> TcbVersion:
        """The firmware versions."""
        return TcbVersion(boot_loader=4, tee=1, snp=24, microcode=219, fmc=2 if self.product == "Turin" else None)

    @property
    def hardware_id(self) -> bytes:
        """The chip's id."""
        return bytes(range(1, 9)) if self.product == "Turin" else bytes(range(1, 65))

    def facts(self, **changes: Any) -> LeafFacts:  # noqa: ANN401, any field
        """Return what the leaf certificate says, with some fields changed."""
        known = LeafFacts(
            self.tcb, f"{self.product}-B0", None if self.vlek else self.hardware_id, "Cloud" if self.vlek else None
        )
        return replace(known, **changes)

    def leaf(self, **changes: Any) -> bytes:  # noqa: ANN401, any field
        """Return the leaf certificate, DER."""
        return _leaf(self.product, self.facts(**changes), vlek=self.vlek)

    def report(self, **changes: Any) -> SnpReport:  # noqa: ANN401, any field
        """Return a signed report, with some fields changed before the signature."""
        tcb = self.tcb.to_bytes()
        mitigations = bytes((self.version >= 5,)) * 8
        known = SnpReport(
            version=self.version, guest_svn=3, policy=_SMT_AND_RESERVED_ONE, family_id=b"\x01" * 16,
            image_id=b"\x02" * 16, vmpl=0, current_tcb=tcb, platform_info=1, flags=_VLEK_FLAGS if self.vlek else 0,
            report_data=b"\xcc" * 64, measurement=b"\xdd" * 48, host_data=b"\x03" * 32, id_key_digest=b"\x04" * 48,
            author_key_digest=b"\x05" * 48, report_id=b"\x06" * 32, report_id_ma=b"\xff" * 32, reported_tcb=tcb,
            cpuid=_CPUID[self.product] if self.version >= 3 else (0, 0, 0),
            chip_id=bytes(64) if self.vlek else self.hardware_id.ljust(64, b"\x00"), committed_tcb=tcb,
            current_version=(29, 55, 1), committed_version=(29, 55, 1), launch_tcb=tcb,
            launch_mitigations=mitigations, current_mitigations=mitigations, signature=bytes(96),
        )  # fmt: skip
        return sign_report(replace(known, **changes), _KEY)

    def crl(self, *revoked: int, number: int = 1) -> bytes:
        """Return the root's list."""
        return _crl(self.product, revoked, number)

    def endorsements(self, *, crl: bytes | None = None, **changes: Any) -> SnpEndorsements:  # noqa: ANN401, any field
        """Return the certificates and the list; `crl=b""` leaves it out."""
        return self.vendor.endorsements(self.leaf(**changes), vlek=self.vlek, crl=self.crl() if crl is None else crl)


MILAN: Final = Chip()


# RSA-4096 signatures in Python take long enough to be made once.


@cache
def _vendor(product: str) -> AmdVendor:
    return AmdVendor(product, since=_SINCE)


@cache
def _leaf(product: str, facts: LeafFacts, *, vlek: bool) -> bytes:
    vendor = _vendor(product)
    return (vendor.vlek if vlek else vendor.vcek)(facts, _KEY)


@cache
def _crl(product: str, revoked: tuple[int, ...], number: int) -> bytes:
    issued, expires = NOW - timedelta(days=10), NOW + timedelta(days=20)
    return _vendor(product).crl(issued, expires, number=number, revoked=revoked)


def cases() -> Iterator[Case]:
    """Yield the cases of SEV-SNP."""
    for chip in (
        Chip("Milan", 2), Chip("Milan", 3), Chip("Milan", 5), Chip("Genoa", 2), Chip("Genoa", 3), Chip("Genoa", 5),
        Chip("Turin", 3), Chip("Turin", 4), Chip("Turin", 5), Chip("Milan", 3, vlek=True), Chip("Genoa", 5, vlek=True),
        Chip("Turin", 5, vlek=True),
    ):  # fmt: skip
        name = f"snp.{chip.product.lower()}.v{chip.version}.{'vlek' if chip.vlek else 'vcek'}"
        yield _case(name, chip, Expected.ACCEPT)
    wrapped = MILAN.endorsements(bare_hardware_id=False)
    yield _case("snp.hardware_id_with_its_header", MILAN, Expected.ACCEPT, endorsements=wrapped)
    yield _case("snp.crl_of_others", MILAN, Expected.ACCEPT, endorsements=MILAN.endorsements(crl=MILAN.crl(7, 8)))
    yield from _certificates()
    yield from _lists()
    yield from _reports()


def _certificates() -> Iterator[Case]:
    genoa = Chip("Genoa")
    for name in ("boot_loader", "tee", "snp", "microcode"):
        for step in (-1, 1):
            tcb = replace(MILAN.tcb, **{name: getattr(MILAN.tcb, name) + step})
            sign = "plus" if step > 0 else "minus"
            yield _forged(
                f"snp.tcb_off_by_one.{name}_{sign}", "snp.reported_tcb", endorsements=MILAN.endorsements(tcb=tcb)
            )
    turin = Chip("Turin", 5)
    yield _forged(
        "snp.tcb_off_by_one.fmc",
        "snp.reported_tcb",
        turin,
        endorsements=turin.endorsements(tcb=replace(turin.tcb, fmc=3)),
    )
    yield _forged(
        "snp.chip_of_another_certificate", "snp.chip_id", endorsements=MILAN.endorsements(hardware_id=bytes(64))
    )
    yield _forged("snp.chip_id_masked", "snp.chip_id", evidence=MILAN.report(chip_id=bytes(64)))
    yield _forged(
        "snp.product_of_another_certificate", "snp.product", endorsements=MILAN.endorsements(product_name="Genoa-B1")
    )
    yield _forged("snp.processor_of_another_product", "snp.product", evidence=MILAN.report(cpuid=(0x19, 0x11, 1)))
    yield _forged("snp.chain_of_another_product", "snp.product", genoa, evidence=MILAN.report())
    vlek = Chip(vlek=True)
    yield _forged("snp.vlek_certificate_for_a_vcek_report", "snp.vcek_chain.names", endorsements=vlek.endorsements())
    yield _forged(
        "snp.vcek_certificate_for_a_vlek_report", "snp.vlek_chain.names", vlek, endorsements=MILAN.endorsements()
    )
    good = MILAN.endorsements()
    yield _forged(
        "snp.asvk_in_place_of_the_ask",
        "snp.vcek_chain.signature",
        endorsements=replace(good, intermediate=MILAN.vendor.asvk),
    )
    swapped = AmdVendor("Milan", since=_SINCE, keys=AmdKeys(ark=AmdKeys().ask, ask=AmdKeys().ark))
    yield _forged(
        "snp.root_of_another_vendor",
        "snp.chain.untrusted_root",
        endorsements=replace(good, root=swapped.ark, intermediate=swapped.ask),
    )
    yield _forged(
        "snp.root_in_place_of_the_ask", "snp.vcek_chain.names", endorsements=replace(good, intermediate=good.root)
    )
    named = MILAN.vendor.vcek(MILAN.facts(), _KEY, common_name="VCEK")
    yield _forged(
        "snp.bug.chip_check_for_another_common_name", "snp.vcek_chain.names", endorsements=replace(good, leaf=named)
    )
    other = derive_key(b"attacker", "vcek", ec.SECP384R1())
    yield _forged(
        "snp.key_of_another_chip",
        "snp.report.signature",
        endorsements=replace(good, leaf=MILAN.vendor.vcek(MILAN.facts(), other)),
    )
    yield _forged(
        "snp.leaf_flipped",
        "snp.vcek_chain.signature",
        endorsements=replace(good, leaf=good.leaf[:-1] + bytes([good.leaf[-1] ^ 1])),
    )
    yield _forged("snp.leaf_empty", "snp.vcek_chain.format", endorsements=replace(good, leaf=b""))


def _lists() -> Iterator[Case]:
    yield _forged("snp.revoked.ask", "snp.ask.revoked", endorsements=MILAN.endorsements(crl=MILAN.crl(_ASK)))
    vlek = Chip(vlek=True)
    yield _forged("snp.revoked.asvk", "snp.ask.revoked", vlek, endorsements=vlek.endorsements(crl=vlek.crl(_ASVK)))
    yield _case(
        "snp.revoked.asvk_of_a_vcek", MILAN, Expected.ACCEPT, endorsements=MILAN.endorsements(crl=MILAN.crl(_ASVK))
    )
    yield _forged(
        "snp.crl_of_another_product", "snp.crl.issuer", endorsements=MILAN.endorsements(crl=Chip("Genoa").crl())
    )
    crl = MILAN.crl()
    yield _forged(
        "snp.crl_flipped", "snp.crl.issuer", endorsements=MILAN.endorsements(crl=crl[:-1] + bytes([crl[-1] ^ 1]))
    )
    yield _forged("snp.crl_garbage", "snp.crl.format", endorsements=MILAN.endorsements(crl=b"nothing"))
    missing = MILAN.endorsements(crl=b"")
    yield _case("snp.crl_missing", MILAN, Expected.EITHER, endorsements=missing)


def _reports() -> Iterator[Case]:
    raw = MILAN.report().to_bytes()
    for name, at in (
        ("policy", 10),
        ("vmpl", 48),
        ("report_data", 80),
        ("measurement", 144),
        ("host_data", 192),
        ("chip_id", 416),
    ):
        code = "snp.chip_id" if name == "chip_id" else "snp.report.signature"
        yield _forged(f"snp.flipped.{name}", code, evidence=raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
    for name, at in (("signature_r", 672), ("signature_s", 744)):
        yield _forged(
            f"snp.flipped.{name}", "snp.report.signature", evidence=raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        )
    yield _forged("snp.version_1", "snp.report.version", evidence=b"\x01" + raw[1:])
    yield _forged("snp.version_6", "snp.report.version", evidence=b"\x06" + raw[1:])
    yield _forged("snp.algorithm_unknown", "snp.report.algorithm", evidence=raw[:52] + b"\x02" + raw[53:])
    yield _forged("snp.truncated", "snp.report.length", evidence=raw[:-1])
    yield _forged("snp.trailing_byte", "snp.report.length", evidence=raw + b"\x00")
    yield _forged(
        "snp.reserved_byte", "snp.report.reserved", evidence=raw[: 0x1F8 + 100] + b"\x01" + raw[0x1F8 + 101 :]
    )
    yield _forged("snp.not_signed_by_a_chip", "snp.report.signing_key", evidence=MILAN.report(flags=_UNSIGNED_FLAGS))
    yield _forged("snp.signing_key_unknown", "snp.report.signing_key", evidence=MILAN.report(flags=5 << 2).to_bytes())


def _forged(name: str, code: str, chip: Chip = MILAN, **more: Any) -> Case:  # noqa: ANN401, parts of a case
    return _case(name, chip, Expected.REFUSE, code=code, **more)


def _case(
    name: str,
    chip: Chip,
    expected: Expected,
    *,
    code: str = "",
    evidence: SnpReport | bytes | None = None,
    endorsements: SnpEndorsements | None = None,
) -> Case:
    evidence = chip.report() if evidence is None else evidence
    return Case(
        id=name,
        tee="snp",
        evidence=evidence if isinstance(evidence, bytes) else evidence.to_bytes(),
        endorsements=endorsements or chip.endorsements(),
        root=chip.vendor.ark,
        now=NOW,
        expected=expected,
        code=code,
    )
