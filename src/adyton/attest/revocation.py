"""Revocation lists: whose they are, and who is on them (RFC 5280 section 5; Intel PCK Certificate and CRL Profile).

Rules: a list is issued and signed by exactly the CA whose certificates it revokes; it has a number and an end date; it
is complete, neither a delta nor for some certificates only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adyton.attest.require import require
from adyton.attest.signatures import PublicKey, Signatures
from adyton.errors import MalformedEvidence
from adyton.formats.check import Check, Outcome
from adyton.formats.x509 import Certificate, RevocationList

_REMEDY: Final = "fetch the revocation list again from its issuer"


@dataclass(frozen=True, slots=True)
class Revocations:
    """A list that parses; whose it is has still to be verified.

    Attributes:
        code: Prefix of its checks, such as `dcap.root_crl`.
        crl: The list.
    """

    code: str
    crl: RevocationList

    @classmethod
    def parse(cls, data: bytes, code: str) -> Revocations:
        """Read a list from DER; Intel's profile asks for an authority key identifier as well.

        Raises:
            MalformedEvidence: `<code>.format`.
        """
        try:
            crl = RevocationList.parse(data)
        except MalformedEvidence as error:
            raise _malformed(code, error.message) from error
        if not crl.names_key and code.startswith("dcap."):
            raise _malformed(code, "expected an authority key identifier")
        return cls(code, crl)

    @property
    def _where(self) -> str:
        vendor, _, name = self.code.partition(".")
        return f"{'endorsements' if vendor == 'snp' else 'collateral'}, {name}"

    @property
    def number(self) -> int:
        """Its CRL number."""
        return self.crl.number

    @property
    def issued(self) -> datetime:
        """`thisUpdate`, UTC."""
        return self.crl.issued

    @property
    def expires(self) -> datetime:
        """`nextUpdate`, UTC."""
        return self.crl.expires

    def require_issuer(self, issuer: Certificate, key: PublicKey, signatures: Signatures) -> Check:
        """Verify that the list is this CA's.

        Args:
            issuer: The CA's certificate.
            key: The CA's public key.
            signatures: Where the list's signature is verified.

        Raises:
            UntrustedEvidence: `<code>.issuer` if it is another's, or its signature does not verify.
        """
        named = self.crl.issuer == issuer.subject
        signed = named and signatures.is_signed(self.crl.signed, key)
        return require(
            f"{self.code}.issuer",
            holds=signed,
            expected=f"a list that {issuer.common_name} issued and signed",
            actual="it is" if signed else "a signature that does not verify" if named else "a list of another issuer",
            remedy=_REMEDY,
            where=self._where,
        )

    def require_not_revoked(self, certificate: Certificate, name: str) -> Check:
        """Verify that a certificate of this list's issuer is not on it.

        Raises:
            UntrustedEvidence: `<name>` if it is revoked.
        """
        revoked = self.crl.revoked.get(certificate.serial)
        serial = f"serial {certificate.serial:x}"
        if revoked is None:
            return Check(name, Outcome.PASSED, "a certificate that is not revoked", serial, where=self._where)
        return require(
            name,
            holds=False,
            expected="a certificate that is not revoked",
            actual=f"{serial}, revoked {revoked:%Y-%m-%dT%H:%M:%SZ}",
            remedy="the vendor has withdrawn this certificate: take the platform out of service",
            where=self._where,
        )


def _malformed(code: str, found: str) -> MalformedEvidence:
    return MalformedEvidence(f"{code}.format", f"revocation list: {found}", remedy=_REMEDY)
