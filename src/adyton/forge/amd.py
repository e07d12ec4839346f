"""A vendor of simulated SEV-SNP chips: ARK, ASK and ASVK, VCEK and VLEK certificates, revocation lists, reports.

The certificates follow AMD 57230 in names, serial numbers (0 in every VCEK), algorithms and extensions. General X.509
libraries refuse to write a serial number of 0, so the DER is written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ObjectIdentifier

from adyton.forge.keys import published_rsa_keys, sign_pss, sign_raw
from adyton.formats.der import Tag, element, encode_value
from adyton.formats.snp import SnpEndorsements, SnpReport, TcbVersion

_LIFE: Final = timedelta(days=365 * 20)
_SEQUENCE, _SET, _EXPLICIT_0, _EXPLICIT_3 = Tag.SEQUENCE, Tag.SET, 0xA0, 0xA3
_PSS_SHA384: Final = bytes.fromhex(
    "304606092a864886f70d01010a3039a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402"
    "020500a203020130a303020101"
)
_AMD: Final = "1.3.6.1.4.1.3704.1"
_COMMON_NAME, _ORGANISATION = "2.5.4.3", "2.5.4.10"
_ORGANISATION_NAME: Final = "Adyton Simulated Platform"


@dataclass(frozen=True, slots=True)
class AmdKeys:
    """A vendor's signing keys, RSA-4096.

    Attributes:
        ark: The root's.
        ask: The CA's that certifies chips.
        asvk: The CA's that certifies cloud providers' keys.
    """

    ark: rsa.RSAPrivateKey = field(default_factory=lambda: published_rsa_keys()[0], repr=False)
    ask: rsa.RSAPrivateKey = field(default_factory=lambda: published_rsa_keys()[1], repr=False)
    asvk: rsa.RSAPrivateKey = field(default_factory=lambda: published_rsa_keys()[2], repr=False)


@dataclass(frozen=True, slots=True)
class LeafFacts:
    """What a VCEK or VLEK certificate says.

    Attributes:
        tcb: The firmware versions that the key stands for.
        product_name: Such as `Milan-B0`.
        hardware_id: The chip, 64 bytes or on Turin 8; None leaves it out, as in a VLEK.
        csp_id: The cloud provider of a VLEK; None leaves it out, as in a VCEK.
        bare_hardware_id: Whether the id stands without the header of its OCTET STRING, as AMD once wrote it.
    """

    tcb: TcbVersion
    product_name: str
    hardware_id: bytes | None = None
    csp_id: str | None = None
    bare_hardware_id: bool = True

    def extensions(self) -> dict[str, bytes]:
        """Return the extensions' values, by their identifiers."""
        found = {f"{_AMD}.1": encode_value(0), f"{_AMD}.2": element(Tag.IA5_STRING, self.product_name.encode())}
        arcs = {"boot_loader": 1, "tee": 2, "snp": 3, "microcode": 8, "fmc": 9}
        found |= {f"{_AMD}.3.{arcs[name]}": encode_value(version) for name, version in self.tcb.named()}
        if self.hardware_id is not None:
            bare = self.bare_hardware_id
            found[f"{_AMD}.4"] = self.hardware_id if bare else element(Tag.OCTET_STRING, self.hardware_id)
        if self.csp_id is not None:
            found[f"{_AMD}.5"] = element(Tag.IA5_STRING, self.csp_id.encode())
        return found


class AmdVendor:
    """A vendor of one product's simulated chips.

    Args:
        product: `Milan`, `Genoa` or `Turin`.
        keys: Its signing keys; by default the published ones.
        since: From when on its certificates are valid.
    """

    def __init__(self, product: str, *, since: datetime, keys: AmdKeys | None = None) -> None:
        self.product, self.keys, self._since = product, keys or AmdKeys(), since
        ark = f"ARK-{product}"
        self.ark = self._ca(ark, self.keys.ark, serial=0x10000)
        self.ask = self._ca(f"SEV-{product}", self.keys.ask, serial=0x10001)
        self.asvk = self._ca(f"SEV-VLEK-{product}", self.keys.asvk, serial=0x10002)

    @property
    def root_key(self) -> bytes:
        """The root's public key, DER SubjectPublicKeyInfo."""
        return _public(self.keys.ark)

    def vcek(self, facts: LeafFacts, key: ec.EllipticCurvePrivateKey, *, common_name: str = "SEV-VCEK") -> bytes:
        """Certify a chip's key, DER."""
        return self._leaf(common_name, facts, key, f"SEV-{self.product}", self.keys.ask)

    def vlek(self, facts: LeafFacts, key: ec.EllipticCurvePrivateKey) -> bytes:
        """Certify a cloud provider's key, DER."""
        return self._leaf("SEV-VLEK", facts, key, f"SEV-VLEK-{self.product}", self.keys.asvk)

    def crl(self, issued: datetime, expires: datetime, *, number: int = 1, revoked: Iterable[int] = ()) -> bytes:
        """Return the root's revocation list, DER."""
        entries = b"".join(element(_SEQUENCE, encode_value(serial) + _moment(issued)) for serial in revoked)
        extensions = _extensions({"2.5.29.20": encode_value(number)}, critical=())
        content = element(
            _SEQUENCE,
            encode_value(1)
            + _PSS_SHA384
            + _name(f"ARK-{self.product}")
            + _moment(issued)
            + _moment(expires)
            + (element(_SEQUENCE, entries) if entries else b"")
            + element(_EXPLICIT_0, extensions),
        )
        return _signed(content, self.keys.ark)

    def endorsements(self, leaf: bytes, *, vlek: bool = False, crl: bytes = b"") -> SnpEndorsements:
        """Return a leaf with its issuers."""
        return SnpEndorsements(leaf, self.asvk if vlek else self.ask, self.ark, crl)

    def _ca(self, name: str, key: rsa.RSAPrivateKey, *, serial: int) -> bytes:
        usage = element(Tag.BIT_STRING, b"\x01\x06")
        constraints = element(_SEQUENCE, b"\x01\x01\xff")
        extensions = {"2.5.29.15": usage, "2.5.29.19": constraints}
        issuer = f"ARK-{self.product}"
        return self._certificate(
            name, _public(key), issuer, self.keys.ark, serial, extensions, ("2.5.29.15", "2.5.29.19")
        )

    def _leaf(
        self, name: str, facts: LeafFacts, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: rsa.RSAPrivateKey
    ) -> bytes:
        return self._certificate(name, _public(key), issuer, issuer_key, 0, facts.extensions(), ())

    def _certificate(
        self,
        name: str,
        public_key: bytes,
        issuer: str,
        issuer_key: rsa.RSAPrivateKey,
        serial: int,
        extensions: Mapping[str, bytes],
        critical: tuple[str, ...],
    ) -> bytes:
        content = element(
            _SEQUENCE,
            element(_EXPLICIT_0, encode_value(2))
            + encode_value(serial)
            + _PSS_SHA384
            + _name(issuer)
            + element(_SEQUENCE, _moment(self._since) + _moment(self._since + _LIFE))
            + _name(name)
            + public_key
            + element(_EXPLICIT_3, _extensions(extensions, critical=critical)),
        )
        return _signed(content, issuer_key)


def sign_report(report: SnpReport, key: ec.EllipticCurvePrivateKey) -> SnpReport:
    """Return the report with the signature of a chip's key."""
    return replace(report, signature=sign_raw(key, report.signed_bytes()))


def _signed(content: bytes, key: rsa.RSAPrivateKey) -> bytes:
    return element(_SEQUENCE, content + _PSS_SHA384 + element(Tag.BIT_STRING, b"\x00" + sign_pss(key, content)))


def _extensions(values: Mapping[str, bytes], *, critical: tuple[str, ...]) -> bytes:
    marks = {name: b"\x01\x01\xff" if name in critical else b"" for name in values}
    return element(
        _SEQUENCE,
        b"".join(
            element(_SEQUENCE, encode_value(ObjectIdentifier(name)) + marks[name] + element(Tag.OCTET_STRING, value))
            for name, value in values.items()
        ),
    )


def _name(common_name: str) -> bytes:
    parts = ((_ORGANISATION, _ORGANISATION_NAME), (_COMMON_NAME, common_name))
    return element(
        _SEQUENCE,
        b"".join(
            element(
                _SET,
                element(_SEQUENCE, encode_value(ObjectIdentifier(kind)) + element(Tag.UTF8_STRING, text.encode())),
            )
            for kind, text in parts
        ),
    )


def _moment(moment: datetime) -> bytes:
    return element(Tag.UTC_TIME, f"{moment.astimezone(UTC):%y%m%d%H%M%SZ}".encode())


def _public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
