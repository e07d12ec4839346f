"""Signed documents that are forged, mixed up or malformed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from adyton.conformance.case import REFUSE, Case, either
from adyton.conformance.stage import ELSEWHERE, OTHER_SEED, SGX, TDX, Stage, after, case, edit
from adyton.forge import QeFacts
from adyton.forge.certificates import pem
from adyton.forge.vendor import sign_raw
from adyton.formats.collateral import Collateral

_FORGED_IDENTITY = "CVE-2026-22696 (dcap-qvl before 0.3.9)"
_TRUNCATED = "dcap-qvl #134: component lists cut by zip"
_OTHER_FMSPC = "00606a000000"


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for stage in (SGX, TDX):
        yield from _identity(stage)
        yield from _quoting_enclave(stage)
        yield from _either_document(stage)
        yield from _families(stage)
        yield from _tees(stage)
        yield from _component_lists(stage)
        yield from _unknown_words(stage)


def _identity(stage: Stage) -> Iterator[Case]:
    terms, genuine = after(_FORGED_IDENTITY), stage.collateral()
    impostor = _impostor(stage)
    forged = edit(stage.identity(), {"mrsigner": "66" * 32})
    yield case(
        "qe-identity.forged",
        "an attacker's quoting enclave, and a QE identity that was edited to fit it",
        REFUSE,
        impostor,
        collateral=replace(genuine, qe_identity=forged),
        terms=terms,
    )
    yield case(
        "qe-identity.edited",
        "a QE identity in which one level was made better",
        REFUSE,
        stage,
        collateral=replace(genuine, qe_identity=genuine.qe_identity.replace(b"OutOfDate", b"UpToDate")),
        terms=terms,
    )
    other = ELSEWHERE.endorse(ELSEWHERE.tcb_info(), forged)
    yield case(
        "qe-identity.self-signed",
        "a forged QE identity that another vendor signed, under a chain of its own",
        REFUSE,
        impostor,
        collateral=_identity_of(genuine, other),
        terms=terms,
    )
    yield case(
        "qe-identity.other-signer-behind-own-chain",
        "a forged QE identity that another vendor signed, under the right chain",
        REFUSE,
        impostor,
        collateral=replace(_identity_of(genuine, other), qe_identity_chain=genuine.qe_identity_chain),
        terms=terms,
    )


def _impostor(stage: Stage) -> Stage:
    """Return the stage with an attacker's quoting enclave, and what the vendor says that it has to be."""
    return replace(stage, qe=replace(stage.qe, mr_signer=b"\x66" * 32), qe_identity=QeFacts.of(stage.qe))


def _quoting_enclave(stage: Stage) -> Iterator[Case]:
    yield case("qe.foreign-signer", "a quoting enclave of another signer", REFUSE, _impostor(stage))
    for name, qe in (
        ("product", replace(stage.qe, isv_prod_id=stage.qe.isv_prod_id + 5)),
        ("misc-select", replace(stage.qe, misc_select=1)),
        ("debug", replace(stage.qe, attributes=replace(stage.qe.attributes, flags=stage.qe.attributes.flags | 2))),
    ):
        there = replace(stage, qe=qe, qe_identity=QeFacts.of(stage.qe))
        yield case(f"qe.other-{name}", f"a quoting enclave of another {name}", REFUSE, there)


def _identity_of(genuine: Collateral, other: Collateral) -> Collateral:
    return replace(
        genuine,
        qe_identity=other.qe_identity,
        qe_identity_signature=other.qe_identity_signature,
        qe_identity_chain=other.qe_identity_chain,
    )


def _either_document(stage: Stage) -> Iterator[Case]:
    """The same attacks on either of the two signed documents."""
    genuine = stage.collateral()
    leaf = stage.pck
    for name, field in (("tcb-info", "tcb_info"), ("qe-identity", "qe_identity")):
        document, signature = getattr(genuine, field), getattr(genuine, f"{field}_signature")
        spaced = json.dumps(json.loads(document)).encode()
        by_pck = sign_raw(leaf.key, document, deterministic=True)
        pck_chain = pem(leaf.leaf, stage.vendor.pck_ca_der, stage.vendor.root_der)
        for variant, title, fields in (
            ("flipped-bit", "with one bit changed", {field: document.replace(b'"2026-', b'"2027-', 1)}),
            ("reserialised", "with spaces that were not signed", {field: spaced}),
            ("signature-flipped", "with one bit of the signature changed",
             {f"{field}_signature": signature[:-1] + bytes([signature[-1] ^ 1])}),
            ("signature-zero", "with a signature of zeros", {f"{field}_signature": bytes(64)}),
            ("signed-by-pck", "signed by a platform's key, under that platform's chain",
             {f"{field}_signature": by_pck, f"{field}_chain": pck_chain}),
            ("chain-emptied", "without its signer's chain", {f"{field}_chain": b""}),
            ("chain-of-other-vendor", "under another vendor's chain",
             {f"{field}_chain": ELSEWHERE.collateral().tcb_info_chain}),
            ("chain-of-the-ca", "under the chain of the CA that certifies platforms",
             {f"{field}_chain": stage.vendor.pck_crl_chain}),
        ):  # fmt: skip
            changed = replace(genuine, **fields)
            yield case(f"{name}.{variant}", f"{name} {title}", REFUSE, stage, collateral=changed)
    yield case(
        "documents.chains-without-root",
        "documents under chains without the root, which the verifier has",
        either("UpToDate", because="a chain to a root that the verifier has is whole without it"),
        stage,
        collateral=replace(
            genuine,
            tcb_info_chain=pem(stage.vendor.tcb_signing_der),
            qe_identity_chain=pem(stage.vendor.tcb_signing_der),
        ),
    )
    yield from _self_made_signers(stage, genuine)
    swapped = stage.endorse(stage.identity(), stage.tcb_info())
    title = "TCB info and QE identity, each signed, in each other's place"
    yield case("documents.swapped", title, REFUSE, stage, collateral=swapped)


def _self_made_signers(stage: Stage, genuine: Collateral) -> Iterator[Case]:
    """An attacker's own signer, under the vendor's root that anybody can copy."""
    attacker = replace(stage, seed=OTHER_SEED).vendor
    chain = pem(attacker.tcb_signing_der, stage.vendor.root_der)
    for name, field, document in (
        ("tcb-info", "tcb_info", genuine.tcb_info),
        ("qe-identity", "qe_identity", genuine.qe_identity.replace(b"OutOfDate", b"UpToDate")),
    ):
        fields = {field: document, f"{field}_signature": attacker.sign(document), f"{field}_chain": chain}
        title = f"{name} that an attacker signed, under a certificate of its own and the vendor's root"
        yield case(f"{name}.self-made-signer", title, REFUSE, stage, collateral=replace(genuine, **fields))


def _families(stage: Stage) -> Iterator[Case]:
    for field, value in (("fmspc", _OTHER_FMSPC), ("pceId", "0100")):
        other = stage.edited(tcb_info={field: value})
        yield case(f"tcb-info.other-{field.lower()}", f"TCB info of another {field}", REFUSE, stage, collateral=other)


def _tees(stage: Stage) -> Iterator[Case]:
    other = TDX if stage is SGX else SGX
    wrong_info = stage.endorse(other.tcb_info(), stage.identity())
    yield case("tcb-info.other-tee", f"TCB info for {other.tee}", REFUSE, stage, collateral=wrong_info)
    wrong_identity = stage.endorse(stage.tcb_info(), other.identity())
    title = f"the identity of the quoting enclave for {other.tee}, genuinely signed"
    terms = after(_FORGED_IDENTITY)
    yield case("qe-identity.other-tee", title, REFUSE, stage, collateral=wrong_identity, terms=terms)
    # The document's word against its content: only the id tells that it is not for this TEE.
    disguised = replace(stage, qe_kind="QE" if stage is TDX else "TD_QE")
    title = "an identity that fits in all but its id"
    yield case("qe-identity.other-id", title, REFUSE, disguised, terms=terms)
    verifier = replace(stage, qe_kind="QVE")
    yield case("qe-identity.of-the-verification-enclave", "the identity of Intel's verifier", REFUSE, verifier)
    if stage is TDX:
        old = stage.endorse(replace(SGX, tcb_info_version=2).tcb_info(), stage.identity())
        yield case("tcb-info.version-2", "TCB info of version 2, which knows no TDX", REFUSE, stage, collateral=old)


def _component_lists(stage: Stage) -> Iterator[Case]:
    lists = ("sgxtcbcomponents", "tdxtcbcomponents") if stage is TDX else ("sgxtcbcomponents",)
    for field in lists:
        for count in (0, 15, 17):
            level = json.loads(stage.tcb_info())["tcbLevels"][0]
            level["tcb"][field] = (level["tcb"][field] + [{"svn": 200}])[:count]
            changed = stage.edited(tcb_info={"tcbLevels": [level]})
            title = f"a level with {count} {field} in place of sixteen"
            yield case(f"tcb-info.{field}-{count}", title, REFUSE, stage, collateral=changed, terms=after(_TRUNCATED))


def _unknown_words(stage: Stage) -> Iterator[Case]:
    level = json.loads(stage.tcb_info())["tcbLevels"][0]
    for name, title, fields in (
        ("unknown-status", "a status that nobody has defined", {"tcbLevels": [level | {"tcbStatus": "Fine"}]}),
        ("no-levels", "no levels at all", {"tcbLevels": []}),
        ("version-4", "a version that nobody has defined", {"version": 4}),
        ("without-next-update", "no end date", {"nextUpdate": None}),
    ):
        changed = stage.edited(tcb_info=fields)
        yield case(f"tcb-info.{name}", f"TCB info with {title}", REFUSE, stage, collateral=changed)
