"""The paths of Intel's PCCS, API v3 and v4, over the cache: for Intel's quote provider library and everybody like it.

Source: Intel PCS API v3 and v4; the PCCS of Intel's DCAP (statuses, headers, encodings). As there: lists are hex unless
`encoding=der` is asked for, the root's list is always hex, chains are percent-encoded in headers, and the header of TCB
info's chain is called `SGX-TCB-Info-Issuer-Chain` in v3 and `TCB-Info-Issuer-Chain` in v4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adyton.endorsements import Entry, ItemRequest, Kind
from adyton.endorsements import request as ask
from adyton.endorsements.request import PLATFORM, PROCESSOR, STANDARD, PckPlatform
from adyton.formats.pck import SGX_EXTENSION, PckExtension
from adyton.formats.quote import Tee
from adyton.formats.x509 import Certificate, pem_blocks
from adyton.server.items import (
    Desk,
    bad_parameter,
    hex_parameter,
    item_route,
    number_parameter,
    parameter,
)

_JSON: Final = "application/json"
_PEM: Final = "application/x-pem-file"
_CRL: Final = "application/pkix-crl"
_URI_CAP: Final = 2048
_NUMBER_CAP: Final = 10**9
_PCK_STATUSES: Final = {"collateral.upstream.not_found": 461}
_INTEL: Final = "trustedservices.intel.com"
_DOCUMENT_CHAINS: Final = {
    Kind.QE_IDENTITY: "SGX-Enclave-Identity-Issuer-Chain",
    Kind.QVE_IDENTITY: "SGX-Enclave-Identity-Issuer-Chain",
    Kind.EVALUATION_NUMBERS: "TCB-Evaluation-Data-Numbers-Issuer-Chain",
}
_TCB_INFO_CHAINS: Final = {3: "SGX-TCB-Info-Issuer-Chain", 4: "TCB-Info-Issuer-Chain"}


def pccs_routes(desk: Desk) -> list[Route]:
    """Return the routes."""
    services = [_Service(Tee.SGX, 3), _Service(Tee.SGX, 4), _Service(Tee.TDX, 4)]
    return [route for service in services for route in service.routes(desk)]


class _Service:
    """One technology in one version of the API."""

    def __init__(self, tee: Tee, version: int) -> None:
        self._tee = tee
        self._version = version

    def routes(self, desk: Desk) -> list[Route]:
        base = f"/{self._tee}/certification/v{self._version}"
        found = [
            item_route(desk, f"{base}/tcb", self._tcb_info, _document, {}),
            item_route(desk, f"{base}/qe/identity", self._qe_identity, _document, {}),
        ]
        if self._version == 4:
            path = f"{base}/tcbevaluationdatanumbers"
            found.append(item_route(desk, path, lambda _: ask.evaluation_numbers(self._tee), _document, {}))
        return found + (self._sgx_routes(desk, base) if self._tee is Tee.SGX else [])

    def _sgx_routes(self, desk: Desk, base: str) -> list[Route]:
        return [
            item_route(desk, f"{base}/qve/identity", self._qve_identity, _document, {}),
            item_route(desk, f"{base}/pckcrl", self._pck_crl, _list, {}),
            item_route(desk, f"{base}/rootcacrl", lambda _: ask.root_crl(version=self._version), _list_hex, {}),
            item_route(desk, f"{base}/pckcert", self._pck_certificate, _certificate, _PCK_STATUSES),
            item_route(desk, f"{base}/crl", self._list_by_uri, _list_der, {}),
        ]

    def _tcb_info(self, request: Request) -> ItemRequest:
        update, number = _edition(request)
        fmspc = hex_parameter(request, "fmspc")
        return ask.tcb_info(self._tee, fmspc, version=self._version, update=update, number=number)

    def _qe_identity(self, request: Request) -> ItemRequest:
        update, number = _edition(request)
        return ask.qe_identity(self._tee, version=self._version, update=update, number=number)

    def _qve_identity(self, request: Request) -> ItemRequest:
        update, number = _edition(request)
        return ask.qve_identity(version=self._version, update=update, number=number)

    def _pck_crl(self, request: Request) -> ItemRequest:
        return ask.pck_crl(parameter(request, "ca").lower(), version=self._version)

    def _pck_certificate(self, request: Request) -> ItemRequest:
        pce_svn = hex_parameter(request, "pcesvn")
        if len(pce_svn) != 2:
            raise bad_parameter("pcesvn", "expected two bytes in hex")
        platform = PckPlatform(
            hex_parameter(request, "qeid"),
            hex_parameter(request, "cpusvn"),
            int.from_bytes(pce_svn, "little"),
            hex_parameter(request, "pceid"),
            hex_parameter(request, "encrypted_ppid"),
        )
        return ask.pck_certificate(platform, version=self._version)

    def _list_by_uri(self, request: Request) -> ItemRequest:
        """Only the addresses that Intel's certificates name: nobody makes this server ask another."""
        parts = _split(parameter(request, "uri"))
        if parts.scheme == "https" and parts.netloc == f"certificates.{_INTEL}":
            if parts.path in ("/IntelSGXRootCA.der", "/IntelSGXRootCA.crl"):
                return ask.root_crl(version=self._version)
        elif parts.scheme == "https" and parts.netloc == f"api.{_INTEL}" and parts.path.endswith("/pckcrl"):
            return ask.pck_crl("".join(parse_qs(parts.query).get("ca", [])), version=self._version)
        raise bad_parameter("uri", "expected the address of Intel's root or PCK revocation list")


def _split(uri: str) -> SplitResult:
    try:
        return urlsplit(uri if len(uri) <= _URI_CAP and uri.isascii() else "")
    except ValueError:
        return urlsplit("")


def _edition(request: Request) -> tuple[str, int | None]:
    number = number_parameter(request, "tcbEvaluationDataNumber", below=_NUMBER_CAP)
    return parameter(request, "update", STANDARD).lower(), number


def _document(_request: Request, entry: Entry) -> Response:
    request = entry.item.request
    chain = _DOCUMENT_CHAINS.get(request.kind) or _TCB_INFO_CHAINS[request.version]
    return Response(entry.item.body, media_type=_JSON, headers=_chain(chain, entry))


def _list(request: Request, entry: Entry) -> Response:
    as_der = parameter(request, "encoding").lower() == "der"
    return _list_der(request, entry) if as_der else _list_hex(request, entry)


def _list_der(_request: Request, entry: Entry) -> Response:
    return Response(entry.item.body, media_type=_CRL, headers=_list_headers(entry))


def _list_hex(_request: Request, entry: Entry) -> Response:
    return Response(entry.item.body.hex(), media_type=_PEM, headers=_list_headers(entry))


def _list_headers(entry: Entry) -> Mapping[str, str]:
    return _chain("SGX-PCK-CRL-Issuer-Chain", entry) if entry.item.request.kind is Kind.PCK_CRL else {}


def _certificate(_request: Request, entry: Entry) -> Response:
    leaf, issuer = (Certificate.parse(pem_blocks(text)[0]) for text in (entry.item.body, entry.item.chain))
    machine = PckExtension.parse(leaf.extensions[SGX_EXTENSION])
    headers = {
        **_chain("SGX-PCK-Certificate-Issuer-Chain", entry),
        "SGX-TCBm": entry.item.tcbm.upper(),
        "SGX-FMSPC": machine.fmspc.hex().upper(),
        "SGX-PCK-Certificate-CA-Type": PROCESSOR if PROCESSOR in issuer.common_name.lower() else PLATFORM,
    }
    return Response(entry.item.body, media_type=_PEM, headers=headers)


def _chain(name: str, entry: Entry) -> Mapping[str, str]:
    return {name: quote(entry.item.chain.decode("ascii"), safe="")}
