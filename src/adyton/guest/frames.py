"""Frames over a Unix stream socket: a length, then that many bytes, with files beside them where the peer sends any.

Rules: a frame's length is checked against a cap before a byte of it is read; a peer that closes, or stops in the
middle, is an error of transport; files that nobody asked for are closed.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence
from typing import Final

from adyton.errors import TransportError

_LENGTH: Final = struct.Struct("<I")
_FILES_CAP: Final = 4
_PART: Final = 1024 * 1024


def send_frame(peer: socket.socket, content: bytes, files: Sequence[int] = ()) -> None:
    """Send a frame, and files beside its first byte.

    Raises:
        TransportError: `frames.closed` if the peer is gone or does not read in time.
    """
    head = _LENGTH.pack(len(content))
    try:
        if files:
            sent = socket.send_fds(peer, [head], list(files))
            peer.sendall(head[sent:] + content)
        else:
            peer.sendall(head + content)
    except OSError as error:
        raise _closed(f"could not send: {error.strerror or error}") from error


def receive_frame(peer: socket.socket, cap: int) -> tuple[bytes, list[int]]:
    """Receive a frame of at most `cap` bytes.

    Returns:
        The content, and the descriptors of the files beside it, which the caller owns.

    Raises:
        TransportError: `frames.closed` if the peer is gone or does not send in time; `frames.size` over the cap.
    """
    try:
        head, files, _, _ = socket.recv_fds(peer, _LENGTH.size, _FILES_CAP)
        while head and len(head) < _LENGTH.size:
            head += peer.recv(_LENGTH.size - len(head)) or _end()
    except OSError as error:
        raise _closed(f"could not receive: {error.strerror or error}") from error
    if not head:
        raise _closed("it closed the connection")
    try:
        return _receive_content(peer, int.from_bytes(head, "little"), cap), files
    except TransportError:
        close_files(files)
        raise


def close_files(files: Sequence[int]) -> None:
    """Close descriptors that are not wanted."""
    for descriptor in files:
        os.close(descriptor)


def _receive_content(peer: socket.socket, size: int, cap: int) -> bytes:
    if size > cap:
        raise TransportError(
            "frames.size",
            f"expected a frame of at most {cap} bytes, found {size}",
            remedy="send less at a time, in several calls",
        )
    content = bytearray()
    try:
        while len(content) < size:
            content += peer.recv(min(size - len(content), _PART)) or _end()
    except OSError as error:
        raise _closed(f"could not receive: {error.strerror or error}") from error
    return bytes(content)


def _end() -> bytes:
    raise _closed("it closed the connection in the middle of a frame")


def _closed(found: str) -> TransportError:
    return TransportError("frames.closed", f"the peer is gone: {found}", remedy="start it again, and connect anew")
