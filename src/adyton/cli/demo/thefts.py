"""Six attempts to get the key. Each has to fail, by the check that is there to stop it, and by no accident before."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from adyton.cli.demo.page import Page, Theft
from adyton.cli.demo.stage import SECRET, EnclaveAttester, SignedEnclave, Stage, published_key
from adyton.errors import EnclaveError, StateError
from adyton.formats import simcpu
from adyton.formats.kbs import Attestation, RuntimeData, parse
from adyton.guest.http import Refusal
from adyton.guest.processor import ProcessorClient
from adyton.sdk import Enclave, ProductIdentity, SigningKey

_CHANGED: Final = (b"bytes from the beginning", b"bytes from the Beginning")


def try_thefts(stage: Stage, page: Page, signed: SignedEnclave) -> list[Theft]:
    """Try all six; show and return what became of each."""
    with page.step("Six thefts, each of which has to fail") as step:
        thief = SigningKey.generate()
        thefts = []
        for name, check, attempt in (
            ("an enclave with one changed byte", "sgx.mr_enclave", lambda: _changed_byte(stage, signed, thief)),
            ("the right enclave, launched for debugging", "sgx.attributes.debug", lambda: _debug(stage, signed, thief)),
            ("the right enclave, signed with a public key", "sgx.mr_signer.public", lambda: _public_key(stage, signed)),
            ("a recorded quote, sent again", "report_data", lambda: _replay(stage, signed)),
            ("the right enclave on an outdated platform", "tcb.status", lambda: _outdated(stage, signed)),
            ("an unknown simulated platform", "dcap.chain.untrusted_root", lambda: _unknown_platform(stage, signed)),
        ):
            thefts.append(_attempt(name, check, attempt))
            page.theft(thefts[-1])
        step.facts = {"tried": str(len(thefts)), "failed": str(sum(theft.failed for theft in thefts))}
    return thefts


def _attempt(name: str, check: str, attempt: Callable[[], object]) -> Theft:
    try:
        attempt()
    except Refusal as refusal:
        return Theft(name, refusal.code == check, refusal.code, refusal.message, refusal.remedy)
    return Theft(name, failed=False, check="nothing", found="the key was released", remedy="this is a fault: report it")


def _changed_byte(stage: Stage, signed: SignedEnclave, thief: SigningKey) -> None:
    changed = signed.changed(*_CHANGED, thief)
    # With the owner's signature the processor does not even start it; so the thief signs it.
    try:
        with Enclave.create(changed.image, signed.sigstruct, processor=stage.platform.processor):
            pass
    except EnclaveError as error:
        if error.code != "sgx.error.invalid_enclave":
            raise
    with stage.enclave(changed) as enclave:
        stage.ask(enclave)


def _debug(stage: Stage, signed: SignedEnclave, thief: SigningKey) -> None:
    with stage.enclave(signed.signed_by(thief, ProductIdentity(allow_debug=True)), debug=True) as enclave:
        stage.ask(enclave)


def _public_key(stage: Stage, signed: SignedEnclave) -> None:
    with stage.enclave(signed.signed_by(published_key())) as enclave:
        stage.ask(enclave)


def _replay(stage: Stage, signed: SignedEnclave) -> None:
    with stage.enclave(signed) as enclave, stage.broker() as client:
        recorded = parse(EnclaveAttester(enclave).attestation(client.challenge()), Attestation)
    with stage.broker() as thief:
        # The thief gets a nonce of its own, and puts the old quote beside it.
        fresh = RuntimeData(nonce=thief.challenge(), tee_pubkey=recorded.runtime_data.tee_pubkey)
        thief.attest(msgspec.json.encode(msgspec.structs.replace(recorded, runtime_data=fresh)))
        thief.resource(SECRET)


def _outdated(stage: Stage, signed: SignedEnclave) -> None:
    with ProcessorClient.connect(stage.platform.processor) as vendor:
        vendor.request(simcpu.PublishTcbRecovery(), simcpu.Done)
        try:
            with stage.enclave(signed) as enclave:
                stage.ask(enclave)
        finally:
            vendor.request(simcpu.UpdateMicrocode(), simcpu.Done)


def _unknown_platform(stage: Stage, signed: SignedEnclave) -> None:
    with _processor(stage.folder / "elsewhere") as socket, stage.enclave(signed, processor=socket) as enclave:
        stage.ask(enclave)


@contextmanager
def _processor(folder: Path) -> Iterator[Path]:
    """Run another simulated processor, with keys of its own."""
    socket = folder / "simcpu.sock"
    command = [sys.executable, "-m", "adyton.simcpu", "--state", str(folder / "state"), "--socket", str(socket)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603, our own
        try:
            if process.stdout is None or b"listening" not in process.stdout.readline():
                raise StateError("demo.processor", "the second processor did not start", remedy="try again")
            yield socket
        finally:
            process.kill()
