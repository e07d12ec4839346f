"""Authentic evidence as the tests of policy need it: sound in every respect, unless a test says otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from adyton.attest.result import (
    AuthenticQuote,
    CollateralFacts,
    CollateralItem,
    PlatformState,
    Tcb,
    TcbPart,
    VerifiedPlatform,
)
from adyton.attest.roots import INTEL_ROOT, TrustRoot
from adyton.formats.pck import PckExtension
from adyton.formats.quote import CertificationType, QeCertification, Quote, QuoteHeader, Tee
from adyton.formats.sgx import AttributeFlags, Attributes, ReportBody
from adyton.formats.tcb import TcbStatus
from adyton.formats.tdx import TdAttributes, TdReport

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SIMULATED_ROOT = TrustRoot.of(b"\x04" + bytes(range(64)))

ENCLAVE = ReportBody(
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
TRUST_DOMAIN = TdReport(
    tee_tcb_svn=bytes(16),
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


def authentic(body=ENCLAVE, *, root=INTEL_ROOT, status=TcbStatus.UP_TO_DATE, advisories=(), facts=None, number=17):
    """Return evidence about `body`."""
    part = TcbPart(status, NOW - timedelta(days=400), tuple(advisories))
    tcb = Tcb(status, part.date, part.advisories, number, part, part)
    platform = PckExtension(bytes(16), (0,) * 16, 13, bytes(16), bytes(2), bytes.fromhex("00606a000000"), 0)
    return AuthenticQuote(
        _quote(body), VerifiedPlatform(None, PlatformState(root, platform, tcb, facts or collateral()), ()), NOW
    )


def collateral(*, issued=NOW - timedelta(days=10), expires=NOW + timedelta(days=20), version=3):
    """Return facts of endorsements, of which one has other dates than the rest."""
    usual = CollateralItem("root_crl", b"\x02" * 32, NOW - timedelta(days=10), NOW + timedelta(days=20))
    odd = CollateralItem("tcb_info", b"\x03" * 32, issued, expires)
    numbers = (("root_crl", 1), ("pck_crl", 1))
    return CollateralFacts.of((usual, odd), crl_numbers=numbers, tcb_info_version=version)


def debug(body):
    """Return the body of the same code, launched so that the host can read its memory."""
    if isinstance(body, ReportBody):
        return replace(body, attributes=Attributes(body.attributes.flags | AttributeFlags.DEBUG, body.attributes.xfrm))
    return replace(body, td_attributes=body.td_attributes | TdAttributes.DEBUG)


def _quote(body):
    sgx = isinstance(body, ReportBody)
    header = QuoteHeader(3 if sgx else 4, Tee.SGX if sgx else Tee.TDX, 0, 0, bytes(20))
    qe = QeCertification(ENCLAVE, bytes(64), b"", CertificationType.PCK_CHAIN, b"")
    return Quote(header, body, bytes(64), bytes(64), qe)
