"""What is said to the simulated SGX processor: by hosts over its socket, by enclaves over the one they were born with.

A message is one frame: its length as an unsigned 32-bit little-endian integer, then MessagePack; at most 1 MiB. Files
travel beside the frame's first byte (SCM_RIGHTS). Every request is answered by its own reply or by `Refused`. Requests
and replies carry their type in the field `type`, so a frame of one kind never reads as another.

An enclave is a Python process whose program is the measured code at its entry point. Its arguments are the numbers of
three descriptors it is born with (the image as a sealed file, its socket to the processor, its socket to the host) and
the package paths.

The peers' own names are used for what Intel's interfaces do too: `CreateReport` is EREPORT, `GetKey` is EGETKEY,
`GetQuote` is `sgx_qe_get_quote`.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from adyton.errors import MalformedDocument

FRAME_SIZE_CAP: Final = 1024 * 1024
_T = TypeVar("_T")


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """A message: immutable, typed by its tag, strict about its fields."""


class DescribePlatform(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="describe-platform"):
    """Ask what platform this is. Answered by `PlatformDescribed`."""


class PlatformDescribed(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="platform-described"):
    """What platform this is.

    Attributes:
        root_point: The platform's root of trust: an uncompressed P-256 point, 65 bytes.
        fmspc: Family, model, stepping, platform type and custom SKU, 6 bytes.
        cpu_svn: Security version of the simulated processor, 16 bytes.
        epc_size: Enclave memory in bytes.
        epc_free: Enclave memory that no enclave holds, in bytes.
    """

    root_point: bytes
    fmspc: bytes
    cpu_svn: bytes
    epc_size: int
    epc_free: int


class CreateEnclave(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="create-enclave"):
    """Load, measure, check and start an enclave. Carries one file: its image. Answered by `EnclaveCreated`.

    Attributes:
        sigstruct: The signature over the enclave, 1,808 bytes.
        debug: Whether to launch it so that the host can read its memory.
        config_id: Launch configuration, 64 bytes.
        config_svn: Version of the launch configuration.
        package_paths: Directories in which the packages that the image names by digest are installed.
    """

    sigstruct: bytes
    debug: bool = False
    config_id: bytes = bytes(64)
    config_svn: int = 0
    package_paths: tuple[str, ...] = ()


class EnclaveCreated(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="enclave-created"):
    """An enclave runs and is locked down. Carries one file: the host's end of its call socket.

    Attributes:
        enclave_id: Names it in later requests.
        pid: Its process.
        mr_enclave: Its measurement, 32 bytes.
        mr_signer: Its signer, 32 bytes.
        isolation: The walls that stand around it, such as `landlock`, `seccomp`.
    """

    enclave_id: int
    pid: int
    mr_enclave: bytes
    mr_signer: bytes
    isolation: tuple[str, ...]


class DestroyEnclave(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="destroy-enclave"):
    """End an enclave and free its memory. Answered by `Done`.

    Attributes:
        enclave_id: Which one; only its creator may name it.
    """

    enclave_id: int


class GetTargetInfo(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="get-target-info"):
    """Ask for the quoting enclave's target information (`sgx_qe_get_target_info`). Answered by `TargetInfoGiven`."""


class TargetInfoGiven(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="target-info-given"):
    """The quoting enclave's target information.

    Attributes:
        target_info: 512 bytes.
    """

    target_info: bytes


class GetQuote(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="get-quote"):
    """Turn a report for the quoting enclave into a quote (`sgx_qe_get_quote`). Answered by `QuoteGiven`.

    Attributes:
        report: 432 bytes, made for the quoting enclave's target information.
    """

    report: bytes


class QuoteGiven(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="quote-given"):
    """A quote.

    Attributes:
        quote: A DCAP v3 quote with its PCK chain.
    """

    quote: bytes


class GetCollateral(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="get-collateral"):
    """Ask for the platform's current endorsements. Answered by `CollateralGiven`."""


class CollateralGiven(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="collateral-given"):
    """The platform's current endorsements.

    Attributes:
        collateral: JSON, as `adyton verify --collateral` reads it.
    """

    collateral: bytes


class PublishTcbRecovery(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="publish-tcb-recovery"):
    """Play the vendor: publish TCB info under which this platform is out of date. Answered by `Done`."""


class UpdateMicrocode(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="update-microcode"):
    """Play the administrator: bring the platform to the newest published TCB. Answered by `Done`."""


class Done(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="done"):
    """It was done."""


class CreateReport(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="create-report"):
    """EREPORT, by an enclave. Answered by `ReportCreated`.

    Attributes:
        target_info: Whom the report is for, 512 bytes.
        report_data: 64 bytes that the enclave chose.
    """

    target_info: bytes
    report_data: bytes


class ReportCreated(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="report-created"):
    """A report about the enclave that asked.

    Attributes:
        report: 432 bytes.
    """

    report: bytes


class GetKey(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="get-key"):
    """EGETKEY, by an enclave. Answered by `KeyGiven`.

    Attributes:
        key_request: 512 bytes.
    """

    key_request: bytes


class KeyGiven(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="key-given"):
    """A key that only this enclave, or its signer's enclaves, can get on this platform.

    Attributes:
        key: 16 bytes.
    """

    key: bytes

    def __repr__(self) -> str:
        return "KeyGiven(key=<16 bytes>)"


class EnclaveReady(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="enclave-ready"):
    """Say, as an enclave, that the measured boot code has locked it down and it can be called. Answered by `Done`.

    Attributes:
        isolation: The walls that it put up.
    """

    isolation: tuple[str, ...]


class Refused(_Message, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="refused"):
    """It was not done.

    Attributes:
        status: Intel's `sgx_status_t` value (`adyton.formats.status.SgxStatus`).
        code: Stable dotted code.
        message: What was expected, what was found.
        remedy: What to do.
    """

    status: int
    code: str
    message: str
    remedy: str


HostRequest = (
    DescribePlatform
    | CreateEnclave
    | DestroyEnclave
    | GetTargetInfo
    | GetQuote
    | GetCollateral
    | PublishTcbRecovery
    | UpdateMicrocode
)
EnclaveRequest = EnclaveReady | CreateReport | GetKey | GetTargetInfo | GetQuote
Reply = (
    PlatformDescribed
    | EnclaveCreated
    | TargetInfoGiven
    | QuoteGiven
    | CollateralGiven
    | ReportCreated
    | KeyGiven
    | Done
    | Refused
)

_decode_host_request: Final[msgspec.msgpack.Decoder[HostRequest]] = msgspec.msgpack.Decoder(HostRequest)
_decode_enclave_request: Final[msgspec.msgpack.Decoder[EnclaveRequest]] = msgspec.msgpack.Decoder(EnclaveRequest)
_decode_reply: Final[msgspec.msgpack.Decoder[Reply]] = msgspec.msgpack.Decoder(Reply)


def encode(message: HostRequest | EnclaveRequest | Reply) -> bytes:
    """Return a frame's content, without its length."""
    return msgspec.msgpack.encode(message)


def decode_host_request(data: bytes) -> HostRequest:
    """Read what a host said.

    Raises:
        MalformedDocument: `simcpu.message.invalid`.
    """
    return _read(_decode_host_request, data)


def decode_enclave_request(data: bytes) -> EnclaveRequest:
    """Read what an enclave said.

    Raises:
        MalformedDocument: `simcpu.message.invalid`.
    """
    return _read(_decode_enclave_request, data)


def decode_reply(data: bytes) -> Reply:
    """Read what the processor said.

    Raises:
        MalformedDocument: `simcpu.message.invalid`.
    """
    return _read(_decode_reply, data)


def _read(decoder: msgspec.msgpack.Decoder[_T], data: bytes) -> _T:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise MalformedDocument(
            "simcpu.message.invalid",
            f"this is not a message to or from the simulated processor: {error}",
            remedy="use the same version of adyton on both ends of the socket",
        ) from error
