"""The processor's socket: hosts on one side, enclaves on the other, one thread for each connection.

Rules: an enclave is identified by the socket it was born with, never by what it says. It belongs to the connection that
created it, and ends with that. A frame that is too long or makes no sense ends its own connection and nothing else.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adyton.errors import AdytonError, EnclaveError, MalformedDocument, StateError, TransportError
from adyton.formats import simcpu
from adyton.formats.image import IMAGE_SIZE_CAP, EnclaveImage
from adyton.formats.sgx import REPORT_DATA_SIZE, KeyRequest, Report, ReportBody, TargetInfo
from adyton.formats.sigstruct import SigStruct
from adyton.formats.status import SgxStatus
from adyton.guest.frames import close_files, receive_frame, send_frame
from adyton.simcpu.launch import EnclaveProcess, launch
from adyton.simcpu.platform import FMSPC, Platform
from adyton.simcpu.processor import initialise, refused

_log: Final = logging.getLogger(__name__)
_STATUS_BY_CODE: Final = {status.code: status for status in SgxStatus}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the processor gives.

    Attributes:
        epc_size: Enclave memory in bytes, for all enclaves together.
        enclaves: How many enclaves at a time.
        connections: How many hosts at a time.
        boot_seconds: How long an enclave may take until it is locked down.
        idle_seconds: How long a host may keep a connection without an enclave and without a request.
        freshness_seconds: How often it is asked whether the endorsements have to be issued anew.
    """

    epc_size: int = 64 * 1024**3
    enclaves: int = 64
    connections: int = 128
    boot_seconds: float = 60.0
    idle_seconds: float = 600.0
    freshness_seconds: float = 3600.0


class _Running:
    """An enclave that runs: its process, and what reports say about it."""

    def __init__(self, process: EnclaveProcess, body: ReportBody, size: int) -> None:
        self.process = process
        self.body = body
        self.size = size


class Daemon:
    """The processor, serving its socket.

    Args:
        platform: The machine.
        path: Where to listen; a socket that nobody listens on any more is replaced.
        limits: How much it gives.
    """

    def __init__(self, platform: Platform, path: Path, limits: Limits | None = None) -> None:
        self._platform = platform
        self._limits = limits or Limits()
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._epc_free = self._limits.epc_size
        self._running = 0
        self._slots = threading.BoundedSemaphore(self._limits.connections)
        self._closed = threading.Event()
        self._listener = _listen(path)

    def serve(self) -> None:
        """Serve until the process ends or `close` is called."""
        threading.Thread(target=self._keep_fresh, daemon=True).start()
        while True:
            try:
                host, _ = self._listener.accept()
            except OSError:
                return
            if not self._slots.acquire(blocking=False):
                host.close()
                continue
            host.settimeout(self._limits.idle_seconds)
            threading.Thread(target=self._serve_host, args=(host,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _keep_fresh(self) -> None:
        """Have the endorsements issued anew in time, whether anybody asks for them or not."""
        while not self._closed.wait(self._limits.freshness_seconds):
            try:
                self._platform.collateral()
            except StateError:
                _log.exception("the endorsements could not be published")

    def _serve_host(self, host: socket.socket) -> None:
        enclaves: dict[int, _Running] = {}
        try:
            with host:
                while True:
                    content, files = receive_frame(host, simcpu.FRAME_SIZE_CAP)
                    with _owned(files):
                        reply, beside = self._answer_host(content, files, enclaves, host)
                    send_frame(host, simcpu.encode(reply), beside)
        except TransportError as error:
            _log.debug("a host went away: %s", error.message)
        finally:
            for running in enclaves.values():
                self._end(running)
            self._slots.release()

    def _answer_host(
        self, content: bytes, files: Sequence[int], enclaves: dict[int, _Running], host: socket.socket
    ) -> tuple[simcpu.Reply, Sequence[int]]:
        try:
            request = simcpu.decode_host_request(content)
            if isinstance(request, simcpu.CreateEnclave):
                return self._create(request, files, enclaves, host)
            if isinstance(request, simcpu.DestroyEnclave):
                return self._destroy(request, enclaves), ()
            return self._platform_reply(request), ()
        except AdytonError as error:
            return _refusal(error), ()

    def _platform_reply(self, request: simcpu.HostRequest | simcpu.EnclaveRequest) -> simcpu.Reply:
        platform = self._platform
        match request:
            case simcpu.DescribePlatform():
                return simcpu.PlatformDescribed(
                    root_point=platform.root_point,
                    fmspc=FMSPC,
                    cpu_svn=platform.cpu_svn,
                    epc_size=self._limits.epc_size,
                    epc_free=self._epc_free,
                )
            case simcpu.GetTargetInfo():
                return simcpu.TargetInfoGiven(target_info=platform.quoting_target.to_bytes())
            case simcpu.GetQuote(report=report):
                return simcpu.QuoteGiven(quote=platform.quote(Report.parse(report)))
            case simcpu.GetCollateral():
                return simcpu.CollateralGiven(collateral=platform.collateral())
            case simcpu.PublishTcbRecovery():
                platform.publish_tcb_recovery()
            case simcpu.UpdateMicrocode():
                platform.update_microcode()
            case _:
                raise refused(
                    SgxStatus.INVALID_FUNCTION,
                    f"{type(request).__name__} is not for this connection",
                    "ask over the socket that it belongs to",
                )
        return simcpu.Done()

    def _create(
        self, request: simcpu.CreateEnclave, files: Sequence[int], enclaves: dict[int, _Running], host: socket.socket
    ) -> tuple[simcpu.Reply, Sequence[int]]:
        image = EnclaveImage.parse(_read_image(files))
        body = initialise(
            image,
            SigStruct.parse(request.sigstruct),
            debug=request.debug,
            cpu_svn=self._platform.cpu_svn,
            config_id=request.config_id,
            config_svn=request.config_svn,
        )
        self._reserve(image.size)
        try:
            running = _Running(launch(image, request.package_paths), body, image.size)
        except MalformedDocument:
            self._release(image.size)
            raise
        except OSError as error:
            self._release(image.size)
            raise refused(
                SgxStatus.OUT_OF_MEMORY,
                f"the process could not be started: {error.strerror}",
                "free memory or processes",
            ) from error
        try:
            isolation = self._boot(running)
        except EnclaveError:
            self._end(running)
            raise
        host.settimeout(None)
        number = next(self._ids)
        enclaves[number] = running
        threading.Thread(target=self._serve_enclave, args=(running,), daemon=True).start()
        created = simcpu.EnclaveCreated(
            enclave_id=number,
            pid=running.process.process.pid,
            mr_enclave=body.mr_enclave,
            mr_signer=body.mr_signer,
            isolation=isolation,
        )
        return created, (running.process.calls.fileno(),)

    def _boot(self, running: _Running) -> tuple[str, ...]:
        """Wait until the measured boot code says that the enclave is locked down; serve what it asks before that."""
        running.process.processor.settimeout(self._limits.boot_seconds)
        try:
            while True:
                request = self._enclave_request(running)
                if isinstance(request, simcpu.EnclaveReady):
                    send_frame(running.process.processor, simcpu.encode(simcpu.Done()))
                    running.process.processor.settimeout(None)
                    return request.isolation
                self._answer_enclave(running, request)
        except (TransportError, MalformedDocument) as error:
            running.process.process.kill()
            running.process.process.wait()
            raise refused(
                SgxStatus.ENCLAVE_CRASHED,
                f"the enclave ended before it was ready: {running.process.last_words() or error.message}",
                "run its code outside first; what it imports has to be among its packages",
            ) from error

    def _serve_enclave(self, running: _Running) -> None:
        try:
            while True:
                self._answer_enclave(running, self._enclave_request(running))
        except (TransportError, MalformedDocument, ValueError):
            # What it wrote to its standard error is not logged: by now it may hold secrets.
            _log.info("enclave %d ended", running.process.process.pid)

    def _enclave_request(self, running: _Running) -> simcpu.EnclaveRequest:
        content, files = receive_frame(running.process.processor, simcpu.FRAME_SIZE_CAP)
        close_files(files)
        return simcpu.decode_enclave_request(content)

    def _answer_enclave(self, running: _Running, request: simcpu.EnclaveRequest) -> None:
        try:
            reply = self._enclave_reply(running.body, request)
        except AdytonError as error:
            reply = _refusal(error)
        send_frame(running.process.processor, simcpu.encode(reply))

    def _enclave_reply(self, body: ReportBody, request: simcpu.EnclaveRequest) -> simcpu.Reply:
        fuses = self._platform.fuses
        match request:
            case simcpu.CreateReport(target_info=target_info, report_data=report_data):
                if len(report_data) != REPORT_DATA_SIZE:
                    raise refused(
                        SgxStatus.INVALID_PARAMETER,
                        f"expected {REPORT_DATA_SIZE} bytes of report data, found {len(report_data)}",
                        "pad or hash it to 64 bytes",
                    )
                report = fuses.create_report(body, TargetInfo.parse(target_info), report_data)
                return simcpu.ReportCreated(report=report.to_bytes())
            case simcpu.GetKey(key_request=key_request):
                return simcpu.KeyGiven(key=fuses.seal_key(body, KeyRequest.parse(key_request)))
            case _:
                return self._platform_reply(request)

    def _destroy(self, request: simcpu.DestroyEnclave, enclaves: dict[int, _Running]) -> simcpu.Reply:
        running = enclaves.pop(request.enclave_id, None)
        if running is None:
            raise refused(
                SgxStatus.INVALID_ENCLAVE_ID,
                f"expected an enclave of this connection, found {request.enclave_id}",
                "name one that this connection created",
            )
        self._end(running)
        return simcpu.Done()

    def _reserve(self, size: int) -> None:
        with self._lock:
            if size > self._epc_free or self._running >= self._limits.enclaves:
                raise refused(
                    SgxStatus.OUT_OF_EPC,
                    f"expected room for {size} bytes, {self._epc_free} are free; {self._running} enclaves run",
                    "end an enclave, or lower this one's heap_size",
                )
            self._epc_free -= size
            self._running += 1

    def _release(self, size: int) -> None:
        with self._lock:
            self._epc_free += size
            self._running -= 1

    def _end(self, running: _Running) -> None:
        running.process.end()
        self._release(running.size)


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen()
    except OSError as error:
        listener.close()
        raise StateError(
            "simcpu.socket",
            f"expected to listen on {path}: {error.strerror or error}",
            remedy="use a shorter path (Unix sockets have at most 107 bytes) in a folder of your own",
        ) from error
    return listener


@contextlib.contextmanager
def _owned(files: Sequence[int]) -> Iterator[None]:
    try:
        yield
    finally:
        close_files(files)


def _read_image(files: Sequence[int]) -> bytes:
    if len(files) != 1:
        raise MalformedDocument(
            "simcpu.image", f"expected one file beside the request, found {len(files)}", remedy="send the image's file"
        )
    try:
        size = os.fstat(files[0]).st_size
        return os.pread(files[0], min(size, IMAGE_SIZE_CAP + 1), 0)
    except OSError as error:
        raise MalformedDocument(
            "simcpu.image", f"the image cannot be read: {error.strerror}", remedy="send a regular file"
        ) from error


def _refusal(error: AdytonError) -> simcpu.Refused:
    status = _STATUS_BY_CODE.get(error.code, SgxStatus.INVALID_PARAMETER)
    return simcpu.Refused(status=status, code=error.code, message=error.message, remedy=error.remedy)
