"""Checking a receipt, with nothing but the broker's public key."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from adyton.errors import UntrustedEvidence
from adyton.formats.ledger import includes
from adyton.formats.receipt import LedgerEntry, Receipt, TreeHead


def sign_head(head: TreeHead, key: ec.EllipticCurvePrivateKey) -> TreeHead:
    """Sign a head."""
    r, s = decode_dss_signature(key.sign(head.signed_bytes(), ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return TreeHead(size=head.size, root=head.root, at=head.at, signature=signature)


def verify_head(head: TreeHead, key: ec.EllipticCurvePublicKey) -> None:
    """Verify that a broker signed a head.

    Raises:
        UntrustedEvidence: `ledger.head.signature`.
    """
    r, s = int.from_bytes(head.signature[:32], "big"), int.from_bytes(head.signature[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), head.signed_bytes(), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        raise UntrustedEvidence(
            "ledger.head.signature",
            "expected a tree head signed by this broker, found a signature that does not verify",
            remedy="check it with the public key of the broker that gave it (GET /v1/broker)",
        ) from None


def verify_receipt(receipt: Receipt, key: ec.EllipticCurvePublicKey) -> LedgerEntry:
    """Verify a receipt, and return what it proves.

    Args:
        receipt: The document (`Receipt.parse`).
        key: The broker's signing key.

    Raises:
        UntrustedEvidence: `ledger.head.signature`; `receipt.proof` if the entry is not in the signed tree.
        MalformedDocument: `receipt.invalid`.
    """
    verify_head(receipt.head, key)
    if not includes(receipt.entry, receipt.position, receipt.head.size, receipt.proof, receipt.head.root):
        raise UntrustedEvidence(
            "receipt.proof",
            f"expected entry {receipt.position} in the signed tree of {receipt.head.size}, found that it is not",
            remedy="the entry, its place or the proof was changed: fetch the receipt from its broker again",
        )
    return receipt.content()
