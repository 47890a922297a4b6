"""A store in a SQLite file: in WAL mode, every transaction on the disk before anybody is told that it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from tuner.errors import StoreError
from tuner.hosts.keeping import uninterrupted
from tuner.store import formats, opening
from tuner.store.place import AlreadyThere, Fenced, Row, Steps, carried_out, found, unheard
from tuner.store.tables import FORMAT, FORMATS, METADATA, SESSIONS

T = TypeVar("T")
_LOOKS: Final = 5
"""So often is a query asked of a file that somebody begins or ends to write meanwhile."""
_TAKEN: Final = frozenset({sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE})


class File:
    """The file at a path, made where there is none and brought to the present format when it is to be written."""

    def __init__(self, path: Path, *, write: bool) -> None:
        self.path = path
        self.note: Callable[[str], None] = unheard
        self.waited: Callable[[float], None] = unheard
        self._write = write
        # A reader asks anew for each query whether somebody writes meanwhile.
        pool = sa.QueuePool if write else sa.NullPool
        self.engine = sa.create_engine("sqlite://", creator=self._connected, poolclass=pool, json_deserializer=str)
        self.upgraded_from = FORMAT
        """The format that the file had, 0 where it was made."""
        with self._told():
            if write:
                self.upgraded_from = self._upgraded()
            else:
                self._settled(lambda _: None)

    @property
    def where(self) -> str:
        """The path."""
        return str(self.path)

    def rows(self, query: sa.Select[Any]) -> list[Row]:
        """Return what a query finds."""
        if not self._write:
            return self._settled(lambda connection: found(connection, query))
        with self._told(), self.engine.connect() as connection:  # whose locks see to it that nothing changes meanwhile
            return found(connection, query)

    def _settled(self, work: Callable[[sa.Connection], T]) -> T:
        """Return what work on a reader's connection finds; it is done again where somebody began or ended to write meanwhile."""
        with self._told():
            for _ in range(_LOOKS):
                opening.checked(self.path)
                before = opening.Looked.at(self.path)
                try:
                    with self.engine.connect() as connection:
                        done = work(connection)
                except (sqlite3.Error, sa.exc.DBAPIError, StoreError):
                    if before == opening.Looked.at(self.path):
                        raise
                    continue
                if before.was_still(opening.Looked.at(self.path)):
                    return done
        raise StoreError(f"{self.path} changes whenever it is read", advice="wait until the session has ended")

    def write(self, steps: Steps, *, lasting: bool = True) -> None:
        """Carry out one transaction; one that is not `lasting` does not wait for the disk."""
        with uninterrupted(), self._told(), self._begun(lasting=lasting) as connection:
            carried_out(connection, steps)

    @contextmanager
    def writing(self, session: str) -> Iterator[None]:  # noqa: ARG002 - as a server
        """Hold a session as its only writer."""
        yield

    def _upgraded(self) -> int:
        """Make the tables, or bring them to the present format, in one transaction; return the format before."""
        with self.engine.connect() as connection:
            if _format_of(connection) == FORMAT:
                return FORMAT
        with self._begun() as connection:  # asked again, because somebody else may have done it meanwhile
            return _brought_up(connection)

    def _connected(self) -> sqlite3.Connection:
        if self._write:
            return opening.writer(self.path)
        connection = opening.reader(self.path)
        opening.as_now(connection, self.path)
        return connection

    @contextmanager
    def _begun(self, *, lasting: bool = True) -> Iterator[sa.Connection]:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if lasting else 'NORMAL'}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # waits for another writer here, not when it is half done
            yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            with opening.told(self.path):
                yield
        except sa.exc.DBAPIError as reason:
            cause = reason.orig or reason
            if getattr(cause, "sqlite_errorcode", None) in _TAKEN:
                raise AlreadyThere(str(cause)) from reason
            if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_CONSTRAINT_NOTNULL:
                raise Fenced(str(cause)) from reason
            raise StoreError(f"cannot use {self.path}: {cause}", advice=opening.advice(cause)) from reason
        except (ValueError, TypeError) as reason:  # what SQLAlchemy makes of a column that holds something else
            message = f"{self.path} holds what this release cannot read: {reason}"
            raise StoreError(message, advice=opening.REPAIR) from reason


def _format_of(connection: sa.Connection) -> int:
    """Return the format of a file, 0 where it has no tables yet."""
    tables = sa.inspect(connection)
    said = connection.scalar(sa.select(FORMATS.c.version)) if tables.has_table(FORMATS.name) else None
    if said is None and tables.has_table(SESSIONS.name):
        # Somebody was ended while the first release made its tables, which had no transaction then.
        return 1 if all(each["name"] != "host" for each in tables.get_columns(SESSIONS.name)) else 0
    return said or 0


def _brought_up(connection: sa.Connection) -> int:
    before = _format_of(connection)
    METADATA.create_all(connection)
    if 0 < before < FORMAT:
        formats.upgrade(connection, before)
    connection.execute(sa.delete(FORMATS))
    connection.execute(sa.insert(FORMATS).values(version=FORMAT))
    return before
