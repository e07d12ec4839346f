"""SIGSTRUCT: the signature over an enclave (Intel SDM Vol. 3D table 38-19), 1,808 bytes.

RSA-3072 with exponent 3, PKCS#1 v1.5, SHA-256 over bytes 0 to 127 and 900 to 1027. Q1 and Q2 are helpers of the
processor's arithmetic: Q1 = s^2 div n, Q2 = s (s^2 mod n) div n.

Kept here: exact length; the two headers and the exponent have their only values; reserved bytes are zero;
`SigStruct.parse(data).to_bytes() == data`.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, replace
from typing import Final, Self

from adyton.errors import UntrustedEvidence
from adyton.formats.cursor import Cursor
from adyton.formats.sgx import Attributes

SIGSTRUCT_SIZE: Final = 1808
KEY_SIZE: Final = 384
_HEADER1: Final = bytes.fromhex("06000000e100000000000100")
_HEADER2: Final = bytes.fromhex("01010000600000006000000001000000")
_EXPONENT: Final = 3
# ASN.1 DigestInfo of SHA-256 (RFC 8017 9.2, note 1).
_DIGEST_INFO: Final = bytes.fromhex("3031300d060960864801650304020105000420")


@dataclass(frozen=True, slots=True)
class SigStruct:
    """A signature over an enclave.

    Attributes:
        vendor: 0x8086 for Intel's own enclaves, 0 for all others.
        date: Build date, binary coded decimal yyyymmdd, as found.
        software: Free for the signer, 32 bits.
        modulus: The signer's RSA modulus.
        signature: The RSA signature.
        misc_select: Extended features that the enclave is to have.
        misc_mask: Which of them have to be as signed.
        isv_family_id: Product family, 16 bytes.
        attributes: Attributes that the enclave is to have.
        attribute_mask: Which of them have to be as signed.
        enclave_hash: The measurement, 32 bytes.
        isv_ext_prod_id: Extended product id, 16 bytes.
        isv_prod_id: Product number.
        isv_svn: Security version.
        q1: First helper of the processor's arithmetic.
        q2: Second helper.
        enclave_type: 0; others are the vendor's own.
    """

    vendor: int
    date: int
    software: int
    modulus: int
    signature: int
    misc_select: int
    misc_mask: int
    isv_family_id: bytes
    attributes: Attributes
    attribute_mask: Attributes
    enclave_hash: bytes
    isv_ext_prod_id: bytes
    isv_prod_id: int
    isv_svn: int
    q1: int = 0
    q2: int = 0
    enclave_type: int = 0

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a SIGSTRUCT.

        Raises:
            MalformedEvidence: `sgx.sigstruct.length`, `.trailing`, `.header`, `.reserved`.
        """
        cursor = Cursor(data, code="sgx.sigstruct", what="SIGSTRUCT")
        header1, kind = cursor.take(12, "HEADER"), cursor.uint(4, "TYPE")
        vendor, date = cursor.uint(4, "VENDOR"), cursor.uint(4, "DATE")
        header2, software = cursor.take(16, "HEADER2"), cursor.uint(4, "SWDEFINED")
        cursor.zeros(84, "the reserved area after SWDEFINED")
        modulus, exponent = cursor.uint(KEY_SIZE, "MODULUS"), cursor.uint(4, "EXPONENT")
        if (header1, header2, exponent) != (_HEADER1, _HEADER2, _EXPONENT):
            raise cursor.malformed("header", "HEADER, HEADER2 and EXPONENT have one value only, found another")
        signature, misc_select = cursor.uint(KEY_SIZE, "SIGNATURE"), cursor.uint(4, "MISCSELECT")
        misc_mask = cursor.uint(4, "MISCMASK")
        cursor.zeros(4, "the reserved area after MISCMASK")
        family = cursor.take(16, "ISVFAMILYID")
        attributes = Attributes.parse(cursor.take(16, "ATTRIBUTES"))
        attribute_mask = Attributes.parse(cursor.take(16, "ATTRIBUTEMASK"))
        enclave_hash = cursor.take(32, "ENCLAVEHASH")
        cursor.zeros(16, "the reserved area after ENCLAVEHASH")
        ext_prod_id = cursor.take(16, "ISVEXTPRODID")
        prod_id, svn = cursor.uint(2, "ISVPRODID"), cursor.uint(2, "ISVSVN")
        cursor.zeros(12, "the reserved area after ISVSVN")
        q1, q2 = cursor.uint(KEY_SIZE, "Q1"), cursor.uint(KEY_SIZE, "Q2")
        cursor.finish()
        return cls(
            vendor,
            date,
            software,
            modulus,
            signature,
            misc_select,
            misc_mask,
            family,
            attributes,
            attribute_mask,
            enclave_hash,
            ext_prod_id,
            prod_id,
            svn,
            q1,
            q2,
            kind,
        )

    def to_bytes(self) -> bytes:
        """Return the 1,808 bytes."""
        return b"".join(
            (
                self._head(),
                _wide(self.modulus),
                struct.pack("<I", _EXPONENT),
                _wide(self.signature),
                self._body(),
                bytes(12),
                _wide(self.q1),
                _wide(self.q2),
            )
        )

    def signed_bytes(self) -> bytes:
        """Return the 256 bytes that are signed."""
        return self._head() + self._body()

    def with_signature(self, signature: int) -> Self:
        """Return this structure with a signature, and the helpers that belong to it."""
        square = signature * signature
        q1, rest = divmod(square, self.modulus)
        return replace(self, signature=signature, q1=q1, q2=signature * rest // self.modulus)

    @property
    def mr_signer(self) -> bytes:
        """SHA-256 of the modulus, 32 bytes."""
        return hashlib.sha256(_wide(self.modulus)).digest()

    def verify(self) -> None:
        """Verify the signature and its helpers.

        Raises:
            UntrustedEvidence: `sgx.sigstruct.signature`.
        """
        expected = _padded(hashlib.sha256(self.signed_bytes()).digest())
        if not 0 < self.signature < self.modulus or self.with_signature(self.signature) != self:
            raise _unsigned()
        if pow(self.signature, _EXPONENT, self.modulus) != expected:
            raise _unsigned()

    def _head(self) -> bytes:
        numbers = struct.pack("<III", self.enclave_type, self.vendor, self.date)
        return _HEADER1 + numbers + _HEADER2 + struct.pack("<I84x", self.software)

    def _body(self) -> bytes:
        return b"".join(
            (
                struct.pack("<II4x", self.misc_select, self.misc_mask),
                self.isv_family_id,
                self.attributes.to_bytes(),
                self.attribute_mask.to_bytes(),
                self.enclave_hash,
                bytes(16),
                self.isv_ext_prod_id,
                struct.pack("<HH", self.isv_prod_id, self.isv_svn),
            )
        )


def _wide(value: int) -> bytes:
    return value.to_bytes(KEY_SIZE, "little")


def _padded(digest: bytes) -> int:
    """Return EMSA-PKCS1-v1_5 of a SHA-256 digest (RFC 8017 9.2)."""
    info = _DIGEST_INFO + digest
    return int.from_bytes(b"\x00\x01" + b"\xff" * (KEY_SIZE - 3 - len(info)) + b"\x00" + info, "big")


def _unsigned() -> UntrustedEvidence:
    return UntrustedEvidence(
        "sgx.sigstruct.signature",
        "expected a signature over the enclave by the key in it, found one that does not verify",
        remedy="sign the enclave again; a changed SIGSTRUCT cannot be repaired",
    )
