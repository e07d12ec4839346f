"""The fuzz targets: one for everything that reads foreign bytes, each with the property that it holds.

Of every reader: no exception but this project's; where it can write, it writes what it read. Of authentication: an
accepted change has changed nothing that was signed. Of inspection: what is shown is a beginning of the bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec
import seeds
from cryptography.hazmat.primitives.asymmetric import ec

from adyton.attest import TrustRoots, VerificationCache, authenticate, authenticate_report
from adyton.errors import AdytonError, MalformedDocument, MalformedEvidence, UntrustedEvidence
from adyton.forge.encode import sgx_extension
from adyton.formats import der, simcpu
from adyton.formats.bundle import CollateralBundle
from adyton.formats.cmw import CmwRecord, Indicator, parse_collection, write_collection
from adyton.formats.collateral import Collateral
from adyton.formats.enclave import EnclaveManifest
from adyton.formats.image import EnclaveImage
from adyton.formats.kbs import Attestation, Challenge, EncryptedResource, KeyBrokerRequest, Problem, TokenResponse
from adyton.formats.kbs import parse as parse_message
from adyton.formats.moment import read_time, time_text
from adyton.formats.pck import PckExtension
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.policy_test import PolicyTest
from adyton.formats.quote import CertificationType, PlatformCertification, QeCertification, Quote
from adyton.formats.receipt import Receipt
from adyton.formats.record import AppraisalRecord
from adyton.formats.result import SignedResult
from adyton.formats.sgx import KeyRequest, Report, ReportBody, TargetInfo
from adyton.formats.sigstruct import SigStruct
from adyton.formats.snp import SnpEndorsements, SnpReport
from adyton.formats.tcb import QeIdentity, TcbInfo
from adyton.formats.tdx import TdReport
from adyton.formats.vcek import ChipExtensions
from adyton.formats.x509 import Certificate, RevocationList, pem_blocks
from adyton.guest.dataset import decrypt
from adyton.inspection import inspect
from adyton.policy import builtin_policy
from adyton.policy.ear import EarRequest, EarSigner, Expectation, ear_claims, verify_ear
from adyton.policy.record import Case, judge, make_record, replay

Run = Callable[[bytes], None]
_REFUSED = (MalformedEvidence, MalformedDocument, UntrustedEvidence)
_AMD = "1.3.6.1.4.1.3704.1"
_CHIP_FIELDS = ("2", "4", "5", "3.1", "3.2", "3.3", "3.8", "3.9")
_VENDORS = TrustRoots()
_YAML_WORDS = tuple(b"!!bool !!int !!float !!timestamp !!binary !!set !!omap !!null &a *a <<: ? [ ] { } | >".split())
_YAML_VALUES = (
    b'!!bool "abc"', b'!!int ""', b'!!float "."', b'!!timestamp "a"', b'!!binary "="', b"!!set {a}", b"!!omap [a: b]",
    b"&a [*a]", b"&a {<<: *a}", b"1:" * 200 + b"1.0", b"0x", b"0b", b"0o8", b"1_", b".inf", b".nan", b"2001-99-99",
    b"=",
    b"<<", b"~", b"? a", b"!!python/none ''", b"!!null a", b"!!pairs [a]", b"!!merge a", b"!!value a", b"!!str [a]",
    b"2001-01-01t00:00:00.0000000000000Z", b"2001-01-01 00:00:00 -99:99", b"-0x_", b"+.e", b"1e999", b"!!seq a",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Attributes:
        name: Its name.
        seeds: Makes what to start from; nothing where the machine lacks it.
        run: Reads one input; raises on a fault.
        needs: What it lacks when there are no seeds.
        known: Faults that are reported and not yet repaired (`tests/properties/test_findings.py`): a run goes on past
            them. Empty again when they are.
        words: What mutations put in, beside the words of the seeds.
        raw: What may stand in place of a value of JSON as it is.
    """

    name: str
    seeds: Callable[[], list[bytes]]
    run: Run = field(repr=False)
    needs: str = "genuine SNP evidence is not beside this checkout"
    known: tuple[type[Exception], ...] = ()
    words: tuple[bytes, ...] = ()
    raw: tuple[bytes, ...] = ()

    def one_input(self, data: bytes) -> None:
        """Read one input; raises on a fault that is not known."""
        with contextlib.suppress(*self.known):
            self.run(data)


def reads(*parsers: Callable[[bytes], object]) -> Run:
    """Return a run that gives bytes to parsers, which may refuse them."""

    def one_input(data: bytes) -> None:
        for parse in parsers:
            with contextlib.suppress(*_REFUSED):
                parse(data)

    return one_input


def reads_back(*kinds: type) -> Run:
    """Return a run of parsers whose values are written back as they were."""

    def one_input(data: bytes) -> None:
        for kind in kinds:
            with contextlib.suppress(*_REFUSED):
                assert kind.parse(data).to_bytes() == data, kind.__name__  # type: ignore[attr-defined]

    return one_input


def _certification(data: bytes) -> None:
    reads_back(QeCertification)(data)
    for kind in CertificationType:
        with contextlib.suppress(*_REFUSED):
            PlatformCertification.parse(kind, data)


def _certificate(data: bytes) -> None:
    with contextlib.suppress(*_REFUSED):
        found = Certificate.parse(data)
        assert found.der == data
        assert found.signed.content in data


def _revocation_list(data: bytes) -> None:
    with contextlib.suppress(*_REFUSED):
        found = RevocationList.parse(data)
        assert all(serial >= 0 for serial in found.revoked)


def _pck_extension(data: bytes) -> None:
    with contextlib.suppress(*_REFUSED):
        found = PckExtension.parse(data)
        assert len(sgx_extension(found)) <= len(data) + 4  # as it was, but for the order of its fields


def _chip_extensions(data: bytes) -> None:
    extensions: dict[der.ObjectIdentifier, bytes] = {}
    for name in _CHIP_FIELDS:
        size, data = data[0] if data else 0, data[1:]
        if size:
            extensions[der.ObjectIdentifier(f"{_AMD}.{name}")], data = data[:size], data[size:]
    with contextlib.suppress(*_REFUSED):
        found = ChipExtensions.parse(extensions)
        assert len(found.hardware_id or bytes(8)) in (8, 64)
        assert found.product in found.product_name


def _sigstruct(data: bytes) -> None:
    with contextlib.suppress(*_REFUSED):
        found = SigStruct.parse(data)
        assert found.to_bytes() == data
        found.verify()
        assert found.signed_bytes() == _SIGNED_SIGSTRUCT


def _image(data: bytes) -> None:
    with contextlib.suppress(*_REFUSED):
        found = EnclaveImage.parse(data)
        assert found.stream == data
        found.read_text(found.entry)


def _policy(data: bytes) -> None:
    with contextlib.suppress(*_REFUSED):
        found = AppraisalPolicy.parse(data)
        assert AppraisalPolicy.parse(found.to_bytes()) == found


def _receipt(data: bytes) -> None:
    with contextlib.suppress(*_REFUSED):
        found = Receipt.parse(data)
        found.head.signed_bytes()
        found.content()


def _kbs(data: bytes) -> None:
    for kind in (KeyBrokerRequest, Challenge, Attestation, EncryptedResource, TokenResponse, Problem):
        with contextlib.suppress(*_REFUSED):
            found = parse_message(data, kind)
            if isinstance(found, Attestation):
                assert len(found.runtime_data.report_data("")) == 64


def _dataset(data: bytes) -> None:
    with contextlib.suppress(*_REFUSED):
        assert decrypt(data, seeds.DATASET_KEY, name="name") == b"plaintext"


def _moment(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        found = read_time(data.decode())
        assert read_time(time_text(found)) == found.replace(microsecond=0)


def _authenticate(data: bytes) -> None:
    with contextlib.suppress(*_REFUSED):
        quote = Quote.parse(data)
        found = authenticate(quote, _COLLATERAL, roots=_FORGED.roots, now=seeds.NOW, cache=_CACHE)
        assert found.quote.signed_bytes() == _HONEST.signed_bytes()
        assert found.quote.qe.report == _HONEST.qe.report


def _endorse(data: bytes) -> None:
    with contextlib.suppress(*_REFUSED):
        changed = Collateral.parse(data)
        authenticate(_HONEST, changed, roots=_FORGED.roots, now=seeds.NOW)
        assert (changed.tcb_info, changed.qe_identity) == (_COLLATERAL.tcb_info, _COLLATERAL.qe_identity)
        for name in ("root_crl", "pck_crl"):
            before, after = (RevocationList.parse(getattr(item, name)) for item in (_COLLATERAL, changed))
            assert before.signed.content == after.signed.content


def _authenticate_report(data: bytes) -> None:
    if not seeds.snp_cases():
        return
    honest, *ders = seeds.snp_cases()[0]
    with contextlib.suppress(*_REFUSED):
        report = SnpReport.parse(data)
        authenticate_report(report, SnpEndorsements(*ders), roots=_VENDORS, now=seeds.NOW, cache=_CACHE)
        assert report.signed_bytes() == SnpReport.parse(honest).signed_bytes()


def _endorse_report(data: bytes) -> None:
    if not seeds.snp_cases():
        return
    honest, *ders = seeds.snp_cases()[0]
    with contextlib.suppress(*_REFUSED):
        changed = SnpEndorsements.parse(data)
        authenticate_report(SnpReport.parse(honest), changed, roots=_VENDORS, now=seeds.NOW)
        items = (changed.leaf, changed.intermediate, changed.root)
        for before, after in zip(ders, items, strict=True):
            assert Certificate.parse(before).signed.content == Certificate.parse(after).signed.content


def _inspect(data: bytes) -> None:
    with contextlib.suppress(AdytonError):
        found = inspect(data, at=seeds.NOW)
        at = 0
        for leaf in found.root.leaves() if found.root.offset is not None and found.root.children else ():
            assert leaf.offset == at, leaf.name
            at += leaf.size
        assert at <= found.size


def _first_snp() -> list[bytes]:
    return [case[0] for case in seeds.snp_cases()[:1]]


def _first_snp_endorsements() -> list[bytes]:
    return [SnpEndorsements(*case[1:]).to_bytes() for case in seeds.snp_cases()[:1]]


_FORGED = seeds.forged()
_COLLATERAL = _FORGED.collateral()
_HONEST = _FORGED.quote()
_CACHE = VerificationCache()
_SIGNED_SIGSTRUCT = SigStruct.parse(seeds.sigstructs()[0]).signed_bytes()

_POLICY_TEST = (
    b"api_version: adyton.dev/v1\nkind: PolicyTest\ncases:\n"
    b"  - {record: a.json, expect: denied, failed: [tcb.status], at: 2026-06-01T00:00:00Z}\n"
)
_SIGNER = EarSigner(ec.derive_private_key(7, ec.SECP256R1()))


def _case() -> Case:
    return Case("dcap", _HONEST.to_bytes(), _COLLATERAL.to_bytes(), builtin_policy("strict"), None, seeds.NOW)


def _bundles() -> list[bytes]:
    sets = (msgspec.Raw(_COLLATERAL.to_bytes()),)
    return [CollateralBundle(made_at=seeds.NOW, stale_after_days=30, collateral=sets).to_bytes()]


def _wrappers() -> list[bytes]:
    record = CmwRecord("application/eat+jwt", b"abc", Indicator.ATTESTATION_RESULTS)
    return [record.to_bytes(), write_collection({"a": record, "b": record}, kind="tag:example.org,2026:x")]


def _records() -> list[bytes]:
    return [make_record(_case(), judge(_case())).to_bytes()]


def _record(data: bytes) -> None:
    with contextlib.suppress(*_REFUSED):
        found = AppraisalRecord.parse(data)
        assert AppraisalRecord.parse(found.to_bytes()) == found
        replay(found)


def _tokens() -> list[bytes]:
    policy = msgspec.structs.replace(builtin_policy("strict"), roots=(seeds.forged().root_name,))
    appraisal = judge(replace(_case(), policy=policy)).appraisal
    return (
        []
        if appraisal is None
        else [_SIGNER.sign(ear_claims(appraisal, EarRequest("x", nonce="AAAAAAAAAAAA"))).encode()]
    )


def _ear(data: bytes) -> None:
    expected = Expectation([_SIGNER.jwk], None, None, dangerous_any_nonce=True, dangerous_any_audience=True)
    with contextlib.suppress(*_REFUSED):
        claims = verify_ear(data, expected, now=seeds.NOW)
        assert claims.eat_nonce == "AAAAAAAAAAAA"


_ALL = (
    Target("authenticate", lambda: [_HONEST.to_bytes()], _authenticate),
    Target("authenticate-collateral", lambda: [_COLLATERAL.to_bytes()], _endorse),
    Target("authenticate-report", _first_snp, _authenticate_report),
    Target("authenticate-report-endorsements", _first_snp_endorsements, _endorse_report),
    Target("bundle", _bundles, reads(CollateralBundle.parse)),
    Target("certificate", seeds.certificates, _certificate),
    Target("chip-extensions", seeds.chip_extensions, _chip_extensions),
    Target("cmw", _wrappers, reads(CmwRecord.parse, parse_collection)),
    Target("collateral", seeds.collaterals, reads(Collateral.parse)),
    Target("dataset", seeds.datasets, _dataset),
    Target("der", seeds.pck_extensions, reads(lambda data: der.decode(der.TLV, data))),
    Target("ear", _tokens, _ear),
    Target("enclave-manifest", seeds.manifests, reads(EnclaveManifest.parse)),
    Target("image", seeds.images, _image),
    Target("inspect", seeds.inspected, _inspect),
    Target("kbs", seeds.kbs_messages, _kbs),
    Target("moment", lambda: [b"2026-06-01T00:00:00Z", b"2026-06-01T02:00:00.5+02:00"], _moment),
    Target("pck-extension", seeds.pck_extensions, _pck_extension),
    Target("pem", seeds.pems, reads(pem_blocks)),
    Target("policy-json", seeds.policies_json, _policy),
    Target("policy-yaml", seeds.policies_yaml, _policy, words=_YAML_WORDS, raw=_YAML_VALUES),
    Target("policy-test", lambda: [_POLICY_TEST], reads(PolicyTest.parse), words=_YAML_WORDS, raw=_YAML_VALUES),
    Target("qe-certification", seeds.qe_certifications, _certification),
    Target("qe-identity", seeds.qe_identities, reads(QeIdentity.parse)),
    Target("quote", seeds.quotes, reads_back(Quote)),
    Target("receipt", seeds.receipts, _receipt),
    Target("record", _records, _record),
    Target("revocation-list", seeds.revocation_lists, _revocation_list),
    Target("sgx-structures", seeds.sgx_structures, reads_back(ReportBody, Report, TargetInfo, KeyRequest)),
    Target("sigstruct", seeds.sigstructs, _sigstruct),
    Target("signed-result", seeds.results, reads(SignedResult.parse)),
    Target(
        "simcpu",
        seeds.simcpu_messages,
        reads(simcpu.decode_host_request, simcpu.decode_enclave_request, simcpu.decode_reply),
    ),
    Target("snp-endorsements", seeds.snp_endorsements, reads(SnpEndorsements.parse)),
    Target("snp-report", seeds.snp_reports, reads_back(SnpReport)),
    Target("tcb-info", seeds.tcb_infos, reads(TcbInfo.parse)),
    Target("td-report", seeds.td_reports, reads_back(TdReport)),
)
TARGETS = {target.name: target for target in _ALL}
