"""The policies that come with the tool. Every one of them denies simulated platforms."""

from __future__ import annotations

from typing import Final

from adyton.attest import TcbStatus
from adyton.errors import UsageError
from adyton.formats.policy import API_VERSION, AppraisalPolicy, CollateralRules, SgxRules, SnpRules, TcbRules, TdxRules

STRICT: Final = AppraisalPolicy(
    api_version=API_VERSION,
    kind="AppraisalPolicy",
    name="strict",
    roots=("intel", "amd"),
    sgx=SgxRules(dangerous_any_enclave=True),
    tdx=TdxRules(dangerous_any_trust_domain=True),
    snp=SnpRules(dangerous_any_guest=True),
)
"""Is the platform sound? Hardware root, up-to-date TCB, production mode, endorsements in date. Whatever code runs."""

DANGEROUS_AUTHENTIC: Final = AppraisalPolicy(
    api_version=API_VERSION,
    kind="AppraisalPolicy",
    name="dangerous-authentic",
    roots=("intel", "amd"),
    tcb=TcbRules(accepted_statuses=tuple(status.value for status in TcbStatus)),
    collateral=CollateralRules(
        dangerous_allow_expired=True, dangerous_allow_not_yet_valid=True, dangerous_allow_tcb_info_v2=True
    ),
    sgx=SgxRules(dangerous_any_enclave=True, dangerous_allow_debug=True, dangerous_allow_public_signers=True),
    tdx=TdxRules(
        dangerous_any_trust_domain=True,
        dangerous_allow_debug=True,
        dangerous_allow_sept_ve=True,
        dangerous_allow_service_td=True,
        dangerous_allow_unknown_attributes=True,
    ),
    snp=SnpRules(
        maximum_vmpl=0xFFFFFFFF,
        dangerous_any_guest=True,
        dangerous_allow_debug=True,
        dangerous_allow_migration_agent=True,
        dangerous_allow_provisional_firmware=True,
        dangerous_allow_unknown_policy=True,
        dangerous_allow_missing_crl=True,
    ),
)
"""Is it authentic at all? Accepts whatever hardware really made, in any state; for reports, never for release."""

_BUILTIN: Final = {policy.name: policy for policy in (STRICT, DANGEROUS_AUTHENTIC)}
BUILTIN_NAMES: Final = tuple(_BUILTIN)


def builtin_policy(name: str) -> AppraisalPolicy:
    """Return a policy that comes with the tool.

    Raises:
        UsageError: `policy.unknown` for any other name.
    """
    try:
        return _BUILTIN[name]
    except KeyError:
        raise UsageError(
            "policy.unknown",
            f"expected one of {', '.join(_BUILTIN)}, found {name!r}",
            remedy="use a built-in name, or pass a policy file's path",
        ) from None
