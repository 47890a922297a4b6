"""What of a damaged store can still be read: everything wrong is named, and the rest can be copied into a new store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from tuner import database_url
from tuner.errors import Finding, StoreError, error
from tuner.records import Run, StoredSession, Trial
from tuner.results import Results
from tuner.store import columns, opening
from tuner.store.columns import Wrong
from tuner.store.database import Store, place
from tuner.store.place import Place, Row
from tuner.store.tables import RUNS, SESSIONS, SIGNS, TRIALS

# What can be computed again, or done without, has a value to go on with.
_SPARE: Final[Mapping[str, Any]] = {"verdict": None, "facts": "{}", "spent_s": 0.0, "created_at": ""}
_MOST_TOLD: Final = 1000
_PROBLEMS: Final = 100
"""The most lines that SQLite is asked for of the structure of the file."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A session with what of it can be read and belongs together."""

    session: StoredSession
    trials: tuple[Trial, ...]
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Examined:
    """What a store holds: its readable sessions, oldest first, and everything that is wrong."""

    kept: tuple[Kept, ...]
    wrong: tuple[Finding, ...]


def examined(results: Results) -> Examined:
    """Return what can be read of a store; raise `StoreError` or `UsageError` where that is nothing. Nothing is written."""
    Store.reading(results)  # what is no store at all is said as everywhere
    path = database_url.file_of(results.url)
    return _in_file(path) if path else _on_server(results.url)


def _on_server(url: str) -> Examined:
    """Return what can be read where the server itself answers for the structure: its rows, session by session."""
    where, wrong = place(url, write=False), list[str]()
    found = [_kept(row, _beneath(where, str(row["id"])), wrong) for row in where.rows(sa.select(SESSIONS))]
    return _examined(where.where, [each for each in found if each is not None], wrong)


def _beneath(where: Place, session: str) -> dict[str, list[Row]]:
    tables = {"trials": TRIALS, "runs": RUNS}
    return {name: where.rows(sa.select(table).where(table.c.session == session)) for name, table in tables.items()}


def _examined(where: str, kept: Sequence[Kept], wrong: Sequence[str]) -> Examined:
    found = tuple(error(where, line) for line in wrong[:_MOST_TOLD])
    return Examined(tuple(sorted(kept, key=lambda each: each.session.created_at)), found)


def _in_file(path: Path) -> Examined:
    with closing(opening.reader(path)) as connection, opening.told(path):
        connection.row_factory = sqlite3.Row
        tables = {name: list(_rows(connection, name)) for name in SIGNS}
        structure = _structure(connection)
    wrong: list[str] = [f"the structure of the file: {line}" for line in structure]
    kept = [each for row in tables["sessions"] if (each := _kept(row, tables, wrong)) is not None]
    return _examined(str(path), kept, wrong)


def salvage(results: Results, target: Results) -> Examined:
    """Copy what can be read of a store into a new one, and return what that is and what was left out.

    Raise `StoreError` where the target has a store already.
    """
    found = examined(results)
    if target.database.exists():
        raise StoreError(f"{target.database} exists and was not changed", advice="name an empty folder with --to DIR")
    new = Store(target.url)
    for each in found.kept:
        new.add_whole(each.session, each.trials, each.runs)
    return found


def _structure(connection: sqlite3.Connection) -> list[str]:
    """Return what SQLite says is wrong with the file itself, nothing where it is sound."""
    try:
        said = [str(line) for (line,) in connection.execute(f"PRAGMA integrity_check({_PROBLEMS})")]
    except sqlite3.Error as reason:
        return [str(reason)]
    return [part for line in said if line != "ok" for part in line.splitlines()]


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a table that can be read: those before a damaged page, and from the end those behind it."""
    seen: set[int] = set()
    for order in ("ASC", "DESC"):
        query = f"SELECT rowid AS place, * FROM {table} ORDER BY rowid {order}"  # noqa: S608 - a name of our own table
        try:
            for row in connection.execute(query):
                if row["place"] in seen:
                    return
                seen.add(row["place"])
                yield dict(row)
        except sqlite3.Error:
            continue
        return


def _kept(row: Mapping[str, Any], tables: Mapping[str, Sequence[Mapping[str, Any]]], wrong: list[str]) -> Kept | None:
    session = _session(row, wrong)
    if session is None:
        return None
    mine = {name: [each for each in tables[name] if each["session"] == session.id] for name in ("trials", "runs")}
    trials = [each for each in (columns.trial_of(session.id, row) for row in mine["trials"]) if _readable(each, wrong)]
    runs = [each for each in (columns.run_of(session.id, row) for row in mine["runs"]) if _readable(each, wrong)]
    return _together(
        session,
        sorted((each for each in trials if isinstance(each, Trial)), key=lambda each: each.number),
        sorted((each for each in runs if isinstance(each, Run)), key=lambda each: each.number),
        wrong,
    )


def _session(row: Mapping[str, Any], wrong: list[str]) -> StoredSession | None:
    found = columns.session_of(row)
    if isinstance(found, list):
        wrong += map(str, found)
        found = columns.session_of(
            {**row, **{each.column: _SPARE.get(each.column, row[each.column]) for each in found}}
        )
    return None if isinstance(found, list) else found


def _readable(found: Trial | Run | list[Wrong], wrong: list[str]) -> bool:
    if isinstance(found, list):
        wrong += map(str, found)
        return False
    return True


def _together(session: StoredSession, trials: Sequence[Trial], runs: Sequence[Run], wrong: list[str]) -> Kept:
    """Return what belongs together, numbered anew; without its baseline a session's runs say nothing."""
    where = f"session {session.id}"
    if runs and (not trials or trials[0].number != 0):
        wrong.append(f"{where}: its baseline is lost, and with it what {len(runs)} runs are compared with")
        return Kept(session, (), ())
    numbers = {trial.number: at for at, trial in enumerate(trials)}
    belonging = [run for run in runs if run.trial in numbers]
    if stray := len(runs) - len(belonging):
        wrong.append(f"{where}: {stray} runs are of trials that are lost")
    if [run.number for run in runs] != list(range(len(runs))):
        wrong.append(f"{where}: {len(runs)} runs are left, and they are not numbered one after the other")
    return Kept(
        session,
        tuple(replace(trial, number=numbers[trial.number]) for trial in trials),
        tuple(replace(run, number=at, trial=numbers[run.trial]) for at, run in enumerate(belonging)),
    )
