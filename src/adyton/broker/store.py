"""Where the broker's state lives: tables, and the statements on them (SQLAlchemy Core).

SQLite in one file by default: write-ahead log, every commit synchronised to disk, one writer at a time. The statements
keep to what PostgreSQL has too; they have not been run on it yet. A value is sealed before it comes here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from adyton.broker.model import Secret, SecretState, Session, SessionState
from adyton.errors import Conflict, StateError
from adyton.formats.policy import AppraisalPolicy
from adyton.formats.quote import Tee

SCHEMA_VERSION: Final = 1

_tables: Final = sa.MetaData()
_meta = sa.Table("meta", _tables, sa.Column("name", sa.String(64), primary_key=True), sa.Column("value", sa.Integer))
_keys = sa.Table(
    "broker_keys", _tables, sa.Column("name", sa.String(64), primary_key=True), sa.Column("sealed", sa.LargeBinary)
)
_parties = sa.Table(
    "parties",
    _tables,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("public_key", sa.LargeBinary, nullable=False),
)
_secrets = sa.Table(
    "secrets",
    _tables,
    sa.Column("path", sa.String(400), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("owner", sa.String(100), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("policy", sa.LargeBinary, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)
_sessions = sa.Table(
    "sessions",
    _tables,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("nonce", sa.String(128), nullable=False, unique=True),
    sa.Column("tee", sa.String(16), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger, nullable=False, index=True),
    sa.Column("attestation", sa.LargeBinary, nullable=False),
)
_spent = sa.Table(
    "spent_tokens",
    _tables,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("expires", sa.BigInteger, nullable=False, index=True),
)
_entries = sa.Table(
    "ledger_entries",
    _tables,
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("entry", sa.LargeBinary, nullable=False),
    sa.Column("receipt", sa.String(64), nullable=False, unique=True),
)
_nodes = sa.Table(
    "ledger_nodes",
    _tables,
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)


class Store:
    """A broker's database.

    Args:
        path: The SQLite file; made if it is not there.

    Raises:
        StateError: `broker.store.unusable`; `broker.store.version` for a database of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._write_lock = threading.Lock()
        self._engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
        sa.event.listen(self._engine, "connect", _configure)
        with self.writing() as rows:
            _tables.create_all(rows.connection)
            found = rows.connection.scalar(sa.select(_meta.c.value).where(_meta.c.name == "schema"))
            if found is None:
                rows.connection.execute(_meta.insert().values(name="schema", value=SCHEMA_VERSION))
            elif found != SCHEMA_VERSION:
                raise StateError(
                    "broker.store.version",
                    f"expected a database of version {SCHEMA_VERSION}, found {found}",
                    remedy="use the version of adyton that made it",
                )

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        """Read in one transaction.

        Raises:
            StateError: `broker.store.unusable`.
        """
        with _translated(), self._engine.connect() as connection:
            yield Rows(connection)

    @contextmanager
    def writing(self) -> Iterator[Rows]:
        """Write in one transaction: all of it is on disk afterwards, or nothing.

        Raises:
            StateError: `broker.store.unusable`.
        """
        with self._write_lock, _translated(), self._engine.begin() as connection:
            yield Rows(connection)

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()


class Rows:
    """The statements, within one transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection

    def key(self, name: str) -> bytes | None:
        """Return one of the broker's own keys, sealed."""
        return self.connection.scalar(sa.select(_keys.c.sealed).where(_keys.c.name == name))

    def add_key(self, name: str, sealed: bytes) -> None:
        """Add one of the broker's own keys."""
        self.connection.execute(_keys.insert().values(name=name, sealed=sealed))

    def party(self, name: str) -> bytes | None:
        """Return a party's public key, JWK."""
        return self.connection.scalar(sa.select(_parties.c.public_key).where(_parties.c.name == name))

    def add_party(self, name: str, public_key: bytes) -> None:
        """Add a party."""
        self.connection.execute(_parties.insert().values(name=name, public_key=public_key))

    def secret(self, path: str) -> Secret | None:
        """Return the newest version of a secret."""
        query = sa.select(_secrets).where(_secrets.c.path == path).order_by(_secrets.c.version.desc()).limit(1)
        row = self.connection.execute(query).mappings().first()
        return None if row is None else _secret(row)

    def secrets_of(self, owner: str) -> list[Secret]:
        """Return all versions of a party's secrets."""
        query = sa.select(_secrets).where(_secrets.c.owner == owner).order_by(_secrets.c.path, _secrets.c.version)
        return [_secret(row) for row in self.connection.execute(query).mappings()]

    def add_secret(self, secret: Secret) -> None:
        """Add a version of a secret."""
        self.connection.execute(
            _secrets.insert().values(
                path=secret.path,
                version=secret.version,
                owner=secret.owner,
                state=secret.state.value,
                policy=secret.policy.to_bytes(),
                sealed=secret.sealed,
                created=_microseconds(secret.created),
            )
        )

    def session(self, identifier: str) -> Session | None:
        """Return a session."""
        row = self.connection.execute(sa.select(_sessions).where(_sessions.c.id == identifier)).mappings().first()
        if row is None:
            return None
        return Session(
            id=row["id"],
            nonce=row["nonce"],
            tee=Tee(row["tee"]),
            state=SessionState(row["state"]),
            created=_time(row["created"]),
            expires=_time(row["expires"]),
            attestation=row["attestation"],
        )

    def add_session(self, session: Session) -> None:
        """Add a session, and forget those that have ended."""
        self.connection.execute(_sessions.delete().where(_sessions.c.expires <= _microseconds(session.created)))
        self.connection.execute(
            _sessions.insert().values(
                id=session.id,
                nonce=session.nonce,
                tee=session.tee.value,
                state=session.state.value,
                created=_microseconds(session.created),
                expires=_microseconds(session.expires),
                attestation=session.attestation,
            )
        )

    def mark_attested(self, identifier: str, attestation: bytes) -> bool:
        """Use up a session's nonce; return False if it was used before."""
        mine = (_sessions.c.id == identifier) & (_sessions.c.state == SessionState.CHALLENGED.value)
        change = _sessions.update().where(mine).values(state=SessionState.ATTESTED.value, attestation=attestation)
        return self.connection.execute(change).rowcount == 1

    def spend(self, identifier: str, expires: datetime, now: datetime) -> bool:
        """Use up a token's identifier; return False if it was used before."""
        self.connection.execute(_spent.delete().where(_spent.c.expires <= _microseconds(now)))
        if self.connection.scalar(sa.select(_spent.c.id).where(_spent.c.id == identifier)) is not None:
            return False
        self.connection.execute(_spent.insert().values(id=identifier, expires=_microseconds(expires)))
        return True

    def ledger_size(self) -> int:
        """Return how many entries the ledger has."""
        return self.connection.scalar(sa.select(sa.func.count()).select_from(_entries)) or 0

    def add_entry(self, position: int, entry: bytes, receipt: str) -> None:
        """Add an entry at the end of the ledger."""
        self.connection.execute(_entries.insert().values(position=position, entry=entry, receipt=receipt))

    def entry(self, receipt: str) -> tuple[int, bytes] | None:
        """Return the place and the content of an entry, by its receipt's name."""
        query = sa.select(_entries.c.position, _entries.c.entry).where(_entries.c.receipt == receipt)
        row = self.connection.execute(query).first()
        return None if row is None else (row[0], row[1])

    def entries(self, start: int, count: int) -> list[tuple[int, str, bytes]]:
        """Return entries from a place on: place, receipt's name, content."""
        query = sa.select(_entries.c.position, _entries.c.receipt, _entries.c.entry).order_by(_entries.c.position)
        query = query.where(_entries.c.position >= start).limit(count)
        return [(row[0], row[1], row[2]) for row in self.connection.execute(query)]

    def node(self, level: int, position: int) -> bytes:
        """Return the hash of a complete subtree.

        Raises:
            StateError: `broker.store.ledger` if it is missing.
        """
        query = sa.select(_nodes.c.hash).where((_nodes.c.level == level) & (_nodes.c.position == position))
        found: bytes | None = self.connection.scalar(query)
        if found is None:
            raise StateError(
                "broker.store.ledger",
                f"expected the ledger's node {position} on level {level}, found none",
                remedy="restore the database from a copy: the ledger was damaged",
            )
        return found

    def add_node(self, level: int, position: int, value: bytes) -> None:
        """Add the hash of a subtree that is complete now."""
        self.connection.execute(_nodes.insert().values(level=level, position=position, hash=value))


def _configure(connection: Any, _record: object) -> None:  # noqa: ANN401, the driver's own type
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise Conflict(
            "broker.store.conflict", "another request changed the same thing first", remedy="ask again"
        ) from error
    except SQLAlchemyError as error:
        raise StateError(
            "broker.store.unusable",
            f"the database does not answer: {type(error).__name__}",
            remedy="check its folder's permissions and free space; nothing was released",
        ) from error


def _secret(row: sa.RowMapping) -> Secret:
    return Secret(
        path=row["path"],
        version=row["version"],
        owner=row["owner"],
        state=SecretState(row["state"]),
        policy=AppraisalPolicy.parse(row["policy"]),
        sealed=row["sealed"],
        created=_time(row["created"]),
    )


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def _time(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)
