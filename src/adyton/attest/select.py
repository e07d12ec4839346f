"""Which endorsements are for which quote: by TEE and platform family, before anything is believed.

A wrong choice is harmless: authentication compares both again (`dcap.tcb_info.tee`, `dcap.tcb_info.fmspc`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from adyton.errors import MalformedEvidence, NotFound
from adyton.formats.collateral import Collateral
from adyton.formats.pck import SGX_EXTENSION, PckExtension
from adyton.formats.quote import CertificationType, Quote, Tee
from adyton.formats.tcb import TcbInfo
from adyton.formats.x509 import Certificate, pem_blocks

_TCB_INFO_ID: Final = {Tee.SGX: "SGX", Tee.TDX: "TDX"}


def platform_family(quote: Quote, pck_chain: bytes = b"") -> bytes | None:
    """Return a quote's FMSPC, 6 bytes; None if it names no platform family.

    Args:
        quote: The quote.
        pck_chain: The PCK chain from a PCCS, PEM, for a quote that carries none.

    Raises:
        MalformedEvidence: The PCK certificate is not in its format.
    """
    pem = quote.qe.data if quote.qe.kind is CertificationType.PCK_CHAIN else pck_chain
    blocks = pem_blocks(pem)
    extension = Certificate.parse(blocks[0]).extensions.get(SGX_EXTENSION) if blocks else None
    return None if extension is None else PckExtension.parse(extension).fmspc


def fitting(quote: Quote, candidates: Iterable[Collateral]) -> Sequence[Collateral]:
    """Return the endorsements for a quote's TEE and platform family, in the order given.

    Candidates whose TCB info does not parse are left out: there is nothing to say whom they are for.

    Raises:
        MalformedEvidence: The quote's PCK certificate is not in its format.
    """
    found = []
    for candidate in candidates:
        try:
            info = TcbInfo.parse(candidate.tcb_info)
        except MalformedEvidence:
            continue
        if info.id == _TCB_INFO_ID[quote.tee] and info.fmspc == platform_family(quote, candidate.pck_chain):
            found.append(candidate)
    return found


def choose(quote: Quote, candidates: Iterable[Collateral]) -> Collateral:
    """Return the first endorsements for a quote.

    Raises:
        NotFound: `collateral.unknown` if there are none.
        MalformedEvidence: The quote's PCK certificate is not in its format.
    """
    found = fitting(quote, candidates)
    if not found:
        family = platform_family(quote)
        named = "unknown" if family is None else family.hex()
        raise NotFound(
            "collateral.unknown",
            f"expected collateral for {quote.tee}, platform {named}, found none",
            remedy="fetch the collateral of this platform, and add it",
        )
    return found[0]
