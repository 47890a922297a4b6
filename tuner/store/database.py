"""Sessions, trials and runs in a database: the only memory of a session.

In a SQLite file or on a PostgreSQL server; every run is one transaction, so that a killed session loses at most the run in
flight. Everything derived (gains, intervals, reports) is computed from here and can be made again.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import sqlalchemy as sa

from tuner import database_url
from tuner.errors import Finding, StoreError, UsageError, did_you_mean, error
from tuner.records import Lease, Run, State, StoredSession, Trial
from tuner.results import Results
from tuner.store import columns, opening, outputs, reading
from tuner.store.columns import Values, Wrong
from tuner.store.file import File
from tuner.store.place import AlreadyThere, Fenced, Place, Row, Step, Steps, unheard
from tuner.store.tables import BLOCKS, FORMAT, LEASES, RUNS, SESSIONS, TRIALS

if TYPE_CHECKING:  # loaded where a URL names a server
    from tuner.store.server import Server

Record = TypeVar("Record", Trial, Run, StoredSession, columns.NumberedEvidence)
LATEST: Final = "latest"
Stamp = tuple[object, object]
"""A session's state and its seconds, as they stand in the store."""
_MOST_TOLD: Final = 5
_AT_ONCE: Final = 500
"""Runs that are asked for by their numbers together."""
# Made once: to make a statement and the key of its compiled form takes longer than to carry it out.
_ADD_RUN: Final = sa.insert(RUNS)
_SPENT: Final = sa.update(SESSIONS).where(SESSIONS.c.id == sa.bindparam("mine"))


class Store:
    """The database at a URL, made where there is none. Errors of the database, the disk and the network are `StoreError`."""

    def __init__(self, url: str, *, write: bool = True, shared: bool = False) -> None:
        self._place = place(url, write=write)
        self._here = columns.host_named(platform.node()) if shared else None
        self.where = self._place.where

    @property
    def engine(self) -> sa.Engine:
        """What runs statements of one's own, for tests and benchmarks."""
        return self._place.engine

    @staticmethod
    def existing(results: Results) -> Store:
        """Return the store of a folder that has one, to go on with; raise `UsageError` instead of making a new one."""
        return _existing(results, write=True)

    @staticmethod
    def reading(results: Results) -> Store:
        """Return the store of a folder that has one, to be read only: of others, on read-only or full disks too."""
        return _existing(results, write=False)

    def writing(self, session: str) -> AbstractContextManager[None]:
        """Hold a session of a server as its only writer; raise `Busy` where it has one already. A file's lock is beside it.

        Meanwhile a connection that is lost is tried again.
        """
        return self._place.writing(session)

    def tell(self, note: Callable[[str], None], waited: Callable[[float], None] = unheard) -> None:
        """Let somebody hear what is waited for, and then how many seconds that took."""
        self._place.note, self._place.waited = note, waited

    def is_mine(self, session: StoredSession) -> bool:
        """Return whether a session may be meant where none is named: in a shared store only those that this host began."""
        return self._here is None or session.host == self._here

    def moved(self, session: StoredSession) -> list[str]:
        """Return what to say of a session that another host began."""
        here = columns.host_named(platform.node())
        if session.host in {None, here}:
            return []
        return [
            f"the session began on host {session.host} and goes on with {here}: blocks are compared only inside themselves"
        ]

    def add_session(self, session: str, plan: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Store a new session before its first run."""
        created = datetime.now(UTC).isoformat(timespec="milliseconds")
        new = StoredSession(
            session, created, State.RUNNING, 0.0, plan, facts, None, columns.host_named(platform.node())
        )
        self.add_whole(new, (), ())

    def close_session(self, session: str, state: State, spent_s: float, verdict: Mapping[str, Any] | None) -> None:
        """Store how a session ended and the wall time it has used in all."""
        values = {"state": state, "spent_s": spent_s, "verdict": verdict}
        self._write(sa.update(SESSIONS).where(SESSIONS.c.id == session).values(**values))

    def replan(self, session: str, plan: Mapping[str, Any]) -> None:
        """Store a plan that the session's own data changed: its run length before the search, its shares after it."""
        self._write(sa.update(SESSIONS).where(SESSIONS.c.id == session).values(plan=plan))

    def add_trial(self, session: str, trial: Trial) -> None:
        """Store a profile of a session before its first run."""
        added = sa.insert(TRIALS).values(session=session, **row_of(trial))
        self._add([(added, ())], f"trial {trial.number}", lambda: trial in self.trials(session))

    def add_run(self, session: str, run: Run, spent_s: float) -> None:
        """Store one run and the session's wall time so far, in one transaction."""
        steps = [(_ADD_RUN, [{"session": session} | row_of(run)]), _spent(session, spent_s)]
        self._add(steps, f"run {run.number}", lambda: any(is_same_run(run, each) for each in self.runs(session)))

    def lease(self, session: str, pair: str, block: int) -> Lease:
        """Give a block of a session to a pair of hosts; what the pair had before is not its own any more.

        A power cut may take that back: who gave it is gone then, too, and hears no answer.
        """
        mine = (LEASES.c.session == session) & (LEASES.c.pair == pair)
        before = self._rows(sa.select(LEASES.c.fence).where(mine))
        found = Lease(pair, 1 + max((row["fence"] for row in before), default=0), block)
        values = {"session": session, "pair": pair, "fence": found.fence, "block": block}
        steps = [(sa.delete(LEASES).where(mine), ()), (sa.insert(LEASES).values(**values), ())]
        self._place.write(steps, lasting=False)
        return found

    def end_lease(self, session: str, lease: Lease) -> None:
        """Take a block away from a pair, which is lost: what it still says of it does not count."""
        mine = (LEASES.c.session == session) & (LEASES.c.pair == lease.pair)
        self._write(sa.update(LEASES).where(mine).values(block=None, fence=lease.fence + 1))

    def add_block(self, session: str, lease: Lease, runs: Sequence[Run], spent_s: float) -> bool:
        """Close a block with all its runs in one transaction; return whether it counts.

        It does not where the lease is over. The store itself sees to that, and that no block is closed twice.
        """
        mine = (LEASES.c.session == session) & (LEASES.c.pair == lease.pair)
        held = mine & (LEASES.c.fence == lease.fence) & (LEASES.c.block == lease.block)
        fence = (
            sa.select(LEASES.c.fence).where(held).scalar_subquery()
        )  # nothing where the lease is over, which no row may hold
        row = {"session": session, "number": lease.block, "pair": lease.pair, "fence": fence}
        rows = [{"session": session} | row_of(run) for run in runs]
        steps: Steps = [(sa.insert(BLOCKS).values(**row), ()), (sa.update(LEASES).where(held).values(block=None), ())]
        try:
            self._add(
                [*steps, *([(_ADD_RUN, rows)] if rows else []), _spent(session, spent_s)],
                f"block {lease.block}",
                lambda: self._closed(session, lease),
            )
        except Fenced:
            return self._closed(
                session, lease
            )  # the answer was lost with its connection, and the lease is over by that
        return True

    def _closed(self, session: str, lease: Lease) -> bool:
        """Return whether a block is closed under this lease."""
        rows = self._rows(sa.select(BLOCKS).where((BLOCKS.c.session == session) & (BLOCKS.c.number == lease.block)))
        return any((row["pair"], row["fence"]) == (lease.pair, lease.fence) for row in rows)

    def add_whole(self, session: StoredSession, trials: Sequence[Trial], runs: Iterable[Run]) -> None:
        """Store a session of another store as it was, with its trials and runs, in one transaction; see `Whole` for the runs."""
        self._add(Whole(session, trials, runs), f"session {session.id}", lambda: False)

    def replace_whole(self, session: StoredSession, trials: Sequence[Trial], runs: Iterable[Run]) -> None:
        """Store a session as it is now in place of what is stored of it, in one transaction."""
        self._place.write(Whole(session, trials, runs, instead=True))

    def amend_run(self, session: str, run: Run) -> None:
        """Store more evidence of a run that is stored already."""
        mine = (RUNS.c.session == session) & (RUNS.c.number == run.number)
        self._write(sa.update(RUNS).where(mine).values(evidence=dict(run.evidence)))

    def amend_runs(self, session: str, evidence: Mapping[int, Mapping[str, Any]]) -> None:
        """Store other evidence of runs that are stored already, by their numbers, in one transaction."""
        mine = (RUNS.c.session == session) & (RUNS.c.number == sa.bindparam("mine"))
        rows = [{"mine": number, "evidence": dict(said)} for number, said in evidence.items()]
        if rows:
            self._place.write([(sa.update(RUNS).where(mine), rows)])

    def compact(self) -> None:
        """Give the room of what was dropped back to the disk, where the database does not do that by itself."""
        if self.engine.dialect.name == "sqlite":
            with opening.told(self.where), self.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM")
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def sessions(self) -> tuple[StoredSession, ...]:
        """Return all sessions, oldest first; raise `StoreError` where one of them cannot be read."""
        return tuple(self._records(self._read(_ALL), columns.session_of))

    def readable(self) -> tuple[tuple[StoredSession, ...], tuple[Finding, ...]]:
        """Return the sessions that can be read, oldest first, and what is wrong with the others."""
        return self._readable(_ALL)

    def _readable(self, query: sa.Select[Any]) -> tuple[tuple[StoredSession, ...], tuple[Finding, ...]]:
        found = [columns.session_of(row) for row in self._read(query)]
        wrong = [error(self.where, str(each)) for one in found if isinstance(one, list) for each in one]
        return tuple(one for one in found if not isinstance(one, list)), tuple(wrong)

    def stamps(self) -> dict[str, Stamp]:
        """Return what of each session changes when it goes on, by its id, oldest first; nothing large is read."""
        wanted = (SESSIONS.c.id, SESSIONS.c.state, SESSIONS.c.spent_s)
        rows = self._read(sa.select(*wanted).order_by(SESSIONS.c.created_at, SESSIONS.c.id))
        return {row["id"]: (row["state"], row["spent_s"]) for row in rows if isinstance(columns.id_of(row), str)}

    def some(self, sessions: Sequence[str]) -> tuple[tuple[StoredSession, ...], tuple[Finding, ...]]:
        """Return those of these sessions that can be read, oldest first, and what is wrong with the others."""
        return self._readable(_ALL.where(SESSIONS.c.id.in_(sessions)))

    def ids(self) -> list[str]:
        """Return the ids of all sessions, oldest first; what is no id names none."""
        return self._named()[0]

    def _named(self, *, of_this_host: bool = False, until: str | None = None) -> tuple[list[str], list[Wrong]]:
        query = sa.select(SESSIONS.c.id, SESSIONS.c.created_at).order_by(SESSIONS.c.created_at, SESSIONS.c.id)
        if of_this_host and self._here is not None:
            query = query.where(SESSIONS.c.host == self._here)
        if until is not None:
            query = query.where(SESSIONS.c.created_at <= until)
        found = [columns.id_of(row) for row in self._read(query)]
        return [one for one in found if isinstance(one, str)], [one for one in found if not isinstance(one, str)]

    def _named_latest(self) -> tuple[list[str], list[Wrong]]:
        """Return the sessions of this host; those that began in the future, by a clock that was wrong, only where there are no others."""
        began = self._named(of_this_host=True, until=datetime.now(UTC).isoformat())
        return began if began[0] else self._named(of_this_host=True)

    def session(self, session: str) -> StoredSession:
        """Return one session by its id, or by a beginning of it that only one has; `latest` is the newest, if shared of this host."""
        # By itself first: while others begin sessions, a list of all of them may lack one.
        if session != LATEST and (exact := self._exactly(session)):
            return exact
        known, wrong = self._named_latest() if session == LATEST else self._named()
        found = known[-1:] if session == LATEST else [each for each in known if session and each.startswith(session)]
        if len(found) == 1:
            rows = self._read(sa.select(SESSIONS).where(SESSIONS.c.id == found[0]))
            return self._records(rows, columns.session_of)[0]
        if not found:
            self._refuse(wrong)
        if session == LATEST and self._here is not None:
            raise UsageError(
                f"host {self._here} has no session in {self.where}", advice="`tuner sessions list --all-hosts`"
            )
        what = "is not unique" if found else "is not here"
        raise UsageError(f"session {session!r} {what} in {self.where}", advice=did_you_mean(session, [*known, LATEST]))

    def _exactly(self, session: str) -> StoredSession | None:
        """Return the session of an id, None where there is none and where no id is of this form."""
        if not isinstance(columns.id_of({"id": session}), str):
            return None
        rows = self._read(sa.select(SESSIONS).where(SESSIONS.c.id == session))
        return next(iter(self._records(rows, columns.session_of)), None)

    def trials(self, session: str, first: int = 0) -> tuple[Trial, ...]:
        """Return the trials of a session, from the `first` one on, in the order they were added."""
        mine = (TRIALS.c.session == session) & (TRIALS.c.number >= first)
        rows = self._read(sa.select(TRIALS).where(mine).order_by(TRIALS.c.number))
        found = self._records(rows, lambda row: columns.trial_of(session, row))
        self._refuse(_gaps(session, "trials", [trial.number for trial in found], first))
        return tuple(found)

    def runs(self, session: str, first: int = 0) -> tuple[Run, ...]:
        """Return the runs of a session, from the `first` one on, in the order they were made: to be judged and shown.

        Where they are more than is read at once, what their programs printed is cut, and `outputs.left_out` says by how much.
        """
        return tuple(self.read_in_turn(session, first))

    def read_in_turn(self, session: str, first: int = 0) -> Iterator[Run]:
        """Yield the same one by one, for those who look at each as it comes; what is wrong with any is raised after the last."""
        trials = len(self._rows(sa.select(TRIALS.c.number).where(TRIALS.c.session == session)))
        wrong, missing, stray = list[Wrong](), list[Wrong](), list[Wrong]()
        at = first
        for row in self._read(_runs_of(session, first), cut=_cut):
            found = columns.run_of(session, row)
            if isinstance(found, list):
                wrong += found
                continue
            missing = missing or _gaps(session, "runs", [found.number], at)
            stray += _stray(session, [found], trials)
            at += 1
            yield found
        self._refuse(wrong)
        self._refuse([*missing, *stray])

    def count(self, session: str) -> int:
        """Return how many runs a session has."""
        mine = sa.select(sa.func.count().label("count")).select_from(RUNS).where(RUNS.c.session == session)
        return int(self._rows(mine)[0]["count"])

    def one_by_one(self, session: str, most: int | None = None) -> Iterator[Run]:
        """Yield the first runs of a session, all unless `most` is said, however much they are, for those who keep little of each."""
        trials = len(self._rows(sa.select(TRIALS.c.number).where(TRIALS.c.session == session)))
        query = _runs_of(session) if most is None else _runs_of(session).where(RUNS.c.number < most)
        for at, row in enumerate(self._read(query, all_of_them=False)):
            (run,) = self._records([row], lambda row: columns.run_of(session, row))
            self._refuse([*_gaps(session, "runs", [run.number], at), *_stray(session, [run], trials)])
            yield run

    def said(self, session: str, longer_than: int) -> Iterator[columns.NumberedEvidence]:
        """Yield the numbers of runs and their evidence where that has more characters: nothing else of a session is read.

        Which they are is known before the first is yielded, so that they may be amended meanwhile.
        """
        long = sa.func.length(sa.cast(RUNS.c.evidence, sa.Text)) > longer_than
        mine = sa.select(RUNS.c.number).where(RUNS.c.session == session, long).order_by(RUNS.c.number)
        numbers = [row["number"] for row in self._rows(mine)]
        for first in range(0, len(numbers), _AT_ONCE):
            some = (RUNS.c.session == session) & RUNS.c.number.in_(numbers[first : first + _AT_ONCE])
            query = sa.select(RUNS.c.number, RUNS.c.evidence).where(some).order_by(RUNS.c.number)
            for row in self._read(query, all_of_them=False):
                yield from self._records([row], lambda row: columns.said_by(session, row))

    def unchecked(self, query: sa.Select[Any]) -> Iterator[Row]:
        """Yield the rows of a query as they are stored, a slice at a time."""
        return self._read(query, all_of_them=False)

    def _read(
        self, query: sa.Select[Any], *, all_of_them: bool = True, cut: Callable[[Row], Row] | None = None
    ) -> Iterator[Row]:
        """Yield the rows of a query, a slice at a time; raise `StoreError` where they take too much: each, or all, even if `cut`."""
        most = reading.MOST_BYTES if all_of_them else math.inf
        sizes = [row["size"] for row in self._rows(query.with_only_columns(reading.size_of(query.selected_columns)))]
        fits = sum(sizes) <= most
        if max(sizes, default=0) > reading.LARGEST_ROW or (not fits and cut is None):
            raise self._too_large()
        at = held = 0
        for count in reading.slices(sizes):
            for row in self._rows(query.limit(count).offset(at)):
                kept = row if fits or cut is None else cut(row)
                held += reading.taken(kept)
                if held > most:
                    raise self._too_large()
                yield kept
            at += count

    def _too_large(self) -> StoreError:
        most = f"{reading.MOST_BYTES >> 20} MB in all, {reading.LARGEST_ROW >> 20} MB a row"
        message = f"{self.where} holds more than is read at once ({most})"
        advice = "`tuner sessions gc` drops what programs printed; of a stranger's store `tuner sessions show ID` may read one session"
        return StoreError(message, advice=advice)

    def _add(self, steps: Steps, what: str, there: Callable[[], bool]) -> None:
        """Add rows; a transaction whose answer was lost with its connection may have been carried out: `there` says so."""
        try:
            self._place.write(steps)
        except AlreadyThere as reason:
            if not there():
                message = f"{what} is in {self.where} already and was not changed"
                raise StoreError(
                    message, advice="does another program write this session? wait until it ends"
                ) from reason

    def _write(self, statement: sa.Executable) -> None:
        self._place.write([(statement, ())])

    def _rows(self, query: sa.Select[Any]) -> list[Row]:
        return self._place.rows(query)

    def _records(self, rows: Iterable[Row], record_of: Callable[[Row], Record | list[Wrong]]) -> list[Record]:
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


_ALL: Final = sa.select(SESSIONS).order_by(SESSIONS.c.created_at, SESSIONS.c.id)


def _runs_of(session: str, first: int = 0) -> sa.Select[Any]:
    mine = (RUNS.c.session == session) & (RUNS.c.number >= first)
    return sa.select(RUNS).where(mine).order_by(RUNS.c.number)


def _cut(row: Row) -> Row:
    """Return the row of a run with the beginning of its outputs; evidence that is none stays, to be refused by its name."""
    try:
        evidence = columns.said(row["evidence"])
    except ValueError:
        return row
    return {**row, "evidence": json.dumps(outputs.to_be_shown(evidence))}


def row_of(record: Trial | Run) -> Values:
    """Return a trial or a run as the columns of its table hold it."""
    values = {each.name: getattr(record, each.name) for each in fields(record)}
    if isinstance(record, Run):
        values["measurement"] = record.measurement.to_dict() if record.measurement else None
        values["evidence"] = dict(record.evidence)
    return values


def upgraded(results: Results) -> tuple[int, int]:
    """Bring a store to the present format; return the format before, and now.

    A file must be there. On a server the tables are made where there are none (before is 0), also beside those of others.
    """
    path = _file_of(results)
    return (File(path, write=True).upgraded_from if path else _server(results.url, write=True).upgrade()), FORMAT


def place(url: str, *, write: bool) -> Place:
    """Return the tables at a URL, recognised, and made or upgraded where they are to be written; raise `StoreError`."""
    path = database_url.file_of(url)
    if path is not None:
        return File(path, write=write)
    server = _server(url, write=write)
    server.open()
    return server


def _server(url: str, *, write: bool) -> Server:
    from tuner.store.server import Server

    return Server(database_url.checked(url), write=write)


def _spent(session: str, spent_s: float) -> Step:
    """Return what stores the wall time that a session has used."""
    return _SPENT, [{"mine": session, "spent_s": spent_s}]


@dataclass(frozen=True, slots=True)
class Whole:
    """The steps that add a session with its trials and runs, which are taken as they are needed, and anew where a connection is lost."""

    session: StoredSession
    trials: Sequence[Trial]
    runs: Iterable[Run]
    """Can be gone through again."""
    instead: bool = False
    """Whether what the store has of the session goes first."""

    def __iter__(self) -> Iterator[Step]:
        """Yield the steps."""
        mine = {"session": self.session.id}
        if self.instead:
            yield sa.delete(SESSIONS).where(SESSIONS.c.id == self.session.id), ()
        row = {each.name: getattr(self.session, each.name) for each in fields(self.session)}
        yield sa.insert(SESSIONS).values(**row), ()
        if self.trials:
            yield sa.insert(TRIALS), [mine | row_of(each) for each in self.trials]
        for some in reading.some_at_once(self.runs):
            yield _ADD_RUN, [mine | row_of(each) for each in some]


def is_same_run(run: Run, stored: Run) -> bool:
    """Return whether a stored run is this one: no two runs begin at one time and take as long."""
    return (run.number, run.trial, run.started_at, run.wall_s) == (
        stored.number,
        stored.trial,
        stored.started_at,
        stored.wall_s,
    )


def _file_of(results: Results) -> Path | None:
    """Return the file of a store, None for one on a server; raise `UsageError` where it is not there."""
    path = database_url.file_of(results.url)
    if path is not None and not path.is_file():
        where = path if results.store else results.folder
        raise UsageError(f"there are no sessions in {where}", advice="name their folder with --results DIR")
    return path


def _existing(results: Results, *, write: bool) -> Store:
    _file_of(results)
    return Store(results.url, write=write, shared=results.store is not None)


def _gaps(session: str, table: str, numbers: Sequence[int], first: int = 0) -> list[Wrong]:
    """Return the first row that is missing: they are numbered from 0."""
    gap = next((at for at, number in enumerate(numbers, first) if at != number), None)
    return [] if gap is None else [Wrong(session, table, gap, "number", "the row is missing")]


def _stray(session: str, runs: Sequence[Run], trials: int) -> list[Wrong]:
    """Return the runs that are of no trial."""
    lost = "the trial is not in the store"
    return [Wrong(session, "runs", run.number, "trial", lost) for run in runs if run.trial >= trials]
