"""A forged platform: a vendor, a machine and its quoting enclave, each part replaceable by a test."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec
from evidence import ENCLAVE, TRUST_DOMAIN

from adyton.attest import TrustRoot, TrustRoots
from adyton.forge import Level, ModuleFacts, PlatformFacts, QeFacts, QuotingEnclave, Validity, Vendor
from adyton.forge.endorsements import collateral, qe_identity, tcb_info
from adyton.formats.sgx import ReportBody

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FMSPC = bytes.fromhex("ad1700000000")
PLATFORM = PlatformFacts(
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
QE = replace(ENCLAVE, mr_enclave=b"\x0e" * 32, mr_signer=b"\x0f" * 32, isv_prod_id=1, isv_svn=6)
UP_TO_DATE = (Level((5,) * 16, pce_svn=11), Level((0,) * 16, "OutOfDate", advisories=("SIM-SA-00001",)))
QE_LEVELS = (Level((6,)), Level((0,), "OutOfDate", advisories=("SIM-SA-00002",)))
PCK_SERIAL = 1000
VALIDITY = Validity(datetime(2026, 5, 20, tzinfo=UTC))
# The same for TDX: a module of version 1 at its best level, and the TD quoting enclave.
TD = replace(TRUST_DOMAIN, tee_tcb_svn=bytes((4, 1, 5)) + bytes(13))
TD_UP_TO_DATE = (
    Level((5,) * 16, pce_svn=11, tdx_svn=(0, 0, 5, *[0] * 13)),
    Level((0,) * 16, "OutOfDate", advisories=("SIM-SA-00001",), tdx_svn=(0,) * 16),
)
MODULES = (ModuleFacts(0), ModuleFacts(1, (Level((4,)), Level((0,), "OutOfDate", advisories=("SIM-SA-00003",)))))


@dataclass(frozen=True)
class Forged:
    """Evidence and endorsements of one forged platform."""

    vendor: Vendor = field(default_factory=lambda: Vendor.generate(since=datetime(2026, 1, 1, tzinfo=UTC)))
    platform: PlatformFacts = PLATFORM
    qe: ReportBody = QE
    levels: tuple[Level, ...] = UP_TO_DATE
    qe_levels: tuple[Level, ...] = QE_LEVELS
    validity: Validity = VALIDITY
    revoked_by_root: tuple[int, ...] = ()
    revoked_by_pck_ca: tuple[int, ...] = ()
    modules: tuple[ModuleFacts, ...] = ()

    @classmethod
    def tdx(cls, **fields):
        """Return the same platform for trust domains; quote `TD` on it."""
        return cls(**({"levels": TD_UP_TO_DATE, "modules": MODULES} | fields))

    @property
    def roots(self):
        return TrustRoots.named([self.root_name])

    @property
    def root_name(self):
        return TrustRoot.of(self.vendor.point).name

    def collateral(self, **fields):
        info = tcb_info(self.platform.fmspc, self.levels, self.validity, modules=self.modules)
        kind = "TD_QE" if self.modules else "QE"
        identity = qe_identity(QeFacts.of(QE), self.qe_levels, self.validity, kind=kind)
        revoked = {"revoked_by_root": self.revoked_by_root, "revoked_by_pck_ca": self.revoked_by_pck_ca}
        return replace(collateral(self.vendor, info, identity, self.validity, **revoked), **fields)

    def quote(self, body=None, *, version=None):
        body = body or (TD if self.modules else ENCLAVE)
        pck = self.vendor.issue_pck(self.platform, serial=PCK_SERIAL)
        return QuotingEnclave(pck, ec.generate_private_key(ec.SECP256R1()), self.qe).quote(body, version=version)
