"""A simulated platform whose each part a case may replace; all keys are from a seed, so its bytes never change.

Nobody may trust it: its keys are as public as this module.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from adyton.conformance.case import Case, Expectation, Request, Terms
from adyton.forge import (
    Level,
    ModuleFacts,
    PckCredential,
    PlatformFacts,
    Profile,
    QeFacts,
    QuotingEnclave,
    Role,
    Validity,
    Vendor,
    VendorKeys,
    seeded_p256,
)
from adyton.forge.endorsements import collateral, qe_identity, tcb_info
from adyton.forge.evidence import Body, Certification
from adyton.formats.collateral import Collateral
from adyton.formats.quote import Quote, Tee
from adyton.formats.sgx import AttributeFlags, Attributes, ReportBody
from adyton.formats.tdx import TdAttributes, TdReport, TdReportExtension

SEED: Final = b"adyton conformance"
OTHER_SEED: Final = b"adyton another vendor"
SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
NOW: Final = datetime(2026, 6, 1, tzinfo=UTC)
VALIDITY: Final = Validity(datetime(2026, 5, 20, tzinfo=UTC))
FMSPC: Final = bytes.fromhex("ad1700000000")
PCK_SERIAL: Final = 1000
EVALUATION_NUMBER: Final = 17

ENCLAVE: Final = ReportBody(
    cpu_svn=bytes([5] * 16),
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
TD_10: Final = TdReport(
    tee_tcb_svn=bytes((4, 1, 5)) + bytes(13),
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
TD_15: Final = replace(TD_10, tee_tcb_svn2=TD_10.tee_tcb_svn, mr_service_td=bytes(48))
TD_15_EX: Final = replace(
    TD_15,
    extension=TdReportExtension(
        vmid=0,
        td_id=b"\x21" * 32,
        dev_info=bytes(48),
        init_service_td_hash=bytes(48),
        init_service_td_attributes=0,
        init_cpu_svn=bytes([5] * 16),
        init_tee_tcb_svn=TD_10.tee_tcb_svn,
        init_tee_fmspc=bytes(12),
        cur_service_td_hash=bytes(48),
        cur_service_td_attributes=0,
    ),
)
PLATFORM: Final = PlatformFacts(
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
TD_QE: Final = replace(QE, mr_enclave=b"\x1e" * 32, isv_prod_id=2)
UP_TO_DATE: Final = (Level((5,) * 16, pce_svn=11),)
TD_UP_TO_DATE: Final = (Level((5,) * 16, pce_svn=11, tdx_svn=(0, 0, 5, *[0] * 13)),)
QE_LEVELS: Final = (Level((6,)), Level((0,), "OutOfDate", advisories=("SIM-SA-00002",)))
MODULE: Final = ModuleFacts(1, (Level((4,)), Level((0,), "OutOfDate", advisories=("SIM-SA-00003",))))
Fields = Mapping[str, object]
MODULES: Final = (ModuleFacts(0), MODULE)


@dataclass(frozen=True, slots=True)
class Dates:
    """When each endorsement is valid.

    Attributes:
        tcb_info: TCB info.
        qe_identity: QE identity.
        root_crl: The root's revocation list.
        pck_crl: The PCK CA's revocation list.
    """

    tcb_info: Validity = VALIDITY
    qe_identity: Validity = VALIDITY
    root_crl: Validity = VALIDITY
    pck_crl: Validity = VALIDITY


@dataclass(frozen=True, slots=True)
class Stage:
    """A simulated platform.

    Attributes:
        tee: What makes its quotes.
        seed: What its vendor's keys are from.
        profiles: How the vendor's certificates are written, where other than Intel writes them.
        platform: What its PCK certificate says.
        qe: Its quoting enclave.
        qe_identity: What the vendor says that quoting enclave is; None for what it is.
        qe_kind: The identity's id; None for the one that fits.
        body: What the quote is about.
        version: The quote's version; None for the usual one.
        levels: The platform's TCB levels.
        qe_levels: The quoting enclave's.
        modules: TDX modules; for SGX none.
        tcb_info_version: 2 or 3.
        evaluation_numbers: Of TCB info and of QE identity.
        dates: When each endorsement is valid.
        revoked_by_root: Serial numbers on the root's list.
        revoked_by_pck_ca: Serial numbers on the PCK CA's list.
        certification: How the quote names its PCK; None puts the PCK chain into it.
        auth_data: What the quoting enclave hashed with its key.
    """

    tee: Tee = Tee.SGX
    seed: bytes = SEED
    profiles: Mapping[Role, Profile] = field(default_factory=dict)
    platform: PlatformFacts = PLATFORM
    qe: ReportBody = QE
    qe_identity: QeFacts | None = None
    qe_kind: str | None = None
    body: Body = ENCLAVE
    version: int | None = None
    levels: tuple[Level, ...] = UP_TO_DATE
    qe_levels: tuple[Level, ...] = QE_LEVELS
    modules: tuple[ModuleFacts, ...] = ()
    tcb_info_version: int = 3
    evaluation_numbers: tuple[int, int] = (EVALUATION_NUMBER, EVALUATION_NUMBER)
    dates: Dates = Dates()
    revoked_by_root: tuple[int, ...] = ()
    revoked_by_pck_ca: tuple[int, ...] = ()
    certification: Certification | None = None
    auth_data: bytes = bytes(range(32))

    @property
    def vendor(self) -> Vendor:
        """Its vendor."""
        return _vendor(self.seed, tuple(sorted(self.profiles.items())))

    @property
    def pck(self) -> PckCredential:
        """Its certified key."""
        return self.vendor.issue_pck(self.platform, serial=PCK_SERIAL, key=seeded_p256(self.seed, "pck"))

    @property
    def quoting_enclave(self) -> QuotingEnclave:
        """Its quoting enclave."""
        return self.quoting_enclave_of(self.pck)

    def quoting_enclave_of(self, pck: PckCredential) -> QuotingEnclave:
        """Return its quoting enclave, as another PCK vouches for it."""
        return QuotingEnclave(
            pck,
            seeded_p256(self.seed, f"attestation {self.tee}"),
            self.qe,
            auth_data=self.auth_data,
            certification=self.certification,
            deterministic=True,
        )

    def quote(self) -> Quote:
        """Return its quote."""
        return self.quoting_enclave.quote(self.body, version=self.version)

    def tcb_info(self) -> bytes:
        """Return its vendor's word on its family, not signed."""
        return tcb_info(
            self.platform.fmspc,
            self.levels,
            self.dates.tcb_info,
            evaluation_number=self.evaluation_numbers[0],
            version=self.tcb_info_version,
            modules=self.modules,
        )

    def identity(self) -> bytes:
        """Return its vendor's word on its quoting enclave, not signed."""
        kind = self.qe_kind or ("QE" if self.tee is Tee.SGX else "TD_QE")
        facts = self.qe_identity or QeFacts.of(self.qe)
        number = self.evaluation_numbers[1]
        return qe_identity(facts, self.qe_levels, self.dates.qe_identity, evaluation_number=number, kind=kind)

    def collateral(self) -> Collateral:
        """Return its endorsements."""
        return self.endorse(self.tcb_info(), self.identity())

    def endorse(self, info: bytes, identity: bytes) -> Collateral:
        """Return endorsements with these documents, signed whatever they say."""
        return collateral(
            self.vendor,
            info,
            identity,
            self.dates.root_crl,
            pck_crl_validity=self.dates.pck_crl,
            revoked_by_root=self.revoked_by_root,
            revoked_by_pck_ca=self.revoked_by_pck_ca,
        )

    def edited(self, *, tcb_info: Fields | None = None, identity: Fields | None = None) -> Collateral:
        """Return endorsements whose documents have other fields, and are signed."""
        return self.endorse(edit(self.tcb_info(), tcb_info or {}), edit(self.identity(), identity or {}))


SGX: Final = Stage()
TDX: Final = Stage(tee=Tee.TDX, qe=TD_QE, body=TD_10, levels=TD_UP_TO_DATE, modules=MODULES)
ELSEWHERE: Final = replace(SGX, seed=OTHER_SEED)
DEFAULT_TERMS: Final = Terms(NOW)


def edit(document: bytes, fields: Fields) -> bytes:
    """Return a JSON document with some fields replaced; None leaves one out."""
    found = json.loads(document) | fields
    return json.dumps(
        {name: value for name, value in found.items() if value is not None}, separators=(",", ":")
    ).encode()


def case(
    name: str,
    title: str,
    expected: Expectation,
    stage: Stage,
    *,
    quote: Quote | bytes | None = None,
    collateral: Collateral | None = None,
    root: bytes | None = None,
    terms: Terms = DEFAULT_TERMS,
) -> Case:
    """Return a case from a stage, with its evidence or its endorsements replaced.

    Args:
        name: The case's name, after its TEE's.
        title: What was tried.
        expected: Which answers are right.
        stage: The platform, and the vendor whose root is to be trusted.
        quote: Other evidence than the stage's.
        collateral: Other endorsements than the stage's.
        root: Another root certificate to trust, DER.
        terms: When it is judged, and under which conditions.
    """
    evidence = stage.quote() if quote is None else quote
    request = Request(
        id=f"{stage.tee}.{name}",
        tee=stage.tee,
        quote=evidence if isinstance(evidence, bytes) else evidence.to_bytes(),
        root=root or stage.vendor.root_der,
        time=int(terms.time.timestamp()),
        collateral=json.loads((collateral or stage.collateral()).to_bytes()),
        minimum_evaluation_number=terms.minimum_evaluation_number,
        report_data=terms.report_data,
    )
    return Case(request, expected, title, terms.source)


def after(source: str) -> Terms:
    """Return the usual terms of a case that is named after a known bug."""
    return replace(DEFAULT_TERMS, source=source)


def at(time: datetime, *, seconds: int = 0, source: str = "") -> Terms:
    """Return terms of a case that is judged some seconds after a moment."""
    return Terms(time + timedelta(seconds=seconds), source)


@cache
def _vendor(seed: bytes, profiles: tuple[tuple[Role, Profile], ...]) -> Vendor:
    return Vendor(VendorKeys.seeded(seed), since=SINCE, deterministic=True, profiles=dict(profiles))
