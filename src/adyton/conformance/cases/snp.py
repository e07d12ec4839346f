"""SEV-SNP: reports, chips and authorities, sound and forged."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from adyton.conformance.case import (
    AUTHENTIC,
    REFUSE,
    Case,
    Expectation,
    Request,
    Terms,
    accept,
    either,
    expired,
    revoked,
)
from adyton.conformance.chip import (
    CHIP_ID,
    FLEET,
    GENOA,
    MILAN,
    MODELS,
    POLICY,
    TCB,
    TURIN,
    VLEK_FLAG,
    Chip,
)
from adyton.conformance.stage import DEFAULT_TERMS, OTHER_SEED, SINCE, VALIDITY, after, at
from adyton.forge.amd import ASK_SERIAL, ASVK_SERIAL
from adyton.formats.snp import GuestPolicyBits, SigningKey, SnpEndorsements, SnpReport

_GOOD = accept(AUTHENTIC)
_NOT_CHECKED = "attestation-rs #67, CCF #4299, steward #154: debug and privilege level not checked"
_CHIP = "Trustee snp/mod.rs:597: chip id check that never runs"
_NO_CRL = "Trustee; TEE-Attestation-Verification #152: no revocation, no dates"
_ANY_ROOT = "TEE-Attestation-Verification #152: trusts the root that it downloads"
_TURIN = "omne-attest 0.1.0: Turin's layout"


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _sound()
    yield from _roots()
    yield from _kinds()
    yield from _chips()
    yield from _versions()
    yield from _lists()
    yield from _reports()
    yield from _dates()


def _case(
    name: str,
    title: str,
    expected: Expectation,
    chip: Chip,
    *,
    report: SnpReport | bytes | None = None,
    endorsements: SnpEndorsements | None = None,
    root: bytes | None = None,
    terms: Terms = DEFAULT_TERMS,
) -> Case:
    evidence = report or chip.report()
    given = endorsements or listed(chip)
    parts = {"leaf": given.leaf, "intermediate": given.intermediate, "root": given.root, "crl": given.crl}
    request = Request(
        id=f"snp.{name}",
        tee="snp",
        quote=evidence if isinstance(evidence, bytes) else evidence.to_bytes(),
        root=root or chip.vendor.ark,
        time=int(terms.time.timestamp()),
        endorsements={part: base64.b64encode(der).decode() for part, der in parts.items() if der or part != "crl"},
        report_data=terms.report_data,
    )
    return Case(request, expected, title, terms.source)


def listed(chip: Chip) -> SnpEndorsements:
    """Return a chip's certificates, and a list that revokes others."""
    return replace(chip.endorsements, crl=chip.crl(9))


def _sound() -> Iterator[Case]:
    for chip in (MILAN, GENOA, TURIN):
        terms = after(_TURIN) if chip is TURIN else DEFAULT_TERMS
        for version in (2, 3, 5):
            name = f"sound.{chip.product.lower()}-v{version}"
            title = f"a sound report of {chip.product}, version {version}"
            yield _case(name, title, _GOOD, chip, report=chip.report(version=version), terms=terms)
    for name, title, chip, fields in (
        ("fleet", "a sound report that a cloud provider's key signed", FLEET, {}),
        ("hardware-id-wrapped", "a hardware id in an OCTET STRING of its own", replace(MILAN, wrapped=True), {}),
        ("bergamo", "a product that is certified under Genoa's root", replace(GENOA, name="Bergamo-A1"),
         {"cpuid": (0x19, 0xA0, 1)}),
    ):  # fmt: skip
        yield _case(f"sound.{name}", title, _GOOD, chip, report=chip.report(**fields))
    absent = either(AUTHENTIC, because="a policy's to say whether a list has to be there")
    yield _case("sound.without-list", "no revocation list at all", absent, MILAN, endorsements=MILAN.endorsements)


def _roots() -> Iterator[Case]:
    terms, attacker = after(_ANY_ROOT), replace(MILAN, seed=OTHER_SEED)
    ark, ask = MILAN.vendor.ark, MILAN.vendor.ask
    title = "another vendor's chip, with names like the vendor's"
    yield _case("chain.other-vendor", title, REFUSE, attacker, root=ark, terms=terms)
    for name, title, fields in (
        ("root-beside-other-vendor", "another vendor's chip and ASK under the trusted ARK", {"root": ark}),
        (
            "ask-beside-other-vendor",
            "another vendor's chip under the trusted ASK and ARK",
            {"root": ark, "intermediate": ask},
        ),
        ("ask-as-root", "an ASK as its own root", {"root": ask, "intermediate": ask}),
    ):
        changed = replace(attacker.endorsements, **fields)
        yield _case(f"chain.{name}", title, REFUSE, attacker, endorsements=changed, root=ark, terms=terms)
    fleet = replace(FLEET, seed=OTHER_SEED)
    beside = replace(FLEET.endorsements, leaf=fleet.key.certificate)
    title = "another vendor's fleet under the trusted ASVK and ARK"
    yield _case("chain.asvk-beside-other-vendor", title, REFUSE, fleet, endorsements=beside, root=ark, terms=terms)
    for field in ("leaf", "intermediate", "root"):
        sound = listed(MILAN)
        der = getattr(sound, field)
        changed = replace(sound, **{field: der[:-1] + bytes([der[-1] ^ 1])})
        title = f"one bit changed in the signature of the {field} certificate"
        yield _case(f"chain.flipped-{field}", title, REFUSE, MILAN, endorsements=changed, root=ark)
        yield _case(
            f"chain.emptied-{field}", f"no {field} certificate", REFUSE, MILAN,
            endorsements=replace(sound, **{field: b""}), root=ark,
        )  # fmt: skip


def _kinds() -> Iterator[Case]:
    for name, title, chip, flags in (
        ("vlek-as-vcek", "a report that names the chip's key, signed by a fleet's", FLEET, 0),
        ("vcek-as-vlek", "a report that names a fleet's key, signed by the chip's", MILAN, VLEK_FLAG),
        ("no-key", "a report that names no key", MILAN, SigningKey.NONE << 2),
    ):
        yield _case(f"key.{name}", title, REFUSE, chip, report=chip.report(flags=flags))
    for name, title, chip, intermediate in (
        ("vcek-under-asvk", "a chip's certificate under the authority of fleets", MILAN, MILAN.vendor.asvk),
        ("vlek-under-ask", "a fleet's certificate under the authority of chips", FLEET, MILAN.vendor.ask),
    ):
        changed = replace(listed(chip), intermediate=intermediate)
        yield _case(f"key.{name}", title, REFUSE, chip, endorsements=changed)


def _chips() -> Iterator[Case]:
    terms = after(_CHIP)
    for name, title, chip, chip_id in (
        ("other-chip", "another chip than the certificate's", MILAN, CHIP_ID[::-1]),
        ("other-chip-in-the-last-byte", "a chip id that differs in its last byte", MILAN, CHIP_ID[:-1] + b"\x00"),
        ("masked", "a masked chip id, which is nobody's", MILAN, bytes(64)),
        ("turin-rest", "on Turin, bytes behind the eight of the chip id", TURIN, CHIP_ID),
        ("turin-other", "on Turin, another chip than the certificate's", TURIN, CHIP_ID[1:9].ljust(64, b"\x00")),
    ):
        yield _case(f"chip.{name}", title, REFUSE, chip, report=chip.report(chip_id=chip_id), terms=terms)
    unnamed = replace(MILAN, hardware_id=None)
    yield _case("chip.unnamed", "a certificate that names no chip", REFUSE, unnamed, terms=terms)
    yield _case(
        "chip.other-product", "a certificate for Genoa under Milan's root", REFUSE, replace(MILAN, name="Genoa-B0")
    )
    title = "a processor of Genoa with a key of Milan"
    yield _case("chip.other-processor", title, REFUSE, MILAN, report=MILAN.report(cpuid=MODELS["Genoa"]))


def _versions() -> Iterator[Case]:
    base = replace(MILAN, tcb=replace(TCB, tee=3))
    for field in ("boot_loader", "tee", "snp", "microcode"):
        for step, word in ((1, "newer"), (-1, "older")):
            other = replace(base.tcb, **{field: getattr(base.tcb, field) + step}).to_bytes()
            title = f"a report of {word} firmware ({field}) than its key stands for"
            name = f"tcb.{field.replace('_', '-')}-{word}"
            yield _case(name, title, REFUSE, base, report=base.report(reported_tcb=other))
    other = replace(TURIN.tcb, fmc=2).to_bytes()
    title = "on Turin, a report of another first mutable code than its key stands for"
    yield _case("tcb.fmc", title, REFUSE, TURIN, report=TURIN.report(reported_tcb=other), terms=after(_TURIN))
    without = replace(TURIN, tcb=TCB)
    told = without.report(reported_tcb=TURIN.tcb.to_bytes())
    yield _case("tcb.fmc-missing", "on Turin, a key without a first mutable code", REFUSE, without, report=told)


def _lists() -> Iterator[Case]:
    terms, sound = after(_NO_CRL), MILAN.endorsements
    hit = MILAN.crl(ASK_SERIAL)
    yield _case(
        "crl.ask",
        "the authority of chips is revoked",
        revoked(),
        MILAN,
        endorsements=replace(sound, crl=hit),
        terms=terms,
    )
    fleet = replace(FLEET.endorsements, crl=FLEET.crl(ASVK_SERIAL))
    yield _case("crl.asvk", "the authority of fleets is revoked", revoked(), FLEET, endorsements=fleet, terms=terms)
    for name, title, crl in (
        (
            "other-vendor",
            "the list of another vendor's root of the same name",
            replace(MILAN, seed=OTHER_SEED).crl(9),
        ),
        ("other-product", "another product's list", GENOA.crl(9)),
        ("flipped", "a list with one bit of its signature changed", hit[:-1] + bytes([hit[-1] ^ 1])),
        ("garbage", "a list that is none", b"\x30\x03\x02\x01\x00"),
    ):
        changed = replace(sound, crl=crl)
        yield _case(f"crl.{name}", title, REFUSE, MILAN, endorsements=changed, terms=terms)


def _reports() -> Iterator[Case]:
    debug = int(POLICY | GuestPolicyBits.DEBUG)
    for name, title, fields in (
        ("debug", "a guest whose memory the host can read", {"policy": debug}),
        ("vmpl", "a report that the least privileged level of the guest asked for", {"vmpl": 3}),
    ):
        report = MILAN.report(**fields)
        yield _case(f"mode.{name}", title, REFUSE, MILAN, report=report, terms=after(_NOT_CHECKED))
    whole = MILAN.report().to_bytes()
    for name, at_byte in (
        ("guest-svn", 0x04), ("policy", 0x08), ("vmpl", 0x30), ("report-data", 0x50), ("measurement", 0x90),
        ("host-data", 0xC0), ("reported-tcb", 0x187), ("chip-id", 0x1A0), ("launch-tcb", 0x1F7), ("r", 0x2A0),
        ("s", 0x2E8),
    ):  # fmt: skip
        changed = whole[:at_byte] + bytes([whole[at_byte] ^ 1]) + whole[at_byte + 1 :]
        yield _case(f"report.flipped-{name}", f"one bit changed in {name}", REFUSE, MILAN, report=changed)
    for name, title, changed in (
        ("version-6", "a version that nobody has defined, signed", _patched(0x00, 6)),
        ("version-1", "a version from before the first, signed", _patched(0x00, 1)),
        ("algorithm", "a signature algorithm that nobody has defined, signed", _patched(0x34, 2)),
        ("reserved", "a reserved byte that is set, signed", _patched(0x29F, 1)),
        ("signature-zero", "a signature of zeros", whole[:0x2A0] + bytes(0x200)),
        ("cut", "a report that ends too early", whole[:-1]),
        ("trailing", "bytes behind the end of the report", whole + b"\x00"),
        ("empty", "nothing but zeros", bytes(1184)),
    ):
        yield _case(f"report.{name}", title, REFUSE, MILAN, report=changed)
    for name, asked in (("replayed", b"\xdd" * 64), ("prefix-only", b"\xcc" * 32 + bytes(32))):
        terms = replace(DEFAULT_TERMS, source="veraison/services #427: nonce not compared", report_data=asked)
        yield _case(
            f"report.report-data-{name}", f"report data that are not the asked ones: {name}", REFUSE, MILAN, terms=terms
        )


def _patched(place: int, value: int) -> bytes:
    """Return a report with a byte changed, signed by the chip's key."""
    whole = bytearray(MILAN.report().to_bytes())
    whole[place] = value
    raw = MILAN.key.signer.sign_raw(bytes(whole[:0x2A0]))
    whole[0x2A0 : 0x2A0 + 48], whole[0x2E8 : 0x2E8 + 48] = raw[:48][::-1], raw[48:][::-1]
    return bytes(whole)


def _dates() -> Iterator[Case]:
    late, years = at(VALIDITY.expires, seconds=1, source=_NO_CRL), at(datetime(2036, 1, 1, tzinfo=UTC), source=_NO_CRL)
    yield _case(
        "dates.crl-last", "a second before the list expires", _GOOD, MILAN, terms=at(VALIDITY.expires, seconds=-1)
    )
    yield _case("dates.crl-expired", "a second after the list expired", expired(AUTHENTIC), MILAN, terms=late)
    yield _case(
        "dates.vcek-expired", "years after the chip's certificate expired", expired(AUTHENTIC), MILAN, terms=years
    )
    early = either(AUTHENTIC, because="some verifiers look at no issue date")
    before = at(SINCE, seconds=-1)
    yield _case("dates.too-early", "a second before the chip's certificate is valid", early, MILAN, terms=before)
