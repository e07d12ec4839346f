"""Fuzz the readers of messages: the KBS protocol, the processor's, receipts, results, policies, data sets."""

from __future__ import annotations

import contextlib

from harness import main

from adyton.errors import MalformedDocument, UntrustedEvidence
from adyton.formats import simcpu
from adyton.formats.kbs import Attestation, EncryptedResource, KeyBrokerRequest, RuntimeData, TeePublicKey, parse
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.receipt import Receipt
from adyton.formats.result import SignedResult
from adyton.guest.dataset import decrypt, encrypt
from adyton.policy import builtin_policy

_KEY = bytes(32)


def seeds() -> list[bytes]:
    """Return one of each."""
    key = TeePublicKey(x="A" * 43, y="A" * 43)
    result = SignedResult(payload=b"payload", point=bytes(65), signature=bytes(64), quote=b"quote")
    return [
        builtin_policy("strict").to_bytes(),
        result.to_bytes(),
        simcpu.encode(simcpu.CreateEnclave(sigstruct=bytes(1808))),
        simcpu.encode(simcpu.GetTargetInfo()),
        b'{"version":"0.4.0","tee":"sgx","extra-params":{}}',
        RuntimeData(nonce="nonce", tee_pubkey=key).report_data(""),
        encrypt(b"plaintext", _KEY, name="name"),
        b'{"entry":"AA==","position":0,"proof":[],"head":{"size":1,"root":"AA==","at":"2026-01-01T00:00:00Z"}}',
    ]


def one_input(data: bytes) -> None:
    """Read the bytes as each kind of message."""
    readers = [
        AppraisalPolicy.parse,
        SignedResult.parse,
        Receipt.parse,
        simcpu.decode_host_request,
        simcpu.decode_enclave_request,
        simcpu.decode_reply,
        *(
            lambda content, kind=kind: parse(content, kind)
            for kind in (KeyBrokerRequest, Attestation, EncryptedResource)
        ),
    ]
    for read in readers:
        with contextlib.suppress(MalformedDocument):
            read(data)
    with contextlib.suppress(MalformedDocument, UntrustedEvidence):
        assert decrypt(data, _KEY, name="name") == b"plaintext"


if __name__ == "__main__":
    main(one_input, seeds())
