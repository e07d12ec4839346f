"""A whole forged platform: a vendor, a machine and its quoting enclave, each part replaceable.

It is what tests, the conformance kit and the fuzz targets vary: `dataclasses.replace` one part, and ask for evidence
and endorsements. With keys from a seed both come out the same each time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from adyton.forge.endorsements import Level, ModuleFacts, QeFacts, Validity, collateral, qe_identity, tcb_info
from adyton.forge.evidence import QuotingEnclave
from adyton.forge.keys import derive_key
from adyton.forge.vendor import PckCredential, Vendor, VendorKeys
from adyton.formats.collateral import Collateral
from adyton.formats.pck import PckExtension
from adyton.formats.quote import CertificationType, Quote
from adyton.formats.sgx import AttributeFlags, Attributes, ReportBody
from adyton.formats.tdx import TdAttributes, TdReport

FMSPC: Final = bytes.fromhex("ad1700000000")
PCK_SERIAL: Final = 1000
SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
VALIDITY: Final = Validity(datetime(2026, 5, 20, tzinfo=UTC))

ENCLAVE: Final = ReportBody(
    cpu_svn=bytes(16),
    misc_select=0,
    isv_ext_prod_id=bytes(16),
    attributes=Attributes(AttributeFlags.INIT | AttributeFlags.MODE64BIT, 3),
    mr_enclave=b"\xaa" * 32,
    mr_signer=b"\xbb" * 32,
    config_id=bytes(64),
    isv_prod_id=7,
    isv_svn=3,
    config_svn=0,
    isv_family_id=bytes(16),
    report_data=b"\xcc" * 64,
)
TRUST_DOMAIN: Final = TdReport(
    tee_tcb_svn=bytes((5, 1, *[5] * 14)),
    mr_seam=b"\x01" * 48,
    mr_signer_seam=bytes(48),
    seam_attributes=0,
    td_attributes=TdAttributes.SEPT_VE_DISABLE,
    xfam=0xE7,
    mr_td=b"\xdd" * 48,
    mr_config_id=bytes(48),
    mr_owner=bytes(48),
    mr_owner_config=bytes(48),
    rtmrs=(b"\x10" * 48, b"\x11" * 48, b"\x12" * 48, b"\x13" * 48),
    report_data=b"\xcc" * 64,
)
TRUST_DOMAIN_15: Final = replace(TRUST_DOMAIN, tee_tcb_svn2=TRUST_DOMAIN.tee_tcb_svn, mr_service_td=bytes(48))
PLATFORM: Final = PckExtension(
    ppid=b"\x11" * 16,
    components=(5,) * 16,
    pce_svn=11,
    cpu_svn=bytes([5] * 16),
    pce_id=bytes(2),
    fmspc=FMSPC,
    sgx_type=1,
    platform_instance_id=b"\x22" * 16,
    dynamic_platform=False,
    cached_keys=False,
    smt_enabled=True,
)
QE: Final = replace(ENCLAVE, mr_enclave=b"\x0e" * 32, mr_signer=b"\x0f" * 32, isv_prod_id=1, isv_svn=6)
LEVELS: Final = (
    Level((5,) * 16, pce_svn=11, tdx=(5, 0, *[5] * 14)),
    Level((0,) * 16, "OutOfDate", advisories=("SIM-SA-00001",)),
)
QE_LEVELS: Final = (Level((6,)), Level((0,), "OutOfDate", advisories=("SIM-SA-00002",)))
MODULES: Final = (ModuleFacts(1, (Level((5,)), Level((0,), "OutOfDate", advisories=("SIM-SA-00003",)))),)


def _new_vendor() -> Vendor:
    return Vendor.generate(since=SINCE)


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class ForgedPlatform:
    """A platform of a simulated vendor.

    Attributes:
        vendor: Who certifies it.
        platform: What its PCK certificate says.
        qe: The quoting enclave's report.
        levels: TCB levels of the platform, best first.
        qe_levels: Levels of the quoting enclave, best first.
        modules: TDX modules; with any, endorsements and quotes are for TDX.
        validity: Dates of documents and lists.
        revoked_by_root: Serial numbers on the root's list.
        revoked_by_pck_ca: Serial numbers on the PCK CA's list.
        numbers: `tcbEvaluationDataNumber` of TCB info and QE identity.
        tcb_info_version: 3, or 2 for SGX.
        pck_key: The platform's key.
        attestation_key: The quoting enclave's key.
    """

    vendor: Vendor = field(default_factory=_new_vendor)
    platform: PckExtension = PLATFORM
    qe: ReportBody = QE
    levels: tuple[Level, ...] = LEVELS
    qe_levels: tuple[Level, ...] = QE_LEVELS
    modules: tuple[ModuleFacts, ...] = ()
    validity: Validity = VALIDITY
    revoked_by_root: tuple[int, ...] = ()
    revoked_by_pck_ca: tuple[int, ...] = ()
    numbers: tuple[int, int] = (1, 1)
    tcb_info_version: int = 3
    pck_key: ec.EllipticCurvePrivateKey = field(default_factory=_new_key, repr=False)
    attestation_key: ec.EllipticCurvePrivateKey = field(default_factory=_new_key, repr=False)

    @classmethod
    def of(cls, seed: bytes, **parts: Any) -> ForgedPlatform:  # noqa: ANN401, any part
        """Return a platform whose keys, and so all of its evidence, follow from a seed."""
        keys = {"pck_key": derive_key(seed, "pck"), "attestation_key": derive_key(seed, "attestation")}
        vendor = Vendor(VendorKeys.of(seed), since=SINCE)
        return cls(**({"vendor": vendor} | keys | parts))

    def tdx(self) -> ForgedPlatform:
        """Return the same platform with its endorsements for TDX."""
        return replace(self, modules=self.modules or MODULES)

    def tcb_info(self) -> bytes:
        """Return the platform family's TCB info."""
        return tcb_info(
            self.platform.fmspc,
            self.levels,
            self.validity,
            evaluation_number=self.numbers[0],
            pce_id=self.platform.pce_id,
            modules=self.modules,
            version=self.tcb_info_version,
        )

    def qe_identity(self, name: str | None = None) -> bytes:
        """Return the identity that a genuine quoting enclave has."""
        name = name or ("TD_QE" if self.modules else "QE")
        return qe_identity(QeFacts.of(QE), self.qe_levels, self.validity, evaluation_number=self.numbers[1], name=name)

    def collateral(self, **parts: Any) -> Collateral:  # noqa: ANN401, any part
        """Return the endorsements, with some parts exchanged."""
        made = collateral(
            self.vendor,
            self.tcb_info(),
            self.qe_identity(),
            self.validity,
            revoked_by_root=self.revoked_by_root,
            revoked_by_pck_ca=self.revoked_by_pck_ca,
        )
        return replace(made, **parts)

    def signed(self, **documents: bytes) -> Collateral:
        """Return the endorsements with other documents, signed by the vendor: `tcb_info`, `qe_identity`."""
        signatures = {f"{name}_signature": self.vendor.sign(content) for name, content in documents.items()}
        return self.collateral(**documents, **signatures)

    def pck(self) -> PckCredential:
        """Return the platform's certified key."""
        return self.vendor.issue_pck(self.platform, serial=PCK_SERIAL, key=self.pck_key)

    def quote(
        self,
        body: ReportBody | TdReport | None = None,
        *,
        version: int | None = None,
        certification: CertificationType = CertificationType.PCK_CHAIN,
    ) -> Quote:
        """Return a quote about a body; about an enclave or a trust domain if none is given."""
        body = body or (TRUST_DOMAIN if self.modules else ENCLAVE)
        enclave = QuotingEnclave(self.pck(), self.attestation_key, self.qe, certification=certification)
        return enclave.quote(body, version=version)
