"""Revocation lists: whose they are, and who is on them (RFC 5280 section 5; Intel PCK Certificate and CRL Profile).

Rules: a list is issued and signed by exactly the CA whose certificates it revokes; it has a number, an authority key
identifier and an end date; it is complete, neither a delta nor for some certificates only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from adyton.attest.require import X509_ERRORS, require
from adyton.errors import MalformedEvidence
from adyton.formats.check import Check, Outcome

_REMEDY: Final = "fetch the revocation list again from its issuer"
_PARTIAL: Final = (x509.DeltaCRLIndicator, x509.IssuingDistributionPoint)


@dataclass(frozen=True, slots=True)
class RevocationList:
    """A list that parses; whose it is has still to be verified.

    Attributes:
        code: Prefix of its checks, such as `dcap.root_crl`.
        crl: The list.
        number: Its CRL number.
        issued: `thisUpdate`, UTC.
        expires: `nextUpdate`, UTC.
    """

    code: str
    crl: x509.CertificateRevocationList
    number: int
    issued: datetime
    expires: datetime

    @classmethod
    def parse(cls, data: bytes, code: str) -> RevocationList:
        """Read a list from DER.

        Raises:
            MalformedEvidence: `<code>.format`.
        """
        try:
            crl = x509.load_der_x509_crl(data)
            crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
            number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
            partial = [extension for extension in crl.extensions if isinstance(extension.value, _PARTIAL)]
            unknown = [e for e in crl.extensions if e.critical and isinstance(e.value, x509.UnrecognizedExtension)]
            expires = crl.next_update_utc
        except X509_ERRORS as error:
            raise _malformed(code, str(error)) from error
        if expires is None or partial or unknown:
            raise _malformed(code, "it has no end date, or it covers a part of the certificates only")
        return cls(code, crl, number, crl.last_update_utc, expires)

    def require_issuer(self, issuer: x509.Certificate) -> Check:
        """Verify that the list is this CA's.

        Raises:
            UntrustedEvidence: `<code>.issuer` if it is another's, or its signature does not verify.
        """
        key = issuer.public_key()
        named = self.crl.issuer == issuer.subject
        signed = named and isinstance(key, ec.EllipticCurvePublicKey) and self._is_signed_by(key)
        if signed:
            return Check(f"{self.code}.issuer", Outcome.PASSED, "a list that its own CA issued and signed", "it is")
        return require(
            f"{self.code}.issuer",
            holds=False,
            expected=f"a list signed by {issuer.subject.rfc4514_string()}",
            actual=self.crl.issuer.rfc4514_string() + (", whose signature does not verify" if named else ""),
            remedy=_REMEDY,
        )

    def _is_signed_by(self, key: ec.EllipticCurvePublicKey) -> bool:
        try:
            return self.crl.is_signature_valid(key)
        except X509_ERRORS:
            return False

    def require_not_revoked(self, certificate: x509.Certificate, name: str) -> Check:
        """Verify that a certificate of this list's issuer is not on it.

        Raises:
            UntrustedEvidence: `<name>` if it is revoked.
        """
        revoked = self.crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
        serial = f"serial {certificate.serial_number:x}"
        return require(
            name,
            holds=revoked is None,
            expected="a certificate that is not revoked",
            actual=serial if revoked is None else f"{serial}, revoked {revoked.revocation_date_utc:%Y-%m-%dT%H:%M:%SZ}",
            remedy="the vendor has withdrawn this certificate: take the platform out of service",
        )


def _malformed(code: str, found: str) -> MalformedEvidence:
    return MalformedEvidence(f"{code}.format", f"revocation list: {found}", remedy=_REMEDY)
