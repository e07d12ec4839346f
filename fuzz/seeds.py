"""What the fuzz targets start from: forged evidence, made anew, and genuine evidence where it is there."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT.parent / "shared" / "vectors" / "dcap"
sys.path.insert(0, str(ROOT / "tests" / "support"))

from forged import NOW, PLATFORM, Forged  # noqa: E402, the tests' own forge
from running import sample  # noqa: E402


@cache
def forged() -> Forged:
    """Return one forged platform for the whole run."""
    return Forged()


def quotes() -> list[bytes]:
    """Return quotes: forged and genuine."""
    return [forged().quote().to_bytes(), *_genuine("quotes/*.bin")]


def collaterals() -> list[bytes]:
    """Return collateral files: forged and genuine."""
    return [forged().collateral().to_bytes(), *_genuine("collateral/*.json")[:5]]


def image() -> bytes:
    """Return the sample enclave's image."""
    return sample()[1].stream


def sigstruct() -> bytes:
    """Return the sample enclave's signature."""
    return sample()[2].to_bytes()


def _genuine(pattern: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(VECTORS.glob(pattern))]


__all__ = ["NOW", "PLATFORM", "collaterals", "forged", "image", "quotes", "sigstruct"]
