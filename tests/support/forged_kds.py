"""A forged AMD: ARK, ASK, a chip with its VCEK, and the reports that the chip signs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from adyton.attest import TrustRoot
from adyton.formats.snp import SnpReport, TcbVersion

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
PRODUCT = "Milan"
CHIP_ID = bytes(range(64))
TCB = TcbVersion(boot_loader=3, tee=0, snp=8, microcode=115)
_AMD = "1.3.6.1.4.1.3704.1"
_PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=48)


class ForgedChip:
    """A chip, and the vendor that certifies it."""

    def __init__(self):
        self._ark_key, self._ask_key = (rsa.generate_private_key(65537, 4096) for _ in range(2))
        self._vcek_key = ec.generate_private_key(ec.SECP384R1())
        ark, ask = _name(f"ARK-{PRODUCT}"), _name(f"SEV-{PRODUCT}")
        self._ark = _certify(ark, self._ark_key.public_key(), ark, self._ark_key, ca=True)
        self._ask = _certify(ask, self._ask_key.public_key(), ark, self._ark_key, ca=True)
        vcek = _certify(_name("SEV-VCEK"), self._vcek_key.public_key(), ask, self._ask_key, extensions=_extensions())
        self.vcek = vcek.public_bytes(Encoding.DER)
        self.cert_chain = self._ask.public_bytes(Encoding.PEM) + self._ark.public_bytes(Encoding.PEM)

    @property
    def root_name(self):
        key = self._ark_key.public_key()
        return TrustRoot.of(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).name

    def crl(self, issued, *, number=1, life=timedelta(days=30), by=None, revokes_ask=False):
        key = by or self._ark_key
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        builder = (
            x509.CertificateRevocationListBuilder(_name(f"ARK-{PRODUCT}"), issued, issued + life)
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(authority, critical=False)
        )
        if revokes_ask:
            serial = self._ask.serial_number
            builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder(serial, issued).build())
        return builder.sign(key, hashes.SHA384(), rsa_padding=_PSS).public_bytes(Encoding.DER)

    def report(self, *, version=3, chip_id=CHIP_ID, flags=0):
        unsigned = SnpReport(
            version=version, guest_svn=0, policy=0x30000, family_id=bytes(16), image_id=bytes(16), vmpl=0,
            current_tcb=TCB.to_bytes(), platform_info=0, flags=flags, report_data=b"\xcc" * 64,
            measurement=b"\xdd" * 48, host_data=bytes(32), id_key_digest=bytes(48), author_key_digest=bytes(48),
            report_id=b"\x01" * 32, report_id_ma=b"\xff" * 32, reported_tcb=TCB.to_bytes(),
            cpuid=(0x19, 0x01, 0x01) if version >= 3 else (0, 0, 0), chip_id=chip_id, committed_tcb=TCB.to_bytes(),
            current_version=(1, 55, 1), committed_version=(1, 55, 1), launch_tcb=TCB.to_bytes(),
            launch_mitigations=bytes(8), current_mitigations=bytes(8), signature=bytes(96),
        )  # fmt: skip
        r, s = decode_dss_signature(self._vcek_key.sign(unsigned.signed_bytes(), ec.ECDSA(hashes.SHA384())))
        signature = r.to_bytes(48, "big") + s.to_bytes(48, "big")
        return SnpReport.parse(unsigned.to_bytes()[:0x2A0] + _little(signature))


@cache
def chip():
    """Return the one forged chip: its keys take seconds to make."""
    return ForgedChip()


def _little(signature):
    r, s = signature[:48], signature[48:]
    return r[::-1].ljust(72, b"\x00") + s[::-1].ljust(72, b"\x00") + bytes(368)


def _extensions():
    values = {"2": _der(0x16, f"{PRODUCT}-B0".encode()), "4": CHIP_ID}
    svns = {"1": TCB.boot_loader, "2": TCB.tee, "3": TCB.snp, "8": TCB.microcode}
    values |= {f"3.{arc}": _der(0x02, svn.to_bytes(svn.bit_length() // 8 + 1, "big")) for arc, svn in svns.items()}
    return [x509.UnrecognizedExtension(x509.ObjectIdentifier(f"{_AMD}.{arc}"), value) for arc, value in values.items()]


def _der(tag, content):
    return bytes([tag, len(content)]) + content


def _name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certify(subject, key, issuer, issuer_key, *, ca=False, extensions=()):
    flags = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
         "decipher_only"), False,
    )  # fmt: skip
    usage = x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **flags)
    builder = (
        x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        .not_valid_before(SINCE)
        .not_valid_after(SINCE + timedelta(days=7 * 365))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(usage, critical=True)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer_key, hashes.SHA384(), rsa_padding=_PSS)
