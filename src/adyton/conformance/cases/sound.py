"""Sound evidence of every kind: what must be accepted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from adyton.conformance.case import Case, accept, either
from adyton.conformance.stage import (
    PLATFORM,
    SGX,
    SINCE,
    TD_10,
    TD_15,
    TD_15_EX,
    TDX,
    after,
    case,
)
from adyton.forge import ModuleFacts, Profile, Role, named_platform
from adyton.formats.quote import CertificationType

_GOOD = accept("UpToDate")
_PROCESSOR_CA = {Role.PCK_CA: Profile("Intel SGX PCK Processor CA", ca=True, serial=2)}
_PROCESSOR = replace(
    PLATFORM, sgx_type=0, platform_instance_id=None, dynamic_platform=None, cached_keys=None, smt_enabled=None
)


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _versions()
    yield from _platforms()
    yield from _documents()
    yield from _without_chain()


def _versions() -> Iterator[Case]:
    for version in (3, 4, 5):
        stage = replace(SGX, version=version)
        yield case(f"sound.quote-v{version}", f"a sound SGX quote of version {version}", _GOOD, stage)
    for name, body, version in (
        ("v4-td10", TD_10, 4), ("v5-td10", TD_10, 5), ("v5-td15", TD_15, 5), ("v5-td15-extended", TD_15_EX, 5)
    ):  # fmt: skip
        stage = replace(TDX, body=body, version=version)
        yield case(f"sound.quote-{name}", f"a sound TDX quote, {name}", _GOOD, stage)


def _platforms() -> Iterator[Case]:
    processor = replace(SGX, platform=_PROCESSOR, profiles=_PROCESSOR_CA)
    yield case("sound.processor-ca", "a platform that the processor CA certified", _GOOD, processor)
    for size in (0, 1000):
        stage = replace(SGX, auth_data=bytes(size))
        rare = either("UpToDate", because="the format allows it, and Intel's quoting enclaves have 32 bytes")
        yield case(f"sound.auth-data-{size}", f"authentication data of {size} bytes", rare, stage)
    old_module = replace(
        TDX,
        body=replace(TD_10, tee_tcb_svn=bytes((5, 0, 5)) + bytes(13)),
        levels=tuple(replace(level, tdx_svn=(5, 0, 5, *[0] * 13)) for level in TDX.levels),
        modules=(ModuleFacts(0),),
    )
    yield case("sound.module-before-versions", "a TDX module from before modules had versions", _GOOD, old_module)
    high = replace(TDX, levels=tuple(replace(level, tdx_svn=(9, 9, 5, *[0] * 13)) for level in TDX.levels))
    title = "a TDX module with a version of its own, whose first two components belong to its own levels"
    yield case("sound.module-components-skipped", title, _GOOD, high, terms=after("Intel QVL EvaluateTcb.cpp"))


def _documents() -> Iterator[Case]:
    for stage in (SGX, TDX):
        added = stage.edited(tcb_info={"later": {"x": [1]}}, identity={"later": "y"})
        yield case(
            "sound.unknown-fields", "signed documents with fields that came later", _GOOD, stage, collateral=added
        )
    lower = SGX.edited(tcb_info={"fmspc": SGX.platform.fmspc.hex().lower()})
    yield case("sound.fmspc-lower-case", "a family in lower case", _GOOD, SGX, collateral=lower)
    spaced = json.dumps(json.loads(SGX.tcb_info()), indent=1).encode()
    spaced_out = SGX.endorse(spaced, SGX.identity())
    title = "a signed document with spaces: its bytes were signed, not its fields"
    rare = either("UpToDate", because="Intel signs documents without spaces, and one library writes them anew")
    yield case("sound.document-with-spaces", title, rare, SGX, collateral=spaced_out)
    yield case(
        "sound.tcb-info-v2",
        "TCB info of version 2, which Intel still serves",
        either("UpToDate", because="version 2 is old, and some verifiers leave it out"),
        replace(SGX, tcb_info_version=2),
    )
    listed = replace(SGX, revoked_by_root=(77, 1 << 70), revoked_by_pck_ca=(1001, 256, 1 << 100))
    yield case("sound.others-revoked", "lists that revoke other certificates", _GOOD, listed)
    yield case(
        "sound.emptied-pck-crl-issuer-chain",
        "the PCK list without its issuer's chain, which the quote carries too",
        either("UpToDate", because="the quote's own chain says whose list it is"),
        SGX,
        collateral=replace(SGX.collateral(), pck_crl_chain=b""),
    )
    yield _renewed_root()


def _renewed_root() -> Case:
    profile = Profile("Intel SGX Root CA", ca=True, serial=1, not_after=SINCE.replace(year=2049))
    return case(
        "sound.renewed-root-certificate",
        "a root certificate that the vendor issued again, with the same key and another date",
        either("UpToDate", because="Intel's library compares root certificates, others compare keys"),
        replace(SGX, profiles={Role.ROOT: profile}),
        root=SGX.vendor.root_der,
        terms=after("Intel SGX Root CA of 2018 and of 2025"),
    )


def _without_chain() -> Iterator[Case]:
    for stage in (SGX, TDX):
        for kind in (
            CertificationType.PPID_PLAIN, CertificationType.PPID_RSA2048_OAEP, CertificationType.PPID_RSA3072_OAEP
        ):  # fmt: skip
            named = replace(stage, certification=named_platform(stage.platform, kind))
            beside = replace(named.collateral(), pck_chain=named.pck.chain)
            yield case(
                f"sound.certification-type-{kind.value}",
                f"a quote that names its platform (certification data type {kind.value}), the PCK chain beside it",
                _GOOD,
                named,
                collateral=beside,
            )
