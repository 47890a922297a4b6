"""A results folder: where its database and the files of its sessions lie, and which sessions there are."""

from __future__ import annotations

import re
import shlex
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tuner import database_url
from tuner.errors import StoreError

if TYPE_CHECKING:
    from tuner.records import State

FOLDER: Final = Path("results")
"""Where results go unless a command is told otherwise, from the current folder."""
_SESSION_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
BEST: Final = "best"
"""The name of the profile that a session ends with."""

MINIMAL: Final = "minimal"
"""The name of the shorter profile beside it, of settings that were shown to contribute."""

ACTIVE: Final = "SELECT name FROM sqlite_master WHERE type IN ('view', 'trigger') OR sql LIKE 'CREATE VIRTUAL%' OR sql LIKE '% AS (%'"
"""What finds views, triggers, virtual tables and generated columns in a SQLite file: statements of who made it, maybe without end."""


def is_session_id(text: str) -> bool:
    """Return whether a text has the form of a session's id, which names a folder and nothing outside of it."""
    return _SESSION_ID.fullmatch(text) is not None


def logs(database: Path) -> list[Path]:
    """Return the files beside a database that hold changes that are not, or only half, in it."""
    return [log for log in _beside(database, "-wal", "-journal") if log.stat().st_size]


def in_use(database: Path) -> bool:
    """Return whether somebody seems to have a database open: SQLite's files of a writer, empty ones too, stand beside it."""
    return bool(_beside(database, "-wal", "-shm", "-journal"))


def _beside(database: Path, *ends: str) -> list[Path]:
    return [each for end in ends if (each := database.with_name(database.name + end)).is_file()]


def uri_to_read(database: Path) -> str:
    """Return the URI by which SQLite reads a database.

    Where nobody has it open it is read as one that does not change: otherwise SQLite would make two files beside it. That is
    without locks, and its end takes those of this process away: never beside a writer.
    """
    return f"{database.absolute().as_uri()}?mode=ro" if in_use(database) else uri_of_still(database)


def uri_of_still(database: Path) -> str:
    """Return the URI by which SQLite reads a database that does not change meanwhile."""
    return f"{database.absolute().as_uri()}?mode=ro&immutable=1"


@dataclass(frozen=True, slots=True)
class Listed:
    """A session at a glance."""

    id: str
    state: State


@dataclass(frozen=True, slots=True)
class Results:
    """The files of a results folder. None of them need exist."""

    folder: Path
    store: str | None = None
    """The URL of the database where it is not the file in the folder, such as one that many hosts share."""

    @property
    def database(self) -> Path:
        """The file of the folder's own database."""
        return self.folder / "tuner.db"

    @property
    def url(self) -> str:
        """The database as its store opens it."""
        return self.store or database_url.of_file(self.database)

    def options(self) -> str:
        """Return the options by which a command finds these results again, each with a space before it; no password."""
        folder = "" if self.folder == FOLDER else f" --results {shlex.quote(str(self.folder))}"
        return folder + (f" --store {shlex.quote(database_url.shown(self.store))}" if self.store else "")

    def of(self, session: str) -> Path:
        """Return the folder of a session's own files; raise `StoreError` for an id that is none."""
        if not is_session_id(session):
            raise StoreError(f"{session[:40]!r} is not the id of a session", advice="see `tuner sessions list`")
        return self.folder / session

    def best(self, session: str) -> Path:
        """Return the profile that a session ended with."""
        return self.of(session) / f"{BEST}.toml"

    def minimal(self, session: str) -> Path:
        """Return the profile of the settings that were shown to contribute."""
        return self.of(session) / f"{MINIMAL}.toml"

    def lock(self, session: str) -> Path:
        """Return the file that who carries a session out holds meanwhile."""
        return self.of(session) / "lock"

    def summary(self, session: str) -> Path:
        """Return a session's summary, which is Markdown."""
        return self.of(session) / "summary.md"

    def report(self, session: str) -> Path:
        """Return a session's report, which is HTML."""
        return self.of(session) / "report.html"

    def comparison(self, session: str) -> Path:
        """Return the report that compares a session with others, which is HTML."""
        return self.of(session) / "comparison.html"

    def listed(self) -> list[Listed]:
        """Return the sessions, oldest first; none where the database is missing, cannot be read, or is on a server.

        By the standard library's SQLite and for reading only, for what must be quick (the shell's completion, `tuner`
        without arguments): the store's own way loads SQLAlchemy, which takes longer than all the rest.
        """
        database = database_url.file_of(self.url)
        if database is None or not database.is_file():
            return []
        import sqlite3  # each command that takes --results imports this module, and few ask it this

        from tuner.records import State

        try:
            with closing(sqlite3.connect(uri_to_read(database), uri=True)) as connection:
                if connection.execute(ACTIVE).fetchone():
                    return []
                rows = connection.execute("select id, state from sessions order by created_at, id").fetchall()
                named = [(str(session), state) for session, state in rows]
                return [Listed(session, State(state)) for session, state in named if is_session_id(session)]
        except (sqlite3.Error, ValueError):
            return []
