"""Sessions, trials and runs in a database: the only memory of a session.

SQLite in WAL mode; every run is one transaction, so that a killed session loses at most the run in flight.
Everything derived (gains, intervals, reports) is computed from here and can be made again.

Format history: 1 (first release).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from tuner import measurement
from tuner.errors import StoreError, UsageError, did_you_mean
from tuner.records import Phase, Role, Run, State, Status, StoredSession, Trial
from tuner.results import Results

FORMAT: Final = 1

Record = TypeVar("Record", Trial, Run, StoredSession, str)

_tables = sa.MetaData()
_format = sa.Table("format", _tables, sa.Column("version", sa.Integer, primary_key=True))
_sessions = sa.Table(
    "sessions",
    _tables,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("created_at", sa.String, nullable=False),
    sa.Column("state", sa.String, nullable=False),  # a State
    sa.Column("spent_s", sa.Float, nullable=False),
    sa.Column("plan", sa.JSON, nullable=False),
    sa.Column("facts", sa.JSON, nullable=False),
    sa.Column("verdict", sa.JSON, nullable=True),
)
_trials = sa.Table(
    "trials",
    _tables,
    sa.Column("session", sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("profile", sa.String, nullable=False),
    sa.Column("role", sa.String, nullable=False),  # a Role
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("invalid", sa.String, nullable=True),  # why it never ran
)
_runs = sa.Table(
    "runs",
    _tables,
    sa.Column("session", sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("trial", sa.Integer, nullable=False),
    sa.Column("phase", sa.String, nullable=False),
    sa.Column("block", sa.Integer, nullable=False),
    sa.Column("workload", sa.Integer, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("started_at", sa.String, nullable=False),
    sa.Column("wall_s", sa.Float, nullable=False),
    sa.Column("measurement", sa.JSON, nullable=True),
    sa.Column("evidence", sa.JSON, nullable=False),  # commands, environment, output, banner
)


class Store:
    """The database at a URL, made where there is none. Errors of the database and the disk are `StoreError`."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(url, connect_args={"timeout": 30})
        self.where = self._engine.url.database or str(self._engine.url)
        with self._told():
            Path(self.where).parent.mkdir(parents=True, exist_ok=True)
            sa.event.listen(self._engine, "connect", _configure)
            self._prepare()

    @staticmethod
    def existing(results: Results) -> Store:
        """Return the store of a folder that has one; raise `UsageError` instead of making a new one."""
        if not results.database.is_file():
            raise UsageError(
                f"there are no sessions in {results.folder}", advice="name their folder with --results DIR"
            )
        return Store(results.url)

    def add_session(self, session: str, plan: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Store a new session before its first run."""
        created = datetime.now(UTC).isoformat(timespec="seconds")
        row = {
            "id": session,
            "created_at": created,
            "state": State.RUNNING,
            "spent_s": 0.0,
            "plan": plan,
            "facts": facts,
        }
        self._write(sa.insert(_sessions).values(**row))

    def close_session(self, session: str, state: State, spent_s: float, verdict: Mapping[str, Any] | None) -> None:
        """Store how a session ended and the wall time it has used in all."""
        values = {"state": state, "spent_s": spent_s, "verdict": verdict}
        self._write(sa.update(_sessions).where(_sessions.c.id == session).values(**values))

    def replan(self, session: str, plan: Mapping[str, Any]) -> None:
        """Store a plan that the session's own data changed: its run length before the search, its shares after it."""
        self._write(sa.update(_sessions).where(_sessions.c.id == session).values(plan=plan))

    def add_trial(self, session: str, trial: Trial) -> None:
        """Store a profile of a session before its first run."""
        self._write(sa.insert(_trials).values(session=session, **_values(trial)))

    def add_run(self, session: str, run: Run, spent_s: float) -> None:
        """Store one run and the session's wall time so far, in one transaction."""
        with self._told(), self._engine.begin() as connection:
            connection.execute(sa.insert(_runs).values(session=session, **_row_of(run)))
            connection.execute(sa.update(_sessions).where(_sessions.c.id == session).values(spent_s=spent_s))

    def amend_run(self, session: str, run: Run) -> None:
        """Store more evidence of a run that is stored already."""
        mine = (_runs.c.session == session) & (_runs.c.number == run.number)
        self._write(sa.update(_runs).where(mine).values(evidence=run.evidence))

    def sessions(self) -> tuple[StoredSession, ...]:
        """Return all sessions, oldest first."""
        return tuple(self._read(sa.select(_sessions).order_by(_sessions.c.created_at), _session_of))

    def ids(self) -> list[str]:
        """Return the ids of all sessions, oldest first."""
        return self._read(sa.select(_sessions.c.id, _sessions.c.created_at).order_by(_sessions.c.created_at), _id_of)

    def session(self, session: str) -> StoredSession:
        """Return one session by its id, or by a beginning of it that only one has; `latest` is the newest."""
        known = self.ids()
        found = known[-1:] if session == "latest" else [each for each in known if each.startswith(session)]
        exact = [each for each in found if each == session] or found
        if len(exact) == 1:
            (row,) = self._read(sa.select(_sessions).where(_sessions.c.id == exact[0]), _session_of)
            return row
        what = "is not unique" if exact else "is not here"
        raise UsageError(f"session {session!r} {what} in {self.where}", advice=did_you_mean(session, known))

    def trials(self, session: str) -> tuple[Trial, ...]:
        """Return the trials of a session in the order they were added."""
        query = sa.select(*list(_trials.c)[1:]).where(_trials.c.session == session).order_by(_trials.c.number)
        return tuple(self._read(query, _trial_of))

    def runs(self, session: str) -> tuple[Run, ...]:
        """Return the runs of a session in the order they were made."""
        query = sa.select(*list(_runs.c)[1:]).where(_runs.c.session == session).order_by(_runs.c.number)
        return tuple(self._read(query, _run_of))

    def _prepare(self) -> None:
        with self._engine.begin() as connection:
            _tables.create_all(connection)
            version = connection.scalar(sa.select(_format.c.version))
            if version is None:
                connection.execute(sa.insert(_format).values(version=FORMAT))
        if version not in {None, FORMAT}:
            raise StoreError(f"{self.where} has format {version}; this release reads format {FORMAT}")

    def _write(self, statement: sa.Executable) -> None:
        with self._told(), self._engine.begin() as connection:
            connection.execute(statement)

    def _read(self, query: sa.Select[Any], record_of: Callable[[sa.RowMapping], Record]) -> list[Record]:
        with self._told(), self._engine.connect() as connection:
            return [record_of(row) for row in connection.execute(query).mappings()]

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.DBAPIError, OSError) as reason:
            cause = getattr(reason, "orig", None) or reason
            advice = "name another folder with --results DIR, or make room and run `tuner sessions resume`"
            raise StoreError(f"cannot use {self.where}: {cause}", advice=advice) from reason
        except (ValueError, TypeError, UsageError) as reason:  # JSON, a word or a measurement that is none of ours
            raise StoreError(f"{self.where} holds what this release cannot read: {reason}") from reason


def _id_of(row: sa.RowMapping) -> str:
    return str(row["id"])


def _session_of(row: sa.RowMapping) -> StoredSession:
    return StoredSession(**{**row, "state": State(row["state"])})


def _trial_of(row: sa.RowMapping) -> Trial:
    return Trial(**{**row, "role": Role(row["role"])})


def _run_of(row: sa.RowMapping) -> Run:
    measured = None if row["measurement"] is None else measurement.from_dict(row["measurement"])
    words = {"status": Status(row["status"]), "phase": Phase(row["phase"])}
    return Run(**{**row, **words, "measurement": measured})


def _row_of(run: Run) -> dict[str, Any]:
    return {**_values(run), "measurement": run.measurement.to_dict() if run.measurement else None}


def _values(record: Trial | Run) -> dict[str, Any]:
    return {each.name: getattr(record, each.name) for each in fields(record)}


def _configure(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
