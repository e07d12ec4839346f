"""Serving calls inside an enclave.

Rules: only functions marked `ecall` can be called; their arguments are decoded by the types they declare; an error
of this project crosses the wall with its code, message and remedy, any other by the name of its class alone, since its
text could hold a secret. One call is served at a time.
"""

from __future__ import annotations

import importlib
import inspect
import os
import socket
import sys
import sysconfig
from collections.abc import Callable, Sequence
from typing import Final, ParamSpec, TypeVar, get_type_hints

import msgspec

from adyton import linux
from adyton.errors import AdytonError, TransportError
from adyton.formats import simcpu
from adyton.formats.enclave import CALL_SIZE_CAP, Answer, Call, Failed, Returned
from adyton.formats.sgx import KeyRequest
from adyton.formats.status import SgxStatus
from adyton.guest.evidence import SimulatedProvider
from adyton.guest.frames import receive_frame, send_frame
from adyton.guest.processor import ProcessorClient

_P = ParamSpec("_P")
_R = TypeVar("_R")

# Read-only, for the interpreter and native libraries: no home, no configuration, nothing of other processes.
_SYSTEM_READABLE: Final = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
    "/dev/urandom",
    "/dev/null",
)
# x86-64 numbers: files and memory of one's own, threads, time, waiting; sockets that are already open. Not there: exec,
# new sockets, ptrace, process_vm_readv, mount, kill of others, prctl (which could make the process dumpable again).
_SYSTEM_CALLS: Final = (
    0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24, 25, 28, 32, 33, 35, 39, 44,
    45, 46, 47, 60, 63, 72, 77, 79, 89, 96, 97, 98, 99, 102, 104, 107, 108, 131, 149, 150, 186, 202, 203, 204,
    217, 218, 228, 229, 230, 231, 232, 233, 234, 257, 262, 267, 269, 270, 271, 273, 281, 290, 291, 302, 309,
    318, 324, 332, 334, 439, 447, 449,
)  # fmt: skip


class _Function:
    """A function that can be called from outside, with the types that decode its arguments."""

    def __init__(self, function: Callable[..., object]) -> None:
        hints = get_type_hints(function, include_extras=True)
        parameters = inspect.signature(function).parameters.values()
        bare = [parameter.name for parameter in parameters if parameter.name not in hints]
        if bare or any(parameter.kind is not parameter.POSITIONAL_OR_KEYWORD for parameter in parameters):
            raise TypeError(f"{function.__name__}: every parameter of an ecall is plain and has a type: {bare}")
        self._function = function
        self._decoders = [msgspec.msgpack.Decoder(hints[parameter.name]) for parameter in parameters]

    def decode(self, arguments: Sequence[msgspec.Raw]) -> list[object]:
        """Decode the arguments by their types.

        Raises:
            msgspec.ValidationError: Too many or too few arguments, or one of another type.
        """
        if len(arguments) != len(self._decoders):
            raise msgspec.ValidationError(f"expected {len(self._decoders)} arguments, found {len(arguments)}")
        return [decoder.decode(raw) for decoder, raw in zip(self._decoders, arguments, strict=True)]

    def call(self, values: Sequence[object]) -> object:
        """Call the function."""
        return self._function(*values)


_functions: Final[dict[str, _Function]] = {}
_contexts: Final[list[EnclaveContext]] = []


def ecall(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a function callable from outside. Every parameter has a type: bytes, str, int, lists, `msgspec.Struct`."""
    _functions[function.__name__] = _Function(function)
    return function


class EnclaveContext:
    """What the enclave that runs this code can ask of its processor.

    Args:
        processor: Its own connection to the processor.
    """

    def __init__(self, processor: ProcessorClient) -> None:
        self._processor = processor
        self._provider = SimulatedProvider(processor)

    def quote(self, report_data: bytes) -> bytes:
        """Return a quote about this enclave that carries 64 bytes of its choice.

        Raises:
            UsageError: `evidence.report_data`.
            EnclaveError: The processor refused.
        """
        return self._provider.quote(report_data)

    def key(self, request: KeyRequest) -> bytes:
        """Return a key that only this enclave, or its signer's enclaves, get on this platform (EGETKEY), 16 bytes.

        Raises:
            EnclaveError: The processor refused.
        """
        return self._processor.request(simcpu.GetKey(key_request=request.to_bytes()), simcpu.KeyGiven).key


def current() -> EnclaveContext:
    """Return the context of the enclave that runs this code.

    Raises:
        RuntimeError: This code does not run in an enclave.
    """
    if not _contexts:
        raise RuntimeError("this code does not run in an enclave")
    return _contexts[0]


def serve(module: str, processor: int, host: int, paths: Sequence[str], walls: list[str]) -> None:
    """Import the enclave's module, put up the last walls, say so, and serve calls until the host is gone."""
    client, caller = ProcessorClient(socket.socket(fileno=processor)), socket.socket(fileno=host)
    _contexts.append(EnclaveContext(client))
    importlib.import_module(module)
    isolation = (*walls, *_wall_off(paths))
    client.request(simcpu.EnclaveReady(isolation=isolation), simcpu.Done)
    _serve_calls(caller)


def _wall_off(paths: Sequence[str]) -> list[str]:
    walls = []
    if linux.landlock_version():
        standard = (sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["platstdlib"])
        linux.restrict_files((*_SYSTEM_READABLE, *standard, sys.base_prefix + "/lib", *paths))
        walls.append("landlock")
    if linux.has_secret_memory():
        walls.append("secret-memory")
    linux.restrict_system_calls(_SYSTEM_CALLS)
    return [*walls, "seccomp"]


def _serve_calls(caller: socket.socket) -> None:
    decoder, encoder = msgspec.msgpack.Decoder(Call), msgspec.msgpack.Encoder()
    while True:
        try:
            content, files = receive_frame(caller, CALL_SIZE_CAP)
        except TransportError:
            # The host is gone, or does not keep to the protocol: there is nobody left to serve.
            os._exit(0)
        for descriptor in files:
            os.close(descriptor)
        send_frame(caller, encoder.encode(_answer(decoder, encoder, content)))


def _answer(decoder: msgspec.msgpack.Decoder[Call], encoder: msgspec.msgpack.Encoder, content: bytes) -> Answer:
    try:
        call = decoder.decode(content)
        function = _functions.get(call.function)
        if function is None:
            return _failed(SgxStatus.INVALID_FUNCTION, f"expected an ecall of this enclave, found {call.function!r}")
        values = function.decode(call.arguments)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        # What the host sent is the host's to read.
        return _failed(SgxStatus.INVALID_PARAMETER, str(error))
    try:
        return Returned(value=msgspec.Raw(encoder.encode(function.call(values))))
    except AdytonError as error:
        return Failed(status=SgxStatus.UNEXPECTED, code=error.code, message=error.message, remedy=error.remedy)
    except Exception as error:  # noqa: BLE001, whatever the enclave's code raises must not end it
        return _failed(SgxStatus.UNEXPECTED, f"the enclave's code raised {type(error).__name__}")


def _failed(status: SgxStatus, message: str) -> Failed:
    return Failed(status=status, code=status.code, message=message, remedy="call it as the enclave declares it")
