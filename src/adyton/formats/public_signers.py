"""Signers whose private key is public: anybody can sign an enclave in their name.

Each entry was found as an RSA-3072, e = 3 private key in a public repository, or is published by this project on
purpose. A policy has to name an exception before it accepts an enclave of such a signer.
"""

from __future__ import annotations

from typing import Final

_INTEL_ECLIPSE: Final = "Intel's Eclipse plug-in template"
_INTEL_LAUNCH: Final = "Intel's reference launch enclave, test keys"
_OPEN_ENCLAVE: Final = "Open Enclave SDK samples"

PUBLIC_SIGNERS: Final[dict[bytes, str]] = {
    bytes.fromhex(mr_signer): where
    for mr_signer, where in (
        ("83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e", f"{_INTEL_ECLIPSE}, Teaclave samples"),
        ("5e70caf3b3bb3b5dfaacfeaea8c2170d94e2f8c347b896f38640692b770e223f", _INTEL_ECLIPSE),
        ("9664d90755bd901069d4725cdd428038473d726f1cec0edf0d78e18a596b1d4e", _INTEL_LAUNCH),
        ("fbbf17d6b0700e63ad55520f17ed6d2e06c2832217cd992bad243b5022ee83bc", _INTEL_LAUNCH),
        ("c30446b4be9baf0f69728423ea613ef81a63e72acf7439fa0549001fd5482835", "Occlum's local attestation demo"),
        ("ca9ad7331448980aa28890ce73e433638377f179ab4456b2fe237193193a8d0a", "Open Enclave's debug signing key"),
        ("3b0afc0422ae85733e021ad4df327acecb8a5b6d390c97187dde080153e0fb70", _OPEN_ENCLAVE),
        ("6c1c59c89ed4dd9825649494fcb2ebf96a8a617a1d0589fe0147f0ef1b3f784d", _OPEN_ENCLAVE),
        ("9fa48b1629bd246a1de3d38fb7df97f6554cd65d6b3b72e85b86848ae6b578ba", _OPEN_ENCLAVE),
        ("eec95e4a5f78ab3d1271d9f6887398478d7ededc4137f31b31a40c2d88af4a5b", "this project's own repository"),
    )
}
"""MRSIGNER to where the private key is public."""


def where_public(mr_signer: bytes) -> str | None:
    """Return where a signer's private key is public, or None if it is not known to be.

    Args:
        mr_signer: SHA-256 of the signer's modulus, little-endian; 32 bytes.
    """
    return PUBLIC_SIGNERS.get(mr_signer)
