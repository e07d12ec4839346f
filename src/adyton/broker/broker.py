"""The broker: what parties and TEEs can ask of it. Each method is one transaction."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from adyton.attest import TrustRoots, VerificationCache
from adyton.broker.collateral import CollateralSource
from adyton.broker.decide import Denial, Release, decide
from adyton.broker.keys import OwnKeys, encrypt_to, import_key, public_jwk
from adyton.broker.ledger import Ledger, entry_of
from adyton.broker.model import Secret, SecretState, Session, SessionState
from adyton.broker.party import PartyRequest, unverified_issuer, verify_request
from adyton.broker.rootkey import RootKey
from adyton.broker.store import Rows, Store
from adyton.broker.tokens import result_token, session_of
from adyton.errors import AccessDenied, AdytonError, Conflict, MalformedDocument, MalformedEvidence, UntrustedEvidence
from adyton.formats.kbs import Attestation, Challenge, EncryptedResource, KeyBrokerRequest, parse
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.quote import Quote, Tee
from adyton.formats.receipt import LedgerEntry, Receipt, TreeHead
from adyton.policy import Appraisal, builtin_policy, verify
from adyton.policy.rules import report_data

_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,99}){2}")
_PARTY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
# Errors that mean: these endorsements are another platform's.
_ANOTHER_S: Final = frozenset(
    {
        "dcap.chain.untrusted_root",
        "dcap.pck_chain.root",
        "dcap.tcb_info.tee",
        "dcap.tcb_info.fmspc",
        "dcap.pck_crl.issuer",
    }
)
_SHOWN: Final = 500


@dataclass(frozen=True, slots=True)
class BrokerLimits:
    """How much the broker takes.

    Attributes:
        session_life: How long a session lasts.
        secret_size: Bytes of a secret.
        listed: Entries in one listing.
    """

    session_life: timedelta = timedelta(minutes=5)
    secret_size: int = 32 * 1024
    listed: int = 1000


@dataclass(frozen=True, slots=True)
class Released:
    """A released secret.

    Attributes:
        resource: The secret, encrypted to the attested key.
        receipt: The name of the receipt.
    """

    resource: EncryptedResource
    receipt: str


class ReleaseDenied(AdytonError):
    """A release was denied; the ledger says so.

    Attributes:
        denial: Why, check by check.
    """

    def __init__(self, denial: Denial) -> None:
        check = denial.decided_by
        super().__init__(check.id, f"expected {check.expected}, found {check.actual}", remedy=check.remedy)
        self.denial = denial


class Broker:
    """A broker over its store.

    Args:
        store: Its state.
        root_key: What it seals with.
        collateral: Where its endorsements come from.
        roots: The roots of trust that it knows; each secret's policy names which of them it accepts.
        issuer: Its name in tokens.
        limits: How much it takes.

    Attributes:
        keys: Its own keys.
    """

    def __init__(
        self,
        store: Store,
        root_key: RootKey,
        collateral: CollateralSource,
        *,
        roots: TrustRoots,
        issuer: str,
        limits: BrokerLimits | None = None,
    ) -> None:
        self._store = store
        self._root_key = root_key
        self._collateral = collateral
        self._roots = roots
        self._issuer = issuer
        self._limits = limits or BrokerLimits()
        self._cache = VerificationCache()
        self.keys = OwnKeys(store, root_key)
        self._ledger = Ledger(self.keys.head_key)

    @property
    def roots(self) -> tuple[str, ...]:
        """The roots of trust that it knows, by name."""
        return tuple(sorted(self._roots.names))

    # Parties and their secrets

    def enroll(self, party: str, public_key: bytes) -> None:
        """Enroll a party; the same party with the same key is no change.

        Raises:
            MalformedDocument: `party.name`, `party.key`.
            Conflict: `party.exists` if it has another key.
        """
        if not _PARTY.fullmatch(party):
            raise MalformedDocument("party.name", f"expected a name, found {party!r}", remedy="use letters and digits")
        key = msgspec.json.encode(public_jwk(import_key(public_key, "party.key")), order="sorted")
        with self._store.writing() as rows:
            known = rows.party(party)
            if known is None:
                rows.add_party(party, key)
                self._ledger.append(rows, LedgerEntry(kind="party-enrolled", at=_now(), party=party))
            elif known != key:
                raise Conflict(
                    "party.exists", f"party {party} is enrolled with another key", remedy="use its key, or another name"
                )

    def authorize(self, token: str, request: PartyRequest) -> str:
        """Return the party whose token allows this request; the token is used up.

        Raises:
            AccessDenied: `party.token`, `party.unknown`, `party.replay`.
        """
        issuer, now = unverified_issuer(token), _now()
        with self._store.writing() as rows:
            public = rows.party(issuer)
            if public is None:
                raise AccessDenied("party.unknown", "expected an enrolled party", remedy="have the party enrolled")
            claims = verify_request(token, request, import_key(public, "party.key"), now=now)
            if not rows.spend(f"{issuer}:{claims.jti}", now + timedelta(minutes=5), now):
                raise AccessDenied(
                    "party.replay", "expected a fresh token, found one that was used", remedy="sign each request anew"
                )
        return issuer

    def put_secret(self, party: str, path: str, envelope: str, policy: AppraisalPolicy) -> Secret:
        """Keep a new version of a secret.

        Args:
            party: Its owner.
            path: `<repository>/<type>/<tag>`.
            envelope: The value, a compact JWE to the upload key.
            policy: Whose code it is for.

        Raises:
            MalformedDocument: `secret.path`, `secret.envelope`, `secret.size`.
            AccessDenied: `secret.owner` if the path is another party's.
        """
        if not _PATH.fullmatch(path):
            raise MalformedDocument(
                "secret.path",
                f"expected repository/type/tag, found {path[:200]!r}",
                remedy="use letters, digits, ., _, -",
            )
        value, now = self.keys.open_envelope(envelope, self._limits.secret_size), _now()
        with self._store.writing() as rows:
            known = rows.secret(path)
            if known is not None and known.owner != party:
                raise AccessDenied("secret.owner", f"{path} belongs to another party", remedy="choose another path")
            version = 1 if known is None else known.version + 1
            secret = Secret(path, version, party, SecretState.ACTIVE, policy, b"", now)
            sealed = Secret(path, version, party, secret.state, policy, self._root_key.seal(value, secret.context), now)
            rows.add_secret(sealed)
            entry = LedgerEntry(
                kind="secret-put",
                at=now,
                party=party,
                secret=path,
                version=version,
                policy=policy.name,
                policy_digest=policy.digest().hex(),
            )
            self._ledger.append(rows, entry)
        return sealed

    def secrets_of(self, party: str) -> list[Secret]:
        """Return a party's secrets, sealed."""
        with self._store.reading() as rows:
            return rows.secrets_of(party)

    # The KBS attestation protocol

    def challenge(self, request: KeyBrokerRequest) -> tuple[str, Challenge]:
        """Begin a session; return its cookie and the challenge.

        Raises:
            AccessDenied: `kbs.version`, `kbs.tee` for what is not supported.
        """
        if not request.version.startswith("0.4."):
            raise AccessDenied(
                "kbs.version", f"expected version 0.4, found {request.version}", remedy="use version 0.4.0"
            )
        if request.tee not in (Tee.SGX, Tee.TDX):
            raise AccessDenied("kbs.tee", f"expected sgx or tdx, found {request.tee}", remedy="attest with SGX or TDX")
        now, nonce, cookie = _now(), secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        session = Session(
            id=session_id(cookie),
            nonce=nonce,
            tee=Tee(request.tee),
            state=SessionState.CHALLENGED,
            created=now,
            expires=now + self._limits.session_life,
        )
        with self._store.writing() as rows:
            rows.add_session(session)
        return cookie, Challenge(nonce=nonce)

    def attest(self, identifier: str, message: bytes) -> str:
        """Accept evidence for a session; return the attestation result, a JWT.

        Args:
            identifier: The session: `session_id` of its cookie.
            message: The protocol's Attestation message.

        Raises:
            AccessDenied: `session.known`, `session.live`, `session.nonce`.
            UntrustedEvidence: It is not authentic, or (`report_data`) does not bind this session's nonce and key.
            MalformedDocument: The message is not the protocol's; `session.key` for a key that is no point of P-256.
            MalformedEvidence: The quote does not parse.
            NotFound: `collateral.unknown`.
        """
        now = _now()
        with self._store.reading() as rows:
            session = rows.session(identifier)
        if session is None or session.expires <= now:
            raise AccessDenied("session.live", "expected a live session", remedy="begin again at /kbs/v0/auth")
        attestation = parse(message, Attestation)
        import_key(msgspec.json.encode(attestation.runtime_data.tee_pubkey), "session.key")
        if attestation.runtime_data.nonce != session.nonce:
            raise AccessDenied(
                "session.nonce",
                "expected this session's nonce in the runtime data, found another",
                remedy="attest anew",
            )
        appraisal = self._appraise(attestation, builtin_policy("strict"), self._roots, now)
        if appraisal.claims.tee is not session.tee:
            raise UntrustedEvidence(
                "session.tee",
                f"expected {session.tee}, found {appraisal.claims.tee}",
                remedy="name the TEE that attests",
            )
        _require_binding(appraisal, attestation)
        with self._store.writing() as rows:
            if not rows.mark_attested(session.id, message):
                raise AccessDenied(
                    "session.nonce", "expected a nonce that was not used, found one that was", remedy="attest anew"
                )
        return result_token(
            appraisal,
            attestation.runtime_data.tee_pubkey,
            session.nonce,
            session.id,
            signing_key=self.keys.head_key,
            issuer=self._issuer,
        )

    def session_of(self, token: str) -> str:
        """Return the session that an attestation result is of: whoever has the result may ask for secrets too.

        Raises:
            AccessDenied: `session.token`.
        """
        return session_of(token, self.keys.head_key, _now())

    def release(self, identifier: str, path: str) -> Released:
        """Release a secret to a session's key, or record why not.

        Args:
            identifier: The session: `session_id` of its cookie, or `session_of` a token.
            path: `<repository>/<type>/<tag>`.

        Raises:
            ReleaseDenied: With every check; the denial is in the ledger.
            StateError: The store or the seal fails; nothing is released.
        """
        now = _now()
        with self._store.reading() as rows:
            session, secret = rows.session(identifier), rows.secret(path)
        appraised = self._appraise_for(session, secret, now)
        decision = decide(session, secret, appraised, now)
        if isinstance(decision, Denial):
            self._record_denial(decision, path, secret, appraised, now)
            raise ReleaseDenied(decision)
        return self._release(decision, now)

    # The record

    def receipts(self, start: int = 0) -> list[tuple[int, str, LedgerEntry]]:
        """Return ledger entries from a place on: place, receipt's name, content."""
        with self._store.reading() as rows:
            found = rows.entries(start, self._limits.listed)
        return [(position, name, msgspec.json.decode(entry, type=LedgerEntry)) for position, name, entry in found]

    def receipt(self, name: str) -> Receipt:
        """Return a receipt, proven in the ledger as it is now.

        Raises:
            NotFound: `receipt.unknown`.
        """
        with self._store.reading() as rows:
            return self._ledger.receipt(rows, name, _now())

    def head(self) -> TreeHead:
        """Return the ledger's head, signed now."""
        with self._store.reading() as rows:
            return self._ledger.head(rows, _now())

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the ledger of `new` entries continues that of `old`."""
        with self._store.reading() as rows:
            return self._ledger.consistency(rows, old, new)

    # Inside

    def _appraise(
        self, attestation: Attestation, policy: AppraisalPolicy, roots: TrustRoots, now: datetime
    ) -> Appraisal:
        """Take the road up to a verdict, with each set of endorsements that may fit, and keep the best outcome."""
        quote = Quote.parse(attestation.tee_evidence.primary_evidence.quote)
        expected = attestation.runtime_data.report_data(attestation.tee_evidence.additional_evidence)
        failures: list[AdytonError] = []
        for collateral in self._collateral.candidates(quote):
            try:
                return verify(
                    quote, collateral, policy, roots=roots, expected_report_data=expected, now=now, cache=self._cache
                )
            except (UntrustedEvidence, MalformedEvidence) as error:
                failures.append(error)
        raise next((error for error in failures if error.code not in _ANOTHER_S), failures[0])

    def _appraise_for(
        self, session: Session | None, secret: Secret | None, now: datetime
    ) -> Appraisal | AdytonError | None:
        if session is None or secret is None or session.state is not SessionState.ATTESTED:
            return None
        try:
            attestation = parse(session.attestation, Attestation)
            return self._appraise(attestation, secret.policy, TrustRoots.named(secret.policy.roots), now)
        except AdytonError as error:
            return error

    def _release(self, decision: Release, now: datetime) -> Released:
        session, secret, appraisal = decision.session, decision.secret, decision.appraisal
        key = parse(session.attestation, Attestation).runtime_data.tee_pubkey
        value = self._root_key.unseal(secret.sealed, secret.context)
        compact = encrypt_to(import_key(msgspec.json.encode(key), "session.key"), value)
        entry = msgspec.structs.replace(entry_of("release", secret, appraisal, now), key_thumbprint=key.thumbprint())
        with self._store.writing() as rows:
            # Another version may have come since the decision: its policy has not been asked.
            _require_newest(rows, secret)
            name = self._ledger.append(rows, entry)
        return Released(EncryptedResource.of_compact(compact), name)

    def _record_denial(
        self, denial: Denial, path: str, secret: Secret | None, appraised: Appraisal | AdytonError | None, now: datetime
    ) -> None:
        # Whoever was not attested leaves no entry: a stranger must not be able to fill the ledger.
        if not denial.attested or not _PATH.fullmatch(path):
            return
        check = denial.decided_by
        entry = msgspec.structs.replace(
            entry_of("denial", secret, appraised if isinstance(appraised, Appraisal) else None, now),
            secret=path,
            check=check.id,
            expected=check.expected[:_SHOWN],
            found=check.actual[:_SHOWN],
        )
        with self._store.writing() as rows:
            self._ledger.append(rows, entry)


def session_id(cookie: str) -> str:
    """Return the session's name in the store."""
    return hashlib.sha256(cookie.encode()).hexdigest()


def _require_binding(appraisal: Appraisal, attestation: Attestation) -> None:
    expected = attestation.runtime_data.report_data(attestation.tee_evidence.additional_evidence)
    check = report_data(appraisal.evidence, expected, "quote, report data")
    if not check.holds:
        raise UntrustedEvidence(check.id, f"expected {check.expected}, found {check.actual}", remedy=check.remedy)


def _require_newest(rows: Rows, secret: Secret) -> None:
    newest = rows.secret(secret.path)
    if newest is None or newest.version != secret.version:
        raise Conflict("secret.changed", "the secret has a newer version by now", remedy="ask again")


def _now() -> datetime:
    return datetime.now(UTC)
