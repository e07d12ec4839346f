"""Running an enclave on the simulated processor, and calling into it."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from adyton import linux
from adyton.errors import EnclaveError, TransportError
from adyton.formats import simcpu
from adyton.formats.enclave import CALL_SIZE_CAP, Answer, Call, Failed
from adyton.formats.image import EnclaveImage
from adyton.formats.sigstruct import SigStruct
from adyton.formats.status import SgxStatus
from adyton.guest.frames import receive_frame, send_frame
from adyton.guest.processor import ProcessorClient
from adyton.sdk.build import default_package_paths

_T = TypeVar("_T")


class Enclave:
    """A running enclave; it ends with the `with` block, with `close`, or with its creator's process.

    Attributes:
        mr_enclave: Its measurement, 32 bytes.
        mr_signer: Its signer, 32 bytes.
        pid: Its process.
        isolation: The walls that stand around it.
    """

    def __init__(self, client: ProcessorClient, created: simcpu.EnclaveCreated, calls: socket.socket) -> None:
        self._client = client
        self._calls = calls
        self._owner = os.getpid()
        self.mr_enclave = created.mr_enclave
        self.mr_signer = created.mr_signer
        self.pid = created.pid
        self.isolation = created.isolation

    @classmethod
    def create(
        cls,
        image: EnclaveImage,
        sigstruct: SigStruct,
        *,
        processor: Path,
        debug: bool = False,
        package_paths: Sequence[str] | None = None,
    ) -> Self:
        """Load, measure, check and start an enclave.

        Args:
            image: The image.
            sigstruct: The signature over it.
            processor: The simulated processor's socket.
            debug: Launch it so that the host can read its memory; its signature has to allow it.
            package_paths: Where its packages are installed; the current interpreter's paths if not given.

        Raises:
            EnclaveError: The processor refused: `sgx.error.invalid_signature`, `sgx.error.invalid_enclave`,
                `sgx.error.invalid_attribute`, `sgx.error.out_of_epc`, `sgx.error.enclave_crashed`.
            TransportError: The processor cannot be reached.
        """
        paths = default_package_paths() if package_paths is None else tuple(package_paths)
        request = simcpu.CreateEnclave(sigstruct=sigstruct.to_bytes(), debug=debug, package_paths=paths)
        client = ProcessorClient.connect(processor)
        file = linux.sealed_file(image.stream, "enclave-image")
        try:
            created, files = client.exchange(request, simcpu.EnclaveCreated, [file])
        except BaseException:
            client.close()
            raise
        finally:
            os.close(file)
        return cls(client, created, socket.socket(fileno=files[0]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the enclave."""
        self._calls.close()
        self._client.close()

    def call(self, function: str, *arguments: object, returns: type[_T]) -> _T:
        """Call a function of the enclave.

        Args:
            function: Its name.
            arguments: Its arguments: what MessagePack can carry, or `msgspec.Struct`.
            returns: The type to decode its value by.

        Raises:
            EnclaveError: What the enclave answered; `sgx.error.enclave_lost` in a forked process;
                `sgx.error.enclave_crashed` if the enclave is gone; `sdk.call.value` for a value of another type.
        """
        if os.getpid() != self._owner:
            raise _lost(SgxStatus.ENCLAVE_LOST, "an enclave does not cross fork(): its creator's process is another")
        call = Call(function=function, arguments=tuple(msgspec.Raw(msgspec.msgpack.encode(a)) for a in arguments))
        try:
            send_frame(self._calls, msgspec.msgpack.encode(call))
            content, _ = receive_frame(self._calls, CALL_SIZE_CAP)
        except TransportError as error:
            raise _lost(SgxStatus.ENCLAVE_CRASHED, f"the enclave ended during the call: {error.message}") from error
        return _value(content, returns)


def _value(content: bytes, returns: type[_T]) -> _T:
    try:
        answer: Answer = msgspec.msgpack.decode(content, type=Answer)
        if isinstance(answer, Failed):
            raise EnclaveError(answer.code, answer.message, remedy=answer.remedy)
        return msgspec.msgpack.decode(answer.value, type=returns)
    except msgspec.MsgspecError as error:
        raise EnclaveError(
            "sdk.call.value", f"the enclave answered with another type: {error}", remedy="call it as it declares itself"
        ) from error


def _lost(status: SgxStatus, message: str) -> EnclaveError:
    return EnclaveError(status.code, message, remedy="create the enclave again")
