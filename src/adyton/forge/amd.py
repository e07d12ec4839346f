"""A vendor of simulated SEV-SNP chips: ARK, ASK and ASVK, certificates of chips and fleets, revocation lists, reports.

The certificates follow AMD 57230, common names included (`ARK-Milan`, `SEV-Milan`, `SEV-VCEK`), under keys of their
own; the organisation is `Adyton Simulated Platform`. AMD numbers every VCEK and VLEK with serial 0, and so does this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from adyton.forge import der
from adyton.forge.certificates import (
    COMMON_NAME,
    COUNTRY,
    LOCALITY,
    ORGANISATION,
    ORGANISATIONAL_UNIT,
    STATE,
    Subject,
    authority_key,
    basic_constraints,
    certificate,
    distribution_point,
    extension,
    key_usage,
    name,
    revocation_list,
)
from adyton.forge.keys import EcSigner, PssSigner, stream
from adyton.forge.primes import Distances, seeded_rsa
from adyton.forge.vendor import ORGANISATION_NAME
from adyton.formats.snp import SigningKey, SnpEndorsements, SnpReport, TcbVersion

ARK_SERIAL: Final = 0x10000
ASK_SERIAL: Final = 0x10001
ASVK_SERIAL: Final = 0x10002
_CRL_POINT: Final = "https://simulated.adyton.invalid/crl.der"
_AUTHORITY_LIFE: Final = timedelta(days=9131)
_CHIP_LIFE: Final = timedelta(days=2556)
_AMD: Final = "1.3.6.1.4.1.3704.1"
_SALT_SIZE: Final = 48
_KEY_NAMES: Final = ("ark", "ask", "asvk")
# How far the primes are from the numbers that these seeds name (`adyton.forge.primes`).
_DISTANCES: Final[dict[bytes, tuple[Distances, Distances, Distances]]] = {
    b"adyton conformance": ((96, 2512), (494, 2552), (2598, 322)),
    b"adyton another vendor": ((1042, 554), (398, 134), (2248, 728)),
}


@dataclass(frozen=True, slots=True)
class AmdKeys:
    """The keys of a product's authorities, RSA-4096.

    Attributes:
        ark: The root's.
        ask: Certifies chips.
        asvk: Certifies fleets of cloud providers.
        salt: A fixed salt for PSS, 48 bytes; None takes a fresh one each time.
    """

    ark: rsa.RSAPrivateKey = field(repr=False)
    ask: rsa.RSAPrivateKey = field(repr=False)
    asvk: rsa.RSAPrivateKey = field(repr=False)
    salt: bytes | None = None

    @classmethod
    def generate(cls) -> Self:
        """Make fresh keys: some seconds."""
        ark, ask, asvk = (rsa.generate_private_key(65537, 4096) for _ in _KEY_NAMES)
        return cls(ark, ask, asvk)

    @classmethod
    def seeded(cls, seed: bytes) -> Self:
        """Return the keys that a seed names: at once for the two seeds below, and in some seconds for any other."""
        known = _DISTANCES.get(seed, (None, None, None))
        ark, ask, asvk = (seeded_rsa(seed, label, each) for label, each in zip(_KEY_NAMES, known, strict=True))
        return cls(ark, ask, asvk, stream(seed, "salt", _SALT_SIZE))


@dataclass(frozen=True, slots=True)
class ChipFacts:
    """What a VCEK or VLEK certificate says.

    Attributes:
        product_name: Such as `Milan-B0`.
        tcb: The firmware versions that the key stands for; with an FMC on Turin.
        hardware_id: The chip's id, 64 bytes or on Turin 8; None in a VLEK.
        csp_id: The cloud provider that a VLEK is for; None in a VCEK.
        wrapped: Whether the hardware id stands in an OCTET STRING of its own, as AMD once wrote it.
    """

    product_name: str
    tcb: TcbVersion
    hardware_id: bytes | None = None
    csp_id: str | None = None
    wrapped: bool = False


@dataclass(frozen=True, slots=True)
class SnpKey:
    """A certified key that signs reports.

    Attributes:
        signer: The key, P-384.
        certificate: Its certificate, DER.
        kind: VCEK or VLEK.
    """

    signer: EcSigner
    certificate: bytes
    kind: SigningKey

    def sign(self, report: SnpReport) -> SnpReport:
        """Sign a report, whatever it says."""
        return replace(report, signature=self.signer.sign_raw(report.signed_bytes()))


class AmdVendor:
    """A vendor of one product's chips, from its keys.

    Args:
        keys: Its keys.
        product: `Milan`, `Genoa` or `Turin`.
        since: From when on its certificates are valid.
    """

    def __init__(self, keys: AmdKeys, product: str, *, since: datetime) -> None:
        self.product = product
        self._since = since
        self._deterministic = keys.salt is not None
        self._ark, self._ask, self._asvk = (PssSigner(key, keys.salt) for key in (keys.ark, keys.ask, keys.asvk))
        self._ark_name, self._ask_name = _name(f"ARK-{product}"), _name(f"SEV-{product}")
        self._asvk_name = _name(f"SEV-VLEK-{product}")
        self.ark = self._authority(self._ark_name, self._ark, ARK_SERIAL)
        self.ask = self._authority(self._ask_name, self._ask, ASK_SERIAL)
        self.asvk = self._authority(self._asvk_name, self._asvk, ASVK_SERIAL)

    @property
    def root_key(self) -> bytes:
        """The ARK's public key: SubjectPublicKeyInfo, DER."""
        return self._ark.public_key

    def issue_vcek(self, chip: ChipFacts, key: ec.EllipticCurvePrivateKey) -> SnpKey:
        """Certify a chip's key."""
        return self._issue(chip, key, SigningKey.VCEK)

    def issue_vlek(self, fleet: ChipFacts, key: ec.EllipticCurvePrivateKey) -> SnpKey:
        """Certify the key of a cloud provider's fleet."""
        return self._issue(fleet, key, SigningKey.VLEK)

    def endorsements(self, key: SnpKey, *, crl: bytes = b"") -> SnpEndorsements:
        """Return the certificates that a key's reports are checked with."""
        intermediate = self.ask if key.kind is SigningKey.VCEK else self.asvk
        return SnpEndorsements(key.certificate, intermediate, self.ark, crl)

    def crl(self, issued: datetime, expires: datetime, *, number: int = 1, revoked: Iterable[int] = ()) -> bytes:
        """Return the ARK's revocation list, DER."""
        return revocation_list(
            self._ark_name, self._ark, issued=issued, expires=expires, number=number, revoked=revoked
        )

    def _authority(self, subject: bytes, signer: PssSigner, serial: int) -> bytes:
        root = serial == ARK_SERIAL
        extensions = (
            authority_key(self._ark.public_key),
            key_usage(ca=True),
            basic_constraints(path_length=None if root else 0),
            distribution_point(_CRL_POINT),
        )
        until = self._since + _AUTHORITY_LIFE
        facts = Subject(subject, signer.public_key, serial, self._since, until, extensions)
        return certificate(facts, self._ark_name, self._ark)

    def _issue(self, chip: ChipFacts, key: ec.EllipticCurvePrivateKey, kind: SigningKey) -> SnpKey:
        signer = EcSigner(key, self._deterministic)
        vcek = kind is SigningKey.VCEK
        until = self._since + _CHIP_LIFE
        subject = _name("SEV-VCEK" if vcek else "SEV-VLEK")
        facts = Subject(subject, signer.public_key, 0, self._since, until, tuple(_extensions(chip)))
        issuer, authority = (self._ask_name, self._ask) if vcek else (self._asvk_name, self._asvk)
        return SnpKey(signer, certificate(facts, issuer, authority), kind)


def _extensions(chip: ChipFacts) -> Iterator[bytes]:
    turin = chip.tcb.fmc is not None
    # Since Turin the structure's version is 1, and the reserved version 4 is gone (AMD 57230).
    yield extension(f"{_AMD}.1", der.integer(1 if turin else 0))
    yield extension(f"{_AMD}.2", der.ia5(chip.product_name))
    tcb = chip.tcb
    reserved = dict.fromkeys((5, 6, 7) if turin else (4, 5, 6, 7), 0)
    svns = {1: tcb.boot_loader, 2: tcb.tee, 3: tcb.snp, **reserved, 8: tcb.microcode}
    for arc, svn in svns.items():
        yield extension(f"{_AMD}.3.{arc}", der.integer(svn))
    if tcb.fmc is not None:
        yield extension(f"{_AMD}.3.9", der.integer(tcb.fmc))
    if chip.hardware_id is not None:
        yield extension(f"{_AMD}.4", der.octets(chip.hardware_id) if chip.wrapped else chip.hardware_id)
    if chip.csp_id is not None:
        yield extension(f"{_AMD}.5", der.ia5(chip.csp_id))


def _name(common_name: str) -> bytes:
    return name(
        (ORGANISATIONAL_UNIT, "Engineering"),
        (COUNTRY, "US"),
        (LOCALITY, "Santa Clara"),
        (STATE, "CA"),
        (ORGANISATION, ORGANISATION_NAME),
        (COMMON_NAME, common_name),
    )
