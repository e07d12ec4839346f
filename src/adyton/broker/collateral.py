"""Where the broker's endorsements come from: files that somebody keeps fresh, each a collateral file.

A file is read again when it changed. One that is half written, or is not collateral, is left out with a word in the
log, and the last good content of that file stays in use: its own dates say when it ends to be good.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from adyton.errors import AdytonError, NotFound
from adyton.formats.collateral import COLLATERAL_SIZE_CAP, Collateral
from adyton.formats.quote import Quote, Tee
from adyton.formats.tcb import TcbInfo

_log: Final = logging.getLogger(__name__)
_TCB_INFO_ID: Final = {Tee.SGX: "SGX", Tee.TDX: "TDX"}


class CollateralSource(Protocol):
    """Whatever knows the endorsements for a quote."""

    def candidates(self, quote: Quote) -> Sequence[Collateral]:
        """Return the endorsements that may fit a quote, the most likely first.

        Raises:
            NotFound: `collateral.unknown` if there are none.
        """
        ...


class DirectoryCollateral:
    """Endorsements from files.

    Args:
        paths: Files, or folders whose `*.json` files are read.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[tuple[int, int, int], Collateral, str]] = {}

    def candidates(self, quote: Quote) -> Sequence[Collateral]:
        """Return the endorsements of the quote's TEE."""
        with self._lock:
            self._refresh()
            found = [collateral for _, collateral, tee in self._read.values() if tee == _TCB_INFO_ID[quote.tee]]
        if not found:
            raise NotFound(
                "collateral.unknown",
                f"expected collateral for {quote.tee}, found none",
                remedy="give the broker the platform's collateral: `adyton up --collateral FILE`",
            )
        return found

    def _refresh(self) -> None:
        for path in self._files():
            try:
                status = path.stat()
                stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
                known = self._read.get(path)
                if known is None or known[0] != stamp:
                    collateral = Collateral.parse(_read_capped(path))
                    self._read[path] = (stamp, collateral, TcbInfo.parse(collateral.tcb_info).id)
            except (OSError, AdytonError) as error:
                _log.warning("collateral file %s is left out: %s", path, error)

    def _files(self) -> Iterator[Path]:
        for path in self._paths:
            yield from sorted(path.glob("*.json")) if path.is_dir() else (path,)


def _read_capped(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(COLLATERAL_SIZE_CAP + 1)
