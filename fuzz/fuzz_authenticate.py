"""Fuzz authentication: changed evidence is refused, or nothing that was signed has changed."""

from __future__ import annotations

from harness import main
from seeds import NOW, forged

from adyton.attest import VerificationCache, authenticate
from adyton.errors import MalformedEvidence, UntrustedEvidence
from adyton.formats.quote import Quote

_forged = forged()
_collateral = _forged.collateral()
_honest = _forged.quote()
_cache = VerificationCache()


def seeds() -> list[bytes]:
    """Return the honest quote."""
    return [_honest.to_bytes()]


def one_input(data: bytes) -> None:
    """Authenticate a changed quote."""
    try:
        found = authenticate(Quote.parse(data), _collateral, roots=_forged.roots, now=NOW, cache=_cache)
    except (MalformedEvidence, UntrustedEvidence):
        return
    assert found.quote.signed_bytes() == _honest.signed_bytes()
    assert found.quote.qe.report == _honest.qe.report


if __name__ == "__main__":
    main(one_input, seeds())
