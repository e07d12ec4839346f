"""The stage of the demonstration: its people, their things, and the platform they meet on."""

from __future__ import annotations

import gzip
import struct
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from adyton.cli.platform import Platform
from adyton.errors import StateError
from adyton.formats.image import EnclaveImage
from adyton.formats.policy import API_VERSION, AppraisalPolicy, EnclaveReference, SgxRules
from adyton.formats.sigstruct import SigStruct
from adyton.guest.client import BrokerClient, ReleasedResource
from adyton.guest.dataset import encrypt, new_key
from adyton.sdk import Enclave, EnclaveProject, ProductIdentity, SigningKey, build, sign
from adyton.server.owner import OwnerClient

MODEL: Final = "magika/model.onnx"
LABELS: Final = "magika/config.json"
SECRET: Final = "magika/model-key/v3"  # noqa: S105, its path and not its value


class EnclaveAttester:
    """The untrusted host's part of an attestation: it carries the enclave's messages."""

    def __init__(self, enclave: Enclave) -> None:
        self._enclave = enclave

    def attestation(self, nonce: str) -> bytes:
        """Have the enclave make its evidence."""
        return self._enclave.call("attestation", nonce, returns=bytes)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the story happens.

    Attributes:
        folder: All files of the demonstration.
        platform: The running platform.
        passphrase: What opens the broker's root key, if it is not a file.
    """

    folder: Path
    platform: Platform
    passphrase: bytes | None

    def owner(self) -> OwnerClient:
        """Connect to the broker as the model's owner."""
        return OwnerClient(self.platform.url, self.platform.owner)

    def broker(self) -> BrokerClient:
        """Connect to the broker as a host of an enclave."""
        return BrokerClient(self.platform.url)

    @contextmanager
    def enclave(
        self, signed: SignedEnclave, *, debug: bool = False, processor: Path | None = None
    ) -> Iterator[Enclave]:
        """Run an enclave."""
        with Enclave.create(
            signed.image, signed.sigstruct, processor=processor or self.platform.processor, debug=debug
        ) as enclave:
            yield enclave

    def ask(self, enclave: Enclave) -> ReleasedResource:
        """Attest an enclave and ask for the model's key."""
        with self.broker() as client:
            return client.release(EnclaveAttester(enclave), SECRET)

    def policy(self, mr_enclave: bytes) -> AppraisalPolicy:
        """Return the owner's policy: this enclave, in production mode, on this platform, up to date."""
        return AppraisalPolicy(
            api_version=API_VERSION,
            kind="AppraisalPolicy",
            name="the-classifier-only",
            roots=(self.platform.root.name,),
            sgx=SgxRules(enclaves=(EnclaveReference(mr_enclave=mr_enclave.hex()),)),
        )


@dataclass(frozen=True, slots=True)
class SignedEnclave:
    """An enclave that was built and signed.

    Attributes:
        project: What it was built of.
        image: The image.
        sigstruct: The signature.
    """

    project: EnclaveProject
    image: EnclaveImage
    sigstruct: SigStruct

    def signed_by(self, key: SigningKey, identity: ProductIdentity | None = None) -> SignedEnclave:
        """Return the same image with another signature."""
        return _signed(self.project, self.image, key, identity or self.project.identity)

    def changed(self, old: bytes, new: bytes, key: SigningKey) -> SignedEnclave:
        """Return the enclave with something in its code changed, built and signed again."""
        files = {path: content.replace(old, new) for path, content in self.project.files.items()}
        project = replace(self.project, files=files)
        return _signed(project, build(project), key, project.identity)


@dataclass(frozen=True, slots=True)
class EncryptedModel:
    """The owner's model, as it lies in an ordinary folder.

    Attributes:
        key: The key, 32 bytes.
        size: Bytes of the model.
        sample: Some bytes of its middle, to look for where they must not be.
    """

    key: bytes
    size: int
    sample: bytes

    def __repr__(self) -> str:
        return f"EncryptedModel(size={self.size})"


def classifier() -> SignedEnclave:
    """Build the classifier and sign it with a key that is made for it."""
    with resources.as_file(resources.files("adyton.cli.demo") / "classifier") as folder:
        project = EnclaveProject.load(folder)
    return _signed(project, build(project), SigningKey.generate(), project.identity)


def published_key() -> SigningKey:
    """Return the signing key that this project publishes, so that a theft with it can be tried."""
    return SigningKey.load((resources.files("adyton.cli.demo") / "published-signing-key.pem").read_bytes())


def encrypt_model(folder: Path) -> EncryptedModel:
    """Encrypt the model of the installed `magika` package into a folder.

    Raises:
        StateError: `demo.model` if the package or its model is not there.
    """
    spec = find_spec("magika")
    locations = list(spec.submodule_search_locations or ()) if spec else []
    models = sorted(Path(locations[0]).glob("models/*/model.onnx")) if locations else []
    if not models:
        raise StateError("demo.model", "expected magika's model, found none", remedy="pip install 'adyton[demo]'")
    model, labels, key = models[-1].read_bytes(), models[-1].with_name("config.min.json").read_bytes(), new_key()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx.enc").write_bytes(encrypt(model, key, name=MODEL))
    (folder / "config.json.enc").write_bytes(encrypt(labels, key, name=LABELS))
    return EncryptedModel(key, len(model), model[len(model) // 2 :][:64])


def real_files() -> list[tuple[str, bytes]]:
    """Return files to classify: this project's source, a PNG, a gzip and an ELF binary."""
    package = Path(str(resources.files("adyton")))
    sources = [
        (path.relative_to(package.parent).as_posix(), path.read_bytes()) for path in sorted(package.rglob("*.py"))
    ]
    return [
        *((name, content) for name, content in sources if len(content) > 200),
        ("picture.png", _png(64, 64)),
        ("archive.gz", gzip.compress(sources[-1][1], mtime=0)),
        ("binary", _smallest_binary(["/bin/true", "/bin/ls", sys.executable])),
    ]


def _signed(project: EnclaveProject, image: EnclaveImage, key: SigningKey, identity: ProductIdentity) -> SignedEnclave:
    today = datetime.now(UTC).date()
    return SignedEnclave(project, image, sign(image, identity, key, built=today, dangerous_allow_public_signer=True))


def _smallest_binary(candidates: Sequence[str]) -> bytes:
    found = [Path(name).resolve() for name in candidates if Path(name).is_file()]
    return min(found, key=lambda path: path.stat().st_size).read_bytes()


def _png(width: int, height: int) -> bytes:
    """Return a picture: a gradient, 8 bits a channel (PNG specification, third edition)."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(
        b"\x00" + bytes(value for x in range(width) for value in (x * 4, y * 4, 128)) for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
