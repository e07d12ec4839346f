"""The rules for the machine under a quote, as its PCK certificate describes it (Intel PCK Certificate Profile 1.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from adyton.formats.check import Check
from adyton.formats.pck import PckExtension
from adyton.formats.policy import PlatformRules
from adyton.policy.rules import check

_SGX_TYPES: Final = ("standard", "scalable", "scalable-with-integrity")


def appraise_platform(platform: PckExtension, rules: PlatformRules) -> Iterator[Check]:
    """Yield every check about a machine, in order."""
    yield accepted_type(platform, rules)
    for feature in rules.rejected_features:
        yield lacks(platform, feature)


def accepted_type(platform: PckExtension, rules: PlatformRules) -> Check:
    """Memory is protected in a way that the policy accepts."""
    found = _SGX_TYPES[platform.sgx_type]
    return check(
        "platform.sgx_type",
        holds=found in rules.accepted_sgx_types,
        expected=" or ".join(rules.accepted_sgx_types),
        actual=found,
        remedy="use a platform of that type, or name this one in the policy's platform.accepted_sgx_types",
        where="PCK certificate, SGX type",
    )


def lacks(platform: PckExtension, feature: str) -> Check:
    """The machine lacks a feature that the policy rejects; a certificate that does not say is taken to say yes."""
    has: bool | None = getattr(platform, feature)
    return check(
        f"platform.{feature}",
        holds=has is False,
        expected="no",
        actual="the certificate does not say" if has is None else "yes" if has else "no",
        remedy="use a platform without it, or take it out of the policy's platform.rejected_features",
        where="PCK certificate, configuration",
    )
