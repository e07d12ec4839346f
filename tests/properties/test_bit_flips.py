"""Evidence with a bit changed is never accepted: every signed bit of a quote, and many of what vouches for it."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from forged import NOW, Forged

from adyton.attest import VerificationCache, authenticate
from adyton.errors import MalformedEvidence, UntrustedEvidence
from adyton.formats.quote import Quote
from adyton.formats.x509 import Certificate, RevocationList, pem_blocks

FORGED = Forged(revoked_by_root=(77,), revoked_by_pck_ca=(78,))
COLLATERAL = FORGED.collateral()
HONEST = FORGED.quote()
WHOLE = HONEST.to_bytes()
SIGNED_SIZE = len(HONEST.signed_bytes())
CACHE = VerificationCache()

# Where a quote's signed parts are: the second is signed by the PCK, and binds the key and the data after it.
QE_REPORT_AT = SIGNED_SIZE + 4 + 128
AUTH_DATA_AT = QE_REPORT_AT + 384 + 64 + 2
PARTS = {
    "header and body": range(SIGNED_SIZE),
    "signature and attestation key": range(SIGNED_SIZE + 4, QE_REPORT_AT),
    "QE report and its signature": range(QE_REPORT_AT, QE_REPORT_AT + 384 + 64),
    "authentication data": range(AUTH_DATA_AT, AUTH_DATA_AT + len(HONEST.qe.auth_data)),
}


def accepted(quote, collateral, cache=None):
    """Whether evidence is accepted; a refusal has to be one of this project's."""
    try:
        authenticate(quote, collateral, roots=FORGED.roots, now=NOW, cache=cache)
    except (MalformedEvidence, UntrustedEvidence):
        return False
    return True


def flipped(data, at, bit):
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    return bytes(changed)


def quote_accepted(raw):
    try:
        quote = Quote.parse(raw)
    except MalformedEvidence:
        return False
    return accepted(quote, COLLATERAL, CACHE)


def test_the_evidence_is_accepted_as_it_is():
    assert quote_accepted(WHOLE)
    assert accepted(HONEST, COLLATERAL)


@pytest.mark.parametrize("part", PARTS)
def test_no_bit_of_a_quote_can_be_flipped(part):
    kept = [(at, bit) for at in PARTS[part] for bit in range(8) if quote_accepted(flipped(WHOLE, at, bit))]
    assert kept == []


def samples(data, begin, size, count):
    """Return places and bits, spread over a range of bytes: every one in a different bit from the last."""
    step = max(1, size // count)
    return [(at, at // step % 8) for at in range(begin, begin + size, step) if at < len(data)]


@pytest.mark.parametrize("number", range(3))
def test_no_bit_of_a_pck_chain_s_signed_parts_can_be_flipped(number):
    blocks = list(pem_blocks(HONEST.qe.data))
    content = Certificate.parse(blocks[number]).signed.content
    begin = blocks[number].index(content)
    for at, bit in samples(blocks[number], begin, len(content), 150):
        chain = [*blocks]
        chain[number] = flipped(blocks[number], at, bit)
        quote = replace(HONEST, qe=replace(HONEST.qe, data=pem(chain)))
        assert not accepted(quote, COLLATERAL, CACHE), (at, bit)


@pytest.mark.parametrize("name", ["tcb_info_chain", "qe_identity_chain", "pck_crl_chain"])
@pytest.mark.parametrize("number", range(2))
def test_no_bit_of_an_issuer_chain_s_signed_parts_can_be_flipped(name, number):
    blocks = list(pem_blocks(getattr(COLLATERAL, name)))
    content = Certificate.parse(blocks[number]).signed.content
    for at, bit in samples(blocks[number], blocks[number].index(content), len(content), 60):
        chain = [*blocks]
        chain[number] = flipped(blocks[number], at, bit)
        assert not accepted(HONEST, replace(COLLATERAL, **{name: pem(chain)})), (at, bit)


@pytest.mark.parametrize("name", ["tcb_info", "qe_identity", "tcb_info_signature", "qe_identity_signature"])
def test_no_bit_of_a_signed_document_can_be_flipped(name):
    data = getattr(COLLATERAL, name)
    for at, bit in samples(data, 0, len(data), 150):
        assert not accepted(HONEST, replace(COLLATERAL, **{name: flipped(data, at, bit)})), (at, bit)


@pytest.mark.parametrize("name", ["root_crl", "pck_crl"])
def test_no_bit_of_a_revocation_list_s_signed_part_can_be_flipped(name):
    data = getattr(COLLATERAL, name)
    content = RevocationList.parse(data).signed.content
    for at, bit in samples(data, data.index(content), len(content), 150):
        assert not accepted(HONEST, replace(COLLATERAL, **{name: flipped(data, at, bit)})), (at, bit)


def pem(blocks):
    return b"".join(
        b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(block) + b"-----END CERTIFICATE-----\n"
        for block in blocks
    )
