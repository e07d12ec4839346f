"""What the processor keeps: its keys and its security version, in one file that is replaced as a whole.

A kill at any moment leaves the old file or the new one: the new one is written beside it, synchronised to disk, and
renamed over it. The folder is 0700 and the file 0600. A damaged file is an error that names it; it is never made anew,
because new keys would lose everything that was sealed with the old ones.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from adyton import linux
from adyton.errors import StateError
from adyton.forge import VendorKeys

_FILE: Final = "processor.json"
_STATE_SIZE_CAP: Final = 1024 * 1024


class ProcessorState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The processor's keys and versions; bytes are base64.

    Attributes:
        since: When it was made: its certificates are valid from then on.
        root: The vendor's root key, DER.
        pck_ca: The platform CA's key, DER.
        tcb_signing: The document signer's key, DER.
        pck: The platform's certified key, DER.
        attestation_key: The quoting enclave's key, DER.
        fuses: What reports and seal keys are derived from, 32 bytes.
        ppid: Platform provisioning id, 16 bytes.
        instance_id: Platform instance id, 16 bytes.
        svn: The security version of each of its components.
        published_svn: The version that the vendor's newest TCB info asks for.
        evaluation_number: The newest TCB info's `tcbEvaluationDataNumber`.
    """

    since: datetime
    root: bytes
    pck_ca: bytes
    tcb_signing: bytes
    pck: bytes
    attestation_key: bytes
    fuses: bytes
    ppid: bytes
    instance_id: bytes
    svn: Annotated[int, msgspec.Meta(ge=0, le=255)]
    published_svn: Annotated[int, msgspec.Meta(ge=0, le=255)]
    evaluation_number: Annotated[int, msgspec.Meta(ge=0)]

    def __repr__(self) -> str:
        return f"ProcessorState(svn={self.svn}, published_svn={self.published_svn})"

    @classmethod
    def generate(cls, since: datetime) -> ProcessorState:
        """Make a new processor."""
        return cls(
            since=since,
            root=_new_key(),
            pck_ca=_new_key(),
            tcb_signing=_new_key(),
            pck=_new_key(),
            attestation_key=_new_key(),
            fuses=secrets.token_bytes(32),
            ppid=secrets.token_bytes(16),
            instance_id=secrets.token_bytes(16),
            svn=1,
            published_svn=1,
            evaluation_number=1,
        )

    @property
    def vendor_keys(self) -> VendorKeys:
        """The vendor's signing keys."""
        return VendorKeys(load_key(self.root), load_key(self.pck_ca), load_key(self.tcb_signing))


def load_key(der: bytes) -> ec.EllipticCurvePrivateKey:
    """Read a P-256 key.

    Raises:
        StateError: `simcpu.state.damaged`.
    """
    try:
        key = load_der_private_key(der, None)
    except ValueError as error:
        raise _damaged("a key does not parse") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _damaged("a key is of another kind")
    return key


def open_state(folder: Path, now: datetime) -> ProcessorState:
    """Read the processor's state, or make a new processor in an empty folder.

    Raises:
        StateError: `simcpu.state.damaged`, `simcpu.state.unusable`.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        data = (folder / _FILE).read_bytes()[: _STATE_SIZE_CAP + 1]
    except FileNotFoundError:
        state = ProcessorState.generate(now)
        save_state(folder, state)
        return state
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        return msgspec.json.decode(data, type=ProcessorState)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _damaged(f"{folder / _FILE} does not parse") from error


def save_state(folder: Path, state: ProcessorState) -> None:
    """Replace the state.

    Raises:
        StateError: `simcpu.state.unusable`.
    """
    publish(folder / _FILE, msgspec.json.encode(state), mode=0o600)


def publish(path: Path, content: bytes, *, mode: int) -> None:
    """Replace a file of the processor's, as a whole.

    Raises:
        StateError: `simcpu.state.unusable`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        linux.replace_file(path, content, mode=mode)
    except OSError as error:
        raise _unusable(path, error) from error


def _new_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _damaged(found: str) -> StateError:
    return StateError(
        "simcpu.state.damaged",
        f"expected the simulated processor's state: {found}",
        remedy="restore the file from a copy; moving it away makes a new processor, and what was sealed is lost",
    )


def _unusable(path: Path, error: OSError) -> StateError:
    return StateError(
        "simcpu.state.unusable",
        f"expected to read and write {path}: {error.strerror or error}",
        remedy="check the folder's owner, permissions and free space",
    )
