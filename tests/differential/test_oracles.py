"""Ours beside the two public verifiers, on genuine and on forged evidence: the same status, or a known difference.

The oracles are `dcap-qvl` (SGX and TDX) and `sgx-dcap-quote-verify-python`, which wraps Intel's own verifier (SGX v3).
A difference is in a table below with its reason; every other one fails.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import dcap_qvl
import pytest
from places import VECTORS

from adyton.attest import TrustRoot, TrustRoots, authenticate
from adyton.attest.signatures import PublicKey
from adyton.conformance import all_cases
from adyton.errors import AdytonError
from adyton.formats.collateral import Collateral
from adyton.formats.quote import Quote, Tee
from adyton.formats.x509 import Certificate

FORGED = [case for case in all_cases() if case.tee != "snp"]
GENUINE = json.loads((VECTORS / "dcap" / "cases.json").read_text()) if VECTORS.is_dir() else []

# Cases that dcap-qvl 0.7.0 treats otherwise, and why ours is right.
DCAP_QVL_DIFFERS = {
    "bug.trailing_bytes_after_the_quote": "it reads a quote's beginning, so that a quote has many forms",
    "document.tcb_info.of_another_pce": "it does not compare PCEID (Intel QVL: QuoteVerifier.cpp does)",
    "chain.leaf_and_ca_only": "it takes the root from its own store",
    "chain.root_twice": "it ignores certificates that it does not need",
    "sgx.form.tcb_info_version_2": "it reads version 3 alone",
    "sgx.revoked.platform_level": "it refuses; ours records the status, and every policy denies it",
    "sgx.revoked.qe_level": "the same",
    "tdx.revoked.module_level": "the same",
}
# Dates: dcap-qvl refuses where ours records, and policy denies; and it reads a list's last second the other way.
DATED = "sgx.dates."
# What Intel's verifier of 2023 treats otherwise.
QVL_DIFFERS = {
    "bug.trailing_bytes_after_the_quote": "it reads a quote's beginning",
    "bug.qe_vendor_id_not_checked": "it compares the vendor's id nowhere",
    "sgx.form.root_reissued_with_the_same_key": "it compares the root's signature, not its key",
    "crl.pck_of_another_vendor": "its interface has one chain for list and certificate",
    "crl.pck_with_its_chain_of_another_vendor": "its interface has no place for that chain",
    "revoked.pck_ca": "it is asked with the quote's own chain",
    "document.tcb_info.reserialised": "it writes the document anew before it compares the signature",
    "document.qe_identity.reserialised": "the same",
    "crl.root_crl.trailing_byte": "its reader stops at the end of the list",
    "crl.pck_crl.trailing_byte": "the same",
}


def ours(evidence, collateral, root, now):
    """Return the status, or the code of the refusal."""
    try:
        found = authenticate(Quote.parse(evidence), collateral, roots=root, now=now)
    except AdytonError as error:
        return error.code
    return str(found.tcb.status)


def trusting(root_certificate):
    key = PublicKey.of(Certificate.parse(root_certificate).public_key)
    return TrustRoots.named([TrustRoot.of(key.data).name])


def peer(evidence, collateral, root, now):
    try:
        given = dcap_qvl.QuoteCollateralV3.from_json(collateral.to_bytes().decode())
        return dcap_qvl.verify_with_root_ca(evidence, given, root, int(now.timestamp())).status
    except Exception as error:  # noqa: BLE001, whatever it raises is a refusal
        return f"refused: {error}"


@pytest.mark.parametrize("case", FORGED, ids=[case.id for case in FORGED])
def test_dcap_qvl_gives_the_same_status_or_refuses_as_well(case):
    theirs = peer(case.evidence, case.endorsements, case.root, case.now)
    found = ours(case.evidence, case.endorsements, trusting(case.root), case.now)
    same = found == theirs or (theirs.startswith("refused") and "." in found)
    known = case.id in DCAP_QVL_DIFFERS or case.id.startswith(DATED)
    assert same or known, (found, theirs)


@pytest.mark.parametrize("name", DCAP_QVL_DIFFERS)
def test_each_known_difference_is_still_one(name):
    case = next(case for case in FORGED if case.id == name)
    theirs = peer(case.evidence, case.endorsements, case.root, case.now)
    found = ours(case.evidence, case.endorsements, trusting(case.root), case.now)
    assert (found == theirs) is False
    assert theirs.startswith("refused") != ("." in found)


def qvl(evidence, collateral, root, now):
    """Ask Intel's verifier: its four statuses, each as a word; it takes PEM, and lists in hex."""
    import sgx_dcap_quote_verify  # noqa: PLC0415, it is optional

    quote = Quote.parse(evidence)
    blocks = ["-----BEGIN" + part for part in quote.qe.data.rstrip(b"\x00").decode("latin-1").split("-----BEGIN")[1:]]
    pem = "-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(root).decode() + "-----END CERTIFICATE-----\n"
    found = sgx_dcap_quote_verify.verify(
        trusted_root_ca_certificate=pem,
        pck_certificate=blocks[0] if blocks else "",
        pck_signing_chain="".join(blocks[1:]),
        root_ca_crl=collateral.root_crl.hex(),
        intermediate_ca_crl=collateral.pck_crl.hex(),
        tcb_info=_signed(collateral.tcb_info, collateral.tcb_info_signature, "tcbInfo"),
        tcb_signing_chain=collateral.tcb_info_chain.decode(),
        quote=evidence,
        qe_identity=_signed(collateral.qe_identity, collateral.qe_identity_signature, "enclaveIdentity"),
        expiration_date=now,
    )
    return [
        status.name.removeprefix("STATUS_")
        for status in (
            found.pck_certificate_status, found.tcb_info_status, found.qe_identity_status, found.quote_status
        )
    ]  # fmt: skip


def _signed(document, signature, name):
    return '{"' + name + '":' + document.decode() + ',"signature":"' + signature.hex() + '"}'


QVL_STATUS = {
    "OK": "UpToDate",
    "TCB_SW_HARDENING_NEEDED": "SWHardeningNeeded",
    "TCB_CONFIGURATION_NEEDED": "ConfigurationNeeded",
    "TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED": "ConfigurationAndSWHardeningNeeded",
    "TCB_OUT_OF_DATE": "OutOfDate",
    "TCB_OUT_OF_DATE_CONFIGURATION_NEEDED": "OutOfDateConfigurationNeeded",
    "TCB_REVOKED": "Revoked",
    "TCB_NOT_SUPPORTED": "dcap.tcb.no_matching_level",
}


def agree(found, statuses):
    """Return whether ours says what Intel's four statuses say."""
    *documents, quote = statuses
    if all(status == "OK" for status in documents):
        return QVL_STATUS.get(quote, quote) == found or (quote not in QVL_STATUS and "." in found)
    return "." in found


def can_be_asked(case):
    """Return whether Intel's verifier can be asked: it takes SGX v3, and the quote's certificates beside it."""
    try:
        return case.tee == "sgx" and Quote.parse(case.evidence).header.version == 3
    except AdytonError:
        return False


QVL_CASES = [case for case in FORGED if can_be_asked(case) and not case.id.startswith(DATED)]


@pytest.mark.qvl
@pytest.mark.parametrize("case", QVL_CASES, ids=[case.id for case in QVL_CASES])
def test_intel_s_verifier_gives_the_same_status_or_refuses_as_well_on_forged_evidence(case):
    found = ours(case.evidence, case.endorsements, trusting(case.root), case.now)
    statuses = qvl(case.evidence, case.endorsements, case.root, case.now)
    assert agree(found, statuses) or case.id in QVL_DIFFERS, (found, statuses)


GENUINE_SGX = [case for case in GENUINE if case["tee"] == "SGX" and case["version"] == 3] or [None]


@pytest.mark.qvl
@pytest.mark.vectors
@pytest.mark.parametrize("case", GENUINE_SGX, ids=lambda case: case and case["collateral"][11:-5])
def test_intel_s_verifier_gives_the_same_status_on_genuine_evidence(case):
    evidence = (VECTORS / "dcap" / case["quote"]).read_bytes()
    collateral = Collateral.parse((VECTORS / "dcap" / case["collateral"]).read_bytes())
    now = datetime.fromtimestamp(case["time"], UTC)
    chain = Quote.parse(evidence).qe.data
    root = base64.b64decode(
        b"".join(chain.strip(b"\x00\n").split(b"-----BEGIN CERTIFICATE-----")[3].split(b"-----")[0].split())
    )
    assert Quote.parse(evidence).tee is Tee.SGX
    assert agree(ours(evidence, collateral, TrustRoots(), now), qvl(evidence, collateral, root, now))
