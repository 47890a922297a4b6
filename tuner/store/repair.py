"""What of a damaged store can still be read: everything wrong is named, and the rest can be copied into a new store.

A store may be anybody's and larger than memory: of its rows only the places are kept, and a session is read when it is its turn.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import sqlalchemy as sa

from tuner import atomic_file, database_url
from tuner.errors import Finding, StoreError, error
from tuner.records import Run, StoredSession, Trial
from tuner.results import Results, is_session_id
from tuner.store import columns, opening, reading
from tuner.store.database import Store
from tuner.store.tables import RUNS, SESSIONS, TRIALS
from tuner.terminal_text import shown

# What can be computed again, or done without, has a value to go on with.
_SPARE: Final[Mapping[str, Any]] = {"verdict": None, "facts": "{}", "spent_s": 0.0, "created_at": ""}
_MOST_TOLD: Final = 1000
_PROBLEMS: Final = 100
"""The most lines that SQLite is asked for of the structure of the file."""
_MOST_ROWS: Final = 1_000_000
"""Of a table; ours have some ten thousand a session."""

Row = Mapping[str, Any]
Takes = Callable[[StoredSession, Sequence[Trial], Iterable[Run]], object]
"""Is given each session with what of it can be read and belongs together."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A session, and how many of its trials and runs can be read and belong together."""

    id: str
    created_at: str
    trials: int
    runs: int


@dataclass(frozen=True, slots=True)
class Examined:
    """What a store holds: its readable sessions, oldest first, and everything that is wrong."""

    kept: tuple[Kept, ...]
    wrong: tuple[Finding, ...]


@dataclass(slots=True)
class _Told:
    """What is wrong, as many lines as somebody may read."""

    lines: list[str] = field(default_factory=list)
    more: int = 0

    def add(self, *lines: object) -> None:
        """Take note of them."""
        room = _MOST_TOLD - len(self.lines)
        self.lines += map(str, lines[:room])
        self.more += len(lines[room:])


class _Rows(Protocol):
    """The tables of a store, row by row; all raise `StoreError` where nothing more can be read."""

    def sessions(self, wrong: _Told) -> Iterator[Row]:
        """Yield the rows of the sessions."""

    def beneath(self, table: str, session: str, wrong: _Told) -> Iterator[Row]:
        """Yield what can be read of the rows of a session."""


def _nobody(_session: StoredSession, _trials: Sequence[Trial], _runs: Iterable[Run]) -> None:
    """Take nothing."""


def examined(results: Results, takes: Takes = _nobody) -> Examined:
    """Return what can be read of a store; raise `StoreError` or `UsageError` where that is nothing. Nothing is written to it."""
    store = Store.reading(results)  # what is no store at all is said as everywhere
    path = database_url.file_of(results.url)
    if path is None:
        return _examined(_OnServer(store), store.where, takes, _Told())
    with opening.told(path), closing(opening.reader(path)) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")  # one moment of it, whoever writes meanwhile
        wrong = _Told()
        wrong.add(*(f"the structure of the file: {line}" for line in _structure(connection)))
        return _examined(_InFile(connection, wrong), str(path), takes, wrong)


def salvage(results: Results, target: Results) -> Examined:
    """Copy what can be read of a store into a new one, and return what that is and what was left out.

    The new one has its name when it is whole. Raise `StoreError` where the target has a store already.
    """
    Store.reading(results)
    if target.database.exists():
        raise _exists(target)
    with opening.told(target.database):
        target.folder.mkdir(parents=True, exist_ok=True)
        atomic_file.sweep(target.folder)
    part = atomic_file.drafted(target.database)
    try:
        new = Store(database_url.of_file(part))
        found = examined(results, new.add_whole)
        new.engine.dispose()
        with opening.told(target.database):
            target.database.hardlink_to(part)
            atomic_file.flush_folder(target.folder)
    except StoreError as reason:
        if isinstance(reason.__cause__, FileExistsError):
            raise _exists(target) from reason
        if str(part) not in reason.message:
            raise
        said = reason.message.replace(str(part), str(target.database))
        raise StoreError(
            said, advice="nothing was left there: make room, or name another folder with --to DIR"
        ) from reason
    finally:
        for each in target.folder.glob(f"{part.name}*"):
            each.unlink()
    return found


def _exists(target: Results) -> StoreError:
    return StoreError(f"{target.database} exists and was not changed", advice="name an empty folder with --to DIR")


def _examined(rows: _Rows, where: str, takes: Takes, wrong: _Told) -> Examined:
    found: dict[str, Kept] = {}
    for row in rows.sessions(wrong):
        session = _session(row, wrong)
        if session is not None and session.id not in found:
            found[session.id] = _kept(rows, session, takes, wrong)
    kept = sorted(found.values(), key=lambda each: each.created_at)
    more = [f"and {wrong.more:,} more"] if wrong.more else []
    return Examined(tuple(kept), tuple(error(where, line) for line in [*wrong.lines, *more]))


def _structure(connection: sqlite3.Connection) -> list[str]:
    """Return what SQLite says is wrong with the file itself, nothing where it is sound."""
    try:
        said = [str(line) for (line,) in connection.execute(f"PRAGMA integrity_check({_PROBLEMS})")]
    except sqlite3.Error as reason:
        return [str(reason)]
    return [part for line in said if line != "ok" for part in line.splitlines()]


@dataclass(frozen=True, slots=True)
class _OnServer:
    """Where the server itself answers for the structure."""

    store: Store

    def sessions(self, wrong: _Told) -> Iterator[Row]:
        """Yield the rows of the sessions."""
        return self._readable(sa.select(SESSIONS).order_by(SESSIONS.c.id), SESSIONS.c.id, "table sessions", wrong)

    def beneath(self, table: str, session: str, wrong: _Told) -> Iterator[Row]:
        """Yield the rows of a session."""
        of = {"trials": TRIALS, "runs": RUNS}[table]
        query = sa.select(of).where(of.c.session == session).order_by(of.c.number)
        return self._readable(query, of.c.number, f"session {session}, table {table}", wrong)

    def _readable(self, query: sa.Select[Any], key: sa.ColumnElement[Any], where: str, wrong: _Told) -> Iterator[Row]:
        """Yield the rows that are not too large to be read."""
        size = reading.size_of(query.selected_columns).element
        for row in self.store.unchecked(query.with_only_columns(key).where(size > reading.LARGEST_ROW)):
            named = shown(str(next(iter(row.values()))))
            wrong.add(f"{where}, row {named}: it has more than {reading.LARGEST_ROW >> 20} MB and is left out")
        yield from self.store.unchecked(query.where(size <= reading.LARGEST_ROW))


class _InFile:
    """A SQLite file, whose pages may be damaged: its indexes are not believed, and each row is read by its place."""

    def __init__(self, connection: sqlite3.Connection, wrong: _Told) -> None:
        self._connection = connection
        named = [*self._places("sessions", "id", wrong)]
        self._sessions = array("q", (place for place, _ in named))
        self._known = {session for _, session in named}
        self._beneath = {table: self._by_session(table, wrong) for table in ("trials", "runs")}

    def sessions(self, wrong: _Told) -> Iterator[Row]:
        """Yield the rows of the sessions that can be read."""
        return self._at("sessions", self._sessions, wrong)

    def beneath(self, table: str, session: str, wrong: _Told) -> Iterator[Row]:
        """Yield what can be read of the rows of a session."""
        return self._at(table, self._beneath[table].get(session, ()), wrong)

    def _by_session(self, table: str, wrong: _Told) -> Mapping[str, array[int]]:
        found: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        for place, session in self._places(table, "session", wrong):
            found[session].append(place)
        if stray := sum(len(places) for session, places in found.items() if session not in self._known):
            wrong.add(f"table {table}: {stray:,} rows are of no session")
        return found

    def _places(self, table: str, column: str, wrong: _Told) -> Iterator[tuple[int, str]]:
        """Yield the places of the rows of a table, with the id in each: those before a damaged page, and from the end those behind it."""
        seen = _Span()
        for order in ("ASC", "DESC"):
            query = f"SELECT rowid, {column} FROM {table} NOT INDEXED ORDER BY rowid {order}"  # noqa: S608 - names of our own
            try:
                for place, session in self._connection.execute(query):
                    if not seen.takes(place, order):
                        return
                    if seen.count > _MOST_ROWS:
                        wrong.add(f"table {table}: it has more than {_MOST_ROWS:,} rows; the others were not read")
                        return
                    yield place, session if isinstance(session, str) and is_session_id(session) else ""
            except sqlite3.Error as reason:
                wrong.add(f"table {table}: {reason}; rows may be lost")
                continue
            return

    def _at(self, table: str, places: Iterable[int], wrong: _Told) -> Iterator[Row]:
        query = f"SELECT * FROM {table} WHERE rowid = ?"  # noqa: S608 - a name of our own table
        for place in places:
            try:
                row = self._connection.execute(query, (place,)).fetchone()
            except sqlite3.Error as reason:
                wrong.add(f"table {table}, a row: {reason}")
                continue
            if row is not None:
                yield dict(row)


@dataclass(slots=True)
class _Span:
    """Which places were seen from the beginning on, so that those from the end on end there."""

    last: int | None = None
    count: int = 0

    def takes(self, place: int, order: str) -> bool:
        """Return whether a place is a new one."""
        self.count += 1
        if order == "ASC":
            self.last = place
        return order == "ASC" or self.last is None or place > self.last


def _kept(rows: _Rows, session: StoredSession, takes: Takes, wrong: _Told) -> Kept:
    trials = _trials(rows, session.id, wrong)
    runs = _Runs.read(rows, session.id, wrong)
    if runs.numbers and (not trials or trials[0].number != 0):
        lost = f"its baseline is lost, and with it what {len(runs.numbers)} runs are compared with"
        wrong.add(f"session {session.id}: {lost}")
        trials, runs = [], replace(runs, numbers=())
    runs = runs.of_trials({trial.number: at for at, trial in enumerate(trials)}, wrong)
    takes(session, [replace(trial, number=at) for at, trial in enumerate(trials)], runs)
    return Kept(session.id, session.created_at, len(trials), len(runs.numbers))


def _session(row: Row, wrong: _Told) -> StoredSession | None:
    found = columns.session_of(row)
    if isinstance(found, list):
        wrong.add(*found)
        found = columns.session_of(
            {**row, **{each.column: _SPARE.get(each.column, row[each.column]) for each in found}}
        )
    return None if isinstance(found, list) else found


def _trials(rows: _Rows, session: str, wrong: _Told) -> list[Trial]:
    """Return the trials that can be read, by their numbers, as many as are read at once."""
    found: list[Trial] = []
    held = 0
    for row in rows.beneath("trials", session, wrong):
        held += reading.taken(row)
        if held > reading.MOST_BYTES // 2:
            wrong.add(f"session {session}: its trials are more than is read at once; the others are left out")
            break
        trial = columns.trial_of(session, row)
        if isinstance(trial, list):
            wrong.add(*trial)
        else:
            found.append(trial)
    return sorted(found, key=lambda each: each.number)


@dataclass(frozen=True, slots=True)
class _Runs:
    """The runs of a session that are kept: read, and numbered anew, whenever they are gone through."""

    rows: _Rows
    session: str
    numbers: Sequence[tuple[int, int]]
    """Of each its number and that of its trial, in order."""
    trials: Mapping[int, int] = field(default_factory=dict)
    """The new number of each trial."""

    @staticmethod
    def read(rows: _Rows, session: str, wrong: _Told) -> _Runs:
        """Return the runs that can be read."""
        found = []
        for row in rows.beneath("runs", session, wrong):
            run = columns.run_of(session, row)
            if isinstance(run, list):
                wrong.add(*run)
            else:
                found.append((run.number, run.trial))
        return _Runs(rows, session, sorted(dict(found).items()))

    def of_trials(self, trials: Mapping[int, int], wrong: _Told) -> _Runs:
        """Return the runs of trials that are left."""
        belonging = [(number, trial) for number, trial in self.numbers if trial in trials]
        if stray := len(self.numbers) - len(belonging):
            wrong.add(f"session {self.session}: {stray} runs are of trials that are lost")
        if [number for number, _ in self.numbers] != [*range(len(self.numbers))]:
            left = f"{len(self.numbers)} runs are left, and they are not numbered one after the other"
            wrong.add(f"session {self.session}: {left}")
        return replace(self, numbers=belonging, trials=trials)

    def __iter__(self) -> Iterator[Run]:
        """Read them again."""
        places = {number: at for at, (number, _) in enumerate(self.numbers)}
        for row in self.rows.beneath("runs", self.session, _Told()):
            run = columns.run_of(self.session, row)
            if isinstance(run, Run) and run.number in places:
                yield replace(run, number=places.pop(run.number), trial=self.trials[run.trial])
