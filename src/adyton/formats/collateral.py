"""Endorsements as they travel: one JSON file with TCB info, QE identity, revocation lists and their issuers' chains.

The file's shape is the one that dcap-qvl reads and writes. Revocation lists are DER or PEM, in hex or base64.

Kept here: the signed documents stay byte for byte as received, because their signatures are over those bytes.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final, Self

import msgspec

from adyton.formats.endorsement import Hex, decode, malformed, octets

COLLATERAL_SIZE_CAP: Final = 4 * 1024 * 1024
_PEM: Final = b"-----BEGIN"


@dataclass(frozen=True, slots=True)
class Collateral:
    """The endorsements that a quote is checked with, exactly as received.

    Attributes:
        tcb_info: TCB info, the signed JSON.
        tcb_info_signature: ECDSA P-256 signature over it: r and s, 64 bytes.
        tcb_info_chain: Its signer's certificates, PEM, leaf first.
        qe_identity: QE identity, the signed JSON.
        qe_identity_signature: Its signature, 64 bytes.
        qe_identity_chain: Its signer's certificates, PEM, leaf first.
        root_crl: The root's revocation list, DER.
        pck_crl: The PCK CA's revocation list, DER.
        pck_crl_chain: The PCK CA's certificates, PEM, leaf first; empty if they were not sent.
        pck_chain: The platform's PCK certificate and its issuers, PEM, leaf first, for quotes that carry none; else
            empty.
    """

    tcb_info: bytes
    tcb_info_signature: bytes
    tcb_info_chain: bytes
    qe_identity: bytes
    qe_identity_signature: bytes
    qe_identity_chain: bytes
    root_crl: bytes
    pck_crl: bytes
    pck_crl_chain: bytes = b""
    pck_chain: bytes = b""

    def __hash__(self) -> int:
        """Return a hash of the parts that no two sets share; equality compares all of them."""
        return hash((self.tcb_info_signature, self.qe_identity_signature, self.root_crl, self.pck_crl))

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a collateral file: JSON whose values are strings; either of `root_crl` and `root_ca_crl`.

        Raises:
            MalformedEvidence: `dcap.collateral.size` over 4 MiB; `dcap.collateral.format`; `dcap.collateral.crl`.
        """
        if len(data) > COLLATERAL_SIZE_CAP:
            raise malformed("collateral.size", f"expected at most {COLLATERAL_SIZE_CAP} bytes, found {len(data)}")
        document = decode(data, _CollateralFile, "collateral")
        if (document.root_crl is None) == (document.root_ca_crl is None):
            raise malformed("collateral.format", "expected one of root_crl and root_ca_crl")
        return cls(
            tcb_info=document.tcb_info.encode(),
            tcb_info_signature=octets(document.tcb_info_signature, 64, "collateral.format"),
            tcb_info_chain=document.tcb_info_issuer_chain.encode(),
            qe_identity=document.qe_identity.encode(),
            qe_identity_signature=octets(document.qe_identity_signature, 64, "collateral.format"),
            qe_identity_chain=document.qe_identity_issuer_chain.encode(),
            root_crl=_crl(document.root_crl or document.root_ca_crl or "", "root"),
            pck_crl=_crl(document.pck_crl, "PCK"),
            pck_crl_chain=(document.pck_crl_issuer_chain or "").encode(),
            pck_chain=(document.pck_certificate_chain or "").encode(),
        )

    def to_bytes(self) -> bytes:
        """Return a collateral file with the revocation lists as hex of DER."""
        pck_chain = {"pck_certificate_chain": self.pck_chain.decode()} if self.pck_chain else {}
        return msgspec.json.encode(
            {
                **pck_chain,
                "pck_crl_issuer_chain": self.pck_crl_chain.decode(),
                "root_ca_crl": self.root_crl.hex(),
                "pck_crl": self.pck_crl.hex(),
                "tcb_info_issuer_chain": self.tcb_info_chain.decode(),
                "tcb_info": self.tcb_info.decode(),
                "tcb_info_signature": self.tcb_info_signature.hex(),
                "qe_identity_issuer_chain": self.qe_identity_chain.decode(),
                "qe_identity": self.qe_identity.decode(),
                "qe_identity_signature": self.qe_identity_signature.hex(),
            }
        )


class _CollateralFile(msgspec.Struct, frozen=True):
    tcb_info: str
    tcb_info_signature: Hex
    tcb_info_issuer_chain: str
    qe_identity: str
    qe_identity_signature: Hex
    qe_identity_issuer_chain: str
    pck_crl: str
    root_crl: str | None = None
    root_ca_crl: str | None = None
    pck_crl_issuer_chain: str | None = None
    pck_certificate_chain: str | None = None


def _crl(text: str, whose: str) -> bytes:
    """Return a revocation list's DER from hex, PEM, hex of PEM, or base64."""
    data = text.strip().encode()
    try:
        data = data if data.startswith(_PEM) else _from_hex_or_base64(data)
        if data.startswith(_PEM):
            data = base64.b64decode(b"".join(data.strip().splitlines()[1:-1]), validate=True)
    except (ValueError, binascii.Error) as error:
        raise malformed("collateral.crl", f"the {whose} revocation list is not DER, PEM or their hex") from error
    return data


def _from_hex_or_base64(data: bytes) -> bytes:
    try:
        return bytes.fromhex(data.decode("ascii"))
    except ValueError:
        return base64.b64decode(data, validate=True)
