"""A store on a PostgreSQL server, for many sessions at once: whose tables they are, who writes a session, and a lost connection.

The tables are in the first schema of `search_path`. A session has one writer: the connection that writes it holds an advisory
lock, so that lock and connection are lost together, and what reconnects writes nothing before it has the lock again.
"""

from __future__ import annotations

import hashlib
import os
import platform
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any, Final, NoReturn, TypeVar

import sqlalchemy as sa

from tuner import database_url
from tuner.errors import Busy, MissingTool, StoreError
from tuner.store import formats
from tuner.store.opening import REPAIR, check_format, check_passive
from tuner.store.place import AlreadyThere, Fenced, Row, Steps, carried_out, found, unheard
from tuner.store.tables import APPLICATION_ID, FORMAT, FORMATS, MARK, METADATA, SIGNS

T = TypeVar("T")
RETRY_S: Final = 30.0
"""How long a session waits for a server that was restarted."""
HANG_S: Final = 60.0
"""After so long without an answer a session calls its connection lost: the kernel of a server that hangs still answers for it (keep-alives)."""
_PAUSE_S: Final = 0.5
_CONNECT_S: Final = 10
_STATEMENT_MS: Final = 300_000
_LOCK_MS: Final = 30_000
# A host that vanished lets go of its sessions within a minute, and one whose server vanished notices as soon.
_SILENT_S: Final = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_TAKEN: Final = "23505"
_FENCED: Final = "23502"
"""Nothing stands where something must: the fence of a lease that is over."""
_ANSWERED: Final = {
    **dict.fromkeys(("42703", "42804", "42883"), f"its tables are not as a store has them: {REPAIR}"),
    "42501": "its owner can let you: GRANT SELECT, INSERT, UPDATE, DELETE ON its tables; a reader needs SELECT",
    "25006": "this connection only reads; is the server a standby? name the one that is written",
    "53100": "make room on the server: all that was stored is kept",
}
"""What to do about what a server answers, by its code."""
_LONGEST_NAME: Final = 63
"""Of an application, in bytes: PostgreSQL cuts what is longer."""
_MOST_NAMED: Final = 5
_TABLES: Final = sa.text(
    "SELECT c.relname AS name, obj_description(c.oid, 'pg_class') AS comment FROM pg_class c "
    "WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') "
    "AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY 1"
)
# Statements of who made them, maybe without end, under names of ours: as views and triggers in a file.
_ACTIVE: Final = sa.text(
    "SELECT c.relname FROM pg_class c "
    "WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relname = ANY(:ours) "
    "AND (c.relkind IN ('v', 'm', 'f') OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) "
    "OR EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid) "
    "OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated <> '')) ORDER BY 1"
)
_HOLDER: Final = sa.text(
    "SELECT a.application_name AS name, host(a.client_addr) AS address FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND (l.classid::bigint << 32 | l.objid::bigint) = :key"
)


class Server:
    """The tables in a database of a server."""

    def __init__(self, url: str, *, write: bool) -> None:
        self.where = database_url.shown(url)
        self._write = write
        self.note: Callable[[str], None] = unheard
        self.waited: Callable[[float], None] = unheard
        self._session: str | None = None
        self._held: sa.Connection | None = None
        self._turn = threading.RLock()
        self._given_up = False
        self.engine = _engine(url, self.where, write=write)

    def open(self) -> None:
        """Recognise the tables, and make them in an empty database that is to be written."""
        with self._told():
            with self.engine.connect() as connection:
                version = self._recognised(connection, beside_others=False)
            if version == 0 and self._write:
                self.upgrade(beside_others=False)
            elif version != FORMAT:
                raise self._behind(version)

    def rows(self, query: sa.Select[Any]) -> list[Row]:
        """Return what a query finds."""
        return self._done(lambda connection: found(connection, query))

    def write(self, steps: Steps, *, lasting: bool = True) -> None:
        """Carry out one transaction; one that is not `lasting` does not wait for the disk."""
        first: Steps = [] if lasting else [(sa.text("SET LOCAL synchronous_commit TO OFF"), ())]
        self._done(lambda connection: carried_out(connection, chain(first, steps)))

    @contextmanager
    def writing(self, session: str) -> Iterator[None]:
        """Hold a session as its only writer; a lost connection is tried again meanwhile, for half a minute."""
        with self._told(), self._turn:
            self._held = self._locked(session)
            self._session = session
        try:
            yield
        finally:
            with self._turn:
                self._session = None
                self._let_go()

    def upgrade(self, *, beside_others: bool = True) -> int:
        """Make the tables, or bring them to the present format; return the format before, 0 for none."""
        with self._told(), self.engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(APPLICATION_ID)))
            before = self._recognised(connection, beside_others=beside_others)
            if before == 0:
                METADATA.create_all(connection)
            elif before < FORMAT:
                formats.upgrade(connection, before)
            if before != FORMAT:
                connection.execute(sa.delete(FORMATS))
                connection.execute(sa.insert(FORMATS).values(version=FORMAT))
        return before

    def _recognised(self, connection: sa.Connection, *, beside_others: bool) -> int:
        """Return the format of the store, 0 where there is none and may be one; raise `StoreError` for what is no store."""
        if connection.scalar(sa.text("SHOW server_encoding")) != "UTF8":
            advice = "make one: createdb --encoding UTF8 --template template0 NAME"
            raise StoreError(f"{self.where} does not hold all characters (its encoding is not UTF8)", advice=advice)
        if connection.scalar(sa.text("SELECT current_schema()")) is None:
            raise StoreError(
                f"{self.where}: no schema of its search_path exists", advice="CREATE SCHEMA, or name another"
            )
        tables = {row.name: row.comment for row in connection.execute(_TABLES)}
        ours = METADATA.tables.keys()
        if tables.get(FORMATS.name) == MARK and tables.keys() >= SIGNS:
            check_passive(self.where, list(connection.scalars(_ACTIVE, {"ours": [*ours]})))
            versions = list(connection.scalars(sa.select(FORMATS.c.version).limit(2)))
            check_format(self.where, versions)
            return versions[0] if versions else FORMAT
        if tables and (not beside_others or ours & tables.keys()):
            raise self._foreign(list(tables), clash=bool(ours & tables.keys()))
        return 0

    def _foreign(self, tables: list[str], *, clash: bool) -> StoreError:
        names = ", ".join(tables[:_MOST_NAMED]) + (", …" if len(tables) > _MOST_NAMED else "")
        message = f"{self.where} is a database of another program, with tables {names}; nothing was changed"
        another = "name an empty database, or a schema of its own: …?options=-csearch_path%3DSCHEMA"
        beside = "" if clash else f"; `tuner store upgrade --store {self.where}` makes the tables beside those"
        return StoreError(message, advice=another + beside)

    def _behind(self, version: int) -> StoreError:
        if version == 0:
            return StoreError(f"there are no sessions in {self.where}: it is an empty database", advice="see --store")
        message = f"{self.where} has format {version}, this release writes format {FORMAT}"
        return StoreError(
            message, advice=f"when all who use it have this release: tuner store upgrade --store {self.where}"
        )

    def _done(self, work: Callable[[sa.Connection], T]) -> T:
        """Return what work on a connection gives, in one transaction that is begun again where the connection was lost."""
        until_s: float | None = None
        began_s = time.monotonic()
        with self._told():
            while True:
                try:
                    with self._connection() as connection, connection.begin():
                        done = work(connection)
                except sa.exc.OperationalError as reason:
                    until_s = self._await(reason, until_s, lost=_is_lost(reason))
                    continue
                except Busy as reason:  # of a server that hung, which has not yet noticed that we hung up
                    until_s = self._await(reason, until_s, lost=until_s is not None)
                    continue
                if until_s is not None:
                    self.waited(time.monotonic() - began_s)
                return done

    def _await(self, reason: Exception, until_s: float | None, *, lost: bool) -> float:
        """Wait a moment for the server and return until when that is worth it; raise the reason where it is not."""
        if self._session is None or self._given_up or not lost:
            raise reason
        if until_s is None:
            until_s = time.monotonic() + RETRY_S
            self.note(f"the connection to {self.where} was lost; it is tried again for {RETRY_S:.0f} s")
        if time.monotonic() >= until_s:
            self._given_up = True  # what is to be stored at the end need not wait as long again
            raise reason
        time.sleep(_PAUSE_S)
        return until_s

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        """Lend the connection that holds the session, made again where it was lost; any where no session is written."""
        if self._session is None:
            with self.engine.connect() as connection:
                yield connection
            return
        with self._turn:
            if self._held is None:
                self._held = self._locked(self._session)
                self.note(f"connected to {self.where} again")
            try:
                with _answered(self._held):
                    yield self._held
            except BaseException:
                if self._held.invalidated:
                    self._let_go()
                raise

    def _let_go(self) -> None:
        """End the connection that holds the session, and the lock with it."""
        held, self._held = self._held, None
        if held is not None:
            held.invalidate()
            held.close()

    def _locked(self, session: str) -> sa.Connection:
        """Return a connection that holds a session; raise `StoreError` saying who else writes it."""
        connection = self.engine.connect()
        try:
            key = _key(session)
            if not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(key))):
                _refuse(session, connection.execute(_HOLDER, {"key": key}).first())
            connection.commit()
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        return connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as reason:
            if getattr(reason.orig, "sqlstate", None) == _TAKEN:
                raise AlreadyThere(str(reason.orig)) from None
            if getattr(reason.orig, "sqlstate", None) == _FENCED:
                raise Fenced(str(reason.orig)) from None
            said = database_url.hidden(" ".join(str(reason.orig).split()))
            # Without the cause, whose text may hold what was to be stored.
            raise StoreError(f"cannot use {self.where}: {said}", advice=self._advice(reason, said)) from None
        except (ValueError, TypeError) as reason:  # what a driver makes of a value that the database cannot hold
            raise StoreError(f"{self.where} cannot hold a value: {reason}", advice="please report it") from reason

    def _advice(self, reason: sa.exc.DBAPIError, said: str) -> str:
        if self._session:
            again = f"tuner sessions resume {self._session} --store {self.where}"
            return f"all that was stored is kept; when the server answers again: {again}"
        state = str(getattr(reason.orig, "sqlstate", None))
        return _advice(said) if _is_lost(reason) else _ANSWERED.get(state, "all that was stored is kept")


@contextmanager
def _answered(connection: sa.Connection) -> Iterator[None]:
    """Hang up where the server says nothing for `HANG_S`; who waits for its answer then gets the error of a lost connection."""
    timer = threading.Timer(HANG_S, _hang_up, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _hang_up(connection: sa.Connection) -> None:
    """End the way to a server under the driver, which has no limit of its own to how long it waits."""
    with suppress(OSError, sa.exc.DBAPIError, AttributeError, ValueError):  # it has ended meanwhile
        driver: Any = connection.connection.dbapi_connection
        with socket.socket(fileno=os.dup(driver.pgconn.socket)) as ours:
            ours.shutdown(socket.SHUT_RDWR)


def _engine(url: str, where: str, *, write: bool) -> sa.Engine:
    """Return the engine of a URL; what the URL says of the connection stands before what is said here."""
    stated = sa.make_url(url)
    settings = {"statement_timeout": _STATEMENT_MS, "lock_timeout": _LOCK_MS}
    settings |= {f"tcp_{name}": value for name, value in _SILENT_S.items()}
    if not write:
        settings |= {"default_transaction_read_only": 1}
    theirs = stated.query.get("options", "")
    options = " ".join([*(f"-c {name}={value}" for name, value in settings.items()), str(theirs)])
    usual = {"connect_timeout": _CONNECT_S, "application_name": _myself(), **_SILENT_S}
    given = {name: value for name, value in usual.items() if name not in stated.query}
    try:
        arguments = {**given, "options": options}
        # No connection is kept but the one that holds a session.
        return sa.create_engine(stated, connect_args=arguments, poolclass=sa.NullPool, hide_parameters=True)
    except ImportError as reason:
        advice = f"{sys.executable} -m pip install 'stack-tuner[postgresql]'"
        raise MissingTool(f"{where} needs psycopg, which is not installed ({reason})", advice=advice) from reason


def _refuse(session: str, holder: sa.Row[Any] | None) -> NoReturn:
    who = f"{holder.name or 'a program'} from {holder.address or 'the host of the server'}" if holder else "a program"
    advice = "wait until it has ended; `tuner sessions show` says how far it is"
    raise Busy(f"session {session} is under way: {who} carries it out", advice=advice)


def _myself() -> str:
    """Return the name by which the server, and whoever finds a session taken, knows this process."""
    host = platform.node().encode("ascii", "replace").decode()
    return f"tuner {os.getpid()} on {host}"[:_LONGEST_NAME]


def _key(session: str) -> int:
    """Return the number of a session's advisory lock: 64 bits with a sign."""
    return int.from_bytes(hashlib.sha256(f"tuner session {session}".encode()).digest()[:8], signed=True)


def _is_lost(reason: sa.exc.DBAPIError) -> bool:
    """Return whether there is no connection: it was lost, or was not made; what a server answers then has no state, or 57P."""
    state = getattr(reason.orig, "sqlstate", None)
    return reason.connection_invalidated or state is None or state.startswith(("57P", "08"))


def _advice(said: str) -> str:
    """Return what to do about what libpq says where no connection was made; it has no codes there, only words."""
    if "password" in said:
        return "the password comes from ~/.pgpass or PGPASSWORD, or from the URL; was it the right user?"
    if "too many" in said:
        return "wait, or raise max_connections on the server: a session has one connection"
    if "does not exist" in said:
        return "make it: createdb --encoding UTF8 NAME, or name another"
    if "pg_hba.conf" in said:
        return "the server lets nobody in from here: a line in its pg_hba.conf would"
    return "is the server running, and does it listen there? `pg_isready` says so"
