"""What the broker knows: parties, secrets, sessions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from adyton.formats.policy import AppraisalPolicy
from adyton.formats.quote import Tee


class SecretState(StrEnum):
    """A secret's state, in the words of NIST SP 800-57 part 1, 7."""

    ACTIVE = "active"
    DEACTIVATED = "deactivated"


class SessionState(StrEnum):
    """How far a session has come."""

    CHALLENGED = "challenged"
    ATTESTED = "attested"


@dataclass(frozen=True, slots=True)
class Secret:
    """A version of a secret, sealed.

    Attributes:
        path: `<repository>/<type>/<tag>`.
        version: From 1.
        owner: The party that put it.
        state: Only an active one is released.
        policy: Whose code it is for.
        sealed: The value, sealed to `context`.
        created: When it was put, UTC.
    """

    path: str
    version: int
    owner: str
    state: SecretState
    policy: AppraisalPolicy
    sealed: bytes = field(repr=False)
    created: datetime

    @property
    def context(self) -> bytes:
        """What the sealed value is bound to."""
        return f"secret\0{self.path}\0{self.version}\0{self.owner}".encode()


@dataclass(frozen=True, slots=True)
class Session:
    """A session with a TEE.

    Attributes:
        id: SHA-256 of the cookie's value, hex: a copy of the database opens no session.
        nonce: What its evidence has to bind.
        tee: The TEE that the client named.
        state: How far it has come.
        created: When it began, UTC.
        expires: When it ends, UTC.
        attestation: The protocol's Attestation message, once it was accepted.
    """

    id: str
    nonce: str
    tee: Tee
    state: SessionState
    created: datetime
    expires: datetime
    attestation: bytes = field(default=b"", repr=False)
