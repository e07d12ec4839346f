"""The formats that are recognised: what each begins with, the table that shows it, the parser that judges it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from adyton.errors import MalformedEvidence
from adyton.formats.cmw import parse_collection
from adyton.formats.image import EnclaveImage
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.quote import INTEL_QE_VENDOR_ID, Quote
from adyton.formats.receipt import Receipt
from adyton.formats.sigstruct import SigStruct
from adyton.formats.snp import SNP_REPORT_SIZE, SnpReport
from adyton.formats.tcb import QeIdentity, TcbInfo
from adyton.formats.x509 import Certificate, RevocationList
from adyton.inspection.certificate import walk_certificate, walk_revocation_list
from adyton.inspection.composed import (
    bundle_nodes,
    parse_bundle,
    parse_collateral,
    parse_endorsements,
    parse_record,
    parse_signed_result,
    read_quote,
    read_report,
    record_nodes,
    signed_result_nodes,
    wrapper_nodes,
)
from adyton.inspection.der import first_inside
from adyton.inspection.documents import collateral_nodes, qe_identity_nodes, snp_endorsements_nodes, tcb_info_nodes
from adyton.inspection.layout import Walked, walk
from adyton.inspection.limits import View
from adyton.inspection.messages import policy_nodes, receipt_nodes
from adyton.inspection.pem import parse_pem, pem_nodes
from adyton.inspection.sgx import SIGSTRUCT, image_layout
from adyton.inspection.tree import Node

_EPID_SIZE: Final = 436  # the shortest EPID quote
_SPACE: Final = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Mark:
    """Bytes by which a format is known.

    Attributes:
        offset: Where they are.
        values: The alternatives, of equal length.
    """

    offset: int
    values: tuple[bytes, ...]

    def differs_at(self, data: bytes) -> int | None:
        """Return the offset of the first byte that no alternative has; None if one is there whole."""
        size = len(self.values[0])
        found = data[self.offset : self.offset + size]
        if found in self.values:
            return None
        return self.offset + max(_common(found, value) for value in self.values)


def _common(one: bytes, other: bytes) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))


@dataclass(frozen=True, slots=True)
class Kind:
    """A format.

    Attributes:
        name: Stable name.
        title: Its name in words.
        fits: Whether bytes are of this format, as far as their beginning or their keys tell.
        read: Its fields.
        parse: Its parser, which judges the whole.
        marks: What binary formats are known by, in order: for the message about what was tried.
    """

    name: str
    title: str
    fits: Callable[[bytes], bool]
    read: Callable[[bytes, View], Walked]
    parse: Callable[[bytes], object]
    marks: tuple[Mark, ...] = ()

    def differs_at(self, data: bytes) -> int | None:
        """Return the offset of the first byte that this binary format does not have; None for texts."""
        found = (mark.differs_at(data) for mark in self.marks)
        return next((at for at in found if at is not None), None)


def _begins(marks: tuple[Mark, ...]) -> Callable[[bytes], bool]:
    return lambda data: all(mark.differs_at(data) is None for mark in marks)


def _numbers(size: int, *values: int) -> tuple[bytes, ...]:
    return tuple(value.to_bytes(size, "little") for value in values)


_QUOTE_MARKS: Final = (Mark(0, _numbers(2, 3, 4, 5)), Mark(2, _numbers(2, 2)))
_VENDOR: Final = Mark(12, (INTEL_QE_VENDOR_ID,))
_EPID_MARKS: Final = (Mark(0, _numbers(2, 1, 2, 3)), Mark(2, _numbers(2, 0, 1)))
_REPORT_MARKS: Final = (Mark(0, _numbers(4, 2, 3, 4, 5)), Mark(52, _numbers(4, 1)))
_SIGSTRUCT_MARKS: Final = (Mark(0, (bytes.fromhex("06000000e1000000"),)),)
_IMAGE_MARKS: Final = (Mark(0, (b"ECREATE\x00",)),)
_DER_MARKS: Final = (Mark(0, (b"\x30",)),)


def _is_quote(data: bytes) -> bool:
    epid = len(data) >= _EPID_SIZE and _begins(_EPID_MARKS)(data)
    return _begins(_QUOTE_MARKS)(data) or _begins((_VENDOR,))(data) or epid


def _is_report(data: bytes) -> bool:
    return _begins(_REPORT_MARKS)(data) or (len(data) == SNP_REPORT_SIZE and _begins(_REPORT_MARKS[:1])(data))


def _is_pem(data: bytes) -> bool:
    return b"-----BEGIN " in data[:4096] and data.lstrip(_SPACE)[:1] not in (b"{", b"[", b'"')


def _keyed(*keys: bytes) -> Callable[[bytes], bool]:
    """A JSON document is known by its keys, so that one that is cut short is known too."""
    return lambda data: data.lstrip(_SPACE)[:1] == b"{" and all(b'"' + key + b'"' in data for key in keys)


def _is_policy(data: bytes) -> bool:
    return b"AppraisalPolicy" in data and b"api_version" in data


def _facts(nodes: Callable[[bytes, View], tuple[Node, ...]]) -> Callable[[bytes, View], Walked]:
    return lambda data, view: Walked(nodes(data, view), None)


class _Wrapped(msgspec.Struct, frozen=True):
    """How Intel's service sends a signed document."""

    signature: str
    tcb_info: msgspec.Raw = msgspec.field(default=msgspec.Raw(b""), name="tcbInfo")
    identity: msgspec.Raw = msgspec.field(default=msgspec.Raw(b""), name="enclaveIdentity")


def _unwrap(data: bytes) -> tuple[_Wrapped, bytes]:
    try:
        wrapped = msgspec.json.decode(data, type=_Wrapped)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedEvidence(
            "inspect.document", f"expected a signed document of Intel's service: {error}", remedy="fetch it again"
        ) from error
    return wrapped, bytes(wrapped.tcb_info) or bytes(wrapped.identity)


def _read_wrapped(data: bytes, view: View) -> tuple[Node, ...]:
    wrapped, document = _unwrap(data)
    nodes = tcb_info_nodes(document, view) if bytes(wrapped.tcb_info) else qe_identity_nodes(document, view)
    signature = Node("signature", meaning=wrapped.signature[:256] + ", not verified here")
    return (Node("document", size=len(document), meaning="JSON, signed byte for byte", decoded=nodes), signature)


def _parse_wrapped(data: bytes) -> None:
    wrapped, document = _unwrap(data)
    (TcbInfo if bytes(wrapped.tcb_info) else QeIdentity).parse(document)


KINDS: Final = (
    Kind(
        "snp-report", "AMD SEV-SNP attestation report", _is_report,
        read_report, SnpReport.parse, _REPORT_MARKS,
    ),
    Kind("dcap-quote", "DCAP quote", _is_quote, read_quote, Quote.parse, _QUOTE_MARKS),
    Kind(
        "sigstruct", "SIGSTRUCT: the signature over an SGX enclave", _begins(_SIGSTRUCT_MARKS),
        lambda data, view: walk(data, SIGSTRUCT, view), SigStruct.parse, _SIGSTRUCT_MARKS,
    ),
    Kind(
        "enclave-image", "SGX enclave image", _begins(_IMAGE_MARKS),
        lambda data, view: walk(data, image_layout(len(data), view), view), EnclaveImage.parse, _IMAGE_MARKS,
    ),
    Kind(
        "certificate", "X.509 certificate, DER", lambda data: first_inside(data) == b"\xa0",
        walk_certificate, Certificate.parse, _DER_MARKS,
    ),
    Kind(
        "revocation-list", "X.509 revocation list, DER", lambda data: first_inside(data) == b"\x02\x01\x01",
        walk_revocation_list, RevocationList.parse, _DER_MARKS,
    ),
    Kind("appraisal-record", "appraisal record", _keyed(b"technology", b"digests"), _facts(record_nodes),
         parse_record),
    Kind("collateral-bundle", "collateral bundle", _keyed(b"stale_after_days", b"made_at"), _facts(bundle_nodes),
         parse_bundle),
    Kind("pem", "PEM", _is_pem, _facts(pem_nodes), parse_pem),
    Kind("collateral", "DCAP collateral file", _keyed(b"tcb_info", b"qe_identity"), _facts(collateral_nodes),
         parse_collateral),
    Kind("signed-document", "TCB info or QE identity with its signature", _keyed(b"tcbInfo", b"signature"),
         _facts(_read_wrapped), _parse_wrapped),
    Kind("signed-document", "TCB info or QE identity with its signature", _keyed(b"enclaveIdentity", b"signature"),
         _facts(_read_wrapped), _parse_wrapped),
    Kind("tcb-info", "TCB info", _keyed(b"tcbLevels", b"fmspc"), _facts(tcb_info_nodes), TcbInfo.parse),
    Kind("qe-identity", "QE identity", _keyed(b"tcbLevels", b"mrsigner"), _facts(qe_identity_nodes), QeIdentity.parse),
    Kind("snp-endorsements", "SNP endorsements file", _keyed(b"leaf", b"intermediate"), _facts(snp_endorsements_nodes),
         parse_endorsements),
    Kind("signed-result", "signed result", _keyed(b"payload", b"quote"), _facts(signed_result_nodes),
         parse_signed_result),
    Kind("receipt", "receipt", _keyed(b"entry", b"proof"), _facts(receipt_nodes), Receipt.parse),
    Kind("cmw", "collection of conceptual message wrappers", _keyed(b"__cmwc_t"), _facts(wrapper_nodes),
         parse_collection),
    Kind("policy", "appraisal policy", _is_policy, _facts(policy_nodes), AppraisalPolicy.parse),
)  # fmt: skip
"""In the order in which they are tried."""
