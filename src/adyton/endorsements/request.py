"""What is asked for: every endorsement that Intel's PCS and AMD's KDS have, by a canonical name.

Sources: Intel SGX and TDX Provisioning Certification Service API v3 and v4; AMD 57230 (KDS interface specification).

Kept here: two requests for the same thing are equal (hex in one case, defaults left out, parameters in one order); a
value that is not of its form is refused before anything is sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from adyton.errors import UsageError
from adyton.formats.quote import Tee
from adyton.formats.snp import TcbVersion

API_VERSIONS: Final = (3, 4)
STANDARD: Final = "standard"
EARLY: Final = "early"
PROCESSOR: Final = "processor"
PLATFORM: Final = "platform"
PRODUCTS: Final = ("Milan", "Genoa", "Turin")
_NUMBER_CAP: Final = 10**9
_CHIP_ID_SIZES: Final = (64, 8)
_PPID_SIZES: Final = (0, 384)
_QE_ID_CAP: Final = 130  # bytes of hex twice over: PCCS allows 260 digits


class Kind(StrEnum):
    """The kinds of endorsements."""

    TCB_INFO = "tcb_info"
    QE_IDENTITY = "qe_identity"
    QVE_IDENTITY = "qve_identity"
    EVALUATION_NUMBERS = "evaluation_numbers"
    ROOT_CRL = "root_crl"
    PCK_CRL = "pck_crl"
    PCK_CERTIFICATE = "pck_certificate"
    VCEK = "vcek"
    SNP_CHAIN = "snp_chain"
    SNP_CRL = "snp_crl"


class Vendor(StrEnum):
    """Who issues an endorsement, and so which upstream has it."""

    INTEL = "intel"
    AMD = "amd"


_AMD_KINDS: Final = frozenset({Kind.VCEK, Kind.SNP_CHAIN, Kind.SNP_CRL})
_CERTIFICATES: Final = frozenset({Kind.PCK_CERTIFICATE, Kind.VCEK})


@dataclass(frozen=True, slots=True)
class ItemRequest:
    """A request for one endorsement.

    Attributes:
        kind: What is asked for.
        path: The upstream's path, without a leading slash.
        query: Its parameters, in canonical order.
    """

    kind: Kind
    path: str
    query: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """Its name in a cache: path and parameters, which are all of safe characters."""
        return self.path + "".join(f"{'&' if at else '?'}{name}={value}" for at, (name, value) in enumerate(self.query))

    @classmethod
    def of_key(cls, kind: Kind, key: str) -> Self:
        """Return the request of a kind and a key."""
        path, _, query = key.partition("?")
        pairs = (pair.partition("=") for pair in query.split("&") if pair)
        return cls(kind, path, tuple((name, value) for name, _, value in pairs))

    @property
    def vendor(self) -> Vendor:
        """Who issues it."""
        return Vendor.AMD if self.kind in _AMD_KINDS else Vendor.INTEL

    @property
    def of_one_machine(self) -> bool:
        """Whether it is a machine's certificate: there are as many as machines, and their names identify them."""
        return self.kind in _CERTIFICATES

    @property
    def version(self) -> int:
        """The version of Intel's API; 4 where it does not matter."""
        return 3 if "/v3/" in self.path else 4

    @property
    def family(self) -> str:
        """`sgx` or `tdx`; AMD's product."""
        return self.path.split("/")[2 if self.vendor is Vendor.AMD else 0]

    def parameter(self, name: str) -> str:
        """Return a parameter; empty if it was left out."""
        return dict(self.query).get(name, "")

    @property
    def rests_on(self) -> ItemRequest | None:
        """What has to be known to verify it: the item whose chain names its issuer; None if it carries its chain."""
        if self.kind is Kind.ROOT_CRL:
            return qe_identity(Tee.SGX, version=self.version)
        if self.kind in {Kind.VCEK, Kind.SNP_CRL}:
            return snp_chain(self.family, endorsement_key=self.path.split("/")[0])
        return None

    @property
    def withdrawn_by(self) -> tuple[ItemRequest, ...]:
        """The revocation lists that can withdraw its issuer's certificate: one for each version of the API."""
        if self.kind in {Kind.ROOT_CRL, Kind.SNP_CRL}:
            return ()
        if self.vendor is Vendor.AMD:
            return (snp_crl(self.family, endorsement_key=self.path.split("/")[0]),)
        return tuple(root_crl(version=version) for version in API_VERSIONS)


def tcb_info(
    tee: Tee, fmspc: bytes, *, version: int = 4, update: str = STANDARD, number: int | None = None
) -> ItemRequest:
    """Ask for TCB info.

    Args:
        tee: SGX or TDX; TDX has version 4 only.
        fmspc: The platform family, 6 bytes.
        version: Of the API: 3 gives documents of version 2, 4 of version 3.
        update: `early` or `standard`: how soon after a TCB recovery.
        number: `tcbEvaluationDataNumber`, instead of `update`.

    Raises:
        UsageError: `collateral.request`.
    """
    query = (("fmspc", _hex(fmspc, (6,), "fmspc").upper()), *_edition(update, number))
    return ItemRequest(Kind.TCB_INFO, f"{_base(tee, version)}/tcb", query)


def qe_identity(tee: Tee, *, version: int = 4, update: str = STANDARD, number: int | None = None) -> ItemRequest:
    """Ask for the quoting enclave's identity.

    Raises:
        UsageError: `collateral.request`.
    """
    return ItemRequest(Kind.QE_IDENTITY, f"{_base(tee, version)}/qe/identity", _edition(update, number))


def qve_identity(*, version: int = 4, update: str = STANDARD, number: int | None = None) -> ItemRequest:
    """Ask for the quote verification enclave's identity.

    Raises:
        UsageError: `collateral.request`.
    """
    return ItemRequest(Kind.QVE_IDENTITY, f"{_base(Tee.SGX, version)}/qve/identity", _edition(update, number))


def evaluation_numbers(tee: Tee) -> ItemRequest:
    """Ask which TCB evaluation data numbers there are."""
    return ItemRequest(Kind.EVALUATION_NUMBERS, f"{_base(tee, 4)}/tcbevaluationdatanumbers")


def root_crl(*, version: int = 4) -> ItemRequest:
    """Ask for the root's revocation list.

    Raises:
        UsageError: `collateral.request`.
    """
    return ItemRequest(Kind.ROOT_CRL, f"{_base(Tee.SGX, version)}/rootcacrl")


def pck_crl(ca: str, *, version: int = 4) -> ItemRequest:
    """Ask for the revocation list of the `processor` or `platform` CA.

    Raises:
        UsageError: `collateral.request`.
    """
    if ca not in (PROCESSOR, PLATFORM):
        raise _bad("ca", f"expected {PROCESSOR} or {PLATFORM}")
    return ItemRequest(Kind.PCK_CRL, f"{_base(Tee.SGX, version)}/pckcrl", (("ca", ca), ("encoding", "der")))


@dataclass(frozen=True, slots=True)
class PckPlatform:
    """A machine as its certification data name it.

    Attributes:
        qe_id: The quoting enclave's platform identifier, at most 130 bytes.
        cpu_svn: CPUSVN, 16 bytes.
        pce_svn: PCESVN.
        pce_id: 2 bytes.
        encrypted_ppid: RSA-3072 encrypted, 384 bytes; empty if only a PCCS that knows the machine is asked.
    """

    qe_id: bytes
    cpu_svn: bytes
    pce_svn: int
    pce_id: bytes
    encrypted_ppid: bytes = b""


def pck_certificate(platform: PckPlatform, *, version: int = 4) -> ItemRequest:
    """Ask for a machine's PCK certificate.

    Raises:
        UsageError: `collateral.request`.
    """
    if len(platform.qe_id) > _QE_ID_CAP or not platform.qe_id:
        raise _bad("qeid", f"expected 1 to {_QE_ID_CAP} bytes in hex")
    if not 0 <= platform.pce_svn <= 0xFFFF:
        raise _bad("pcesvn", "expected two bytes in hex")
    ppid = _hex(platform.encrypted_ppid, _PPID_SIZES, "encrypted_ppid")
    query = (
        *([("encrypted_ppid", ppid)] if ppid else []),
        ("cpusvn", _hex(platform.cpu_svn, (16,), "cpusvn")),
        ("pcesvn", platform.pce_svn.to_bytes(2, "little").hex()),
        ("pceid", _hex(platform.pce_id, (2,), "pceid")),
        ("qeid", platform.qe_id.hex()),
    )
    return ItemRequest(Kind.PCK_CERTIFICATE, f"{_base(Tee.SGX, version)}/pckcert", query)


def vcek(product: str, chip_id: bytes, tcb: TcbVersion) -> ItemRequest:
    """Ask for a chip's VCEK certificate.

    Args:
        product: `Milan`, `Genoa` or `Turin`.
        chip_id: 64 bytes; on Turin 8.
        tcb: The firmware versions that the key stands for; with an FMC on Turin only.

    Raises:
        UsageError: `collateral.request`.
    """
    if (tcb.fmc is not None) != (_product(product) == "Turin"):
        raise _bad("fmcSPL", "expected it on Turin, and on Turin only")
    fmc = [] if tcb.fmc is None else [("fmcSPL", tcb.fmc)]
    versions = [("blSPL", tcb.boot_loader), ("teeSPL", tcb.tee), ("snpSPL", tcb.snp), ("ucodeSPL", tcb.microcode)]
    query = tuple((name, f"{value:02d}") for name, value in fmc + versions)
    return ItemRequest(Kind.VCEK, f"vcek/v1/{product}/{_hex(chip_id, _CHIP_ID_SIZES, 'hwID')}", query)


def snp_chain(product: str, *, endorsement_key: str = "vcek") -> ItemRequest:
    """Ask for the certificates above VCEKs (ASK, ARK) or VLEKs (ASVK, ARK).

    Raises:
        UsageError: `collateral.request`.
    """
    return ItemRequest(Kind.SNP_CHAIN, f"{_key(endorsement_key)}/v1/{_product(product)}/cert_chain")


def snp_crl(product: str, *, endorsement_key: str = "vcek") -> ItemRequest:
    """Ask for the ARK's revocation list.

    Raises:
        UsageError: `collateral.request`.
    """
    return ItemRequest(Kind.SNP_CRL, f"{_key(endorsement_key)}/v1/{_product(product)}/crl")


def _base(tee: Tee, version: int) -> str:
    if version not in API_VERSIONS or (tee is Tee.TDX and version != 4):
        raise _bad("version", "expected API version 3 or 4; TDX has 4 only")
    return f"{tee}/certification/v{version}"


def _edition(update: str, number: int | None) -> tuple[tuple[str, str], ...]:
    if update not in (STANDARD, EARLY):
        raise _bad("update", f"expected {EARLY} or {STANDARD}")
    if number is None:
        return () if update == STANDARD else (("update", update),)
    if update != STANDARD or not 0 <= number < _NUMBER_CAP:
        raise _bad("tcbEvaluationDataNumber", "expected a number, and no `update` beside it")
    return (("tcbEvaluationDataNumber", str(number)),)


def _hex(value: bytes, sizes: tuple[int, ...], name: str) -> str:
    if len(value) not in sizes:
        raise _bad(name, f"expected {' or '.join(map(str, sizes))} bytes, found {len(value)}")
    return value.hex()


def _product(product: str) -> str:
    if product not in PRODUCTS:
        raise _bad("product", f"expected {', '.join(PRODUCTS)}")
    return product


def _key(name: str) -> str:
    if not re.fullmatch("vcek|vlek", name):
        raise _bad("endorsement key", "expected vcek or vlek")
    return name


def _bad(name: str, expected: str) -> UsageError:
    return UsageError("collateral.request", f"{name}: {expected}", remedy="see the vendor's API for its parameters")
