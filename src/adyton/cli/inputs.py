"""What verbs read: files up to a cap, times, hex, policies. Every failure says which argument and what to do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from adyton.attest.select import choose
from adyton.errors import MalformedDocument, UsageError
from adyton.formats.bundle import BUNDLE_SIZE_CAP, CollateralBundle, is_bundle
from adyton.formats.collateral import Collateral
from adyton.formats.moment import read_time
from adyton.formats.policy import POLICY_SIZE_CAP, AppraisalPolicy
from adyton.formats.quote import Quote
from adyton.policy import BUILTIN_NAMES, builtin_policy

_STANDARD_INPUT: Final = "-"


def read_file(path: str, *, cap: int, what: str) -> bytes:
    """Read a whole file, or standard input for `-`, up to `cap` bytes.

    Raises:
        UsageError: `cli.file.unreadable`.
        MalformedDocument: `cli.file.size` over the cap; `cli.file.empty`.
    """
    try:
        if path == _STANDARD_INPUT:
            data = sys.stdin.buffer.read(cap + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(cap + 1)
    except OSError as error:
        raise UsageError(
            "cli.file.unreadable",
            f"expected to read the {what} from {path}: {error.strerror or error}",
            remedy="check the path and its permissions",
        ) from error
    if len(data) > cap:
        raise MalformedDocument(
            "cli.file.size", f"the {what} in {path} is larger than {cap} bytes", remedy=f"check that this is a {what}"
        )
    if not data:
        raise MalformedDocument(
            "cli.file.empty", f"expected a {what} in {path}, found nothing", remedy="check how the file was made"
        )
    return data


def read_collateral(path: str, evidence: bytes) -> bytes:
    """Return a collateral file, or the set in a bundle that is for this quote.

    Args:
        path: The file, or `-`.
        evidence: The quote.

    Raises:
        UsageError: `cli.file.unreadable`.
        MalformedDocument: As `read_file`; `bundle.invalid`.
        NotFound: `collateral.unknown` if the bundle has nothing for this quote.
    """
    data = read_file(path, cap=BUNDLE_SIZE_CAP, what="collateral file")
    if not is_bundle(data):
        return data
    sets = {Collateral.parse(bytes(item)): bytes(item) for item in CollateralBundle.parse(data).collateral}
    return sets[choose(Quote.parse(evidence), sets)]


def read_collateral_sets(paths: Sequence[str]) -> list[Collateral]:
    """Return the sets of collateral files, bundles, and folders of `*.json` files of either kind.

    Raises:
        UsageError: `cli.file.unreadable`.
        MalformedEvidence: A file is neither.
        MalformedDocument: As `read_file`; `bundle.invalid`.
    """
    found: list[Collateral] = []
    for path in paths:
        folder = Path(path)
        for file in sorted(map(str, folder.glob("*.json"))) if folder.is_dir() else (path,):
            data = read_file(file, cap=BUNDLE_SIZE_CAP, what="collateral file")
            sets = CollateralBundle.parse(data).collateral if is_bundle(data) else (data,)
            found += [Collateral.parse(bytes(item)) for item in sets]
    return found


def read_policy(name_or_path: str) -> AppraisalPolicy:
    """Return a built-in policy by its name, or read one from a file.

    Raises:
        UsageError: `policy.unknown` if it is neither; `policy.document.invalid` and the like for a bad document: the
            policy is the caller's own argument, and not evidence.
    """
    if name_or_path in BUILTIN_NAMES:
        return builtin_policy(name_or_path)
    if not Path(name_or_path).is_file():
        raise UsageError(
            "policy.unknown",
            f"expected {' or '.join(BUILTIN_NAMES)} or a policy file, found {name_or_path!r}",
            remedy="use a built-in name, or pass a policy file's path",
        )
    try:
        return AppraisalPolicy.parse(read_file(name_or_path, cap=POLICY_SIZE_CAP, what="policy"))
    except MalformedDocument as error:
        raise UsageError(error.code, error.message, remedy=error.remedy) from error


class Moment(click.ParamType[datetime]):
    """A time: RFC 3339, or Unix seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read a time; without a zone it is an error, because a guess would move it by hours."""
        if isinstance(value, datetime):
            return value
        try:
            return _read_moment(str(value))
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is neither RFC 3339 (2026-11-24T12:00:00Z) nor Unix seconds", param, ctx)


def _read_moment(text: str) -> datetime:
    if text.isascii() and text.isdigit():
        return datetime.fromtimestamp(int(text), UTC)
    return read_time(text)


class Hex(click.ParamType[bytes]):
    """Bytes in hex, of an exact length."""

    name = "hex"

    def __init__(self, size: int) -> None:
        self.size = size

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Read hex; a value of another length is never cut or padded."""
        if isinstance(value, bytes):
            return value
        try:
            data = bytes.fromhex(str(value))
        except ValueError:
            self.fail("it is not hex", param, ctx)
        if len(data) != self.size:
            self.fail(f"expected {self.size} bytes ({2 * self.size} hex digits), found {len(data)}", param, ctx)
        return data
