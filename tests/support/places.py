"""Where things are on a developer's machine and in continuous integration."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
VECTORS = REPOSITORY.parent / "shared" / "vectors"
