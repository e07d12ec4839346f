"""The rules for SGX enclaves (Intel SDM Vol. 3D 38.7; Intel SDK developer reference, production enclaves).

MRENCLAVE does not cover the attributes, the product or its version, so each has a rule of its own: a verifier that pins
MRENCLAVE alone accepts debug enclaves.
"""

from __future__ import annotations

from collections.abc import Iterator

from adyton.formats.check import Check
from adyton.formats.policy import EnclaveReference, SgxRules
from adyton.formats.public_signers import where_public
from adyton.formats.sgx import AttributeFlags, ReportBody
from adyton.policy.rules import accepted_code, check

_RUNNING = AttributeFlags.INIT | AttributeFlags.MODE64BIT


def appraise_enclave(body: ReportBody, rules: SgxRules) -> Iterator[Check]:
    """Yield every check about an enclave, in order."""
    yield not_debug(body, rules)
    yield initialised(body)
    yield private_signer(body, rules)
    yield from accepted_enclave(body, rules)


def not_debug(body: ReportBody, rules: SgxRules) -> Check:
    """A debug enclave's memory is the host's to read (Intel SDK, SGX_FLAGS_DEBUG)."""
    debug = body.attributes.debug
    return check(
        "sgx.attributes.debug",
        holds=not debug,
        expected="a production enclave",
        actual="a debug enclave" if debug else "a production enclave",
        remedy="sign it with debug disabled and launch it without the debug flag",
        waived=rules.dangerous_allow_debug,
    )


def initialised(body: ReportBody) -> Check:
    """An enclave that reports is initialised and runs in 64-bit mode."""
    flags = body.attributes.flags
    return check(
        "sgx.attributes.mode",
        holds=flags & _RUNNING == _RUNNING,
        expected="INIT and MODE64BIT set",
        actual=f"flags {flags:#x}",
        remedy="build a 64-bit enclave",
    )


def private_signer(body: ReportBody, rules: SgxRules) -> Check:
    """The signing key is not one that anybody can sign with."""
    where = where_public(body.mr_signer)
    return check(
        "sgx.mr_signer.public",
        holds=where is None,
        expected="a signing key that only its owner has",
        actual=f"{body.mr_signer.hex()}, a key that is public: {where}" if where else "not known to be public",
        remedy="sign the enclave with a key of your own",
        waived=rules.dangerous_allow_public_signers,
    )


def accepted_enclave(body: ReportBody, rules: SgxRules) -> Iterator[Check]:
    """The enclave is one that the policy names."""
    return accepted_code(
        "sgx.enclave",
        "enclave",
        anything=rules.dangerous_any_enclave,
        references=[_compare(body, reference) for reference in rules.enclaves],
        measurement=body.mr_enclave,
    )


def _compare(body: ReportBody, reference: EnclaveReference) -> Iterator[Check]:
    remedy = "run the enclave that the owner named, or ask the owner to accept this one"
    for name, wanted, found in (
        ("mr_enclave", reference.mr_enclave, body.mr_enclave),
        ("mr_signer", reference.mr_signer, body.mr_signer),
        ("config_id", reference.config_id, body.config_id),
        ("isv_ext_prod_id", reference.isv_ext_prod_id, body.isv_ext_prod_id),
        ("isv_family_id", reference.isv_family_id, body.isv_family_id),
    ):
        if wanted is not None:
            actual = found.hex()
            yield check(f"sgx.{name}", holds=actual == wanted, expected=wanted, actual=actual, remedy=remedy)
    if reference.isv_prod_id is not None:
        expected, actual = str(reference.isv_prod_id), str(body.isv_prod_id)
        yield check("sgx.isv_prod_id", holds=actual == expected, expected=expected, actual=actual, remedy=remedy)
    for name, least, has in (
        ("isv_svn", reference.minimum_isv_svn, body.isv_svn),
        ("config_svn", reference.minimum_config_svn, body.config_svn),
    ):
        if least is not None:
            yield check(
                f"sgx.{name}",
                holds=has >= least,
                expected=f"at least {least}",
                actual=str(has),
                remedy="run a newer version of the enclave",
            )
