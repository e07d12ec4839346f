"""The paths of AMD's KDS over the cache (AMD 57230): certificates as DER, chains as PEM, lists as DER.

A chip's certificate is asked for once and then served from the cache, so one rate limit serves a whole fleet.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adyton.endorsements import Entry, ItemRequest, Kind
from adyton.endorsements import request as ask
from adyton.formats.snp import TcbVersion
from adyton.server.items import Desk, bad_parameter, hex_bytes, item_route, number_parameter

_MEDIA_TYPES: Final = {
    Kind.VCEK: "application/pkix-cert",
    Kind.SNP_CHAIN: "application/x-pem-file",
    Kind.SNP_CRL: "application/pkix-crl",
}
_STATUSES: Final = {"collateral.upstream.rate_limited": 429}


def kds_routes(desk: Desk) -> list[Route]:
    """Return the routes."""
    routes = [
        ("/{key}/v1/{product}/cert_chain", _chain),
        ("/{key}/v1/{product}/crl", _list),
        ("/vcek/v1/{product}/{chip}", _vcek),
    ]
    return [item_route(desk, path, read, _respond, _STATUSES) for path, read in routes]


def _chain(request: Request) -> ItemRequest:
    return ask.snp_chain(request.path_params["product"], endorsement_key=request.path_params["key"])


def _list(request: Request) -> ItemRequest:
    return ask.snp_crl(request.path_params["product"], endorsement_key=request.path_params["key"])


def _vcek(request: Request) -> ItemRequest:
    tcb = TcbVersion(
        boot_loader=_version(request, "blSPL"),
        tee=_version(request, "teeSPL"),
        snp=_version(request, "snpSPL"),
        microcode=_version(request, "ucodeSPL"),
        fmc=number_parameter(request, "fmcSPL", below=256),
    )
    chip_id = hex_bytes(request.path_params["chip"], "hwID")
    return ask.vcek(request.path_params["product"], chip_id, tcb)


def _version(request: Request, name: str) -> int:
    found = number_parameter(request, name, below=256)
    if found is None:
        raise bad_parameter(name, "expected a number from 0 to 255")
    return found


def _respond(_request: Request, entry: Entry) -> Response:
    return Response(entry.item.body, media_type=_MEDIA_TYPES[entry.item.request.kind])
