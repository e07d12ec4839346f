"""Certificate chains: from a leaf to a root that the caller trusts.

Rules (Intel SGX PCK Certificate and CRL Profile; RFC 5280), in order:

1. The chain has exactly the length that its kind has, and every certificate parses.
2. The last certificate's public key is a trusted root's; the certificate itself is not trusted.
3. Common names carry the phrases of their kind.
4. Every key is P-256; every issuer is a CA that may sign certificates, and the leaf is none.
5. Every certificate's issuer is the next one's subject, and its signature verifies; the root's own included.

Dates are facts, not rules: they are returned and judged by policy. A certificate is parsed once and a signature
verified once, however many chains share it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from adyton.attest.require import X509_ERRORS, require
from adyton.attest.roots import TrustRoot, TrustRoots
from adyton.errors import MalformedEvidence
from adyton.formats.check import Check

CHAIN_SIZE_CAP: Final = 64 * 1024
_BLOCK: Final = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
_REMEDY: Final = "collect the evidence or the collateral again; if it stays so, its source is not to be trusted"


@dataclass(frozen=True, slots=True)
class ChainKind:
    """What a chain has to look like.

    Attributes:
        code: Prefix of its checks.
        phrases: What each common name contains, leaf first.
    """

    code: str
    phrases: tuple[str, ...]


_ROOT: Final = "SGX Root CA"
PCK: Final = ChainKind("dcap.pck_chain", ("SGX PCK Certificate", "SGX PCK", _ROOT))
PCK_CRL: Final = ChainKind("dcap.pck_crl_chain", ("SGX PCK", _ROOT))
TCB_INFO: Final = ChainKind("dcap.tcb_info_chain", ("SGX TCB Signing", _ROOT))
QE_IDENTITY: Final = ChainKind("dcap.qe_identity_chain", ("SGX TCB Signing", _ROOT))


@dataclass(frozen=True, slots=True)
class Chain:
    """A verified chain.

    Attributes:
        certificates: Leaf first, root last.
        key: The leaf's public key.
        root: The trusted root that it ends at.
        issued: The latest `notBefore`, UTC.
        expires: The earliest `notAfter`, UTC.
    """

    certificates: tuple[x509.Certificate, ...]
    key: ec.EllipticCurvePublicKey
    root: TrustRoot
    issued: datetime
    expires: datetime

    @property
    def leaf(self) -> x509.Certificate:
        """The first certificate."""
        return self.certificates[0]

    @property
    def issuer(self) -> x509.Certificate:
        """The second certificate: the leaf's issuer."""
        return self.certificates[1]


@dataclass(frozen=True, slots=True)
class _Known:
    """A certificate, and what the rules ask of it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePublicKey
    common_name: str
    signs: bool


class Certificates:
    """The certificates of one verification: each parsed once, each signature verified once."""

    def __init__(self, roots: TrustRoots) -> None:
        self._roots = roots
        self._known: dict[bytes, _Known] = {}
        self._issued: set[tuple[bytes, bytes]] = set()

    def verify(self, pem: bytes, kind: ChainKind) -> tuple[Chain, tuple[Check, ...]]:
        """Verify a chain.

        Args:
            pem: The certificates, leaf first.
            kind: What the chain has to look like.

        Returns:
            The chain, and its checks, all passed.

        Raises:
            MalformedEvidence: `<kind>.format`.
            UntrustedEvidence: `dcap.chain.untrusted_root`, `<kind>.names`, `<kind>.usage`, `<kind>.signature`.
        """
        # 1
        blocks = _blocks(pem, kind)
        known = tuple(self._read(block, kind) for block in blocks)
        # 2
        root, trusted = self._trusted_root(known[-1].key)
        # 3, 4, 5
        checks = (trusted, _names(known, kind), _usage(known, kind), self._signatures(blocks, kind))
        certificates = tuple(item.certificate for item in known)
        issued = max(certificate.not_valid_before_utc for certificate in certificates)
        expires = min(certificate.not_valid_after_utc for certificate in certificates)
        return Chain(certificates, known[0].key, root, issued, expires), checks

    def _read(self, block: bytes, kind: ChainKind) -> _Known:
        known = self._known.get(block)
        if known is None:
            try:
                known = self._known[block] = _know(x509.load_pem_x509_certificate(block))
            except X509_ERRORS as error:
                raise _malformed(kind, str(error)) from error
        return known

    def _trusted_root(self, key: ec.EllipticCurvePublicKey) -> tuple[TrustRoot, Check]:
        found = TrustRoot.of(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
        root = self._roots.find(found.point)
        check = require(
            "dcap.chain.untrusted_root",
            holds=root is not None,
            expected=f"a chain to {' or '.join(sorted(self._roots.names))}",
            actual=f"a chain to {found.name}",
            remedy="use evidence from a platform that the policy names, or name this one in the policy's roots",
        )
        return found, check

    def _signatures(self, blocks: tuple[bytes, ...], kind: ChainKind) -> Check:
        holds = all(
            self._is_issued(child, issuer) for child, issuer in zip(blocks, (*blocks[1:], blocks[-1]), strict=True)
        )
        return require(
            f"{kind.code}.signature",
            holds=holds,
            expected="every certificate issued and signed by the next, the root by itself",
            actual="all signatures verify" if holds else "one that the next did not issue, or did not sign",
            remedy=_REMEDY,
        )

    def _is_issued(self, child: bytes, issuer: bytes) -> bool:
        """Compare the names and verify the signature."""
        if (child, issuer) not in self._issued:
            try:
                self._known[child].certificate.verify_directly_issued_by(self._known[issuer].certificate)
            except (InvalidSignature, *X509_ERRORS):
                return False
            self._issued.add((child, issuer))
        return True


def _blocks(pem: bytes, kind: ChainKind) -> tuple[bytes, ...]:
    blocks = tuple(_BLOCK.findall(pem)) if len(pem) <= CHAIN_SIZE_CAP else ()
    if len(blocks) != len(kind.phrases):
        raise _malformed(kind, f"expected {len(kind.phrases)} PEM certificates, found {len(blocks)}")
    return blocks


def _know(certificate: x509.Certificate) -> _Known:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise TypeError("expected P-256 keys, found another kind")
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    common_name = str(names[0].value) if len(names) == 1 else ""
    return _Known(certificate, key, common_name, _may_sign_certificates(certificate))


def _names(known: tuple[_Known, ...], kind: ChainKind) -> Check:
    found = tuple(item.common_name for item in known)
    phrased = all(phrase in name for phrase, name in zip(kind.phrases, found, strict=True))
    return require(
        f"{kind.code}.names",
        holds=phrased,
        expected=f"names with {', '.join(kind.phrases)}",
        actual=", ".join(found),
        remedy=_REMEDY,
    )


def _usage(known: tuple[_Known, ...], kind: ChainKind) -> Check:
    leaf_signs = kind is PCK_CRL
    found = tuple(item.signs for item in known)
    return require(
        f"{kind.code}.usage",
        holds=found == (leaf_signs, *[True] * (len(known) - 1)),
        expected="CAs only" if leaf_signs else "CAs that may sign certificates, and a leaf that may not",
        actual=", ".join("CA" if signs else "no CA" for signs in found),
        remedy=_REMEDY,
    )


def _may_sign_certificates(certificate: x509.Certificate) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return constraints.ca and usage.key_cert_sign


def _malformed(kind: ChainKind, found: str) -> MalformedEvidence:
    return MalformedEvidence(f"{kind.code}.format", f"certificate chain: {found}", remedy=_REMEDY)
