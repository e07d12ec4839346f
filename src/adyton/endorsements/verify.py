"""An item is authentic, or it is neither kept nor served.

1. It is signed by a chain to a trusted root.
2. It is the one that was asked for: technology, family, edition, CA, chip, versions.
3. Its dates and its number are read, for the rules of time and rollback.

Whether it is in date is not asked here: that is for the cache, and in the end for the relying party's policy.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Final, Literal

import msgspec

from adyton.attest.chains import (
    PCK,
    PCK_CRL,
    QE_IDENTITY,
    TCB_INFO,
    VCEK,
    Certificates,
    Chain,
    ChainKind,
)
from adyton.attest.require import require
from adyton.attest.revocation import Revocations
from adyton.attest.roots import TrustRoots
from adyton.attest.signatures import KeyKind, Signatures, raw_signature
from adyton.endorsements.answers import signed_document
from adyton.endorsements.item import Facts, Item
from adyton.endorsements.request import PLATFORM, PROCESSOR, ItemRequest, Kind
from adyton.formats.endorsement import decode
from adyton.formats.pck import SGX_EXTENSION, PckExtension
from adyton.formats.tcb import QeIdentity, TcbInfo
from adyton.formats.vcek import ChipExtensions, authority_name
from adyton.formats.x509 import RevocationList, pem_blocks

_ROOT_CHAIN: Final = ChainKind("dcap.root_crl_chain", TCB_INFO.phrases, TCB_INFO.keys, "upstream answer")
_ASK: Final = ChainKind("snp.ask_chain", ("SEV-", "ARK-"), (KeyKind.RSA4096,) * 2, "upstream answer", leaf_signs=True)
_QE_IDS: Final = {"sgx": "QE", "tdx": "TD_QE"}
_DOCUMENT_VERSIONS: Final = {3: 2, 4: 3}
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class _QveIdentity(msgspec.Struct, frozen=True, rename="camel"):
    id: Literal["QVE"]
    issue_date: _Time
    next_update: _Time
    tcb_evaluation_data_number: int


class _Numbers(msgspec.Struct, frozen=True, rename="camel"):
    id: Literal["SGX", "TDX"]
    issue_date: _Time
    next_update: _Time


def verify_item(item: Item, roots: TrustRoots) -> Facts:
    """Verify an item.

    Args:
        item: The item as it was received.
        roots: The roots that it may stand under.

    Raises:
        MalformedEvidence: It, or its chain, is not in its format.
        UntrustedEvidence: It is not authentic, or `collateral.item.mismatch`: it is not what was asked for.
    """
    return _VERIFIERS[item.request.kind](item, Certificates(roots, Signatures()))


@lru_cache(maxsize=16)
def withdrawn(revocation_list: bytes) -> frozenset[int]:
    """Return the serials on a verified revocation list, DER.

    Raises:
        MalformedEvidence: `x509.crl` if an entry is not one.
    """
    return frozenset(RevocationList.parse(revocation_list).revoked)


def _tcb_info(item: Item, certificates: Certificates) -> Facts:
    content, chain = _signed(item, certificates, TCB_INFO)
    info, request = TcbInfo.parse(content), item.request
    _require_same(request, "technology", request.family.upper(), info.id)
    _require_same(request, "FMSPC", request.parameter("fmspc"), info.fmspc.hex().upper())
    _require_same(request, "document version", _DOCUMENT_VERSIONS[request.version], info.version)
    _require_edition(request, info.evaluation_number)
    return _dated(info.issued, info.next_update, chain, info.evaluation_number)


def _qe_identity(item: Item, certificates: Certificates) -> Facts:
    content, chain = _signed(item, certificates, QE_IDENTITY)
    identity, request = QeIdentity.parse(content), item.request
    _require_same(request, "enclave", _QE_IDS[request.family], identity.id)
    _require_edition(request, identity.evaluation_number)
    return _dated(identity.issued, identity.next_update, chain, identity.evaluation_number)


def _qve_identity(item: Item, certificates: Certificates) -> Facts:
    content, chain = _signed(item, certificates, QE_IDENTITY)
    identity = decode(content, _QveIdentity, "qe_identity")
    _require_edition(item.request, identity.tcb_evaluation_data_number)
    number = identity.tcb_evaluation_data_number
    return _dated(identity.issue_date, identity.next_update, chain, number)


def _evaluation_numbers(item: Item, certificates: Certificates) -> Facts:
    content, chain = _signed(item, certificates, TCB_INFO)
    numbers = decode(content, _Numbers, "tcb_info")
    _require_same(item.request, "technology", item.request.family.upper(), numbers.id)
    return _dated(numbers.issue_date, numbers.next_update, chain, None)


def _root_crl(item: Item, certificates: Certificates) -> Facts:
    chain, _ = certificates.verify_pem(item.chain, _ROOT_CHAIN)
    return _list(item, "dcap.root_crl", certificates, chain)


def _pck_crl(item: Item, certificates: Certificates) -> Facts:
    chain, _ = certificates.verify_pem(item.chain, PCK_CRL)
    name = chain.leaf.common_name
    found = next((ca for ca in (PROCESSOR, PLATFORM) if ca in name.lower()), name)
    _require_same(item.request, "CA", item.request.parameter("ca"), found)
    return _list(item, "dcap.pck_crl", certificates, chain, issuer=0)


def _pck_certificate(item: Item, certificates: Certificates) -> Facts:
    chain, _ = certificates.verify_pem(item.body + item.chain, PCK)
    machine, request = PckExtension.parse(chain.leaf.extensions.get(SGX_EXTENSION, b"")), item.request
    _require_same(request, "PCEID", request.parameter("pceid"), machine.pce_id.hex())
    certified = (machine.cpu_svn + machine.pce_svn.to_bytes(2, "little")).hex()
    _require_same(request, "TCBm", item.tcbm, certified)
    return Facts(chain.leaf.not_before, chain.expires, chain.root.name, issuer_serial=chain.issuer.serial)


def _vcek(item: Item, certificates: Certificates) -> Facts:
    chain, _ = certificates.verify((item.body, *pem_blocks(item.chain)), VCEK)
    chip, request = ChipExtensions.parse(chain.leaf.extensions), item.request
    _require_same(request, "product", request.family, chip.root_product)
    _require_same(request, "chip", request.path.rpartition("/")[2], (chip.hardware_id or b"").hex())
    spls = {"fmc": "fmcSPL", "boot_loader": "blSPL", "tee": "teeSPL", "snp": "snpSPL", "microcode": "ucodeSPL"}
    found = {spls[name]: f"{value:02d}" for name, value in chip.tcb.named()}
    _require_same(request, "firmware versions", dict(request.query), found)
    return Facts(chain.leaf.not_before, chain.expires, chain.root.name, issuer_serial=chain.issuer.serial)


def _snp_chain(item: Item, certificates: Certificates) -> Facts:
    chain, _ = certificates.verify_pem(item.body, _ASK)
    vlek, product = item.request.path.startswith("vlek"), item.request.family
    names = (authority_name(product, vlek=vlek), f"ARK-{product}")
    _require_same(item.request, "CAs", names, tuple(found.common_name for found in chain.certificates))
    return Facts(chain.issued, chain.expires, chain.root.name, issuer_serial=chain.leaf.serial)


def _snp_crl(item: Item, certificates: Certificates) -> Facts:
    chain, _ = certificates.verify_pem(item.chain, _ASK)
    return _list(item, "snp.crl", certificates, chain)


_VERIFIERS: Final[dict[Kind, Callable[[Item, Certificates], Facts]]] = {
    Kind.TCB_INFO: _tcb_info,
    Kind.QE_IDENTITY: _qe_identity,
    Kind.QVE_IDENTITY: _qve_identity,
    Kind.EVALUATION_NUMBERS: _evaluation_numbers,
    Kind.ROOT_CRL: _root_crl,
    Kind.PCK_CRL: _pck_crl,
    Kind.PCK_CERTIFICATE: _pck_certificate,
    Kind.VCEK: _vcek,
    Kind.SNP_CHAIN: _snp_chain,
    Kind.SNP_CRL: _snp_crl,
}


def _signed(item: Item, certificates: Certificates, kind: ChainKind) -> tuple[bytes, Chain]:
    chain, _ = certificates.verify_pem(item.chain, kind)
    document = signed_document(item.body, item.request.kind)
    holds = certificates.signatures.verifies(chain.keys[0], raw_signature(document.signature), document.content)
    require(
        f"{kind.code.removesuffix('_chain')}.signature",
        holds=holds,
        expected="the vendor's signature over the document's exact bytes",
        actual="a signature that verifies" if holds else "a signature that does not verify",
        remedy="fetch it again; if it stays so, the upstream is not to be trusted",
    )
    return document.content, chain


def _list(item: Item, code: str, certificates: Certificates, chain: Chain, *, issuer: int = -1) -> Facts:
    found = Revocations.parse(item.body, code)
    withdrawn(item.body)  # a list whose entries cannot be read is none
    found.require_issuer(chain.certificates[issuer], chain.keys[issuer], certificates.signatures)
    return _dated(found.issued, found.expires, chain, found.number)


def _dated(issued: datetime, expires: datetime, chain: Chain, number: int | None) -> Facts:
    """An item ends with its own date, or with its issuer's certificate if that ends before."""
    return Facts(issued, min(expires, chain.expires), chain.root.name, number, chain.leaf.serial)


def _require_edition(request: ItemRequest, number: int) -> None:
    asked = request.parameter("tcbEvaluationDataNumber")
    if asked:
        _require_same(request, "evaluation number", asked, str(number))


def _require_same(request: ItemRequest, what: str, asked: object, found: object) -> None:
    """A signed document of another family is authentic too: an upstream may not pass it off as the one asked for."""
    require(
        "collateral.item.mismatch",
        holds=asked == found,
        expected=f"{request.kind.replace('_', ' ')} with {what} {asked}",
        actual=str(found),
        remedy="the upstream gave another item than the one asked for: use another upstream",
    )
