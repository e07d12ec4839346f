"""The simulated processor's client: for hosts over its socket, for enclaves over the one they were born with."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from adyton.errors import EnclaveError, TransportError
from adyton.formats import simcpu
from adyton.guest.frames import close_files, receive_frame, send_frame

DEFAULT_TIMEOUT: Final = 120.0
"""Seconds to wait for an answer; creating an enclave is the slowest request."""

_R = TypeVar("_R", bound=simcpu.Reply)


class ProcessorClient:
    """A connection to the simulated processor.

    Args:
        peer: A connected Unix stream socket, owned by the client from now on.
    """

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer

    @classmethod
    def connect(cls, path: Path, *, timeout: float = DEFAULT_TIMEOUT) -> Self:
        """Connect to a running processor.

        Raises:
            TransportError: `processor.unreachable`.
        """
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.settimeout(timeout)
        try:
            peer.connect(os.fspath(path))
        except OSError as error:
            peer.close()
            raise TransportError(
                "processor.unreachable",
                f"expected a simulated processor at {path}: {error.strerror or error}",
                remedy="start it with `adyton up`",
            ) from error
        return cls(peer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; enclaves that were created over it end too."""
        self._peer.close()

    def request(self, message: simcpu.HostRequest | simcpu.EnclaveRequest, kind: type[_R]) -> _R:
        """Ask, and return the answer of the expected kind.

        Raises:
            EnclaveError: The processor refused; its code, message and remedy.
            TransportError: `frames.*`, `processor.answer`.
        """
        answer, files = self.exchange(message, kind)
        close_files(files)
        return answer

    def exchange(
        self, message: simcpu.HostRequest | simcpu.EnclaveRequest, kind: type[_R], files: Sequence[int] = ()
    ) -> tuple[_R, list[int]]:
        """Ask with files beside the request, and return the answer with the files beside it.

        Raises:
            EnclaveError: The processor refused; its code, message and remedy.
            TransportError: `frames.*`, `processor.answer`.
        """
        send_frame(self._peer, simcpu.encode(message), files)
        content, received = receive_frame(self._peer, simcpu.FRAME_SIZE_CAP)
        answer = simcpu.decode_reply(content)
        if isinstance(answer, kind):
            return answer, received
        close_files(received)
        if isinstance(answer, simcpu.Refused):
            raise EnclaveError(answer.code, answer.message, remedy=answer.remedy)
        raise TransportError(
            "processor.answer",
            f"expected {kind.__name__}, found {type(answer).__name__}",
            remedy="use the same version of adyton on both ends of the socket",
        )
