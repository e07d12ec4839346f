"""Signing an enclave: an RSA-3072 key with exponent 3, and the SIGSTRUCT that it makes."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from adyton.errors import UsageError
from adyton.formats.image import EnclaveImage
from adyton.formats.public_signers import where_public
from adyton.formats.sgx import AttributeFlags, Attributes
from adyton.formats.sigstruct import KEY_SIZE, SigStruct
from adyton.sdk.project import ProductIdentity

_BITS: Final = 3072
_EXPONENT: Final = 3
_LEGACY_XFRM: Final = 3
_ALL: Final = 0xFFFFFFFFFFFFFFFF


class SigningKey:
    """A signer's key.

    Args:
        key: RSA, 3,072 bits, exponent 3.

    Raises:
        UsageError: `sdk.sign.key` for any other key.
    """

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        if key.key_size != _BITS or key.public_key().public_numbers().e != _EXPONENT:
            raise _bad_key(f"RSA with {key.key_size} bits and exponent {key.public_key().public_numbers().e}")

    @classmethod
    def generate(cls) -> Self:
        """Make a fresh key."""
        return cls(rsa.generate_private_key(_EXPONENT, _BITS))

    @classmethod
    def load(cls, pem: bytes, *, passphrase: bytes | None = None) -> Self:
        """Read a key from PEM.

        Raises:
            UsageError: `sdk.sign.key`.
        """
        try:
            key = serialization.load_pem_private_key(pem, passphrase)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise _bad_key("something that is not a PEM private key, or its passphrase is wrong") from error
        if not isinstance(key, rsa.RSAPrivateKey):
            raise _bad_key("another kind of key")
        return cls(key)

    @property
    def modulus(self) -> int:
        """The public modulus."""
        return self._key.public_key().public_numbers().n

    @property
    def mr_signer(self) -> bytes:
        """SHA-256 of the modulus, little-endian: 32 bytes."""
        return hashlib.sha256(self.modulus.to_bytes(KEY_SIZE, "little")).digest()

    def sign(self, message: bytes) -> int:
        """Sign with PKCS#1 v1.5 and SHA-256."""
        return int.from_bytes(self._key.sign(message, padding.PKCS1v15(), hashes.SHA256()), "big")


def sign(
    image: EnclaveImage,
    identity: ProductIdentity,
    key: SigningKey,
    *,
    built: date,
    dangerous_allow_public_signer: bool = False,
) -> SigStruct:
    """Sign an enclave.

    Unless the identity allows debugging, the signature forbids it: a debug launch is refused by the processor.

    Args:
        image: What to sign.
        identity: Product, version, and whether it may be debugged.
        key: The signer's key.
        built: The date that the signature carries.
        dangerous_allow_public_signer: Sign with a key that anybody has; for tests of what denies it.

    Raises:
        UsageError: `sdk.sign.public_key` if the key is publicly known.
    """
    where = where_public(key.mr_signer)
    if where is not None and not dangerous_allow_public_signer:
        raise UsageError(
            "sdk.sign.public_key",
            f"expected a key that only its owner has, found {key.mr_signer.hex()}, which is public: {where}",
            remedy="make a key of your own: openssl genrsa -3 3072",
        )
    debug = AttributeFlags.DEBUG if identity.allow_debug else 0
    unsigned = SigStruct(
        vendor=0,
        date=int(f"{built:%Y%m%d}", 16),
        software=0,
        modulus=key.modulus,
        signature=0,
        misc_select=0,
        misc_mask=0xFFFFFFFF,
        isv_family_id=bytes(16),
        attributes=Attributes(AttributeFlags.MODE64BIT, _LEGACY_XFRM),
        attribute_mask=Attributes(_ALL & ~AttributeFlags.INIT & ~debug, _ALL & ~_LEGACY_XFRM),
        enclave_hash=image.mr_enclave,
        isv_ext_prod_id=bytes(16),
        isv_prod_id=identity.isv_prod_id,
        isv_svn=identity.isv_svn,
    )
    return unsigned.with_signature(key.sign(unsigned.signed_bytes()))


def _bad_key(found: str) -> UsageError:
    return UsageError(
        "sdk.sign.key",
        f"expected an RSA key with {_BITS} bits and exponent {_EXPONENT}, found {found}",
        remedy="make one: openssl genrsa -3 3072",
    )
