"""Fuzz the readers of enclave images, signatures and manifests."""

from __future__ import annotations

import contextlib

from harness import main
from seeds import image, sigstruct

from adyton.errors import MalformedDocument, MalformedEvidence, UntrustedEvidence
from adyton.formats.enclave import EnclaveManifest
from adyton.formats.image import EnclaveImage
from adyton.formats.sigstruct import SigStruct


def seeds() -> list[bytes]:
    """Return an image's first pages, and a signature."""
    return [image()[: 64 + 2 * 5184], sigstruct(), b'{"name":"a"}']


def one_input(data: bytes) -> None:
    """Parse the bytes as each of them."""
    with contextlib.suppress(MalformedDocument):
        parsed = EnclaveImage.parse(data)
        parsed.read_text(parsed.entry)
    with contextlib.suppress(MalformedEvidence, UntrustedEvidence):
        signature = SigStruct.parse(data)
        assert signature.to_bytes() == data
        signature.verify()
    with contextlib.suppress(MalformedDocument):
        EnclaveManifest.parse(data)


if __name__ == "__main__":
    main(one_input, seeds())
