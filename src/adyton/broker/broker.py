"""The broker: what parties and TEEs can ask of it. Each method is one transaction."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from adyton.attest import TrustRoots, VerificationCache
from adyton.broker.collateral import CollateralSource
from adyton.broker.decide import Denial, Release, decide
from adyton.broker.ledger import Ledger
from adyton.broker.model import Secret, SecretState, Session, SessionState
from adyton.broker.party import PartyRequest, unverified_issuer, verify_request
from adyton.broker.rootkey import RootKey
from adyton.broker.store import Rows, Store
from adyton.broker.tokens import result_token, session_of
from adyton.errors import AccessDenied, AdytonError, Conflict, MalformedDocument, UntrustedEvidence
from adyton.formats.kbs import Attestation, Challenge, EncryptedResource, KeyBrokerRequest, parse
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.quote import Quote, Tee
from adyton.formats.receipt import LedgerEntry, Receipt, TreeHead
from adyton.policy import Appraisal, builtin_policy, verify
from adyton.policy.rules import report_data

_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,99}){2}")
_PARTY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ENCRYPTION: Final = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM"}
_ALGORITHMS: Final = list(_ENCRYPTION.values())
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
        self._signing_key = self._own_key("signing")
        self._upload_key = self._own_key("upload")
        self._ledger = Ledger(_private(self._signing_key))

    @property
    def signing_jwk(self) -> dict[str, object]:
        """The public key of its tokens and tree heads, JWK."""
        return _public_jwk(self._signing_key) | {"use": "sig", "alg": "ES256", "kid": self._signing_key.thumbprint()}

    @property
    def upload_jwk(self) -> dict[str, object]:
        """The public key that secrets are encrypted to on their way here, JWK."""
        return _public_jwk(self._upload_key) | {"use": "enc", "alg": _ENCRYPTION["alg"]}

    @property
    def roots(self) -> tuple[str, ...]:
        """The roots of trust that it knows, by name."""
        return tuple(sorted(self._roots.names))

    # Parties and their secrets

    def enroll(self, party: str, public_jwk: bytes) -> None:
        """Enroll a party; the same party with the same key is no change.

        Raises:
            MalformedDocument: `party.name`, `party.key`.
            Conflict: `party.exists` if it has another key.
        """
        if not _PARTY.fullmatch(party):
            raise MalformedDocument("party.name", f"expected a name, found {party!r}", remedy="use letters and digits")
        key = msgspec.json.encode(_public_jwk(_import_key(public_jwk)), order="sorted")
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
            claims = verify_request(token, request, _import_key(public), now=now)
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
        value, now = self._open_envelope(envelope), _now()
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
            MalformedDocument: The message is not the protocol's.
            MalformedEvidence: The quote does not parse.
            NotFound: `collateral.unknown`.
        """
        now = _now()
        with self._store.reading() as rows:
            session = rows.session(identifier)
        if session is None or session.expires <= now:
            raise AccessDenied("session.live", "expected a live session", remedy="begin again at /kbs/v0/auth")
        attestation = parse(message, Attestation)
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
            signing_key=self._signing_key,
            issuer=self._issuer,
            now=now,
        )

    def session_of(self, token: str) -> str:
        """Return the session that an attestation result is of: whoever has the result may ask for secrets too.

        Raises:
            AccessDenied: `session.token`.
        """
        return session_of(token, self._signing_key, _now())

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

    def _own_key(self, name: str) -> ECKey:
        context = f"broker-key\0{name}".encode()
        with self._store.writing() as rows:
            sealed = rows.key(name)
            if sealed is None:
                key = ECKey.generate_key("P-256", private=True)
                rows.add_key(name, self._root_key.seal(msgspec.json.encode(key.as_dict(private=True)), context))
                return key
        return ECKey.import_key(msgspec.json.decode(self._root_key.unseal(sealed, context)))

    def _open_envelope(self, envelope: str) -> bytes:
        try:
            value = jwe.decrypt_compact(envelope, self._upload_key, algorithms=_ALGORITHMS).plaintext or b""
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise MalformedDocument(
                "secret.envelope",
                "expected a compact JWE to this broker's upload key, found something that does not open",
                remedy="encrypt it to the key of GET /v1/broker",
            ) from error
        if not 0 < len(value) <= self._limits.secret_size:
            raise MalformedDocument(
                "secret.size",
                f"expected 1 to {self._limits.secret_size} bytes, found {len(value)}",
                remedy="keep a key here, and the data it opens elsewhere",
            )
        return value

    def _appraise(
        self, attestation: Attestation, policy: AppraisalPolicy, roots: TrustRoots, now: datetime
    ) -> Appraisal:
        """Take the road up to a verdict, with each set of endorsements that may fit, and keep the best outcome."""
        quote = Quote.parse(attestation.tee_evidence.primary_evidence.quote)
        expected = attestation.runtime_data.report_data(attestation.tee_evidence.additional_evidence)
        failures: list[UntrustedEvidence] = []
        for collateral in self._collateral.candidates(quote):
            try:
                return verify(
                    quote, collateral, policy, roots=roots, expected_report_data=expected, now=now, cache=self._cache
                )
            except UntrustedEvidence as error:
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
        recipient = ECKey.import_key(msgspec.to_builtins(key))
        compact = jwe.encrypt_compact(_ENCRYPTION, value, recipient, algorithms=_ALGORITHMS)
        entry = msgspec.structs.replace(_entry("release", secret, appraisal, now), key_thumbprint=key.thumbprint())
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
            _entry("denial", secret, appraised if isinstance(appraised, Appraisal) else None, now),
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


def _entry(kind: str, secret: Secret | None, appraisal: Appraisal | None, now: datetime) -> LedgerEntry:
    fields: dict[str, object] = {"kind": kind, "at": now}
    if secret is not None:
        fields |= {
            "secret": secret.path,
            "version": secret.version,
            "policy": secret.policy.name,
            "policy_digest": secret.policy.digest().hex(),
        }
    if appraisal is not None:
        fields |= {
            "evidence_digest": appraisal.evidence_digest.hex(),
            "collateral_digest": appraisal.collateral_digest.hex(),
            "measurement": appraisal.claims.measurement,
            "tcb_status": appraisal.evidence.tcb.status.value,
            "mode": appraisal.mode,
            "root": appraisal.evidence.root.name,
        }
    return msgspec.convert(fields, LedgerEntry)


def _require_binding(appraisal: Appraisal, attestation: Attestation) -> None:
    expected = attestation.runtime_data.report_data(attestation.tee_evidence.additional_evidence)
    check = report_data(appraisal.evidence, expected)
    if not check.holds:
        raise UntrustedEvidence(check.id, f"expected {check.expected}, found {check.actual}", remedy=check.remedy)


def _require_newest(rows: Rows, secret: Secret) -> None:
    newest = rows.secret(secret.path)
    if newest is None or newest.version != secret.version:
        raise Conflict("secret.changed", "the secret has a newer version by now", remedy="ask again")


def _now() -> datetime:
    return datetime.now(UTC)


def _private(key: ECKey) -> ec.EllipticCurvePrivateKey:
    private = key.private_key
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise TypeError("expected a private key")
    return private


def _public_jwk(key: ECKey) -> dict[str, object]:
    public = key.as_dict(private=False)
    return {name: public[name] for name in ("kty", "crv", "x", "y")}


def _import_key(jwk: bytes) -> ECKey:
    try:
        members: dict[str, str | list[str]] = dict(msgspec.json.decode(jwk, type=dict[str, str]))
        key = ECKey.import_key(members)
    except (ValueError, KeyError, JoseError, msgspec.MsgspecError) as error:
        raise _not_a_key() from error
    if key.curve_name != "P-256":
        raise _not_a_key()
    return key


def _not_a_key() -> MalformedDocument:
    return MalformedDocument("party.key", "expected a P-256 public key, JWK", remedy="make an ES256 key")
