"""A forged platform: a vendor, a machine and its quoting enclave, each part replaceable by a test."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec
from evidence import ENCLAVE

from adyton.attest import TrustRoot, TrustRoots
from adyton.conformance.stage import FMSPC, NOW, PCK_SERIAL, PLATFORM, VALIDITY
from adyton.conformance.stage import TD_10 as TD
from adyton.forge import Level, ModuleFacts, PlatformFacts, QeFacts, QuotingEnclave, Validity, Vendor
from adyton.forge.endorsements import collateral, qe_identity, tcb_info
from adyton.formats.sgx import ReportBody

__all__ = [
    "FMSPC", "MODULES", "NOW", "PCK_SERIAL", "PLATFORM", "QE", "QE_LEVELS", "TD", "TD_UP_TO_DATE", "UP_TO_DATE",
    "VALIDITY", "Forged",
]  # fmt: skip
QE = replace(ENCLAVE, mr_enclave=b"\x0e" * 32, mr_signer=b"\x0f" * 32, isv_prod_id=1, isv_svn=6)
UP_TO_DATE = (Level((5,) * 16, pce_svn=11), Level((0,) * 16, "OutOfDate", advisories=("SIM-SA-00001",)))
QE_LEVELS = (Level((6,)), Level((0,), "OutOfDate", advisories=("SIM-SA-00002",)))
# The same for TDX, whose module is of version 1 and at its best level.
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
