"""A vendor of simulated platforms: its keys, its certificates and its revocation lists.

The certificates follow Intel's profile (SGX PCK Certificate and CRL Profile), common names included, so that others'
verifiers parse them too; the organisation is `Adyton Simulated Platform`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from adyton.forge.encode import sgx_extension
from adyton.forge.keys import derive_key, sign_raw
from adyton.formats.pck import SGX_EXTENSION, PckExtension

ORGANISATION: Final = "Adyton Simulated Platform"
_CRL_POINT: Final = "https://simulated.adyton.invalid/crl.der"
_CERTIFICATE_LIFE: Final = timedelta(days=3650)

PlatformFacts = PckExtension
"""What a PCK certificate says about a machine."""


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class VendorKeys:
    """A vendor's signing keys, P-256.

    Attributes:
        root: The root CA's.
        pck_ca: The CA's that certifies platforms.
        tcb_signing: Signs TCB info and QE identity.
    """

    root: ec.EllipticCurvePrivateKey = field(default_factory=_new_key, repr=False)
    pck_ca: ec.EllipticCurvePrivateKey = field(default_factory=_new_key, repr=False)
    tcb_signing: ec.EllipticCurvePrivateKey = field(default_factory=_new_key, repr=False)

    @classmethod
    def of(cls, seed: bytes) -> Self:
        """Return the keys that a seed gives: for evidence that has to come out the same each time."""
        return cls(*(derive_key(seed, label) for label in ("root", "pck_ca", "tcb_signing")))


@dataclass(frozen=True, slots=True)
class PckCredential:
    """A platform's certified key.

    Attributes:
        key: The PCK.
        chain: Its certificates, PEM: leaf, CA, root.
        platform: What the certificate says.
        serial: The certificate's serial number, for revocation.
    """

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    chain: bytes
    platform: PckExtension
    serial: int


class Vendor:
    """A vendor, from its keys.

    Args:
        keys: Its signing keys.
        since: From when on its certificates are valid.
    """

    def __init__(self, keys: VendorKeys, *, since: datetime) -> None:
        self.keys = keys
        self._since = since
        self._root_name = _name("Intel SGX Root CA")
        self._ca_name = _name("Intel SGX PCK Platform CA")
        self.root = self._certify(self._root_name, keys.root, self._root_name, keys.root, ca=True, serial=1)
        self.pck_ca = self._certify(self._ca_name, keys.pck_ca, self._root_name, keys.root, ca=True, serial=2)
        signing = _name("Intel SGX TCB Signing")
        self.tcb_signing = self._certify(signing, keys.tcb_signing, self._root_name, keys.root, ca=False, serial=3)

    @classmethod
    def generate(cls, *, since: datetime) -> Self:
        """Make a vendor with fresh keys."""
        return cls(VendorKeys(), since=since)

    @property
    def point(self) -> bytes:
        """The root's public key: an uncompressed P-256 point, 65 bytes."""
        return self.keys.root.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def tcb_chain(self) -> bytes:
        """The chain of the key that signs documents, PEM."""
        return _pem(self.tcb_signing, self.root)

    @property
    def pck_crl_chain(self) -> bytes:
        """The chain of the CA that certifies platforms, PEM."""
        return _pem(self.pck_ca, self.root)

    def issue_pck(
        self, platform: PckExtension, *, serial: int, key: ec.EllipticCurvePrivateKey | None = None
    ) -> PckCredential:
        """Certify a platform."""
        key = key or _new_key()
        extension = x509.UnrecognizedExtension(SGX_EXTENSION, sgx_extension(platform))
        leaf = self._certify(
            _name("Intel SGX PCK Certificate"),
            key,
            self._ca_name,
            self.keys.pck_ca,
            ca=False,
            serial=serial,
            extension=extension,
        )
        return PckCredential(key, _pem(leaf, self.pck_ca, self.root), platform, serial)

    def root_crl(self, issued: datetime, expires: datetime, *, number: int = 1, revoked: Iterable[int] = ()) -> bytes:
        """Return the root's revocation list, DER."""
        return self._crl(self._root_name, self.keys.root, issued, expires, number, revoked)

    def pck_crl(self, issued: datetime, expires: datetime, *, number: int = 1, revoked: Iterable[int] = ()) -> bytes:
        """Return the PCK CA's revocation list, DER."""
        return self._crl(self._ca_name, self.keys.pck_ca, issued, expires, number, revoked)

    def sign(self, document: bytes) -> bytes:
        """Sign a document as TCB info and QE identity are signed: r and s, 64 bytes."""
        return sign_raw(self.keys.tcb_signing, document)

    def _certify(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        issuer: x509.Name,
        issuer_key: ec.EllipticCurvePrivateKey,
        *,
        ca: bool,
        serial: int,
        extension: x509.UnrecognizedExtension | None = None,
    ) -> x509.Certificate:
        public = key.public_key()
        builder = (
            x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public, serial_number=serial)
            .not_valid_before(self._since)
            .not_valid_after(self._since + _CERTIFICATE_LIFE)
            .add_extension(_authority(issuer_key), critical=False)
            .add_extension(_distribution_point(), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(_usage(ca=ca), critical=True)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if extension is not None:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(issuer_key, hashes.SHA256(), ecdsa_deterministic=True)

    def _crl(
        self,
        issuer: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        issued: datetime,
        expires: datetime,
        number: int,
        revoked: Iterable[int],
    ) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder(issuer_name=issuer, last_update=issued, next_update=expires)
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(_authority(key), critical=False)
        )
        for serial in revoked:
            entry = x509.RevokedCertificateBuilder(serial_number=serial, revocation_date=issued).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        ]
    )


def _pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _distribution_point() -> x509.CRLDistributionPoints:
    name = x509.UniformResourceIdentifier(_CRL_POINT)
    return x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)])


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=not ca,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
