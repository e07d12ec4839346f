"""`adyton collateral`: fetch endorsements, and serve them while their vendor is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.text import Text

from adyton.attest import TrustRoots
from adyton.attest.roots import VENDORS
from adyton.cli.bundle import bundle, show
from adyton.cli.inputs import read_file
from adyton.cli.output import console, print_json, time_text, write_file
from adyton.endorsements import (
    AMD_KDS,
    INTEL_PCS,
    Address,
    Direct,
    Edition,
    EndorsementCache,
    EndorsementConfig,
    Entry,
    ItemStore,
    Origin,
    Upstream,
    Vendor,
    fetch_collateral,
    fetch_snp,
)
from adyton.endorsements.bucket import TokenBucket
from adyton.endorsements.clock import SystemClock
from adyton.endorsements.request import API_VERSIONS, EARLY, PRODUCTS, STANDARD
from adyton.errors import StateError, UsageError
from adyton.formats.quote import QUOTE_SIZE_CAP, Quote
from adyton.formats.snp import SNP_REPORT_SIZE, SnpReport
from adyton.server.collateral import create_app, sweeping
from adyton.server.serving import free_address
from adyton.server.serving import serve as serve_app

_SUBSCRIPTION_KEY: Final = "Ocp-Apim-Subscription-Key"
_KEY_CAP: Final = 4096
_CERTIFICATE_CAP: Final = 64 * 1024
_FILE: Final = click.Path(path_type=Path)
_Command = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Connection:
    """How upstreams are reached, and what their answers have to stand under.

    Attributes:
        roots: The roots of trust.
        ca_file: CA of their TLS certificates; None for the system's.
        api_key_file: Subscription key for Intel's PCS; None without one.
        kds_interval_s: One request to the KDS in this time.
    """

    roots: tuple[str, ...]
    ca_file: Path | None
    api_key_file: str | None
    kds_interval_s: float

    def origin(self, urls: dict[Vendor, str], config: EndorsementConfig, clock: SystemClock) -> Origin:
        """Return the origin of these upstreams' endorsements."""
        buckets = {Vendor.AMD: TokenBucket(self.kds_interval_s, config.kds_burst, clock)}
        headers = {Vendor.INTEL: self._headers()}
        upstreams = {
            vendor: Upstream(
                Address(url, self.ca_file, headers.get(vendor, {})), config, clock=clock, bucket=buckets.get(vendor)
            )
            for vendor, url in urls.items()
        }
        return Origin(upstreams, TrustRoots.named(self.roots or VENDORS), clock=clock)

    def _headers(self) -> dict[str, str]:
        if self.api_key_file is None:
            return {}
        key = read_file(self.api_key_file, cap=_KEY_CAP, what="subscription key").strip()
        if not key.isalnum():
            raise UsageError(
                "collateral.api_key", "expected a subscription key of letters and digits", remedy="check the file"
            )
        return {_SUBSCRIPTION_KEY: key.decode("ascii", "replace")}


@dataclass(frozen=True, slots=True)
class SnpOptions:
    """What a report of AMD's does not say itself.

    Attributes:
        product: The product of a version 2 report.
        vlek: File of the VLEK certificate.
    """

    product: str | None
    vlek: str | None


class FetchedItem(msgspec.Struct, frozen=True):
    """An endorsement, as printed."""

    kind: str
    item: str
    root: str
    issued: str
    expires: str
    number: int | None

    @classmethod
    def of(cls, entry: Entry) -> FetchedItem:
        """Show an item."""
        request, facts = entry.item.request, entry.facts
        dates = (time_text(facts.issued), time_text(facts.expires))
        return cls(request.kind, request.key, facts.root, *dates, facts.number)


class FetchedFile(msgspec.Struct, frozen=True):
    """A file that was written, as printed."""

    evidence: str
    written: str


class FetchView(msgspec.Struct, frozen=True):
    """What `adyton collateral fetch --json` prints."""

    files: tuple[FetchedFile, ...]
    items: tuple[FetchedItem, ...]


class ServeView(msgspec.Struct, frozen=True):
    """What `adyton collateral serve --json` prints when it accepts connections."""

    url: str
    state: str
    upstreams: dict[str, str]
    roots: tuple[str, ...]


def connection_options(function: _Command) -> _Command:
    """Add the options of `Connection`."""

    @click.option("--root", "roots", multiple=True, metavar="NAME", help="Root of trust.  [default: intel and amd]")
    @click.option("--ca-file", type=_FILE, metavar="FILE", help="CA of the upstreams' TLS certificates, PEM.")
    @click.option("--api-key-file", metavar="FILE", help="Subscription key for Intel's PCS; `-` for standard input.")
    @click.option(
        "--kds-interval", "kds_interval_s", type=click.FloatRange(0), metavar="SECONDS", show_default=True,
        default=EndorsementConfig().kds_interval_s, help="One request to the KDS in this time.",
    )  # fmt: skip
    @wraps(function)
    def wrapped(
        *, roots: tuple[str, ...], ca_file: Path | None, api_key_file: str | None, kds_interval_s: float, **rest: object
    ) -> None:
        function(connection=Connection(roots, ca_file, api_key_file, kds_interval_s), **rest)

    return wrapped


def edition_options(function: _Command) -> _Command:
    """Add the options of `Edition`."""

    @click.option(
        "--api", type=click.Choice([str(version) for version in API_VERSIONS]), default="4", show_default=True,
        help="Version of Intel's API.",
    )  # fmt: skip
    @click.option("--update", type=click.Choice([STANDARD, EARLY]), default=STANDARD, show_default=True)
    @click.option("--evaluation-number", type=click.IntRange(0), metavar="N", help="This edition, not the latest.")
    @wraps(function)
    def wrapped(*, api: str, update: str, evaluation_number: int | None, **rest: object) -> None:
        function(edition=Edition(int(api), update, evaluation_number), **rest)

    return wrapped


def snp_options(function: _Command) -> _Command:
    """Add the options of `SnpOptions`."""

    @click.option("--product", type=click.Choice(PRODUCTS), help="AMD's product, for a report of version 2.")
    @click.option("--vlek", metavar="FILE", help="The VLEK certificate, DER, for a report that is signed by one.")
    @wraps(function)
    def wrapped(*, product: str | None, vlek: str | None, **rest: object) -> None:
        function(snp=SnpOptions(product, vlek), **rest)

    return wrapped


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def command() -> None:
    """Fetch the endorsements that evidence is checked with, serve them while their vendor is away, and bundle them."""


command.add_command(bundle)
command.add_command(show)


@command.command()
@click.argument("evidence", nargs=-1, required=True, metavar="QUOTE_OR_REPORT...")
@click.option("-o", "--output", required=True, type=_FILE, metavar="FILE", help="For several pieces, a folder.")
@click.option("--pccs", default=INTEL_PCS, show_default=True, metavar="URL", help="A PCCS, or Intel's PCS.")
@click.option("--kds", default=AMD_KDS, show_default=True, metavar="URL", help="AMD's KDS, or a cache of it.")
@edition_options
@snp_options
@connection_options
@json_option
def fetch(
    evidence: tuple[str, ...],
    output: Path,
    pccs: str,
    kds: str,
    edition: Edition,
    snp: SnpOptions,
    connection: Connection,
    *,
    as_json: bool,
) -> None:
    """Fetch the endorsements of each QUOTE_OR_REPORT, verify them, and write what `adyton verify --collateral` reads.

    An item that is not authentic, or not the one that was asked for, ends the command, and nothing is written.
    """
    files = _files(evidence, output)
    urls = {Vendor.INTEL: pccs, Vendor.AMD: kds}
    with closing(connection.origin(urls, EndorsementConfig(), SystemClock())) as origin:
        source = Direct(origin)
        documents = [_document(read_file(path, cap=QUOTE_SIZE_CAP, what="quote or report"), source, edition, snp)
                     for path in evidence]  # fmt: skip
    for file, document in zip(files, documents, strict=True):
        write_file(Path(file.written), document)
    _show(FetchView(files, tuple(FetchedItem.of(entry) for entry in source.entries)), as_json=as_json)


@command.command()
@click.option("--state", required=True, type=_FILE, metavar="DIR", help="Where items are kept.")
@click.option("--listen", default="127.0.0.1:8081", show_default=True, metavar="HOST:PORT", help="Port 0: a free one.")
@click.option("--upstream", default=INTEL_PCS, show_default=True, metavar="URL", help="A PCCS, or Intel's PCS.")
@click.option("--kds-upstream", metavar="URL", help=f"AMD's KDS, such as {AMD_KDS}.  [default: none]")
@click.option(
    "--outage-grace", "outage_grace_s", type=click.FloatRange(0), default=0.0, show_default=True, metavar="SECONDS",
    help="How long past its date an item is served while its upstream is away.",
)  # fmt: skip
@connection_options
@json_option
def serve(
    state: Path,
    listen: str,
    upstream: str,
    kds_upstream: str | None,
    outage_grace_s: float,
    connection: Connection,
    *,
    as_json: bool,
) -> None:
    """Serve Intel's PCCS and AMD's KDS from a cache until stopped.

    What is not authentic is neither kept nor served. Relying parties need not trust this server: they verify it again.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    config = replace(EndorsementConfig(), outage_grace_s=outage_grace_s)
    urls = {Vendor.INTEL: upstream} | ({Vendor.AMD: kds_upstream} if kds_upstream else {})
    host, port = free_address(listen)
    names = tuple(sorted(connection.roots or VENDORS))

    def announce(url: str) -> None:
        shown = ServeView(url, str(state), {vendor.value: address for vendor, address in urls.items()}, names)
        _show_serving(shown, as_json=as_json)

    clock = SystemClock()
    with closing(connection.origin(urls, config, clock)) as origin, closing(_cache(state, origin, config)) as cache:

        def ending() -> None:
            clock.wake()
            origin.close()

        with sweeping(cache):
            asyncio.run(serve_app(create_app(cache), host, port, announce, ending=ending))


def _cache(state: Path, origin: Origin, config: EndorsementConfig) -> EndorsementCache:
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(
            "collateral.cache.unusable",
            f"expected to keep items in {state}: {error.strerror or error}",
            remedy="choose another folder with --state",
        ) from error
    return EndorsementCache(origin, ItemStore(state / "endorsements.db", entries_cap=config.entries_cap), config)


def _document(data: bytes, source: Direct, edition: Edition, snp: SnpOptions) -> bytes:
    if len(data) == SNP_REPORT_SIZE and data[2:4] == bytes(2):
        vlek = None if snp.vlek is None else read_file(snp.vlek, cap=_CERTIFICATE_CAP, what="VLEK certificate")
        return fetch_snp(SnpReport.parse(data), source, product=snp.product, vlek=vlek).to_bytes()
    return fetch_collateral(Quote.parse(data), source, edition).to_bytes()


def _files(evidence: tuple[str, ...], output: Path) -> tuple[FetchedFile, ...]:
    """Return which file each piece of evidence gets: one has the output itself, several a file each in it."""
    if len(evidence) == 1:
        return (FetchedFile(evidence[0], str(output)),)
    files = tuple(FetchedFile(path, str(output / f"{Path(path).stem}.json")) for path in evidence)
    if len({file.written for file in files}) < len(files):
        raise UsageError(
            "collateral.output",
            "expected evidence whose names differ, found two that would get the same file",
            remedy="fetch them one by one, or rename them",
        )
    return files


def _show(view: FetchView, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
        return
    page = console()
    for file in view.files:
        page.print(Text.assemble(("wrote ", "bold green"), f"{file.written} for {file.evidence}"))
    for item in _in_order(view.items):
        number = "" if item.number is None else f", number {item.number}"
        page.print(
            Text.assemble((f"{item.kind:<16}", "bold"), f"{item.issued} to {item.expires}{number} ({item.root})")
        )


def _in_order(items: Sequence[FetchedItem]) -> list[FetchedItem]:
    return sorted(items, key=lambda item: (item.expires, item.kind))


def _show_serving(view: ServeView, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
        return
    page = console()
    page.print(Text.assemble(("serving", "bold green"), f" at {view.url}, from {view.state}"))
    for name, value in (*view.upstreams.items(), ("roots", ", ".join(view.roots))):
        page.print(Text.assemble((f"{name:<10}", "bold"), value))
    page.print("Point Intel's quote provider library to it: PCCS_URL, or `pccs_url` in /etc/sgx_default_qcnl.conf.")
