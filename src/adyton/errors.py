"""The errors of every room: one root, one shape.

Each error carries a stable dotted code (`dcap.chain.untrusted_root`), a sentence that says what was expected and what
was found, and a remedy. Errors never hold secrets, tokens or key material. A library's own exceptions do not cross a
room's wall: the room that calls the library raises one of these instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "AccessDenied",
    "AdytonError",
    "Conflict",
    "EnclaveError",
    "ErrorReport",
    "MalformedDocument",
    "MalformedEvidence",
    "NotFound",
    "PolicyDenied",
    "StateError",
    "TransportError",
    "UntrustedEvidence",
    "UsageError",
]


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """An error as data: what every `--json` answer and every HTTP problem document holds."""

    code: str
    message: str
    remedy: str


class AdytonError(Exception):
    """The root of all errors that this project raises on purpose.

    Attributes:
        code: Stable dotted identifier, from the general to the particular.
        message: One sentence: what was expected, what was found.
        remedy: What to do about it.
        exit_code: What a command that ends with this error exits with.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, code: str, message: str, *, remedy: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.remedy = remedy

    def report(self) -> ErrorReport:
        """Return the error as data."""
        return ErrorReport(self.code, self.message, self.remedy)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.code, self.message, self.remedy))


def _rebuild(kind: type[AdytonError], code: str, message: str, remedy: str) -> AdytonError:
    return kind(code, message, remedy=remedy)


class UsageError(AdytonError):
    """A command or function was called in a way that it does not offer."""

    exit_code = 3


class MalformedEvidence(AdytonError):
    """Evidence, or the endorsements it is checked with, is not in the format that it claims."""


class MalformedDocument(AdytonError):
    """A policy, a message, a configuration or an image is not in the format that it should have."""


class UntrustedEvidence(AdytonError):
    """Evidence is well formed and is not authentic: a signature, a chain, a revocation or an identity fails."""


class PolicyDenied(AdytonError):
    """Evidence is authentic and the policy does not accept it."""

    exit_code = 1


class AccessDenied(AdytonError):
    """The caller is not who it has to be, or may not do what it asked."""


class NotFound(AdytonError):
    """What the caller named does not exist, or is not the caller's to see."""


class Conflict(AdytonError):
    """What the caller asked contradicts what is already there."""


class StateError(AdytonError):
    """Stored state is missing, damaged, or sealed with another key. Nothing is released on such an error."""


class TransportError(AdytonError):
    """A peer could not be reached, or answered outside the protocol."""


class EnclaveError(AdytonError):
    """An enclave could not be built, loaded or called.

    The code ends in Intel's status name in lower case where there is one: `sgx.error.invalid_signature`.
    """
