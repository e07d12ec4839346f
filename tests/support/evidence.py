"""Authentic evidence as the tests of policy need it: sound in every respect, unless a test says otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

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
from adyton.conformance import stage
from adyton.conformance.stage import NOW
from adyton.formats.pck import PckExtension
from adyton.formats.quote import CertificationType, QeCertification, Quote, QuoteHeader, Tee
from adyton.formats.sgx import AttributeFlags, Attributes, ReportBody
from adyton.formats.tcb import TcbStatus
from adyton.formats.tdx import TdAttributes

SIMULATED_ROOT = TrustRoot.of(b"\x04" + bytes(range(64)))

ENCLAVE = replace(stage.ENCLAVE, cpu_svn=bytes(16))
TRUST_DOMAIN = replace(stage.TD_10, tee_tcb_svn=bytes(16))


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
