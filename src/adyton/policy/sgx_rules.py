"""The rules for SGX enclaves (Intel SDM Vol. 3D 38.7; Intel SDK developer reference, production enclaves).

MRENCLAVE does not cover the attributes, the product or its version, so each has a rule of its own: a verifier that pins
MRENCLAVE alone accepts debug enclaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

from adyton.formats.check import Check
from adyton.formats.policy import SgxRules
from adyton.formats.public_signers import where_public
from adyton.formats.quote import span_of
from adyton.formats.sgx import REPORT_BODY_SPANS, AttributeFlags, ReportBody
from adyton.policy.rules import Fact, accepted_code, check

_RUNNING: Final = int(AttributeFlags.INIT | AttributeFlags.MODE64BIT)
_FIELDS: Final = (
    "mr_enclave", "mr_signer", "config_id", "isv_ext_prod_id", "isv_family_id", "isv_prod_id", "isv_svn", "config_svn"
)  # fmt: skip


def appraise_enclave(body: ReportBody, rules: SgxRules, offset: int) -> Iterator[Check]:
    """Yield every check about an enclave, in order.

    Args:
        body: What the processor says about it.
        rules: What is accepted.
        offset: Where the body begins in the quote, bytes.
    """
    yield not_debug(body, rules, offset)
    yield initialised(body, offset)
    yield private_signer(body, rules, offset)
    yield from accepted_enclave(body, rules, offset)


def not_debug(body: ReportBody, rules: SgxRules, offset: int) -> Check:
    """A debug enclave's memory is the host's to read (Intel SDK, SGX_FLAGS_DEBUG)."""
    debug = body.attributes.debug
    return check(
        "sgx.attributes.debug",
        holds=not debug,
        expected="a production enclave",
        actual="a debug enclave" if debug else "a production enclave",
        remedy="sign it with debug disabled and launch it without the debug flag",
        waived=rules.dangerous_allow_debug,
        where=where("attributes", offset),
    )


def initialised(body: ReportBody, offset: int) -> Check:
    """An enclave that reports is initialised and runs in 64-bit mode."""
    flags = body.attributes.flags
    return check(
        "sgx.attributes.mode",
        holds=flags & _RUNNING == _RUNNING,
        expected="INIT and MODE64BIT set",
        actual=f"flags {flags:#x}",
        remedy="build a 64-bit enclave",
        where=where("attributes", offset),
    )


def private_signer(body: ReportBody, rules: SgxRules, offset: int) -> Check:
    """The signing key is not one that anybody can sign with."""
    public = where_public(body.mr_signer)
    return check(
        "sgx.mr_signer.public",
        holds=public is None,
        expected="a signing key that only its owner has",
        actual=f"{body.mr_signer.hex()}, a key that is public: {public}" if public else "not known to be public",
        remedy="sign the enclave with a key of your own",
        waived=rules.dangerous_allow_public_signers,
        where=where("mr_signer", offset),
    )


def accepted_enclave(body: ReportBody, rules: SgxRules, offset: int) -> Iterator[Check]:
    """The enclave is one that the policy names."""
    fields = _FIELDS if rules.enclaves else _FIELDS[:1]
    return accepted_code(
        "sgx.enclave",
        "enclave",
        anything=rules.dangerous_any_enclave,
        references=rules.enclaves,
        facts={name: Fact(getattr(body, name), where(name, offset)) for name in fields},
        main="mr_enclave",
    )


@cache
def where(name: str, offset: int) -> str:
    """Return where a field of the body stands in a quote, in words."""
    begin, size = REPORT_BODY_SPANS[name]
    return span_of("quote", offset + begin, size)
