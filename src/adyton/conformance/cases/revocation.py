"""Revocation lists: every certificate that can be on one, and lists that are not what they claim."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from adyton.conformance.case import REFUSE, Case, revoked
from adyton.conformance.stage import ELSEWHERE, PCK_SERIAL, SGX, TDX, VALIDITY, Stage, after, case
from adyton.forge import Profile, Role, Vendor, VendorKeys, seeded_p256
from adyton.forge.certificates import pem
from adyton.forge.der import integer
from adyton.formats.collateral import Collateral

_OFF = "go-tdx-guest, enarx/steward #112: revocation off by default"
_WRONG_ISSUER = "automata-on-chain-pccs #22: a list matched to the wrong issuer"
_CA_SERIAL, _SIGNING_SERIAL = 2, 3
_TIME_HEADER = b"\x17\x0d"  # what follows a serial number in an entry


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for stage in (SGX, TDX):
        yield from _revoked(stage)
        yield from _foreign(stage)
        yield from _damaged(stage)


def _revoked(stage: Stage) -> Iterator[Case]:
    for name, title, there in (
        ("pck", "the platform's certificate", replace(stage, revoked_by_pck_ca=(7, PCK_SERIAL, 9000))),
        ("pck-ca", "the CA that certifies platforms", replace(stage, revoked_by_root=(_CA_SERIAL,))),
        ("tcb-signing", "the certificate that signs documents", replace(stage, revoked_by_root=(_SIGNING_SERIAL,))),
    ):
        yield case(f"revoked.{name}", f"{title} is revoked", revoked(), there, terms=after(_OFF))
    ca = replace(stage, revoked_by_root=(_CA_SERIAL,))
    hidden = replace(ca.collateral(), pck_crl_chain=b"")
    title = "the CA is revoked, and its chain was not sent with its list"
    yield case("revoked.pck-ca-hidden", title, revoked(), ca, collateral=hidden)
    yield _second_signer(stage)


def _second_signer(stage: Stage) -> Case:
    """QE identity under a signer of its own, which alone is revoked."""
    profiles = {Role.TCB_SIGNING: Profile("Intel SGX TCB Signing", ca=False, serial=33)}
    other = replace(stage, profiles=profiles)
    there = replace(stage, revoked_by_root=(33,))
    mixed = replace(there.collateral(), qe_identity_chain=other.vendor.tcb_chain)
    title = "the certificate that signs QE identity is revoked, and the one that signs TCB info is not"
    return case("revoked.qe-identity-signing", title, revoked(), there, collateral=mixed)


def _foreign(stage: Stage) -> Iterator[Case]:
    genuine = replace(stage, revoked_by_pck_ca=(PCK_SERIAL,)).collateral()
    elsewhere = ELSEWHERE.collateral()
    sibling = _sibling(stage)
    other_ca = sibling.pck_crl(VALIDITY.issued, VALIDITY.expires)
    for name, title, fields in (
        ("pck-crl.of-the-root", "the root's list in place of the CA's, which revokes the platform",
         {"pck_crl": genuine.root_crl}),
        ("pck-crl.of-the-root-without-chain", "the root's list in place of the CA's, whose chain was not sent",
         {"pck_crl": genuine.root_crl, "pck_crl_chain": b""}),
        ("pck-crl.of-another-ca", "the list of another CA of the same vendor, with that CA's chain",
         {"pck_crl": other_ca, "pck_crl_chain": sibling.pck_crl_chain}),
        ("pck-crl.of-another-ca-behind-own-chain", "the list of another CA of the same vendor, with this CA's chain",
         {"pck_crl": other_ca}),
        ("pck-crl.of-another-ca-without-chain", "the list of another CA of the same vendor, without a chain",
         {"pck_crl": other_ca, "pck_crl_chain": b""}),
        ("pck-crl.of-another-vendor", "the list of another vendor's CA of the same name",
         {"pck_crl": elsewhere.pck_crl}),
        ("pck-crl.of-another-vendor-with-its-chain", "the list of another vendor's CA of the same name, with its chain",
         {"pck_crl": elsewhere.pck_crl, "pck_crl_chain": elsewhere.pck_crl_chain}),
        ("pck-crl.of-another-vendor-without-chain", "the list of another vendor's CA of the same name, without a chain",
         {"pck_crl": elsewhere.pck_crl, "pck_crl_chain": b""}),
    ):  # fmt: skip
        changed = replace(genuine, **fields)
        yield case(name, title, REFUSE, stage, collateral=changed, terms=after(_WRONG_ISSUER))
    yield from _self_made(stage, genuine)
    there = replace(stage, revoked_by_root=(_CA_SERIAL,)).collateral()
    for name, title, crl in (
        ("root-crl.of-the-ca", "the CA's list in place of the root's, which revokes the CA", there.pck_crl),
        ("root-crl.of-another-vendor", "the list of another vendor's root of the same name", elsewhere.root_crl),
    ):
        changed = replace(there, root_crl=crl)
        yield case(name, title, REFUSE, stage, collateral=changed, terms=after(_WRONG_ISSUER))


def _self_made(stage: Stage, genuine: Collateral) -> Iterator[Case]:
    """An attacker's list, under a CA certificate of its own and the vendor's root that anybody can copy."""
    attacker = ELSEWHERE.vendor
    for name, title, ca in (
        ("self-made-ca", "an attacker's list, with a CA of its own under the vendor's root", attacker.pck_ca_der),
        ("named-as-another", "an attacker's list, with a signer of documents as its CA", stage.vendor.tcb_signing_der),
    ):
        changed = replace(
            genuine,
            pck_crl=attacker.pck_crl(VALIDITY.issued, VALIDITY.expires),
            pck_crl_chain=pem(ca, stage.vendor.root_der),
        )
        yield case(f"pck-crl.{name}", title, REFUSE, stage, collateral=changed, terms=after(_WRONG_ISSUER))


def _sibling(stage: Stage) -> Vendor:
    """Return the same vendor with its other CA."""
    keys = replace(VendorKeys.seeded(stage.seed), pck_ca=seeded_p256(stage.seed, "processor ca"))
    profiles = {Role.PCK_CA: Profile("Intel SGX PCK Processor CA", ca=True, serial=4)}
    return Vendor(keys, since=VALIDITY.issued.replace(month=1, day=1), deterministic=True, profiles=profiles)


def _damaged(stage: Stage) -> Iterator[Case]:
    there = replace(stage, revoked_by_root=(_CA_SERIAL, 70000), revoked_by_pck_ca=(PCK_SERIAL, 70000)).collateral()
    for field in ("root_crl", "pck_crl"):
        crl = getattr(there, field)
        entry = integer(_CA_SERIAL if field == "root_crl" else PCK_SERIAL) + _TIME_HEADER
        at = crl.index(entry) + len(entry) - len(_TIME_HEADER) - 1
        name = field.replace("_", "-")
        for variant, title, changed in (
            ("edited", "from which an entry was edited away", crl[:at] + bytes([crl[at] ^ 0x40]) + crl[at + 1 :]),
            ("signature-flipped", "with one bit of the signature changed", crl[:-1] + bytes([crl[-1] ^ 1])),
            ("truncated", "that ends too early", crl[:-20]),
            ("emptied", "that is empty", b""),
        ):
            collateral = replace(there, **{field: changed})
            yield case(f"{name}.{variant}", f"a revocation list {title}", REFUSE, stage, collateral=collateral)
