"""The story: an owner, an enclave, a broker, a result; then six thefts, and a look at every file."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from typing import Final

import msgspec

from adyton.attest import TrustRoots
from adyton.broker import verify_receipt
from adyton.cli.demo.page import Page
from adyton.cli.demo.search import search_plaintext
from adyton.cli.demo.stage import SECRET, EncryptedModel, SignedEnclave, Stage, classifier, encrypt_model, real_files
from adyton.cli.demo.thefts import try_thefts
from adyton.formats.collateral import Collateral
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.result import SignedResult
from adyton.guest.client import ReleasedResource
from adyton.policy import verify_result
from adyton.sdk import Enclave

_PROTECTS_NOT: Final = [
    "Root and the kernel of this machine: the processor is simulated, and root can read its keys and its enclaves.",
    "Copies that Python leaves in ordinary memory of the enclave's process. Released keys are held in memfd_secret.",
    "Side channels, and denial of service. On hardware the same road leads to Intel's root: see adyton verify.",
]


class _Classified(msgspec.Struct, frozen=True):
    name: str
    label: str
    score: float


class _Report(msgspec.Struct, frozen=True):
    model_sha256: str
    results: tuple[_Classified, ...]


def tell(stage: Stage, page: Page) -> bool:
    """Tell the story; return whether everything went as it has to."""
    page.headline(
        "A secret that leaves only for attested code",
        "The SGX processor is SIMULATED here; formats, checks and denials are the real ones.",
    )
    signed = classifier()
    policy = stage.policy(signed.image.mr_enclave)
    model = _owner_gives_the_key(stage, page, policy)
    with stage.enclave(signed) as enclave:
        _enclave_starts(page, signed, enclave)
        released = _broker_releases(stage, page, enclave, policy)
        _enclave_works(stage, page, enclave, released, policy)
    thefts = try_thefts(stage, page, signed)
    clean = _nothing_on_disk(stage, page, model)
    went_well = clean and len(thefts) == 6 and all(theft.failed for theft in thefts)
    page.end(went_well=went_well, protects_not=_PROTECTS_NOT)
    return went_well


def _owner_gives_the_key(stage: Stage, page: Page, policy: AppraisalPolicy) -> EncryptedModel:
    with page.step("The owner encrypts a model, and gives its key to the broker under a policy") as step:
        model = encrypt_model(stage.folder / "owner")
        with stage.owner() as owner:
            kept = owner.put_secret(SECRET, model.key, policy)
        (stage.folder / "policy.json").write_bytes(policy.to_bytes())
        references = policy.sgx.enclaves if policy.sgx is not None else ()
        step.facts = {
            "model": f"magika, {model.size:,} bytes, encrypted in {stage.folder / 'owner'}",
            "secret": f"{kept.path}, version {kept.version}, sealed in the broker's database",
            "policy": f"MRENCLAVE {references[0].mr_enclave}, production mode, TCB UpToDate",
            "platform": " or ".join(policy.roots),
        }
    return model


def _enclave_starts(page: Page, signed: SignedEnclave, enclave: Enclave) -> None:
    with page.step("The platform measures the enclave, checks its signature, and starts it behind walls") as step:
        step.facts = {
            "MRENCLAVE": enclave.mr_enclave.hex(),
            "MRSIGNER": enclave.mr_signer.hex(),
            "image": f"{len(signed.image.pages)} measured pages; packages pinned: {', '.join(signed.project.packages)}",
            "walls": ", ".join(enclave.isolation),
        }


def _broker_releases(stage: Stage, page: Page, enclave: Enclave, policy: AppraisalPolicy) -> ReleasedResource:
    with page.step(
        "The broker authenticates the quote, appraises it, and releases the key to the enclave's own key"
    ) as step:
        released = stage.ask(enclave)
        with stage.owner() as owner:
            receipt = owner.receipt(released.receipt)
            entry = verify_receipt(receipt, owner.signing_key())
        step.facts = {
            "quote": f"DCAP v3, {entry.tcb_status}, root {entry.root}",
            "policy": f"{policy.name}: every check passed",
            "released to": f"the key with thumbprint {entry.key_thumbprint}, and no other",
            "receipt": f"{released.receipt}: entry {receipt.position} of {receipt.head.size}, inclusion proof verified",
        }
    return released


def _enclave_works(
    stage: Stage, page: Page, enclave: Enclave, released: ReleasedResource, policy: AppraisalPolicy
) -> None:
    with page.step("The enclave opens the model, classifies real files, and signs what it found") as step:
        owner = stage.folder / "owner"
        sealed = [(owner / name).read_bytes() for name in ("model.onnx.enc", "config.json.enc")]
        digest = enclave.call("open_model", released.content, *sealed, returns=str)
        documents = [{"name": name, "content": content} for name, content in real_files()]
        result = SignedResult.parse(enclave.call("classify", documents, returns=bytes))
        collateral = stage.platform.collateral_file.read_bytes()
        (stage.folder / "result.json").write_bytes(msgspec.structs.replace(result, collateral=collateral).to_bytes())
        appraisal = verify_result(
            result,
            Collateral.parse(collateral),
            policy,
            roots=TrustRoots.named(policy.roots),
            now=datetime.now(UTC),
        ).require()
        report = msgspec.json.decode(result.payload, type=_Report)
        labels = Counter(found.label for found in report.results if found.name.endswith(".py"))
        step.facts = {
            "model": f"SHA-256 {digest}",
            "source tree": ", ".join(f"{count} files are {label}" for label, count in labels.most_common()),
            **{found.name: f"{found.label} ({found.score:.4f})" for found in report.results[-3:]},
            "result": f"{stage.folder / 'result.json'}: signature and evidence verified, {appraisal.verdict}, "
            f"{appraisal.mode}",
        }


def _nothing_on_disk(stage: Stage, page: Page, model: EncryptedModel) -> bool:
    who = "root" if os.geteuid() == 0 else "this user"
    with page.step(f"As {who}: search every file of the broker, the platform and the owner for plaintext") as step:
        found = search_plaintext(stage.folder, model, stage.passphrase)
        step.facts = {
            "searched": f"{found.files} files, {found.size:,} bytes, the database among them",
            "looked for": "the model's key (raw, hex, base64), the model's bytes, the broker's passphrase",
            "found": ", ".join(found.hits) or "nothing",
        }
    return not found.hits
