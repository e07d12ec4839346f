"""A vendor of simulated SGX and TDX platforms: its keys, its certificates and its revocation lists.

The certificates follow Intel's profile (SGX PCK Certificate and CRL Profile), common names included, so that others'
verifiers parse them too; the organisation is `Adyton Simulated Platform`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from adyton.forge.certificates import (
    COMMON_NAME,
    COUNTRY,
    ORGANISATION,
    Subject,
    certificate,
    extension,
    name,
    pem,
    revocation_list,
    usual_extensions,
)
from adyton.forge.encode import sgx_extension
from adyton.forge.keys import EcSigner, new_p256, seeded_p256
from adyton.formats.pck import SGX_EXTENSION, PckExtension

ORGANISATION_NAME: Final = "Adyton Simulated Platform"
_CRL_POINT: Final = "https://simulated.adyton.invalid/crl.der"
_CERTIFICATE_LIFE: Final = timedelta(days=3650)

PlatformFacts = PckExtension
"""What a PCK certificate says about a machine."""


class Role(StrEnum):
    """Whose certificate it is."""

    ROOT = "root"
    PCK_CA = "pck_ca"
    TCB_SIGNING = "tcb_signing"
    PCK = "pck"


@dataclass(frozen=True, slots=True)
class Profile:
    """How a certificate is written; every field but the names is as Intel has it, unless a test says otherwise.

    Attributes:
        common_name: The subject's.
        ca: Whether it says that it is a CA's.
        serial: Serial number; a PCK certificate's is given when it is issued.
        not_before: From when it is valid; None for the vendor's first day.
        not_after: Until when it is valid; None for ten years.
    """

    common_name: str
    ca: bool
    serial: int = 0
    not_before: datetime | None = None
    not_after: datetime | None = None


PROFILES: Final[Mapping[Role, Profile]] = {
    Role.ROOT: Profile("Intel SGX Root CA", ca=True, serial=1),
    Role.PCK_CA: Profile("Intel SGX PCK Platform CA", ca=True, serial=2),
    Role.TCB_SIGNING: Profile("Intel SGX TCB Signing", ca=False, serial=3),
    Role.PCK: Profile("Intel SGX PCK Certificate", ca=False),
}


def sign_raw(key: ec.EllipticCurvePrivateKey, message: bytes, *, deterministic: bool = False) -> bytes:
    """Return an ECDSA P-256 signature with SHA-256: r and s, 64 bytes."""
    return EcSigner(key, deterministic).sign_raw(message)


@dataclass(frozen=True, slots=True)
class VendorKeys:
    """A vendor's signing keys, P-256.

    Attributes:
        root: The root CA's.
        pck_ca: The CA's that certifies platforms.
        tcb_signing: Signs TCB info and QE identity.
    """

    root: ec.EllipticCurvePrivateKey = field(default_factory=new_p256, repr=False)
    pck_ca: ec.EllipticCurvePrivateKey = field(default_factory=new_p256, repr=False)
    tcb_signing: ec.EllipticCurvePrivateKey = field(default_factory=new_p256, repr=False)

    @classmethod
    def seeded(cls, seed: bytes) -> Self:
        """Return the keys that a seed names."""
        return cls(*(seeded_p256(seed, role) for role in (Role.ROOT, Role.PCK_CA, Role.TCB_SIGNING)))


@dataclass(frozen=True, slots=True)
class PckCredential:
    """A platform's certified key.

    Attributes:
        key: The PCK.
        chain: Its certificates, PEM: leaf, CA, root.
        platform: What the certificate says.
        serial: The certificate's serial number, for revocation.
        leaf: Its own certificate, DER.
    """

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    chain: bytes
    platform: PckExtension
    serial: int
    leaf: bytes


class Vendor:
    """A vendor, from its keys.

    Args:
        keys: Its signing keys.
        since: From when on its certificates are valid.
        deterministic: Whether it signs the same bytes with the same signature (RFC 6979).
        profiles: How certificates of a role are written, where other than Intel writes them.
    """

    def __init__(
        self,
        keys: VendorKeys,
        *,
        since: datetime,
        deterministic: bool = False,
        profiles: Mapping[Role, Profile] | None = None,
    ) -> None:
        self.keys = keys
        self.deterministic = deterministic
        self._since = since
        self._profiles = {**PROFILES, **(profiles or {})}
        self._root_signer = EcSigner(keys.root, deterministic)
        self._ca_signer = EcSigner(keys.pck_ca, deterministic)
        self._tcb_signer = EcSigner(keys.tcb_signing, deterministic)
        self.root_der = self._certify(Role.ROOT, self._root_signer, Role.ROOT, self._root_signer)
        self.pck_ca_der = self._certify(Role.PCK_CA, self._ca_signer, Role.ROOT, self._root_signer)
        self.tcb_signing_der = self._certify(Role.TCB_SIGNING, self._tcb_signer, Role.ROOT, self._root_signer)

    @classmethod
    def generate(cls, *, since: datetime) -> Self:
        """Make a vendor with fresh keys."""
        return cls(VendorKeys(), since=since)

    @property
    def root(self) -> x509.Certificate:
        """The root's certificate."""
        return x509.load_der_x509_certificate(self.root_der)

    @property
    def point(self) -> bytes:
        """The root's public key: an uncompressed P-256 point, 65 bytes."""
        return self._root_signer.point

    @property
    def tcb_chain(self) -> bytes:
        """The chain of the key that signs documents, PEM."""
        return pem(self.tcb_signing_der, self.root_der)

    @property
    def pck_crl_chain(self) -> bytes:
        """The chain of the CA that certifies platforms, PEM."""
        return pem(self.pck_ca_der, self.root_der)

    def issue_pck(
        self,
        platform: PckExtension,
        *,
        serial: int,
        key: ec.EllipticCurvePrivateKey | None = None,
        sgx: bytes | None = None,
    ) -> PckCredential:
        """Certify a platform.

        Args:
            platform: What the certificate says about it.
            serial: The certificate's serial number.
            key: The PCK; None makes a fresh one.
            sgx: The value of Intel's extension, DER; None writes it from `platform`, and empty leaves it out.
        """
        key = key or new_p256()
        value = sgx_extension(platform) if sgx is None else sgx
        extensions = [extension(SGX_EXTENSION.dotted_string, value)] if value else []
        signer = EcSigner(key, self.deterministic)
        leaf = self._certify(Role.PCK, signer, Role.PCK_CA, self._ca_signer, serial=serial, extensions=extensions)
        return PckCredential(key, pem(leaf, self.pck_ca_der, self.root_der), platform, serial, leaf)

    def root_crl(self, issued: datetime, expires: datetime, *, number: int = 1, revoked: Iterable[int] = ()) -> bytes:
        """Return the root's revocation list, DER."""
        return revocation_list(
            self._name(Role.ROOT), self._root_signer, issued=issued, expires=expires, number=number, revoked=revoked
        )

    def pck_crl(self, issued: datetime, expires: datetime, *, number: int = 1, revoked: Iterable[int] = ()) -> bytes:
        """Return the PCK CA's revocation list, DER."""
        return revocation_list(
            self._name(Role.PCK_CA), self._ca_signer, issued=issued, expires=expires, number=number, revoked=revoked
        )

    def sign(self, document: bytes) -> bytes:
        """Sign a document as TCB info and QE identity are signed: r and s, 64 bytes."""
        return self._tcb_signer.sign_raw(document)

    def _name(self, role: Role) -> bytes:
        common_name = self._profiles[role].common_name
        return name((COMMON_NAME, common_name), (ORGANISATION, ORGANISATION_NAME), (COUNTRY, "US"))

    def _certify(
        self,
        role: Role,
        key: EcSigner,
        issuer: Role,
        signer: EcSigner,
        *,
        serial: int | None = None,
        extensions: Iterable[bytes] = (),
    ) -> bytes:
        profile = self._profiles[role]
        usual = usual_extensions(key.public_key, signer.public_key, ca=profile.ca, crl_point=_CRL_POINT)
        subject = Subject(
            self._name(role),
            key.public_key,
            profile.serial if serial is None else serial,
            profile.not_before or self._since,
            profile.not_after or self._since + _CERTIFICATE_LIFE,
            (*usual, *extensions),
        )
        return certificate(subject, self._name(issuer), signer)
