"""One machine's platform: the simulated processor and the broker, as processes of their own under one folder.

    DIR/simcpu/     the processor's keys (0700) and, in public/, its endorsements
    DIR/broker/     the broker's database and its wrapped root key (0700)
    DIR/run/        the processor's socket
    DIR/owner.json  the first party's key (0600): whoever has it may put secrets
    DIR/logs/       what both said

A kill at any moment loses nothing that was acknowledged: both keep their state in files that are replaced or committed
as a whole. Both end with the process that started them. One platform runs on a folder at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import msgspec
from joserfc.jwk import ECKey

from adyton import linux
from adyton.attest import TrustRoot
from adyton.errors import AdytonError, Conflict, ErrorReport, StateError
from adyton.formats import simcpu
from adyton.guest.processor import ProcessorClient
from adyton.server.owner import Owner

OWNER: Final = "owner"
_START_TIMEOUT: Final = 60.0
_STOP_TIMEOUT: Final = 10.0


@dataclass(frozen=True, slots=True)
class PlatformConfig:
    """How to run a platform.

    Attributes:
        state: Its folder.
        listen: Where the broker listens: HOST:PORT; port 0 takes a free one.
        passphrase: What opens the broker's root key; without one, a key file beside it does.
        collateral: Further collateral files or folders, for platforms other than the simulated one.
    """

    state: Path
    listen: str = "127.0.0.1:0"
    passphrase: bytes | None = field(default=None, repr=False)
    collateral: Sequence[Path] = ()


class _Answer(msgspec.Struct, frozen=True):
    """The line that a service prints when it is ready, or why it is not."""

    listening: str = ""
    error: ErrorReport | None = None


class Platform:
    """A running platform; it ends with the `with` block.

    Attributes:
        url: Where the broker listens.
        processor: The simulated processor's socket.
        root: The simulated root of trust.
        owner: The first party.
    """

    def __init__(self, config: PlatformConfig) -> None:
        self._config = config
        self._processes: list[subprocess.Popen[bytes]] = []
        self._cleanup = contextlib.ExitStack()
        self.processor = config.state / "run" / "simcpu.sock"
        self.url = ""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def collateral_file(self) -> Path:
        """Where the simulated processor publishes its endorsements."""
        return self._config.state / "simcpu" / "public" / "collateral.json"

    def stop(self) -> None:
        """End both processes."""
        for process in reversed(self._processes):
            process.terminate()
        for process in reversed(self._processes):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_TIMEOUT)
            process.kill()
            process.wait()
        self._processes.clear()
        self._cleanup.close()

    def wait(self) -> None:
        """Wait until a process ends on its own.

        Raises:
            StateError: `up.ended`, always: they are to run until they are stopped.
        """
        while all(process.poll() is None for process in self._processes):
            time.sleep(0.2)
        raise StateError(
            "up.ended",
            "a service of the platform ended by itself",
            remedy=f"read {self._config.state / 'logs'}, then start it again: nothing was lost",
        )

    def _start(self) -> None:
        state = self._config.state
        _make_folders(state)
        self._lock(state)
        socket = self._launch("simcpu", ["--state", str(state / "simcpu"), "--socket", str(self.processor)])
        with ProcessorClient.connect(Path(socket)) as client:
            described = client.request(simcpu.DescribePlatform(), simcpu.PlatformDescribed)
        self.root = TrustRoot.of(described.root_point)
        self.owner = _owner(state)
        self.url = self._launch("server", self._server_arguments(), passphrase=self._config.passphrase)

    def _server_arguments(self) -> list[str]:
        config = self._config
        arguments = ["--state", str(config.state / "broker"), "--listen", config.listen, "--root", self.root.name]
        for path in (self.collateral_file, *config.collateral):
            arguments += ["--collateral", str(path)]
        return arguments

    def _lock(self, state: Path) -> None:
        lock = self._cleanup.enter_context((state / "lock").open("wb"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(
                "up.in_use", f"another platform runs on {state}", remedy="stop it first, or use another folder"
            ) from error

    def _launch(self, name: str, arguments: list[str], *, passphrase: bytes | None = None) -> str:
        log = self._cleanup.enter_context((self._config.state / "logs" / f"{name}.log").open("ab"))
        command = [sys.executable, "-m", f"adyton.{name}", *arguments]
        if passphrase is None:
            process = _popen(command, log)
        else:
            reading, writing = os.pipe()
            with os.fdopen(reading, "rb"), os.fdopen(writing, "wb") as pipe:
                process = _popen([*command, "--passphrase-fd", str(reading)], log, pass_fds=(reading,))
                pipe.write(passphrase)
        self._processes.append(process)
        return _ready(name, process, self._config.state / "logs" / f"{name}.log")


def _popen(command: list[str], log: IO[bytes], pass_fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    # A session of its own: an interrupt at the terminal reaches this process alone, which then stops them in order.
    return subprocess.Popen(  # noqa: S603, this project's own services
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, pass_fds=pass_fds, start_new_session=True
    )


def _ready(name: str, process: subprocess.Popen[bytes], log: Path) -> str:
    line = b""
    if process.stdout is not None:
        # One line is all that a service says there.
        with process.stdout as said:
            line = said.readline()
    try:
        answer = msgspec.json.decode(line, type=_Answer)
    except msgspec.MsgspecError as error:
        raise StateError("up.service", f"expected {name} to start; it said nothing", remedy=f"read {log}") from error
    if answer.error is not None:
        raise _ServiceError(answer.error)
    return answer.listening


class _ServiceError(AdytonError):
    """What a service said when it could not start, in its own words."""

    def __init__(self, report: ErrorReport) -> None:
        super().__init__(report.code, report.message, remedy=report.remedy)


def _make_folders(state: Path) -> None:
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("simcpu", "broker", "broker/parties", "run", "logs"):
            (state / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StateError(
            "up.state", f"expected to use folder {state}: {error.strerror or error}", remedy="use a folder of your own"
        ) from error


def _owner(state: Path) -> Owner:
    """Return the first party; make it if it is not there, and have the broker enroll it."""
    path = state / "owner.json"
    if not path.exists():
        key = ECKey.generate_key("P-256", private=True)
        linux.replace_file(path, msgspec.json.encode(key.as_dict(private=True)), mode=0o600)
    owner = read_owner(path)
    public = msgspec.json.encode(owner.key.as_dict(private=False))
    linux.replace_file(state / "broker" / "parties" / f"{owner.name}.jwk", public, mode=0o600)
    return owner


def read_owner(path: Path) -> Owner:
    """Read a party's key.

    Raises:
        StateError: `owner.key`.
    """
    try:
        members: dict[str, str | list[str]] = dict(msgspec.json.decode(path.read_bytes(), type=dict[str, str]))
        return Owner(OWNER, ECKey.import_key(members))
    except (OSError, ValueError, KeyError, msgspec.MsgspecError) as error:
        raise StateError(
            "owner.key", f"expected a party's key in {path}", remedy="name the owner.json of the platform's folder"
        ) from error
