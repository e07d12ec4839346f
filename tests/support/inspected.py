"""One file of each format that `adyton inspect` knows, forged, and what its parser is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import msgspec
from evidence import ENCLAVE, TRUST_DOMAIN
from forged import NOW, Forged
from running import sample

from adyton.conformance import chip
from adyton.formats.bundle import CollateralBundle
from adyton.formats.cmw import CmwRecord, Indicator, write_collection
from adyton.formats.ledger import leaf_hash
from adyton.formats.quote import CertificationType, QeCertification, Quote, QuoteHeader, Tee
from adyton.formats.receipt import LedgerEntry, Receipt, TreeHead
from adyton.formats.result import SignedResult
from adyton.formats.snp import SnpEndorsements
from adyton.formats.tdx import TdReport, TdReportExtension
from adyton.formats.x509 import pem_blocks
from adyton.policy import builtin_policy
from adyton.policy.record import Case, judge, make_record

EXTENSION = TdReportExtension(
    0, bytes(32), bytes(48), bytes(48), 0, bytes(16), bytes(16), bytes(12), bytes(48), 0
)  # fmt: skip
TD_15 = replace(TRUST_DOMAIN, tee_tcb_svn2=bytes(16), mr_service_td=bytes(48))
REPORT = replace(
    chip.REPORT,
    guest_svn=1,
    policy=0x3001F,
    platform_info=0x25,
    report_data=b"\x33" * 64,
    measurement=b"\x44" * 48,
    report_id=b"\x55" * 32,
    chip_id=b"\x66" * 64,
    current_version=(55, 29, 1),
    committed_version=(55, 29, 1),
    signature=b"\x77" * 96,
)
TURIN = bytes((1, 2, 3, 4, 0, 0, 0, 80))
TURIN_REPORT = replace(
    REPORT, version=5, cpuid=(0x1A, 2, 1), current_tcb=TURIN, reported_tcb=TURIN, committed_tcb=TURIN, launch_tcb=TURIN
)


@cache
def forged():
    """Return one forged platform."""
    return Forged()


def quote_of(version, body, *, kind=CertificationType.PCK_CHAIN, data=None):
    """Return a quote of any version, body and certification, not signed."""
    tee = Tee.TDX if isinstance(body, TdReport) else Tee.SGX
    chain = forged().quote().qe.data if data is None else data
    qe = QeCertification(ENCLAVE, bytes(64), bytes(32), kind, chain)
    return Quote(QuoteHeader(version, tee, 1, 2, bytes(20)), body, bytes(64), bytes(64), qe)


@cache
def binaries():
    """Return a name and bytes of each binary format."""
    ppid = {1: 16, 2: 256, 3: 384}
    pck = pem_blocks(forged().quote().qe.data)
    return {
        "quote v3": forged().quote().to_bytes(),
        "quote v4": quote_of(4, TRUST_DOMAIN).to_bytes(),
        "quote v4 of SGX": quote_of(4, ENCLAVE).to_bytes(),
        "quote v5 of SGX": quote_of(5, ENCLAVE).to_bytes(),
        "quote v5, TDX 1.0": quote_of(5, TRUST_DOMAIN).to_bytes(),
        "quote v5, TDX 1.5": quote_of(5, TD_15).to_bytes(),
        "quote v5, TDX 1.5 extended": quote_of(5, replace(TD_15, extension=EXTENSION)).to_bytes(),
        **{
            f"quote with certification type {kind}": quote_of(
                3, ENCLAVE, kind=CertificationType(kind), data=bytes(size + 20)
            ).to_bytes()
            for kind, size in ppid.items()
        },
        "SNP report v2": replace(REPORT, version=2, cpuid=(0, 0, 0)).to_bytes(),
        "SNP report v3": REPORT.to_bytes(),
        "SNP report v5": TURIN_REPORT.to_bytes(),
        "SIGSTRUCT": sample()[2].to_bytes(),
        "image": sample()[1].stream,
        "PCK certificate": pck[0],
        "root certificate": pck[2],
        "revocation list": forged().collateral().root_crl,
        "revocation list with entries": Forged(revoked_by_root=tuple(range(5, 25))).collateral().root_crl,
    }


@cache
def texts():
    """Return a name and bytes of each format that is text."""
    collateral, chain = forged().collateral(), forged().quote().qe.data
    certificates = pem_blocks(chain)
    result = SignedResult(
        payload=b"payload", point=bytes(65), signature=bytes(64), quote=forged().quote().to_bytes(),
        collateral=collateral.to_bytes(),
    )  # fmt: skip
    return {
        "collateral": collateral.to_bytes(),
        "TCB info": collateral.tcb_info,
        "QE identity": collateral.qe_identity,
        "signed TCB info": b'{"tcbInfo":' + collateral.tcb_info + b',"signature":"' + b"00" * 64 + b'"}',
        "signed QE identity": b'{"enclaveIdentity":' + collateral.qe_identity + b',"signature":"' + b"00" * 64 + b'"}',
        "PEM chain": chain,
        "SNP endorsements": SnpEndorsements(*certificates, crl=collateral.root_crl).to_bytes(),
        "policy": builtin_policy("strict").to_bytes(),
        "policy, YAML": msgspec.yaml.encode(builtin_policy("strict")),
        "result": result.to_bytes(),
        "receipt": receipt().to_bytes(),
        "appraisal record": record().to_bytes(),
        "collateral bundle": CollateralBundle(
            made_at=NOW, stale_after_days=7, collateral=(msgspec.Raw(collateral.to_bytes()),)
        ).to_bytes(),
        "CMW collection": write_collection(
            {
                "evidence": CmwRecord("application/eat+jwt", b"{}", Indicator.EVIDENCE),
                "results": CmwRecord("application/eat+jwt", b"{}", Indicator.ATTESTATION_RESULTS),
            },
            kind="tag:example.org,2026:both",
        ),
    }


def record():
    """Return the record of an appraisal that was denied: no built-in policy accepts a forged platform."""
    case = Case(
        "dcap", forged().quote().to_bytes(), forged().collateral().to_bytes(), builtin_policy("strict"), None, NOW
    )
    return make_record(case, judge(case))


def receipt():
    """Return a receipt that nobody signed."""
    at = datetime(2026, 6, 1, tzinfo=UTC)
    entry = LedgerEntry(kind="release", at=at, party="p", secret="a/b/c", mode="simulated").to_bytes()
    head = TreeHead(size=1, root=leaf_hash(entry), at=at, signature=bytes(64))
    return Receipt(entry=entry, position=0, proof=(), head=head)


__all__ = ["NOW", "REPORT", "TURIN_REPORT", "binaries", "forged", "quote_of", "receipt", "texts"]
