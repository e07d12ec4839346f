"""A TEE's side of a session with a broker: its own key, evidence that binds it, and what the broker sends back.

The untrusted host may carry the messages: what comes back is encrypted to a key that never leaves the TEE, and the
quote binds that key to the broker's nonce.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import msgspec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from adyton import linux
from adyton.errors import MalformedDocument, UntrustedEvidence
from adyton.formats.kbs import (
    Attestation,
    EncryptedResource,
    QuoteEvidence,
    RuntimeData,
    TeeEvidence,
    TeePublicKey,
    parse,
)
from adyton.guest.evidence import EvidenceProvider

ALGORITHMS: Final = ["ECDH-ES+A256KW", "A256GCM"]


class AttestedSession:
    """One key and the evidence for it.

    Args:
        provider: Makes the quotes.
    """

    def __init__(self, provider: EvidenceProvider) -> None:
        self._provider = provider
        self._key = ECKey.generate_key("P-256", private=True)
        public = self._key.as_dict(private=False)
        self.public_key = TeePublicKey(x=str(public["x"]), y=str(public["y"]))

    def attestation(self, nonce: str) -> bytes:
        """Return the protocol's Attestation message: evidence over this key and the broker's nonce.

        Raises:
            EnclaveError: No quote could be made.
        """
        runtime_data = RuntimeData(nonce=nonce, tee_pubkey=self.public_key)
        quote = self._provider.quote(runtime_data.report_data(""))
        evidence = TeeEvidence(primary_evidence=QuoteEvidence(quote=quote))
        return msgspec.json.encode(Attestation(runtime_data=runtime_data, tee_evidence=evidence))

    @contextlib.contextmanager
    def open(self, released: bytes) -> Iterator[memoryview]:
        """Open what the broker released, and hold it in memory that the kernel does not map, wiped at the end.

        Args:
            released: A JWE in flattened JSON form.

        Raises:
            UntrustedEvidence: `session.released` if it is not encrypted to this session's key, or was changed.
        """
        try:
            compact = parse(released, EncryptedResource).to_compact()
            opened = jwe.decrypt_compact(compact, self._key, algorithms=ALGORITHMS)
        except (JoseError, MalformedDocument, ValueError, TypeError, KeyError) as error:
            raise UntrustedEvidence(
                "session.released",
                "expected a release encrypted to this session's key, found something that does not open",
                remedy="attest again: a release opens with the key that asked for it, and no other",
            ) from error
        with linux.secret_memory(opened.plaintext or b"") as secret:
            yield secret
