"""The appraisal policy document: what its owner accepts, in one reviewable file.

JSON or YAML, kind `AppraisalPolicy`. Unknown fields are errors, because a misspelt rule must not become an absent one.
Nothing is accepted by silence: a policy that names no enclave and no trust domain accepts none, and each exception from
a safe rule is a field that begins with `dangerous_`. An empty list of alternatives is an error, since an empty OR
accepts nothing by accident and an empty AND everything.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

import msgspec

from adyton.errors import MalformedDocument

API_VERSION: Final = "adyton.dev/v1"
POLICY_SIZE_CAP: Final = 1024 * 1024

Hex16 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$", description="16 bytes in lower-case hex")]
Hex32 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$", description="32 bytes in lower-case hex")]
Hex48 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{96}$", description="48 bytes in lower-case hex")]
Hex64 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{128}$", description="64 bytes in lower-case hex")]
Uint16 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
RootName = Annotated[str, msgspec.Meta(pattern="^(intel|simulated:[0-9a-f]{32})$")]


class EnclaveReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One enclave, or one signer's line of enclaves, that a policy accepts; every field given has to hold.

    Attributes:
        mr_enclave: The measurement.
        mr_signer: The signer; needs `isv_prod_id` and `minimum_isv_svn` beside it.
        isv_prod_id: The signer's product.
        minimum_isv_svn: The lowest security version of that product.
        config_id: The launch configuration.
        minimum_config_svn: The lowest version of that configuration.
        isv_ext_prod_id: Extended product id.
        isv_family_id: Product family.
    """

    mr_enclave: Hex32 | None = None
    mr_signer: Hex32 | None = None
    isv_prod_id: Uint16 | None = None
    minimum_isv_svn: Uint16 | None = None
    config_id: Hex64 | None = None
    minimum_config_svn: Uint16 | None = None
    isv_ext_prod_id: Hex16 | None = None
    isv_family_id: Hex16 | None = None

    def __post_init__(self) -> None:
        if self.mr_enclave is None and self.mr_signer is None:
            raise ValueError("an enclave is named by mr_enclave or mr_signer")
        if self.mr_signer is not None and self.mr_enclave is None and None in (self.isv_prod_id, self.minimum_isv_svn):
            raise ValueError("mr_signer alone accepts every product of a signer: add isv_prod_id and minimum_isv_svn")


class TrustDomainReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One trust domain that a policy accepts; every field given has to hold.

    Attributes:
        mr_td: The initial measurement.
        rtmr0: Runtime measurement register 0: virtual firmware configuration.
        rtmr1: Runtime measurement register 1: kernel and boot loader.
        rtmr2: Runtime measurement register 2: command line, initial file system.
        rtmr3: Runtime measurement register 3: the application's.
        mr_config_id: Configuration that is not the owner's.
        mr_owner: The owner.
        mr_owner_config: The owner's configuration.
        mr_seam: The TDX module.
    """

    mr_td: Hex48
    rtmr0: Hex48 | None = None
    rtmr1: Hex48 | None = None
    rtmr2: Hex48 | None = None
    rtmr3: Hex48 | None = None
    mr_config_id: Hex48 | None = None
    mr_owner: Hex48 | None = None
    mr_owner_config: Hex48 | None = None
    mr_seam: Hex48 | None = None


class SgxRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is accepted of SGX enclaves.

    Attributes:
        enclaves: Any one of these.
        dangerous_any_enclave: Accept whatever code runs; for tools that only ask about the platform.
        dangerous_allow_debug: Accept enclaves whose memory the host can read.
        dangerous_allow_public_signers: Accept signers whose private key is publicly known.
    """

    enclaves: tuple[EnclaveReference, ...] = ()
    dangerous_any_enclave: bool = False
    dangerous_allow_debug: bool = False
    dangerous_allow_public_signers: bool = False


class TdxRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is accepted of TDX trust domains.

    Attributes:
        trust_domains: Any one of these.
        dangerous_any_trust_domain: Accept whatever code runs; for tools that only ask about the platform.
        dangerous_allow_debug: Accept trust domains whose memory the host can read, or that can be profiled.
        dangerous_allow_sept_ve: Accept trust domains without SEPT_VE_DISABLE.
        dangerous_allow_service_td: Accept trust domains with a service trust domain bound, or that can migrate.
        dangerous_allow_unknown_attributes: Accept attribute bits that are reserved.
    """

    trust_domains: tuple[TrustDomainReference, ...] = ()
    dangerous_any_trust_domain: bool = False
    dangerous_allow_debug: bool = False
    dangerous_allow_sept_ve: bool = False
    dangerous_allow_service_td: bool = False
    dangerous_allow_unknown_attributes: bool = False


TcbStatusName = Annotated[
    str,
    msgspec.Meta(
        pattern="^(UpToDate|SWHardeningNeeded|ConfigurationNeeded|ConfigurationAndSWHardeningNeeded|OutOfDate|"
        "OutOfDateConfigurationNeeded|TDRelaunchAdvised|TDRelaunchAdvisedConfigurationNeeded|Revoked)$"
    ),
]


class TcbRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is accepted of the trusted computing base.

    Attributes:
        accepted_statuses: Intel's words; only `UpToDate` unless said otherwise.
        minimum_evaluation_number: The lowest `tcbEvaluationDataNumber`.
        rejected_advisories: Advisories that may not apply, such as `INTEL-SA-00615`.
    """

    accepted_statuses: tuple[TcbStatusName, ...] = ("UpToDate",)
    minimum_evaluation_number: Annotated[int, msgspec.Meta(ge=0)] = 0
    rejected_advisories: tuple[str, ...] = ()


class CollateralRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is accepted of the endorsements.

    Attributes:
        dangerous_allow_expired: Accept endorsements past their date.
        dangerous_allow_not_yet_valid: Accept certificates, lists and documents issued in the future.
        dangerous_allow_tcb_info_v2: Accept TCB info version 2, which lacks the components' names and the TEE's.
    """

    dangerous_allow_expired: bool = False
    dangerous_allow_not_yet_valid: bool = False
    dangerous_allow_tcb_info_v2: bool = False


class AppraisalPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What its owner accepts.

    Attributes:
        api_version: `adyton.dev/v1`.
        kind: `AppraisalPolicy`.
        name: A name for people, in messages and receipts.
        roots: Which roots of trust: `intel`, or a simulated platform by its fingerprint.
        sgx: Rules for SGX; absent, no enclave is accepted.
        tdx: Rules for TDX; absent, no trust domain is accepted.
        tcb: Rules for the platform's trusted computing base.
        collateral: Rules for the endorsements.
    """

    api_version: str
    kind: str
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    roots: Annotated[tuple[RootName, ...], msgspec.Meta(min_length=1)] = ("intel",)
    sgx: SgxRules | None = None
    tdx: TdxRules | None = None
    tcb: TcbRules = TcbRules()
    collateral: CollateralRules = CollateralRules()

    def __post_init__(self) -> None:
        if self.api_version != API_VERSION or self.kind != "AppraisalPolicy":
            raise ValueError(f"expected api_version {API_VERSION} and kind AppraisalPolicy")

    @classmethod
    def parse(cls, data: bytes) -> AppraisalPolicy:
        """Read a policy from JSON or YAML.

        Raises:
            MalformedDocument: `policy.document.size` over 1 MiB; `policy.document.invalid` for anything that is not
                exactly a policy, with the path of the field.
        """
        if len(data) > POLICY_SIZE_CAP:
            raise MalformedDocument(
                "policy.document.size",
                f"a policy has at most {POLICY_SIZE_CAP} bytes, found {len(data)}",
                remedy="check that this file is a policy",
            )
        decode = msgspec.json.decode if data.lstrip()[:1] == b"{" else msgspec.yaml.decode
        try:
            return decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise MalformedDocument(
                "policy.document.invalid",
                f"this is not an appraisal policy: {error}",
                remedy="compare it with `adyton policy show strict`; every field is in the policy reference",
            ) from error

    def to_bytes(self) -> bytes:
        """Return the canonical form: JSON, keys sorted, every default spelt out so that it keeps its meaning."""
        return msgspec.json.encode(self, order="sorted")

    def digest(self) -> bytes:
        """Return the SHA-256 of the canonical form: the policy's identity in appraisals and receipts."""
        return hashlib.sha256(self.to_bytes()).digest()
