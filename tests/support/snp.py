"""Simulated SNP chips as the tests of authentication need them; from a seed, because fresh RSA keys take seconds."""

from __future__ import annotations

from dataclasses import replace

from adyton.attest import TrustRoot, TrustRoots
from adyton.conformance.chip import CHIP_ID, FLEET, GENOA, MILAN, REPORT, TCB, TURIN, TURIN_TCB, Chip, vendor
from adyton.conformance.stage import NOW, OTHER_SEED, SINCE

__all__ = [
    "CHIPS", "CHIP_ID", "FLEET", "NOW", "OTHER_SEED", "REPORT", "SINCE", "TCB", "TURIN", "TURIN_TCB", "Chip",
    "endorsements", "roots", "vendor",
]  # fmt: skip
CHIPS = {chip.product: chip for chip in (MILAN, GENOA, TURIN)}


def roots(chip):
    """Return the root that a chip stands under."""
    return TrustRoots.named([TrustRoot.of(chip.vendor.root_key).name])


def endorsements(chip, **fields):
    """Return a chip's certificates, some replaced."""
    return replace(chip.endorsements, **fields)
