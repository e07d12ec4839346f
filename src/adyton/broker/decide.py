"""Whether a secret is released: pure, and the only place where that is decided.

1. The session is known, has not ended, and was attested.
2. The secret exists and is active.
3. The evidence is authentic, and the secret's own policy accepts it, now.

All of it has to hold. The first check that fails decides; the appraisal lists every check that it made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from adyton.broker.model import Secret, SecretState, Session, SessionState
from adyton.errors import AdytonError
from adyton.formats.check import Check, Outcome
from adyton.policy import Appraisal


@dataclass(frozen=True, slots=True)
class Release:
    """The secret may go to the session's key; only `decide` makes one.

    Attributes:
        session: The session that asked.
        secret: What it gets.
        appraisal: Why.
        checks: Every check, in order; all hold.
    """

    session: Session
    secret: Secret
    appraisal: Appraisal
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Denial:
    """The secret may not be released.

    Attributes:
        decided_by: The first check that failed.
        checks: Every check that was made, in order.
        attested: Whether the session was attested at all; if not, the caller is told to attest.
    """

    decided_by: Check
    checks: tuple[Check, ...]
    attested: bool


Decision = Release | Denial


def decide(
    session: Session | None, secret: Secret | None, appraised: Appraisal | AdytonError | None, now: datetime
) -> Decision:
    """Decide on a release.

    Args:
        session: The session that asks, if it is known.
        secret: The secret's newest version, if there is one.
        appraised: What the secret's policy makes of the session's evidence, or why it is not authentic; None if there
            was nothing to appraise.
        now: The time.
    """
    of_session = tuple(_session_checks(session, now))
    checks = (*of_session, *_secret_checks(secret), *_evidence_checks(appraised))
    failed = next((check for check in checks if not check.holds), None)
    if failed is None and session is not None and secret is not None and isinstance(appraised, Appraisal):
        return Release(session, secret, appraised, checks)
    if failed is None:
        failed = Check("evidence.appraised", Outcome.FAILED, "appraised evidence", "none", "attest first")
    return Denial(failed, checks, all(check.holds for check in of_session))


def _session_checks(session: Session | None, now: datetime) -> Iterator[Check]:
    again = "begin again at /kbs/v0/auth: a session lasts some minutes"
    yield _check("session.known", session is not None, "a session of this broker", "none by this name", again)
    if session is None:
        return
    expires = f"it ended at {session.expires:%H:%M:%S}"
    yield _check("session.live", now < session.expires, f"a session that lasts at {now:%H:%M:%S}", expires, again)
    attested = session.state is SessionState.ATTESTED
    yield _check("session.attested", attested, "an attested session", session.state, "send evidence to /kbs/v0/attest")


def _secret_checks(secret: Secret | None) -> Iterator[Check]:
    yield _check("secret.known", secret is not None, "a secret", "none by this name", "check the path's three parts")
    if secret is not None:
        active = secret.state is SecretState.ACTIVE
        yield _check("secret.active", active, SecretState.ACTIVE, secret.state, "ask its owner for a new version")


def _evidence_checks(appraised: Appraisal | AdytonError | None) -> tuple[Check, ...]:
    if appraised is None:
        return ()
    if isinstance(appraised, Appraisal):
        return appraised.checks
    return (Check(appraised.code, Outcome.FAILED, "authentic evidence", appraised.message, appraised.remedy),)


def _check(name: str, holds: bool, expected: str, actual: str, remedy: str) -> Check:  # noqa: FBT001, one rule a line
    if holds:
        return Check(name, Outcome.PASSED, expected, "it is")
    return Check(name, Outcome.FAILED, expected, actual, remedy)
