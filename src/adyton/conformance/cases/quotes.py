"""Quotes that were changed, cut, mixed up, or made by what must not be trusted."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

from adyton.conformance.case import REFUSE, Case, either
from adyton.conformance.stage import (
    DEFAULT_TERMS,
    ELSEWHERE,
    ENCLAVE,
    SGX,
    TD_10,
    TD_15,
    TD_15_EX,
    TDX,
    Stage,
    after,
    case,
)
from adyton.forge import named_platform
from adyton.forge.keys import EcSigner, seeded_p256
from adyton.formats.quote import CertificationType, QuoteHeader, Tee
from adyton.formats.sgx import AttributeFlags, ReportBody
from adyton.formats.tdx import TdAttributes

_DEBUG = "taikoxyz/taiko-mono #21822, automata multi-prover-avs #28: debug enclaves accepted"
_VENDOR = "dcap-qvl #127: vendor of the quoting enclave not checked"
_REPLAY = "veraison/services #427, NVFlare #5131: nonce not compared with the evidence"
_LENGTH_AT = {Tee.SGX: 432, Tee.TDX: 632}
_SGX_PLACES = {
    "header": 30, "cpu-svn": 48, "attributes": 97, "mr-enclave": 112, "mr-signer": 176, "isv-svn": 306,
    "report-data": 368, "signature": 436, "attestation-key": 500, "qe-report": 676, "qe-report-data": 884,
    "qe-signature": 948, "auth-data": 1014,
}  # fmt: skip
_TDX_PLACES = {
    "header": 30, "tee-tcb-svn": 64, "td-attributes": 171, "mr-td": 184, "rtmr3": 520, "report-data": 568,
    "signature": 636, "attestation-key": 700, "qe-report": 882, "qe-signature": 1154, "auth-data": 1220,
}  # fmt: skip


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for stage, places in ((SGX, _SGX_PLACES), (TDX, _TDX_PLACES)):
        yield from _flipped(stage, places)
        yield from _sizes(stage)
        yield from _headers(stage)
        yield from _bindings(stage)
        yield from _certification(stage)
        yield from _report_data(stage)
    yield from _descriptors()
    yield from _modes()


def _flipped(stage: Stage, places: dict[str, int]) -> Iterator[Case]:
    whole = stage.quote().to_bytes()
    for name, at in places.items():
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        yield case(f"quote.flipped-{name}", f"one bit changed in {name}", REFUSE, stage, quote=changed)


def _sizes(stage: Stage) -> Iterator[Case]:
    whole, at = stage.quote().to_bytes(), _LENGTH_AT[stage.tee]
    size = len(whole) - at - 4
    yield case(
        "quote.trailing-bytes",
        "bytes behind the end of the quote",
        either("UpToDate", because="nothing signs them and some ignore them; a quote's hash is then no identity"),
        stage,
        quote=whole + b"\x00trailing",
    )
    for name, title, changed in (
        ("empty", "nothing at all", b""),
        ("header-only", "a header alone", whole[:48]),
        ("cut-in-the-body", "a quote that ends in its body", whole[: at - 8]),
        ("cut-in-the-signature", "a quote that ends in its signature", whole[: at + 40]),
        ("cut-in-the-chain", "a quote that ends in its chain", whole[:-900]),
        ("size-beyond-the-end", "signature data that say to be longer than the quote",
         whole[:at] + struct.pack("<I", size + 1000) + whole[at + 4 :]),
        ("size-of-four-gigabytes", "signature data that say to have four gigabytes",
         whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :]),
        ("size-zero", "signature data that say to be empty", whole[:at] + bytes(4) + whole[at + 4 :]),
    ):  # fmt: skip
        yield case(f"quote.{name}", title, REFUSE, stage, quote=changed)


def _headers(stage: Stage) -> Iterator[Case]:
    version = 3 if stage is SGX else 4
    header = QuoteHeader(version, stage.tee, 6 if stage is SGX else 0, 11 if stage is SGX else 0, bytes(20))
    vendor = replace(header, qe_vendor_id=b"\x66" * 16)
    title = "a quoting enclave of another vendor, by the signed header"
    signed = stage.quoting_enclave.sign(vendor, stage.body)
    yield case("quote.qe-vendor", title, REFUSE, stage, quote=signed, terms=after(_VENDOR))
    for number in (2, 6):
        other = stage.quoting_enclave.sign(replace(header, version=number), stage.body)
        title = f"a quote of version {number}, signed"
        yield case(f"quote.version-{number}", title, REFUSE, stage, quote=other)
    for name, title, at, value in (
        ("key-type-epid", "an attestation key of EPID", 2, 0),
        ("key-type-p384", "an attestation key of P-384", 2, 3),
        ("tee-unknown", "a technology that nobody has defined", 4, 0x82),
        ("tee-other", "the other technology's number", 4, 0x81 if stage is SGX else 0),
    ):
        yield case(f"quote.{name}", title, REFUSE, stage, quote=_resigned(stage, at, value))


def _resigned(stage: Stage, at: int, value: int) -> bytes:
    """Return the quote with a byte of its header changed, signed again by its attestation key."""
    whole, end = bytearray(stage.quote().to_bytes()), _LENGTH_AT[stage.tee]
    whole[at] = value
    signer = EcSigner(seeded_p256(stage.seed, f"attestation {stage.tee}"), deterministic=True)
    whole[end + 4 : end + 68] = signer.sign_raw(bytes(whole[:end]))
    return bytes(whole)


def _bindings(stage: Stage) -> Iterator[Case]:
    """Who vouches for the attestation key."""
    genuine = stage.quote()
    attacker = replace(ELSEWHERE, tee=stage.tee, qe=stage.qe, body=stage.body).quote()
    second = replace(stage, platform=replace(stage.platform, ppid=b"\x44" * 16))
    other_pck = second.vendor.issue_pck(second.platform, serial=1001, key=seeded_p256(stage.seed, "other pck"))
    mixed = second.quoting_enclave_of(other_pck).quote(stage.body)
    report = genuine.qe.report
    tail = replace(report, report_data=report.report_data[:32] + b"\x01" * 32)
    zero = replace(report, report_data=bytes(64))
    for name, title, quote in (
        ("unbound-key", "an attacker's key and signature beside a genuine quoting enclave's report",
         replace(attacker, qe=genuine.qe)),
        ("unbound-auth-data", "other authentication data than the quoting enclave hashed",
         replace(genuine, qe=replace(genuine.qe, auth_data=b"other"))),
        ("report-of-another-platform", "a quoting enclave's report that another platform's PCK signed",
         replace(genuine, qe=replace(mixed.qe, data=genuine.qe.data))),
        ("pck-signature-zero", "a signature of zeros over the quoting enclave's report",
         replace(genuine, qe=replace(genuine.qe, signature=bytes(64)))),
        ("signature-zero", "a signature of zeros over the quote", replace(genuine, signature=bytes(64))),
        ("key-off-the-curve", "an attestation key that is no point of the curve",
         replace(genuine, attestation_key=b"\x01" * 64)),
        ("nothing-bound", "a report that binds nothing, signed by the PCK",
         replace(genuine, qe=replace(genuine.qe, report=zero, signature=_by_pck(stage, zero)))),
    ):  # fmt: skip
        yield case(f"quote.{name}", title, REFUSE, stage, quote=quote)
    yield case(
        "quote.bytes-behind-the-binding",
        "bytes behind the digest in the quoting enclave's report, signed by the PCK",
        either("UpToDate", because="Intel's library reads the first half only"),
        stage,
        quote=replace(genuine, qe=replace(genuine.qe, report=tail, signature=_by_pck(stage, tail))),
    )


def _by_pck(stage: Stage, report: ReportBody) -> bytes:
    return EcSigner(stage.pck.key, deterministic=True).sign_raw(report.to_bytes())


def _certification(stage: Stage) -> Iterator[Case]:
    kinds = (CertificationType.PPID_PLAIN, CertificationType.PPID_RSA3072_OAEP)
    for kind in kinds:
        bare = replace(stage, certification=named_platform(stage.platform, kind))
        title = f"a quote that names its platform (type {kind.value}), and no chain beside it"
        yield case(f"quote.certification-type-{kind.value}-without-chain", title, REFUSE, bare)
    other = replace(stage.platform, pce_id=b"\x01\x00")
    named = replace(stage, certification=named_platform(other, CertificationType.PPID_PLAIN))
    beside = replace(stage.collateral(), pck_chain=stage.pck.chain)
    title = "a quote that names another provisioning enclave than the chain beside it"
    yield case("quote.certification-of-another-pce", title, REFUSE, named, collateral=beside)
    for number in (0, 4, 7):
        genuine = stage.quote()
        chain = struct.pack("<HI", 5, len(genuine.qe.data))
        whole = genuine.to_bytes().replace(chain, struct.pack("<HI", number, len(genuine.qe.data)))
        title = f"certification data of type {number}, which is none that can be checked"
        yield case(f"quote.certification-type-{number}", title, REFUSE, stage, quote=whole)


def _report_data(stage: Stage) -> Iterator[Case]:
    carried = stage.body.report_data
    for name, title, asked in (
        ("replayed", "an old quote, for a verifier that asks for a fresh nonce", b"\xdd" * 64),
        ("prefix-only", "report data of which the first half is right", carried[:32] + bytes(32)),
    ):
        terms = replace(DEFAULT_TERMS, source=_REPLAY, report_data=asked)
        yield case(f"quote.report-data-{name}", title, REFUSE, stage, terms=terms)


def _descriptors() -> Iterator[Case]:
    """The body's type and size in version 5."""
    for name, title, stage, number, size in (
        ("body-type-unknown", "a body of a type that nobody has defined", TDX, 9, 584),
        ("body-type-sgx", "a trust domain's body that says to be an enclave's", TDX, 1, 384),
        ("body-type-td15", "a TDX 1.0 body that says to be of TDX 1.5", TDX, 3, 648),
        ("body-size", "a body of another size than its type's", TDX, 2, 583),
    ):
        whole = replace(stage, version=5).quote().to_bytes()
        changed = whole[:48] + struct.pack("<HI", number, size) + whole[54:]
        yield case(f"quote.v5-{name}", title, REFUSE, stage, quote=changed)
    for name, body, at in (("td15", TD_15, 54 + 584 + 3), ("td15-extended", TD_15_EX, 54 + 648 + 5)):
        stage = replace(TDX, version=5, body=body)
        whole = stage.quote().to_bytes()
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        title = f"one bit changed in what the {name} body adds"
        yield case(f"quote.v5-flipped-{name}", title, REFUSE, stage, quote=changed)


def _modes() -> Iterator[Case]:
    """What the hardware really made, and no verifier lets through that waives nothing."""
    debug = replace(ENCLAVE.attributes, flags=ENCLAVE.attributes.flags | AttributeFlags.DEBUG)
    title = "a debug enclave, whose memory the host can read"
    enclave = replace(SGX, body=replace(ENCLAVE, attributes=debug))
    yield case("mode.debug", title, REFUSE, enclave, terms=after(_DEBUG))
    yield case("mode.debug-v5", title, REFUSE, replace(enclave, version=5), terms=after(_DEBUG))
    sound = TdAttributes.SEPT_VE_DISABLE
    for version in (4, 5):
        stage = replace(TDX, version=version, body=replace(TD_10, td_attributes=sound | TdAttributes.DEBUG))
        title = "a debug trust domain, whose memory the host can read"
        yield case(f"mode.debug-v{version}", title, REFUSE, stage, terms=after(_DEBUG))
    left = "a policy's to say: Intel's library leaves it to its caller"
    for name, title, body in (
        ("sept-ve", "without SEPT_VE_DISABLE", replace(TD_10, td_attributes=TdAttributes(0))),
        ("migratable", "that can migrate", replace(TD_10, td_attributes=sound | TdAttributes.MIGRATABLE)),
        (
            "reserved-attributes",
            "with attributes that nobody has defined",
            replace(TD_10, td_attributes=sound | 1 << 40),
        ),
        ("service-td", "that a service trust domain is bound to", replace(TD_15, mr_service_td=b"\x07" * 48)),
    ):
        stage = replace(TDX, body=body, version=5)
        yield case(f"mode.{name}", f"a trust domain {title}", either("UpToDate", because=left), stage)
    short = replace(SGX, body=replace(ENCLAVE, attributes=replace(ENCLAVE.attributes, flags=AttributeFlags.INIT)))
    yield case("mode.32-bit", "an enclave of 32 bits", either("UpToDate", because=left), short)
