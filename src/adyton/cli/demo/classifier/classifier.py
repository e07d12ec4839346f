"""The enclave of the demonstration: it tells what kind of content a file has, with a model that nobody else can read.

The model arrives encrypted, and its key arrives encrypted to a key that this enclave made. Neither leaves. What leaves
is a list of labels, signed with another key that a quote binds to this code.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

import msgspec

from adyton.errors import StateError
from adyton.guest.dataset import decrypt
from adyton.guest.enclave import current, ecall
from adyton.guest.result import ResultSigner
from adyton.guest.session import AttestedSession

MODEL: Final = "magika/model.onnx"
LABELS: Final = "magika/config.json"
_WINDOW: Final = 1024
_BLOCK: Final = 4096
_PADDING: Final = 256
_SCORE_DIGITS: Final = 4


class Document(msgspec.Struct, frozen=True):
    """A file to classify."""

    name: Annotated[str, msgspec.Meta(max_length=4096)]
    content: bytes


class Classified(msgspec.Struct, frozen=True):
    """What one file is: its name, the digest of its content, the label, and how sure the model is."""

    name: str
    sha256: str
    label: str
    score: float


class Report(msgspec.Struct, frozen=True):
    """What the enclave says about a batch of files, and with which model."""

    model_sha256: str
    results: tuple[Classified, ...]


class _Labels(msgspec.Struct, frozen=True):
    """The part of the model's configuration that is used here."""

    target_labels_space: tuple[str, ...]


class _Classifier:
    """An opened model."""

    def __init__(self, model: bytes, configuration: bytes) -> None:
        # Imported when it is needed: an enclave that gets no key does not wait for a model's runtime.
        import onnxruntime  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.digest = hashlib.sha256(model).hexdigest()
        self._labels = msgspec.json.decode(configuration, type=_Labels).target_labels_space
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def classify(self, documents: list[Document]) -> tuple[Classified, ...]:
        """Classify a batch of files."""
        import numpy as np  # noqa: PLC0415

        batch = np.asarray([features(document.content) for document in documents], dtype=np.int32)
        (scores,) = self._session.run(None, {self._session.get_inputs()[0].name: batch})
        return tuple(
            Classified(
                document.name,
                hashlib.sha256(document.content).hexdigest(),
                self._labels[int(row.argmax())],
                round(float(row.max()), _SCORE_DIGITS),
            )
            for document, row in zip(documents, scores, strict=True)
        )


def features(content: bytes) -> list[int]:
    """Return what the model looks at: 1,024 bytes from the beginning and 1,024 from the end, without outer white space.

    A shorter file is padded with 256, after its beginning and before its end (magika's `standard_v3` models).
    """
    head = content[:_BLOCK].lstrip()[:_WINDOW]
    tail = content[-_BLOCK:].rstrip()[-_WINDOW:]
    padded_head = [*head, *[_PADDING] * (_WINDOW - len(head))]
    return padded_head + [_PADDING] * (_WINDOW - len(tail)) + [*tail]


_session: Final = AttestedSession(current())
_opened: list[_Classifier] = []
_signers: list[ResultSigner] = []


@ecall
def attestation(nonce: str) -> bytes:
    """Return evidence over this enclave's own key and the broker's nonce: the protocol's Attestation message."""
    return _session.attestation(nonce)


@ecall
def open_model(released: bytes, model: bytes, configuration: bytes) -> str:
    """Open the model with the released key; return its digest."""
    with _session.open(released) as key:
        opened = _Classifier(decrypt(model, bytes(key), name=MODEL), decrypt(configuration, bytes(key), name=LABELS))
    _opened[:] = [opened]
    return opened.digest


@ecall
def classify(documents: list[Document]) -> bytes:
    """Classify files; return a signed result (`adyton.formats.result`) whose payload is a `Report`."""
    if not _opened:
        raise StateError(
            "classifier.closed", "expected an opened model, found none", remedy="have the broker release its key first"
        )
    if not _signers:
        _signers.append(ResultSigner(current()))
    report = Report(_opened[0].digest, _opened[0].classify(documents))
    return _signers[0].sign(msgspec.json.encode(report)).to_bytes()
