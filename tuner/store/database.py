"""Sessions, trials and runs in a database: the only memory of a session.

SQLite in WAL mode; every run is one transaction, so that a killed session loses at most the run in flight.
Everything derived (gains, intervals, reports) is computed from here and can be made again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from tuner.errors import Finding, StoreError, UsageError, did_you_mean, error
from tuner.records import Run, State, StoredSession, Trial
from tuner.results import Results
from tuner.store import columns, opening
from tuner.store.columns import Values, Wrong
from tuner.store.tables import FORMAT, FORMATS, METADATA, RUNS, SESSIONS, TRIALS

Record = TypeVar("Record", Trial, Run, StoredSession)
Row = Mapping[str, Any]
_MOST_TOLD: Final = 5


class Store:
    """The database at a URL, made where there is none. Errors of the database and the disk are `StoreError`."""

    def __init__(self, url: str, *, write: bool = True) -> None:
        self._engine = _engine(url, write=write)
        self.where = self._engine.url.database or str(self._engine.url)
        with self._told():
            if write:
                self._prepare()
            else:
                self._engine.connect().close()

    @staticmethod
    def existing(results: Results) -> Store:
        """Return the store of a folder that has one, to go on with; raise `UsageError` instead of making a new one."""
        return _existing(results, write=True)

    @staticmethod
    def reading(results: Results) -> Store:
        """Return the store of a folder that has one, to be read only: of others, on read-only or full disks too."""
        return _existing(results, write=False)

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
        self._write(sa.insert(SESSIONS).values(**row))

    def close_session(self, session: str, state: State, spent_s: float, verdict: Mapping[str, Any] | None) -> None:
        """Store how a session ended and the wall time it has used in all."""
        values = {"state": state, "spent_s": spent_s, "verdict": verdict}
        self._write(sa.update(SESSIONS).where(SESSIONS.c.id == session).values(**values))

    def replan(self, session: str, plan: Mapping[str, Any]) -> None:
        """Store a plan that the session's own data changed: its run length before the search, its shares after it."""
        self._write(sa.update(SESSIONS).where(SESSIONS.c.id == session).values(plan=plan))

    def add_trial(self, session: str, trial: Trial) -> None:
        """Store a profile of a session before its first run."""
        self._write(sa.insert(TRIALS).values(session=session, **row_of(trial)))

    def add_run(self, session: str, run: Run, spent_s: float) -> None:
        """Store one run and the session's wall time so far, in one transaction."""
        with self._told(), self._engine.begin() as connection:
            connection.execute(sa.insert(RUNS).values(session=session, **row_of(run)))
            connection.execute(sa.update(SESSIONS).where(SESSIONS.c.id == session).values(spent_s=spent_s))

    def add_whole(self, session: StoredSession, trials: Sequence[Trial], runs: Sequence[Run]) -> None:
        """Store a session of another store as it was, with its trials and runs, in one transaction."""
        row = {each.name: getattr(session, each.name) for each in fields(session)}
        with self._told(), self._engine.begin() as connection:
            connection.execute(sa.insert(SESSIONS).values(**row))
            for table, records in ((TRIALS, trials), (RUNS, runs)):
                rows = [{"session": session.id} | row_of(each) for each in records]
                if rows:
                    connection.execute(sa.insert(table), rows)

    def amend_run(self, session: str, run: Run) -> None:
        """Store more evidence of a run that is stored already."""
        mine = (RUNS.c.session == session) & (RUNS.c.number == run.number)
        self._write(sa.update(RUNS).where(mine).values(evidence=run.evidence))

    def sessions(self) -> tuple[StoredSession, ...]:
        """Return all sessions, oldest first; raise `StoreError` where one of them cannot be read."""
        return tuple(self._records(self._rows(_ALL), columns.session_of))

    def readable(self) -> tuple[tuple[StoredSession, ...], tuple[Finding, ...]]:
        """Return the sessions that can be read, oldest first, and what is wrong with the others."""
        found = [columns.session_of(row) for row in self._rows(_ALL)]
        wrong = [error(self.where, str(each)) for one in found if isinstance(one, list) for each in one]
        return tuple(one for one in found if not isinstance(one, list)), tuple(wrong)

    def ids(self) -> list[str]:
        """Return the ids of all sessions, oldest first; what is no id names none."""
        return self._named()[0]

    def _named(self) -> tuple[list[str], list[Wrong]]:
        rows = self._rows(sa.select(SESSIONS.c.id, SESSIONS.c.created_at).order_by(SESSIONS.c.created_at))
        found = [columns.id_of(row) for row in rows]
        return [one for one in found if isinstance(one, str)], [one for one in found if not isinstance(one, str)]

    def session(self, session: str) -> StoredSession:
        """Return one session by its id, or by a beginning of it that only one has; `latest` is the newest."""
        known, wrong = self._named()
        found = known[-1:] if session == "latest" else [each for each in known if each.startswith(session)]
        exact = [each for each in found if each == session] or found
        if len(exact) == 1:
            rows = self._rows(sa.select(SESSIONS).where(SESSIONS.c.id == exact[0]))
            return self._records(rows, columns.session_of)[0]
        if not exact:
            self._refuse(wrong)
        what = "is not unique" if exact else "is not here"
        raise UsageError(f"session {session!r} {what} in {self.where}", advice=did_you_mean(session, known))

    def trials(self, session: str) -> tuple[Trial, ...]:
        """Return the trials of a session in the order they were added."""
        rows = self._rows(sa.select(TRIALS).where(TRIALS.c.session == session).order_by(TRIALS.c.number))
        found = self._records(rows, lambda row: columns.trial_of(session, row))
        self._refuse(_gaps(session, "trials", [trial.number for trial in found]))
        return tuple(found)

    def runs(self, session: str) -> tuple[Run, ...]:
        """Return the runs of a session in the order they were made."""
        rows = self._rows(sa.select(RUNS).where(RUNS.c.session == session).order_by(RUNS.c.number))
        found = self._records(rows, lambda row: columns.run_of(session, row))
        trials = len(self._rows(sa.select(TRIALS.c.number).where(TRIALS.c.session == session)))
        self._refuse([*_gaps(session, "runs", [run.number for run in found]), *_stray(session, found, trials)])
        return tuple(found)

    def _prepare(self) -> None:
        with self._engine.begin() as connection:
            METADATA.create_all(connection)
            version = connection.scalar(sa.select(FORMATS.c.version))
            if version is None:
                connection.execute(sa.insert(FORMATS).values(version=FORMAT))
        if version not in {None, FORMAT}:
            raise StoreError(f"{self.where} has format {version}; this release reads format {FORMAT}")

    def _write(self, statement: sa.Executable) -> None:
        with self._told(), self._engine.begin() as connection:
            connection.execute(statement)

    def _rows(self, query: sa.Select[Any]) -> list[Row]:
        with self._told(), self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def _records(self, rows: Sequence[Row], record_of: Callable[[Row], Record | list[Wrong]]) -> list[Record]:
        found = [record_of(row) for row in rows]
        self._refuse([each for one in found if isinstance(one, list) for each in one])
        return [one for one in found if not isinstance(one, list)]

    def _refuse(self, wrong: Sequence[Wrong]) -> None:
        """Raise `StoreError` saying what is damaged, and how the rest can be read."""
        if not wrong:
            return
        findings = [error(self.where, str(each)) for each in wrong[:_MOST_TOLD]]
        many = f"{len(wrong)} values" if len(wrong) > 1 else "a value"
        message = f"{self.where} holds what this release cannot read: {many}"
        raise StoreError(message, findings=findings, advice=f"the rest can be read: {opening.REPAIR}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            with opening.told(self.where):
                yield
        except sa.exc.DBAPIError as reason:
            cause = reason.orig or reason
            raise StoreError(f"cannot use {self.where}: {cause}", advice=opening.advice(cause)) from reason
        except (ValueError, TypeError) as reason:  # what SQLAlchemy makes of a column that holds something else
            message = f"{self.where} holds what this release cannot read: {reason}"
            raise StoreError(message, advice=opening.REPAIR) from reason


_ALL: Final = sa.select(SESSIONS).order_by(SESSIONS.c.created_at)


def row_of(record: Trial | Run) -> Values:
    """Return a trial or a run as the columns of its table hold it."""
    values = {each.name: getattr(record, each.name) for each in fields(record)}
    if isinstance(record, Run):
        values["measurement"] = record.measurement.to_dict() if record.measurement else None
    return values


def _existing(results: Results, *, write: bool) -> Store:
    if not results.database.is_file():
        raise UsageError(f"there are no sessions in {results.folder}", advice="name their folder with --results DIR")
    return Store(results.url, write=write)


def _engine(url: str, *, write: bool) -> sa.Engine:
    """Return the engine of a URL; JSON is left as its text, because `columns` parses it with its limits."""
    stated = sa.make_url(url)
    if stated.get_backend_name() != "sqlite" or not stated.database or stated.database == ":memory:":
        return sa.create_engine(url, json_deserializer=str)
    path = Path(stated.database)

    def connect() -> sqlite3.Connection:
        return opening.writer(path) if write else opening.reader(path)

    # A reader asks anew for each query whether somebody writes meanwhile.
    pool = sa.QueuePool if write else sa.NullPool
    return sa.create_engine(url, creator=connect, poolclass=pool, json_deserializer=str)


def _gaps(session: str, table: str, numbers: Sequence[int]) -> list[Wrong]:
    """Return the first row that is missing: they are numbered from 0."""
    gap = next((at for at, number in enumerate(numbers) if at != number), None)
    return [] if gap is None else [Wrong(session, table, gap, "number", "the row is missing")]


def _stray(session: str, runs: Sequence[Run], trials: int) -> list[Wrong]:
    """Return the runs that are of no trial."""
    lost = "the trial is not in the store"
    return [Wrong(session, "runs", run.number, "trial", lost) for run in runs if run.trial >= trials]
