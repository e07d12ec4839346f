"""The appraisal policy document: what its owner accepts, in one reviewable file.

JSON or YAML, kind `AppraisalPolicy`. Unknown fields are errors, because a misspelt rule must not become an absent one.
Nothing is accepted by silence: a policy that names no enclave, trust domain or guest accepts none, and each exception
from a safe rule is a field that begins with `dangerous_`. A reference gives values (one, or a set of which any one will
do), ranges (`minimum_`, `maximum_`) and further references: `all_of` and `any_of`. An empty list of them is an error:
an empty OR accepts nothing by accident, and an empty AND everything.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec

from adyton.errors import MalformedDocument

API_VERSION: Final = "adyton.dev/v1"
POLICY_SIZE_CAP: Final = 1024 * 1024

ALTERNATIVES_CAP: Final = 1024  # references in one list of a policy, nested ones counted

Hex16 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}$(?!\n)", description="16 bytes in lower-case hex")]
Hex32 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$(?!\n)", description="32 bytes in lower-case hex")]
Hex48 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{96}$(?!\n)", description="48 bytes in lower-case hex")]
Hex64 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{128}$(?!\n)", description="64 bytes in lower-case hex")]
Uint8 = Annotated[int, msgspec.Meta(ge=0, le=0xFF)]
Uint16 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
Uint32 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFFFFFF)]

# One hex value where several may stand. Its pattern is compared in `__post_init__`: msgspec 0.22 crashes on a union of
# a string that has a pattern and an array.
_OneHex16 = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": r"^[0-9a-f]{32}$(?!\n)"})]
_OneHex32 = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": r"^[0-9a-f]{64}$(?!\n)"})]
_OneHex48 = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": r"^[0-9a-f]{96}$(?!\n)"})]
_OneHex64 = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": r"^[0-9a-f]{128}$(?!\n)"})]
_SomeHex16 = _OneHex16 | Annotated[tuple[Hex16, ...], msgspec.Meta(min_length=1)]
_SomeHex32 = _OneHex32 | Annotated[tuple[Hex32, ...], msgspec.Meta(min_length=1)]
_SomeHex48 = _OneHex48 | Annotated[tuple[Hex48, ...], msgspec.Meta(min_length=1)]
_SomeHex64 = _OneHex64 | Annotated[tuple[Hex64, ...], msgspec.Meta(min_length=1)]
_SomeUint16 = Uint16 | Annotated[tuple[Uint16, ...], msgspec.Meta(min_length=1)]
RootName = Annotated[str, msgspec.Meta(pattern=r"^(intel|amd|simulated:[0-9a-f]{32})$(?!\n)")]


_SIZES: Final = {
    "mr_enclave": 32, "mr_signer": 32, "config_id": 64, "isv_ext_prod_id": 16, "isv_family_id": 16,
    "host_data": 32, "family_id": 16, "image_id": 16,
}  # fmt: skip
"""Sizes of values that are not 48 bytes."""


class EnclaveReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Enclaves that a policy accepts; every field given has to hold.

    Attributes:
        mr_enclave: The measurement.
        mr_signer: The signer; needs `isv_prod_id` and `minimum_isv_svn` beside it.
        isv_prod_id: The signer's product.
        minimum_isv_svn: The lowest security version of that product.
        maximum_isv_svn: The highest.
        config_id: The launch configuration.
        minimum_config_svn: The lowest version of that configuration.
        maximum_config_svn: The highest.
        isv_ext_prod_id: Extended product id.
        isv_family_id: Product family.
        all_of: References that have to hold as well, every one.
        any_of: References of which at least one has to hold as well.
    """

    mr_enclave: _SomeHex32 | None = None
    mr_signer: _SomeHex32 | None = None
    isv_prod_id: _SomeUint16 | None = None
    minimum_isv_svn: Uint16 | None = None
    maximum_isv_svn: Uint16 | None = None
    config_id: _SomeHex64 | None = None
    minimum_config_svn: Uint16 | None = None
    maximum_config_svn: Uint16 | None = None
    isv_ext_prod_id: _SomeHex16 | None = None
    isv_family_id: _SomeHex16 | None = None
    all_of: Annotated[tuple[EnclaveReference, ...], msgspec.Meta(min_length=1)] | None = None
    any_of: Annotated[tuple[EnclaveReference, ...], msgspec.Meta(min_length=1)] | None = None

    def __post_init__(self) -> None:
        _require_hex(self)


class TrustDomainReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Trust domains that a policy accepts; every field given has to hold.

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
        all_of: References that have to hold as well, every one.
        any_of: References of which at least one has to hold as well.
    """

    mr_td: _SomeHex48 | None = None
    rtmr0: _SomeHex48 | None = None
    rtmr1: _SomeHex48 | None = None
    rtmr2: _SomeHex48 | None = None
    rtmr3: _SomeHex48 | None = None
    mr_config_id: _SomeHex48 | None = None
    mr_owner: _SomeHex48 | None = None
    mr_owner_config: _SomeHex48 | None = None
    mr_seam: _SomeHex48 | None = None
    all_of: Annotated[tuple[TrustDomainReference, ...], msgspec.Meta(min_length=1)] | None = None
    any_of: Annotated[tuple[TrustDomainReference, ...], msgspec.Meta(min_length=1)] | None = None

    def __post_init__(self) -> None:
        _require_hex(self)


class GuestReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """SEV-SNP guests that a policy accepts; every field given has to hold.

    Attributes:
        measurement: Of the guest's first memory.
        host_data: What the host gave at launch.
        id_key_digest: Digest of the key that signed the identity block; needs `minimum_guest_svn` beside it.
        author_key_digest: Digest of the key that certified that key.
        family_id: The identity block's family.
        image_id: The identity block's image.
        minimum_guest_svn: The lowest security version of the identity block.
        maximum_guest_svn: The highest.
        all_of: References that have to hold as well, every one.
        any_of: References of which at least one has to hold as well.
    """

    measurement: _SomeHex48 | None = None
    host_data: _SomeHex32 | None = None
    id_key_digest: _SomeHex48 | None = None
    author_key_digest: _SomeHex48 | None = None
    family_id: _SomeHex16 | None = None
    image_id: _SomeHex16 | None = None
    minimum_guest_svn: Uint32 | None = None
    maximum_guest_svn: Uint32 | None = None
    all_of: Annotated[tuple[GuestReference, ...], msgspec.Meta(min_length=1)] | None = None
    any_of: Annotated[tuple[GuestReference, ...], msgspec.Meta(min_length=1)] | None = None

    def __post_init__(self) -> None:
        _require_hex(self)


Reference = EnclaveReference | TrustDomainReference | GuestReference
"""What a policy compares code with: values, ranges, and references of its own kind."""


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

    def __post_init__(self) -> None:
        _require_named(
            self.enclaves,
            ({"mr_enclave"}, {"mr_signer", "isv_prod_id", "minimum_isv_svn"}),
            "an enclave is named by mr_enclave, or by mr_signer with isv_prod_id and minimum_isv_svn: "
            "mr_signer alone accepts every product of a signer",
        )


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

    def __post_init__(self) -> None:
        _require_named(self.trust_domains, ({"mr_td"},), "a trust domain is named by mr_td")


class SnpTcb(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The lowest firmware versions of an SNP product.

    Attributes:
        boot_loader: Of the secure processor's boot loader.
        tee: Of its operating system.
        snp: Of the SNP firmware.
        microcode: Of the cores' microcode.
        fmc: Of Turin's first mutable code.
    """

    boot_loader: Uint8 = 0
    tee: Uint8 = 0
    snp: Uint8 = 0
    microcode: Uint8 = 0
    fmc: Uint8 = 0


PlatformFeature = Literal[
    "smt_enabled", "tsme_enabled", "ecc_enabled", "rapl_disabled", "ciphertext_hiding_dram", "alias_check_complete"
]


class SnpRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is accepted of SEV-SNP guests.

    Attributes:
        guests: Any one of these.
        maximum_vmpl: The least privileged level whose report is accepted: 0 is the guest's own firmware; a report that
            the host asked for says 4294967295.
        minimum_tcb: The lowest firmware versions, by product; a product that is not named has no minimum.
        required_platform: What the platform has to have switched on (PLATFORM_INFO).
        rejected_platform: What it may not have switched on.
        dangerous_any_guest: Accept whatever code runs; for tools that only ask about the platform.
        dangerous_allow_debug: Accept guests whose memory the host can read.
        dangerous_allow_migration_agent: Accept guests that a migration agent may move.
        dangerous_allow_provisional_firmware: Accept firmware that its platform can still roll back.
        dangerous_allow_unknown_policy: Accept guest policy bits that are reserved.
        dangerous_allow_missing_crl: Accept certificates of which no revocation list says that they are good.
    """

    guests: tuple[GuestReference, ...] = ()
    maximum_vmpl: Uint32 = 0
    minimum_tcb: dict[Literal["Milan", "Genoa", "Turin"], SnpTcb] = {}
    required_platform: tuple[PlatformFeature, ...] = ()
    rejected_platform: tuple[PlatformFeature, ...] = ()
    dangerous_any_guest: bool = False
    dangerous_allow_debug: bool = False
    dangerous_allow_migration_agent: bool = False
    dangerous_allow_provisional_firmware: bool = False
    dangerous_allow_unknown_policy: bool = False
    dangerous_allow_missing_crl: bool = False

    def __post_init__(self) -> None:
        _require_named(
            self.guests,
            ({"measurement"}, {"id_key_digest", "minimum_guest_svn"}),
            "a guest is named by measurement, or by id_key_digest with minimum_guest_svn",
        )


TcbStatusName = Annotated[
    str,
    msgspec.Meta(
        pattern="^(UpToDate|SWHardeningNeeded|ConfigurationNeeded|ConfigurationAndSWHardeningNeeded|OutOfDate|"
        "OutOfDateConfigurationNeeded|TDRelaunchAdvised|TDRelaunchAdvisedConfigurationNeeded|Revoked)$(?!\n)"
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
    minimum_evaluation_number: Uint32 = 0
    rejected_advisories: tuple[str, ...] = ()


class PlatformRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is accepted of the machine, as its PCK certificate describes it (SGX and TDX).

    Attributes:
        accepted_sgx_types: Memory protection: `standard`, `scalable` (no integrity, many packages),
            `scalable-with-integrity`.
        rejected_features: What it may not be: a platform that packages can be added to, whose keys the registration
            service keeps, or with hyper-threading. A certificate that does not say is taken to say yes.
    """

    accepted_sgx_types: Annotated[
        tuple[Literal["standard", "scalable", "scalable-with-integrity"], ...], msgspec.Meta(min_length=1)
    ] = ("standard", "scalable", "scalable-with-integrity")
    rejected_features: tuple[Literal["dynamic_platform", "cached_keys", "smt_enabled"], ...] = ()


class CollateralRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is accepted of the endorsements.

    Attributes:
        maximum_age_days: How long ago the oldest TCB info, identity or revocation list may have been issued, in days;
            absent, until it expires.
        dangerous_allow_expired: Accept endorsements past their date.
        dangerous_allow_not_yet_valid: Accept certificates, lists and documents issued in the future.
        dangerous_allow_tcb_info_v2: Accept TCB info version 2, which lacks the components' names and the TEE's.
    """

    maximum_age_days: Annotated[int, msgspec.Meta(ge=1, le=36500)] | None = None
    dangerous_allow_expired: bool = False
    dangerous_allow_not_yet_valid: bool = False
    dangerous_allow_tcb_info_v2: bool = False


class AppraisalPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What its owner accepts.

    Attributes:
        api_version: `adyton.dev/v1`.
        kind: `AppraisalPolicy`.
        name: A name for people, in messages and receipts.
        roots: Which roots of trust: `intel`, `amd`, or a simulated platform by its fingerprint.
        sgx: Rules for SGX; absent, no enclave is accepted.
        tdx: Rules for TDX; absent, no trust domain is accepted.
        snp: Rules for SEV-SNP; absent, no guest is accepted.
        tcb: Rules for the trusted computing base (SGX and TDX).
        platform: Rules for the machine (SGX and TDX).
        collateral: Rules for the endorsements.
    """

    api_version: str
    kind: str
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    roots: Annotated[tuple[RootName, ...], msgspec.Meta(min_length=1)] = ("intel",)
    sgx: SgxRules | None = None
    tdx: TdxRules | None = None
    snp: SnpRules | None = None
    tcb: TcbRules = TcbRules()
    platform: PlatformRules = PlatformRules()
    collateral: CollateralRules = CollateralRules()

    def __post_init__(self) -> None:
        if self.api_version != API_VERSION or self.kind != "AppraisalPolicy":
            raise ValueError(f"expected api_version {API_VERSION} and kind AppraisalPolicy")
        if self.snp is not None and not any(root != "intel" for root in self.roots):
            raise ValueError("rules for snp accept nothing under root intel: add amd to roots")

    def __hash__(self) -> int:
        return object.__hash__(self)

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
        try:
            if data.lstrip()[:1] == b"{":
                return msgspec.json.decode(data, type=cls)
            # Code inside an enclave reads policies too, in JSON, and has no YAML library.
            from adyton.formats.yaml import read_yaml  # noqa: PLC0415

            return msgspec.convert(read_yaml(data), type=cls)
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


def reference_values(value: object) -> tuple[object, ...]:
    """Return the values of which any one will do: a field of a reference is one value or several."""
    return value if isinstance(value, tuple) else (value,)


def _require_hex(reference: Reference) -> None:
    """Compare single values with the pattern of their size: only the lists' items were, so far."""
    for name in reference.__struct_fields__:
        value = getattr(reference, name)
        if isinstance(value, str) and not re.fullmatch(f"[0-9a-f]{{{2 * _SIZES.get(name, 48)}}}", value):
            raise ValueError(f"{name} is {_SIZES.get(name, 48)} bytes in lower-case hex")


def _require_named(references: Sequence[Reference], ways: tuple[set[str], ...], rule: str) -> None:
    if sum(_count(reference) for reference in references) > ALTERNATIVES_CAP:
        raise ValueError(f"expected at most {ALTERNATIVES_CAP} references, nested ones counted")
    if not all(_is_named(reference, frozenset(), ways) for reference in references):
        raise ValueError(rule)


def _count(reference: Reference) -> int:
    return 1 + sum(_count(inner) for inner in (*(reference.all_of or ()), *(reference.any_of or ())))


def _is_named(reference: Reference, known: frozenset[str], ways: tuple[set[str], ...]) -> bool:
    """Return whether code is named whichever way a reference is met, beside fields that are compared anyhow."""
    parts = _conjuncts(reference)
    known = known.union(*(_given(part) for part in parts))
    if any(way <= known for way in ways):
        return True
    return any(part.any_of and all(_is_named(inner, known, ways) for inner in part.any_of) for part in parts)


def _conjuncts(reference: Reference) -> list[Reference]:
    """Return a reference and those that have to hold with it."""
    return [reference, *(part for inner in reference.all_of or () for part in _conjuncts(inner))]


def _given(reference: Reference) -> set[str]:
    return {name for name in reference.__struct_fields__ if getattr(reference, name) is not None}
