"""Certificate chains: from a leaf to a root that the caller trusts.

Rules (Intel SGX PCK Certificate and CRL Profile; AMD 57230; RFC 5280), in order:

1. The chain has exactly the length that its kind has, and every certificate parses.
2. The last certificate's public key is a trusted root's; the certificate itself is not trusted.
3. Common names carry the phrases of their kind.
4. Every key is of its kind; every issuer is a CA that may sign certificates, and the leaf is none.
5. Every certificate's issuer is the next one's subject, and its signature verifies; the root's own included.

Dates are facts, not rules: they are returned and judged by policy. A certificate is parsed once and a signature
verified once, however many chains share it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from adyton.attest.require import require
from adyton.attest.roots import TrustRoot, TrustRoots
from adyton.attest.signatures import KeyKind, PublicKey, Signatures
from adyton.errors import MalformedEvidence
from adyton.formats.check import Check
from adyton.formats.x509 import Certificate, pem_blocks

_REMEDY: Final = "collect the evidence or the collateral again; if it stays so, its source is not to be trusted"


@dataclass(frozen=True, slots=True)
class ChainKind:
    """What a chain has to look like.

    Attributes:
        code: Prefix of its checks.
        phrases: What each common name contains, leaf first.
        keys: The kind of each key, leaf first.
        where: Where such a chain stands, in words.
        leaf_signs: Whether the leaf is a CA's too.
    """

    code: str
    phrases: tuple[str, ...]
    keys: tuple[KeyKind, ...]
    where: str
    leaf_signs: bool = False

    @property
    def vendor(self) -> str:
        """The first part of its code: `dcap` or `snp`."""
        return self.code.partition(".")[0]


_ROOT: Final = "SGX Root CA"
_P256: Final = KeyKind.P256
_AMD_KEYS: Final = (KeyKind.P384, KeyKind.RSA4096, KeyKind.RSA4096)
PCK: Final = ChainKind(
    "dcap.pck_chain", ("SGX PCK Certificate", "SGX PCK", _ROOT), (_P256,) * 3, "quote, certification data"
)
PCK_CRL: Final = ChainKind(
    "dcap.pck_crl_chain", ("SGX PCK", _ROOT), (_P256,) * 2, "collateral, pck_crl_issuer_chain", leaf_signs=True
)
TCB_INFO: Final = ChainKind(
    "dcap.tcb_info_chain", ("SGX TCB Signing", _ROOT), (_P256,) * 2, "collateral, tcb_info_issuer_chain"
)
QE_IDENTITY: Final = ChainKind(
    "dcap.qe_identity_chain", ("SGX TCB Signing", _ROOT), (_P256,) * 2, "collateral, qe_identity_issuer_chain"
)
VCEK: Final = ChainKind("snp.vcek_chain", ("SEV-VCEK", "SEV-", "ARK-"), _AMD_KEYS, "endorsements")
VLEK: Final = ChainKind("snp.vlek_chain", ("SEV-VLEK", "SEV-VLEK-", "ARK-"), _AMD_KEYS, "endorsements")


@dataclass(frozen=True, slots=True)
class Chain:
    """A verified chain.

    Attributes:
        certificates: Leaf first, root last.
        keys: Their public keys.
        root: The trusted root that it ends at.
        issued: The latest `notBefore`, UTC.
        expires: The earliest `notAfter`, UTC.
    """

    certificates: tuple[Certificate, ...]
    keys: tuple[PublicKey, ...]
    root: TrustRoot
    issued: datetime
    expires: datetime

    @property
    def leaf(self) -> Certificate:
        """The first certificate."""
        return self.certificates[0]

    @property
    def issuer(self) -> Certificate:
        """The second certificate: the leaf's issuer."""
        return self.certificates[1]


_Link = tuple[Certificate, PublicKey]


class Certificates:
    """The certificates of one verification: each parsed once, each signature verified once.

    Args:
        roots: The roots that a chain may end at.
        signatures: Where signatures are verified.
    """

    def __init__(self, roots: TrustRoots, signatures: Signatures) -> None:
        self._roots = roots
        self._decoded: dict[bytes, tuple[bytes, ...]] = {}
        self._read: dict[bytes, _Link] = {}
        self.signatures = signatures

    def beside(self) -> Certificates:
        """Return what knows all that is known here, and adds nothing to it."""
        other = Certificates(self._roots, self.signatures.beside())
        other._read = self._read.copy()
        return other

    def verify_pem(self, pem: bytes, kind: ChainKind) -> tuple[Chain, tuple[Check, ...]]:
        """Verify a chain that is PEM text; see `verify`."""
        return self.verify(self._blocks(pem, kind), kind)

    def verify(self, ders: tuple[bytes, ...], kind: ChainKind) -> tuple[Chain, tuple[Check, ...]]:
        """Verify a chain.

        Args:
            ders: The certificates, DER, leaf first.
            kind: What the chain has to look like.

        Returns:
            The chain, and its checks, all passed.

        Raises:
            MalformedEvidence: `<kind>.format`.
            UntrustedEvidence: `dcap.chain.untrusted_root` or `snp.chain.untrusted_root`; `<kind>.names`,
                `<kind>.usage`, `<kind>.signature`.
        """
        # 1
        links = self._links(ders, kind)
        certificates, keys = (tuple(part) for part in zip(*links, strict=True))
        # 2
        root, trusted = self._trusted_root(keys[-1], kind)
        # 3, 4, 5
        checks = (trusted, _names(certificates, kind), _usage(certificates, kind), self._signed(links, kind))
        issued = max(certificate.not_before for certificate in certificates)
        expires = min(certificate.not_after for certificate in certificates)
        return Chain(certificates, keys, root, issued, expires), checks

    def expect(self, pem: bytes, kind: ChainKind) -> None:
        """Announce the signatures of a chain that will be verified.

        Raises:
            MalformedEvidence: `<kind>.format`.
        """
        for child, issuer in _with_issuers(self._links(self._blocks(pem, kind), kind)):
            self.signatures.expect(issuer[1], child[0].signed.signature, child[0].signed.content)

    def leaf_key(self, pem: bytes, kind: ChainKind) -> PublicKey:
        """Return the key of a chain's leaf, of which nothing is verified.

        Raises:
            MalformedEvidence: `<kind>.format`.
        """
        return self._links(self._blocks(pem, kind), kind)[0][1]

    def _blocks(self, pem: bytes, kind: ChainKind) -> tuple[bytes, ...]:
        blocks = self._decoded.get(pem)
        if blocks is None:
            try:
                blocks = self._decoded[pem] = pem_blocks(pem)
            except MalformedEvidence as error:
                raise _malformed(kind, error.message) from error
        return blocks

    def _links(self, ders: tuple[bytes, ...], kind: ChainKind) -> tuple[_Link, ...]:
        if len(ders) != len(kind.phrases):
            raise _malformed(kind, f"expected {len(kind.phrases)} certificates, found {len(ders)}")
        return tuple(self._link(der, wanted, kind) for der, wanted in zip(ders, kind.keys, strict=True))

    def _link(self, der: bytes, wanted: KeyKind, kind: ChainKind) -> _Link:
        link = self._read.get(der)
        if link is None:
            link = self._read[der] = _parse(der, kind)
        if link[1].kind is not wanted:
            raise _malformed(kind, f"expected a key of {wanted.value}, found one of {link[1].kind.value}")
        return link

    def _trusted_root(self, key: PublicKey, kind: ChainKind) -> tuple[TrustRoot, Check]:
        found = TrustRoot.of(key.data)
        root = self._roots.find(key.data)
        check = require(
            f"{kind.vendor}.chain.untrusted_root",
            holds=root is not None,
            expected=f"a chain to {' or '.join(sorted(self._roots.names))}",
            actual=f"a chain to {found.name}",
            remedy="use evidence from a platform that the policy names, or name this one in the policy's roots",
            where=kind.where,
        )
        return found, check

    def _signed(self, links: tuple[_Link, ...], kind: ChainKind) -> Check:
        holds = all(self._is_issued(child[0], *issuer) for child, issuer in _with_issuers(links))
        return require(
            f"{kind.code}.signature",
            holds=holds,
            expected="every certificate issued and signed by the next, the root by itself",
            actual="all signatures verify" if holds else "one that the next did not issue, or did not sign",
            remedy=_REMEDY,
            where=kind.where,
        )

    def _is_issued(self, child: Certificate, issuer: Certificate, key: PublicKey) -> bool:
        return child.issuer == issuer.subject and self.signatures.is_signed(child.signed, key)


def _with_issuers(links: tuple[_Link, ...]) -> Iterator[tuple[_Link, _Link]]:
    yield from pairwise(links)
    yield links[-1], links[-1]


def _parse(der: bytes, kind: ChainKind) -> _Link:
    try:
        certificate = Certificate.parse(der)
    except MalformedEvidence as error:
        raise _malformed(kind, error.message) from error
    key = PublicKey.of(certificate.public_key)
    if key is None:
        raise _malformed(kind, "expected keys of P-256, P-384 or RSA-4096, found another kind")
    return certificate, key


def _names(certificates: tuple[Certificate, ...], kind: ChainKind) -> Check:
    found = tuple(certificate.common_name for certificate in certificates)
    phrased = all(phrase in name for phrase, name in zip(kind.phrases, found, strict=True))
    return require(
        f"{kind.code}.names",
        holds=phrased,
        expected=f"names with {', '.join(kind.phrases)}",
        actual=", ".join(found),
        remedy=_REMEDY,
        where=kind.where,
    )


def _usage(certificates: tuple[Certificate, ...], kind: ChainKind) -> Check:
    found = tuple(certificate.signs for certificate in certificates)
    return require(
        f"{kind.code}.usage",
        holds=found == (kind.leaf_signs, *[True] * (len(certificates) - 1)),
        expected="CAs only" if kind.leaf_signs else "CAs that may sign certificates, and a leaf that may not",
        actual=", ".join("CA" if signs else "no CA" for signs in found),
        remedy=_REMEDY,
        where=kind.where,
    )


def _malformed(kind: ChainKind, found: str) -> MalformedEvidence:
    return MalformedEvidence(f"{kind.code}.format", f"certificate chain: {found}", remedy=_REMEDY)
