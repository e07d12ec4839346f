"""The platform around the processor: its vendor, its quoting enclave, its published endorsements."""

from __future__ import annotations

import hashlib
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from adyton.errors import EnclaveError
from adyton.forge import Level, PlatformFacts, QeFacts, QuotingEnclave, Validity, Vendor
from adyton.forge.endorsements import collateral, qe_identity, tcb_info
from adyton.formats.sgx import AttributeFlags, Attributes, Report, ReportBody, TargetInfo
from adyton.formats.status import SgxStatus
from adyton.simcpu.processor import Fuses, refused
from adyton.simcpu.state import load_key, open_state, publish, save_state

FMSPC: Final = bytes.fromhex("ad1700000000")
_PCE_SVN: Final = 1
_QE_SVN: Final = 1
_COMPONENTS: Final = 16
_SVN_CAP: Final = 255
_REISSUE_AFTER: Final = timedelta(days=1)
_TCB_DATE: Final = datetime(2026, 1, 1, tzinfo=UTC)
_QE: Final = ReportBody(
    cpu_svn=bytes(16),
    misc_select=0,
    isv_ext_prod_id=bytes(16),
    attributes=Attributes(AttributeFlags.INIT | AttributeFlags.MODE64BIT, 3),
    mr_enclave=hashlib.sha256(b"Adyton simulated quoting enclave").digest(),
    mr_signer=hashlib.sha256(b"Adyton simulated quoting enclave's signer").digest(),
    config_id=bytes(64),
    isv_prod_id=1,
    isv_svn=_QE_SVN,
    config_svn=0,
    isv_family_id=bytes(16),
    report_data=bytes(64),
)


class Platform:
    """One simulated machine; safe to share between threads.

    Args:
        folder: Where its state is kept.

    Attributes:
        fuses: What its keys are derived from.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._state = open_state(folder, _now())
        self._vendor = Vendor(self._state.vendor_keys, since=self._state.since)
        self.fuses = Fuses(self._state.fuses[:16], self._state.fuses[16:])
        self._renew()

    @property
    def root_point(self) -> bytes:
        """The vendor's root key: an uncompressed P-256 point, 65 bytes."""
        return self._vendor.point

    @property
    def cpu_svn(self) -> bytes:
        """The processor's security version, 16 bytes."""
        return bytes([self._state.svn] * _COMPONENTS)

    @property
    def quoting_target(self) -> TargetInfo:
        """Whom a report has to be for, so that it can be quoted."""
        return TargetInfo(_QE.mr_enclave, _QE.attributes)

    def quote(self, report: Report) -> bytes:
        """Turn a report into a quote.

        Raises:
            EnclaveError: `sgx.error.mac_mismatch` if the report was not made here, for the quoting enclave.
        """
        if not self.fuses.is_for(report, self.quoting_target):
            raise refused(
                SgxStatus.MAC_MISMATCH,
                "expected a report of this processor for its quoting enclave, found one that does not verify",
                "make the report for the quoting enclave's target information, on this platform",
            )
        with self._lock:
            return self._quoting_enclave.quote(report.body).to_bytes()

    def collateral(self) -> bytes:
        """Return the current endorsements, issued anew when they are a day old."""
        with self._lock:
            if _now() - self._issued > _REISSUE_AFTER:
                self._publish()
            return self._collateral

    def publish_tcb_recovery(self) -> None:
        """Publish TCB info that asks for more than this platform has.

        Raises:
            EnclaveError: `sgx.error.invalid_state` when there is no higher version.
        """
        with self._lock:
            wanted = self._state.svn + 1
            if wanted > _SVN_CAP:
                raise _no_higher_version()
            self._change(published_svn=wanted, evaluation_number=self._state.evaluation_number + 1)

    def update_microcode(self) -> None:
        """Bring the processor to the newest published version, and certify it anew."""
        with self._lock:
            self._change(svn=self._state.published_svn)

    def _change(self, **fields: int) -> None:
        self._state = msgspec.structs.replace(self._state, **fields)
        save_state(self._folder, self._state)
        self._renew()

    def _renew(self) -> None:
        state = self._state
        pck = self._vendor.issue_pck(self._facts(), serial=1000 + state.svn, key=load_key(state.pck))
        self._quoting_enclave = QuotingEnclave(pck, load_key(state.attestation_key), _QE)
        self._publish()

    def _facts(self) -> PlatformFacts:
        return PlatformFacts(
            ppid=self._state.ppid,
            components=(self._state.svn,) * _COMPONENTS,
            pce_svn=_PCE_SVN,
            cpu_svn=self.cpu_svn,
            pce_id=bytes(2),
            fmspc=FMSPC,
            sgx_type=1,
            platform_instance_id=self._state.instance_id,
            dynamic_platform=False,
            cached_keys=False,
            smt_enabled=True,
        )

    def _publish(self) -> None:
        number, validity = self._state.evaluation_number, Validity(_now())
        wanted = Level((self._state.published_svn,) * _COMPONENTS, date=_TCB_DATE, pce_svn=_PCE_SVN)
        lower = Level((0,) * _COMPONENTS, "OutOfDate", _TCB_DATE, (f"ADYTON-SIM-{number:05}",))
        info = tcb_info(FMSPC, (wanted, lower), validity, evaluation_number=number)
        identity = qe_identity(
            QeFacts.of(_QE), (Level((_QE_SVN,), date=_TCB_DATE),), validity, evaluation_number=number
        )
        self._issued = validity.issued
        self._collateral = collateral(self._vendor, info, identity, validity, crl_number=number).to_bytes()
        publish(self._folder / "public" / "collateral.json", self._collateral, mode=0o644)


def _no_higher_version() -> EnclaveError:
    return refused(
        SgxStatus.INVALID_STATE, f"expected a version below {_SVN_CAP}, found the last", "start with a new state folder"
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
