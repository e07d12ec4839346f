"""From an upstream's answer to an item: what is kept of it, and in which form.

Sources: Intel PCS API v3 and v4; Intel PCCS (lists in hex); AMD 57230.

Kept here: a signed document stays byte for byte; of the object around it only the signature is kept. Certificates are
decoded and written anew, so no header and no text of an upstream travels on. Nothing is verified here.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from adyton.endorsements.item import Item
from adyton.endorsements.request import ItemRequest, Kind
from adyton.errors import MalformedEvidence, TransportError
from adyton.formats.endorsement import Hex
from adyton.formats.x509 import pem_blocks

DOCUMENT_FIELDS: Final = {
    Kind.TCB_INFO: "tcbInfo",
    Kind.QE_IDENTITY: "enclaveIdentity",
    Kind.QVE_IDENTITY: "enclaveIdentity",
    Kind.EVALUATION_NUMBERS: "tcbEvaluationDataNumbers",
}
_IDENTITY_CHAIN: Final = ("sgx-enclave-identity-issuer-chain",)
CHAIN_HEADERS: Final = {
    Kind.TCB_INFO: ("tcb-info-issuer-chain", "sgx-tcb-info-issuer-chain"),
    Kind.QE_IDENTITY: _IDENTITY_CHAIN,
    Kind.QVE_IDENTITY: _IDENTITY_CHAIN,
    Kind.EVALUATION_NUMBERS: ("tcb-evaluation-data-numbers-issuer-chain",),
    Kind.PCK_CRL: ("sgx-pck-crl-issuer-chain",),
    Kind.PCK_CERTIFICATE: ("sgx-pck-certificate-issuer-chain",),
}
TCBM_HEADER: Final = "sgx-tcbm"
_TCBM: Final = re.compile("[0-9a-fA-F]{36}")
_LISTS: Final = frozenset({Kind.ROOT_CRL, Kind.PCK_CRL, Kind.SNP_CRL})
_DER_SEQUENCE: Final = b"\x30"
_CRL_BLOCK: Final = re.compile(rb"-----BEGIN X509 CRL-----([^-]+)-----END X509 CRL-----\s*")
_PEM_LINE: Final = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """An upstream's answer with status 200.

    Attributes:
        where: Host and path that were asked, for errors.
        headers: The headers that this room reads, by their names in lower case.
        body: The body, no larger than was allowed.
    """

    where: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A signed JSON document.

    Attributes:
        content: The document byte for byte, as its signature is over it.
        signature: r and s, 64 bytes.
    """

    content: bytes
    signature: bytes


def signed_document(body: bytes, kind: Kind) -> SignedDocument:
    """Slice a signed document out of the object that carries it.

    Raises:
        MalformedEvidence: `collateral.document.format`.
    """
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        signature = bytes.fromhex(msgspec.json.decode(fields["signature"], type=Hex))
        content = bytes(fields[DOCUMENT_FIELDS[kind]]).strip()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError) as error:
        raise _malformed(f"expected {DOCUMENT_FIELDS[kind]} and signature: {error}") from error
    if len(signature) != 64 or not content.startswith(b"{"):
        raise _malformed(f"expected an object and a signature of 64 bytes, found one of {len(signature)}")
    return SignedDocument(content, signature)


def read_answer(request: ItemRequest, answer: Answer, *, chain: bytes = b"") -> Item:
    """Read an answer.

    Args:
        request: What was asked for.
        answer: What came.
        chain: The issuer's chain, PEM, for an item that does not bring it.

    Raises:
        TransportError: `collateral.upstream.format` if it is not what such an upstream answers.
    """
    try:
        if request.kind in CHAIN_HEADERS:
            chain = _chain_header(answer, CHAIN_HEADERS[request.kind])
        tcbm = _tcbm(answer) if request.kind is Kind.PCK_CERTIFICATE else ""
        return Item(request, _body(request.kind, answer.body), chain, tcbm)
    except MalformedEvidence as error:
        raise TransportError(
            "collateral.upstream.format",
            f"expected {request.kind.replace('_', ' ')} from {answer.where}: {error.message}",
            remedy="check that the address is a PCCS's or KDS's, and that no portal or proxy answers in its place",
        ) from error


def pem(certificates: Iterable[bytes]) -> bytes:
    """Return certificates, DER, as PEM text in its usual form."""
    return b"".join(_armoured(der) for der in certificates)


def _body(kind: Kind, body: bytes) -> bytes:
    if kind in DOCUMENT_FIELDS:
        document = signed_document(body, kind)
        name = DOCUMENT_FIELDS[kind].encode()
        return b'{"%s":%s,"signature":"%s"}' % (name, document.content, document.signature.hex().encode())
    if kind in _LISTS:
        return _list(body)
    if kind is Kind.VCEK:
        return _der(body, "a certificate")
    return pem(_certificates(body, (1,) if kind is Kind.PCK_CERTIFICATE else (2,)))


def _list(body: bytes) -> bytes:
    """Return a revocation list's DER from DER, hex of DER, or PEM."""
    block = _CRL_BLOCK.fullmatch(body)
    try:
        if block is not None:
            return _der(base64.b64decode(block[1].translate(None, b" \t\r\n"), validate=True), "a revocation list")
        hexadecimal = not body.startswith(_DER_SEQUENCE) or body[:2].isalnum()
        return _der(bytes.fromhex(body.decode("ascii")) if hexadecimal else body, "a revocation list")
    except ValueError as error:
        raise _malformed("expected a revocation list as DER, hex or PEM") from error


def _der(body: bytes, what: str) -> bytes:
    if not body.startswith(_DER_SEQUENCE):
        raise _malformed(f"expected {what} in DER, found {body[:16]!r}")
    return body


def _certificates(text: bytes, counts: tuple[int, ...]) -> tuple[bytes, ...]:
    blocks = pem_blocks(text)
    if len(blocks) not in counts:
        raise _malformed(f"expected {' or '.join(map(str, counts))} certificates in PEM, found {len(blocks)}")
    return blocks


def _chain_header(answer: Answer, names: tuple[str, ...]) -> bytes:
    value = next((answer.headers[name] for name in names if name in answer.headers), "")
    return pem(_certificates(unquote_to_bytes(value), (2,)))


def _tcbm(answer: Answer) -> str:
    value = answer.headers.get(TCBM_HEADER, "")
    if not _TCBM.fullmatch(value):
        raise _malformed(f"expected header {TCBM_HEADER} with 36 hex digits")
    return value.lower()


def _armoured(der: bytes) -> bytes:
    text = base64.b64encode(der)
    lines = b"\n".join(text[at : at + _PEM_LINE] for at in range(0, len(text), _PEM_LINE))
    return b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n" % lines


def _malformed(found: str) -> MalformedEvidence:
    return MalformedEvidence("collateral.document.format", found, remedy="fetch it again from its vendor")
