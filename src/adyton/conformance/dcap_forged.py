"""Evidence that is not authentic, each case named after what an attacker tried or a known verifier let pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding

from adyton.conformance.cases import Case, Expected
from adyton.conformance.dcap_sound import BASE, SEED, case
from adyton.forge import Level, ModuleFacts, Vendor, VendorKeys, derive_key
from adyton.forge.keys import sign_raw
from adyton.forge.platform import ENCLAVE, PCK_SERIAL, QE, SINCE, TRUST_DOMAIN, ForgedPlatform
from adyton.formats.quote import CertificationType, Quote
from adyton.formats.sgx import ReportBody

OTHER: Final = ForgedPlatform.of(b"another vendor with the same names")
_HEADER, _BODY, _SIGNATURE, _KEY, _QE_REPORT = 0, 48, 436, 500, 564
_QE_SIGNATURE, _AUTH_DATA = _QE_REPORT + 384, _QE_REPORT + 384 + 64 + 2


def cases() -> Iterator[Case]:
    """Yield the forged cases of SGX and TDX."""
    yield from _known_bugs()
    yield from _documents()
    yield from _chains()
    yield from _revocations()
    yield from _quoting_enclaves()
    yield from _quotes()
    yield from _trust_domains()


def forged(name: str, code: str, platform: ForgedPlatform = BASE, **more: Any) -> Case:  # noqa: ANN401, parts of a case
    """Return a case that has to be refused."""
    return case(name, platform, Expected.REFUSE, code=code, **more)


def lenient(name: str, code: str, **more: Any) -> Case:  # noqa: ANN401, parts of a case
    """Return a case that is authentic in a form that it should not have: some verifiers refuse it, as Intel's does."""
    return case(name, BASE, Expected.EITHER, status="UpToDate", code=code, **more)


def _parts(parts: dict[str, Any]) -> dict[str, Any]:
    return parts


def _identity(**changes: object) -> bytes:
    return json.dumps(json.loads(BASE.qe_identity()) | changes, separators=(",", ":")).encode()


def _flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]


def _known_bugs() -> Iterator[Case]:
    """Bugs that verifiers had (facts section 6)."""
    attacker = replace(BASE, qe=replace(QE, mr_signer=b"\x66" * 32))
    unsigned = _identity(mrsigner="66" * 32)
    yield forged("bug.cve_2026_22696.forged_qe_identity", "dcap.qe_identity.signature", attacker, qe_identity=unsigned)
    yield forged(
        "bug.cve_2026_22696.qe_identity_of_another_vendor",
        "dcap.chain.untrusted_root",
        attacker,
        qe_identity=unsigned,
        qe_identity_signature=OTHER.vendor.sign(unsigned),
        qe_identity_chain=OTHER.vendor.tcb_chain,
    )
    tdx = BASE.tdx()
    yield forged(
        "bug.cve_2026_22696.sgx_qe_identity_for_a_trust_domain", "dcap.qe_identity.tee", tdx,
        collateral=tdx.signed(qe_identity=tdx.qe_identity("QE")),
    )  # fmt: skip
    bad_module = replace(TRUST_DOMAIN, mr_signer_seam=b"\x66" * 48)
    yield forged("bug.tdx_module_identity_not_evaluated", "dcap.tdx.module", tdx, quote=tdx.quote(bad_module))
    vendor = _flipped(BASE.quote().to_bytes(), 12)
    yield forged("bug.qe_vendor_id_not_checked", "dcap.quote.qe_vendor", quote=vendor)
    for count in (0, 1, 15, 17):
        short = replace(BASE, levels=(Level((0,) * count),))
        yield forged(f"bug.svn_list_truncated_by_zip.{count}", "dcap.tcb_info.format", short)
    root_crl = BASE.collateral().root_crl
    yield forged("bug.crl_matched_to_the_wrong_issuer", "dcap.pck_crl.issuer", pck_crl=root_crl)
    yield forged(
        "bug.crl_matched_to_the_wrong_issuer.chain_left_out", "dcap.pck_crl.issuer", pck_crl=root_crl, pck_crl_chain=b""
    )
    yield forged("bug.trailing_bytes_after_the_quote", "dcap.quote.trailing", quote=BASE.quote().to_bytes() + b"\x00")


def _documents() -> Iterator[Case]:
    """Signed documents: other bytes, other signers, other platforms."""
    collateral = BASE.collateral()
    for name in ("tcb_info", "qe_identity"):
        code, content = f"dcap.{name}.signature", getattr(collateral, name)
        signature = getattr(collateral, f"{name}_signature")
        spaced = json.dumps(json.loads(content)).encode()
        yield forged(f"document.{name}.reserialised", code, **_parts({name: spaced}))
        yield forged(
            f"document.{name}.signature_flipped", code, **_parts({f"{name}_signature": _flipped(signature, 40)})
        )
        yield forged(f"document.{name}.signature_zero", code, **_parts({f"{name}_signature": bytes(64)}))
        by_ca = sign_raw(BASE.vendor.keys.pck_ca, content)
        yield forged(f"document.{name}.signed_by_the_pck_ca", code, **_parts({f"{name}_signature": by_ca}))
        chain: dict[str, Any] = {f"{name}_signature": by_ca, f"{name}_chain": BASE.vendor.pck_crl_chain}
        yield forged(f"document.{name}.signed_by_the_pck_ca_with_its_chain", f"dcap.{name}_chain.names", **chain)
        other: dict[str, Any] = {
            f"{name}_signature": OTHER.vendor.sign(content),
            f"{name}_chain": OTHER.vendor.tcb_chain,
        }
        yield forged(f"document.{name}.signed_by_another_vendor", "dcap.chain.untrusted_root", **other)
    family = replace(BASE, platform=replace(BASE.platform, fmspc=bytes(6)))
    yield forged("document.tcb_info.of_another_family", "dcap.tcb_info.fmspc", quote=family.quote())
    pce = replace(BASE, platform=replace(BASE.platform, pce_id=b"\x01\x00"))
    yield forged("document.tcb_info.of_another_pce", "dcap.tcb_info.pce_id", quote=pce.quote())
    tdx = BASE.tdx()
    yield forged(
        "document.tcb_info.tdx_for_an_enclave", "dcap.tcb_info.tee", collateral=BASE.signed(tcb_info=tdx.tcb_info())
    )
    yield forged(
        "document.tcb_info.sgx_for_a_trust_domain",
        "dcap.tcb_info.tee",
        tdx,
        collateral=tdx.signed(tcb_info=BASE.tcb_info()),
    )
    yield forged(
        "document.qe_identity.td_qe_for_an_enclave",
        "dcap.qe_identity.tee",
        collateral=BASE.signed(qe_identity=BASE.qe_identity("TD_QE")),
    )
    unknown = BASE.tcb_info().replace(b'"UpToDate"', b'"Perfect"')
    yield forged("document.tcb_info.unknown_status", "dcap.tcb_info.format", collateral=BASE.signed(tcb_info=unknown))


def _chains() -> Iterator[Case]:
    """Certificates: roots, lengths, roles, signatures."""
    quote = BASE.quote()
    pems = [b"-----BEGIN" + part for part in quote.qe.data.split(b"-----BEGIN")[1:]]

    def carrying(chain: bytes) -> Quote:
        return replace(quote, qe=replace(quote.qe, data=chain))

    yield forged("chain.root_of_another_vendor", "dcap.chain.untrusted_root", quote=OTHER.quote())
    theirs = Vendor(
        VendorKeys(OTHER.vendor.keys.root, BASE.vendor.keys.pck_ca, BASE.vendor.keys.tcb_signing), since=SINCE
    )
    swapped = pems[0] + theirs.pck_crl_chain
    yield forged("chain.pck_ca_under_another_root", "dcap.chain.untrusted_root", quote=carrying(swapped))
    root = BASE.vendor.root.public_bytes(Encoding.PEM)
    foreign_ca = OTHER.vendor.pck_ca.public_bytes(Encoding.PEM)
    foreign = OTHER.pck().chain.split(b"-----BEGIN")[1]
    yield forged(
        "chain.foreign_leaf_under_our_ca",
        "dcap.pck_chain.signature",
        quote=carrying(b"-----BEGIN" + foreign + pems[1] + root),
    )
    yield forged(
        "chain.foreign_ca_under_our_root",
        "dcap.pck_chain.signature",
        quote=carrying(b"-----BEGIN" + foreign + foreign_ca + root),
    )
    yield lenient("chain.leaf_and_ca_only", "dcap.pck_chain.format", quote=carrying(pems[0] + pems[1]))
    yield lenient("chain.root_twice", "dcap.pck_chain.format", quote=carrying(quote.qe.data + root))
    yield forged("chain.out_of_order", "dcap.pck_chain.format", quote=carrying(pems[1] + pems[0]))
    yield forged("chain.empty", "dcap.certification.unsupported", quote=carrying(b""))
    yield forged(
        "chain.tcb_signer_in_place_of_the_pck",
        "dcap.pck_chain.names",
        quote=carrying(BASE.vendor.tcb_signing.public_bytes(Encoding.PEM) + pems[1] + root),
    )
    yield forged(
        "chain.pck_leaf_alone",
        "dcap.certification.unsupported",
        quote=replace(quote, qe=replace(quote.qe, kind=CertificationType.PCK_LEAF, data=pems[0])),
    )
    yield forged(
        "chain.platform_id_in_place_of_it",
        "dcap.certification.unsupported",
        quote=BASE.quote(certification=CertificationType.PPID_PLAIN),
    )


def _revocations() -> Iterator[Case]:
    """Lists: each certificate revoked in turn, lists of others, lists that are changed."""
    yield forged("revoked.pck", "dcap.pck.revoked", replace(BASE, revoked_by_pck_ca=(PCK_SERIAL,)))
    yield forged(
        "revoked.pck_among_many", "dcap.pck.revoked", replace(BASE, revoked_by_pck_ca=(*range(1, 500), PCK_SERIAL))
    )
    yield forged("revoked.pck_ca", "dcap.pck_crl_chain.revoked", replace(BASE, revoked_by_root=(2,)))
    yield forged(
        "revoked.pck_ca.chain_left_out", "dcap.pck_ca.revoked", replace(BASE, revoked_by_root=(2,)), pck_crl_chain=b""
    )
    yield forged("revoked.tcb_signer", "dcap.tcb_info_chain.revoked", replace(BASE, revoked_by_root=(3,)))
    collateral, theirs = BASE.collateral(), OTHER.collateral()
    yield forged("crl.root_of_another_vendor", "dcap.root_crl.issuer", root_crl=theirs.root_crl)
    yield forged("crl.pck_of_another_vendor", "dcap.pck_crl.issuer", pck_crl=theirs.pck_crl)
    yield forged(
        "crl.pck_of_another_vendor.chain_left_out", "dcap.pck_crl.issuer", pck_crl=theirs.pck_crl, pck_crl_chain=b""
    )
    yield forged(
        "crl.pck_with_its_chain_of_another_vendor",
        "dcap.chain.untrusted_root",
        pck_crl=theirs.pck_crl,
        pck_crl_chain=theirs.pck_crl_chain,
    )
    yield forged("crl.pck_in_place_of_the_root_s", "dcap.root_crl.issuer", root_crl=collateral.pck_crl)
    for name in ("root_crl", "pck_crl"):
        content = getattr(collateral, name)
        yield forged(
            f"crl.{name}.signature_flipped",
            f"dcap.{name}.issuer",
            **_parts({name: _flipped(content, len(content) - 1)}),
        )
        yield forged(f"crl.{name}.truncated", f"dcap.{name}.format", **_parts({name: content[:-1]}))
        yield forged(f"crl.{name}.trailing_byte", f"dcap.{name}.format", **_parts({name: content + b"\x00"}))


def _quoting_enclaves() -> Iterator[Case]:
    """The quoting enclave's report: who made it, what it binds."""
    for name, changes in (
        ("another_signer", {"mr_signer": b"\x66" * 32}),
        ("another_product", {"isv_prod_id": 2}),
        ("debug", {"attributes": replace(QE.attributes, flags=QE.attributes.flags | 2)}),
        ("another_misc_select", {"misc_select": 1}),
    ):
        yield forged(f"qe.{name}", "dcap.qe.identity", replace(BASE, qe=replace(QE, **changes)))
    quote = BASE.quote()
    raw = quote.to_bytes()
    yield forged("qe.report_flipped", "dcap.qe.report_signature", quote=_flipped(raw, _QE_REPORT + 64))
    yield forged("qe.report_signature_flipped", "dcap.qe.report_signature", quote=_flipped(raw, _QE_SIGNATURE))
    yield forged("qe.auth_data_flipped", "dcap.qe.report_data", quote=_flipped(raw, _AUTH_DATA))
    mine = derive_key(SEED, "attacker")
    stolen = replace(BASE, attestation_key=mine).quote()
    unbound = replace(quote, attestation_key=stolen.attestation_key)
    unbound = replace(unbound, signature=sign_raw(mine, unbound.signed_bytes()))
    yield forged("qe.attestation_key_not_bound", "dcap.qe.report_data", quote=unbound)
    own_report = replace(quote, qe=stolen.qe, attestation_key=stolen.attestation_key)
    by_attacker = sign_raw(mine, stolen.qe.report.to_bytes())
    own_report = replace(own_report, qe=replace(own_report.qe, signature=by_attacker))
    own_report = replace(own_report, signature=sign_raw(mine, own_report.signed_bytes()))
    yield forged("qe.report_signed_by_the_attacker", "dcap.qe.report_signature", quote=own_report)


def _quotes() -> Iterator[Case]:
    """The quote itself: flipped bits in every signed part, other formats, lengths that lie."""
    quote = BASE.quote()
    raw = quote.to_bytes()
    for name, at in (
        ("user_data", 28), ("cpu_svn", _BODY), ("attributes", _BODY + 48), ("mr_enclave", _BODY + 64),
        ("mr_signer", _BODY + 128), ("isv_prod_id", _BODY + 256), ("isv_svn", _BODY + 258),
        ("report_data", _BODY + 320),
        ("last_byte", _BODY + 383),
    ):  # fmt: skip
        yield forged(f"quote.flipped.{name}", "dcap.quote.signature", quote=_flipped(raw, at, 2))
    yield forged("quote.flipped.signature_r", "dcap.quote.signature", quote=_flipped(raw, _SIGNATURE))
    yield forged("quote.flipped.signature_s", "dcap.quote.signature", quote=_flipped(raw, _SIGNATURE + 63))
    yield forged("quote.signature_zero", "dcap.quote.signature", quote=replace(quote, signature=bytes(64)))
    other = replace(BASE, qe=replace(QE, isv_svn=7)).quote(replace(ENCLAVE, isv_svn=9))
    yield forged(
        "quote.signature_of_another_quote", "dcap.quote.signature", quote=replace(quote, signature=other.signature)
    )
    yield forged("quote.truncated", "dcap.quote.length", quote=raw[:-1])
    yield forged("quote.header_only", "dcap.quote.length", quote=raw[:48])
    yield forged("quote.version_2", "dcap.quote.epid", quote=b"\x02" + raw[1:])
    yield forged("quote.version_6", "dcap.quote.version", quote=b"\x06" + raw[1:])
    yield forged("quote.key_type_p384", "dcap.quote.key_type", quote=raw[:2] + b"\x03" + raw[3:])
    yield forged("quote.tee_type_unknown", "dcap.quote.tee_type", quote=raw[:4] + b"\x82" + raw[5:])
    yield forged(
        "quote.signature_size_too_large", "dcap.quote.length", quote=raw[:432] + b"\xff\xff\xff\x7f" + raw[436:]
    )


def _trust_domains() -> Iterator[Case]:
    tdx = BASE.tdx()
    quote = tdx.quote()
    body = quote.body
    if isinstance(body, ReportBody):
        raise TypeError
    for name, changes, code in (
        ("module_with_attributes", {"seam_attributes": 1}, "dcap.tdx.module"),
        ("module_of_an_unknown_version", {"tee_tcb_svn": bytes((5, 9, *[5] * 14))}, "dcap.tdx.module"),
    ):
        yield forged(f"tdx.{name}", code, tdx, quote=tdx.quote(replace(body, **changes)))
    low = replace(tdx, modules=(ModuleFacts(1, (Level((6,)),)),))
    yield forged("tdx.module_below_every_level", "dcap.tcb.no_matching_level", low)
    short = replace(tdx, levels=(Level((0,) * 16, tdx=(0,) * 15),))
    yield forged("tdx.svn_list_truncated_by_zip", "dcap.tcb_info.format", short)
    for name, at in (("mr_td", 48 + 136), ("rtmr3", 48 + 472), ("report_data", 48 + 520), ("td_attributes", 48 + 123)):
        yield forged(f"tdx.flipped.{name}", "dcap.quote.signature", tdx, quote=_flipped(quote.to_bytes(), at))
