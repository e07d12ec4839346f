"""Certificate chains that do not lead where they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from adyton.conformance.case import REFUSE, Case, either
from adyton.conformance.stage import ELSEWHERE, OTHER_SEED, PCK_SERIAL, SEED, SGX, SINCE, TDX, Stage, case
from adyton.forge import PckCredential, Profile, Role, Vendor, VendorKeys, seeded_p256
from adyton.forge.certificates import pem
from adyton.forge.encode import sgx_extension

_CA = Role.PCK_CA


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for stage in (SGX, TDX):
        yield from _other_vendor(stage)
        yield from _self_made(stage)
        yield from _shapes(stage)
        yield from _roles(stage)
    yield from _extensions()


def _other_vendor(stage: Stage) -> Iterator[Case]:
    root = stage.vendor.root_der
    foreign = replace(stage, seed=OTHER_SEED)
    yield case(
        "chain.other-vendor", "another vendor's platform, with names like the vendor's", REFUSE, foreign, root=root
    )
    title = "another vendor's platform under the trusted vendor's collateral"
    yield case("chain.other-vendor-s-quote", title, REFUSE, stage, quote=foreign.quote())
    title = "the trusted vendor's platform under another vendor's collateral"
    yield case("chain.other-vendor-s-collateral", title, REFUSE, stage, collateral=foreign.collateral())


def _self_made(stage: Stage) -> Iterator[Case]:
    """An attacker's own certificates beside the vendor's, which anybody can copy."""
    vendor, attacker = stage.vendor, replace(ELSEWHERE, tee=stage.tee, qe=stage.qe, body=stage.body)
    pck = attacker.pck
    chains = {
        "leaf": ("an attacker's leaf under the vendor's CA and root", (pck.leaf, vendor.pck_ca_der, vendor.root_der)),
        "leaf-and-ca": (
            "an attacker's leaf and CA under the vendor's root",
            (pck.leaf, attacker.vendor.pck_ca_der, vendor.root_der),
        ),
        "root-appended": (
            "an attacker's whole chain, with the vendor's root behind it",
            (pck.leaf, attacker.vendor.pck_ca_der, attacker.vendor.root_der, vendor.root_der),
        ),
        "leaf-thrice": ("one certificate in all three places", (pck.leaf, pck.leaf, pck.leaf)),
    }
    for name, (title, ders) in chains.items():
        yield _quoted(stage, attacker, replace(pck, chain=pem(*ders)), f"self-made-{name}", title)
    own = stage.pck
    under_pck = Vendor(
        replace(VendorKeys.seeded(SEED), pck_ca=own.key),
        since=SINCE,
        deterministic=True,
        profiles={_CA: Profile("Intel SGX PCK Certificate", ca=False)},
    ).issue_pck(stage.platform, serial=5, key=seeded_p256(OTHER_SEED, "pck"))
    chain = pem(under_pck.leaf, own.leaf, vendor.root_der)
    title = "a leaf that the holder of a genuine PCK issued with it"
    yield _quoted(stage, attacker, replace(under_pck, chain=chain), "issued-by-a-pck", title)
    by_signer = Vendor(
        replace(VendorKeys.seeded(SEED), pck_ca=VendorKeys.seeded(SEED).tcb_signing),
        since=SINCE,
        deterministic=True,
        profiles={_CA: Profile("Intel SGX TCB Signing", ca=False, serial=3)},
    ).issue_pck(stage.platform, serial=5, key=seeded_p256(OTHER_SEED, "pck"))
    yield _quoted(
        stage, attacker, by_signer, "issued-by-the-document-signer", "a leaf that the signer of documents issued"
    )


def _quoted(stage: Stage, attacker: Stage, pck: PckCredential, name: str, title: str) -> Case:
    quote = attacker.quoting_enclave_of(pck).quote(stage.body)
    return case(f"chain.{name}", title, REFUSE, stage, quote=quote)


def _shapes(stage: Stage) -> Iterator[Case]:
    vendor, pck = stage.vendor, stage.pck
    leaf, ca, root = pck.leaf, vendor.pck_ca_der, vendor.root_der
    for name, title, ders in (
        ("empty", "no certificate at all", ()),
        ("leaf-only", "a leaf alone", (leaf,)),
        ("reversed", "root first, leaf last", (root, ca, leaf)),
        ("without-ca", "a leaf and the root, without the CA between them", (leaf, root)),
        ("flipped-bit", "a leaf with one bit of its signature changed", (leaf[:-1] + bytes([leaf[-1] ^ 1]), ca, root)),
        ("ca-flipped-bit", "a CA with one bit of its signature changed", (leaf, ca[:-1] + bytes([ca[-1] ^ 1]), root)),
    ):
        yield _quoted(stage, stage, replace(pck, chain=pem(*ders)), name, title)


def _roles(stage: Stage) -> Iterator[Case]:
    for name, title, profiles in (
        ("ca-that-is-none", "a CA whose certificate says that it is none",
         {_CA: Profile("Intel SGX PCK Platform CA", ca=False, serial=2)}),
        ("leaf-of-another-name", "a leaf that is named as the signer of documents",
         {Role.PCK: Profile("Intel SGX TCB Signing", ca=False)}),
        ("signer-of-another-name", "documents signed by a certificate that is named as a platform's",
         {Role.TCB_SIGNING: Profile("Intel SGX PCK Certificate", ca=False, serial=3)}),
    ):  # fmt: skip
        yield case(f"chain.{name}", title, REFUSE, replace(stage, profiles=profiles))
    for name, title, profiles in (
        ("leaf-that-is-a-ca", "a platform's certificate that says that it is a CA's",
         {Role.PCK: Profile("Intel SGX PCK Certificate", ca=True)}),
        ("signer-that-is-a-ca", "a signer of documents whose certificate says that it is a CA's",
         {Role.TCB_SIGNING: Profile("Intel SGX TCB Signing", ca=True, serial=3)}),
    ):  # fmt: skip
        odd = either("UpToDate", because="only the vendor can issue it, and it signs what it is for")
        yield case(f"chain.{name}", title, odd, replace(stage, profiles=profiles))


def _extensions() -> Iterator[Case]:
    """What the PCK certificate says about the machine, misspelt."""
    sound = sgx_extension(SGX.platform)
    pce_svn = bytes.fromhex("060b2a864886f84d010d010211")
    last_component = bytes.fromhex("060b2a864886f84d010d010210")
    for name, title, value in (
        ("missing", "without Intel's extension", b""),
        ("garbage", "with an extension that is no DER", b"\x30\x82\xff"),
        ("without-pce-svn", "without a version of the provisioning enclave", sound.replace(pce_svn, last_component)),
    ):
        pck = SGX.vendor.issue_pck(SGX.platform, serial=PCK_SERIAL, key=seeded_p256(SEED, "pck"), sgx=value)
        yield _quoted(SGX, SGX, pck, f"extension-{name}", f"a platform's certificate {title}")
