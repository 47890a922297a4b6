"""Sessions from one store into another, which may be of another kind; what is there already is kept or brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from operator import eq
from typing import Final

from tuner.errors import Busy, StoreError
from tuner.records import Run, StoredSession, Trial
from tuner.store.database import Store, is_same_run

_LEFT: Final = "goes on differently in the two stores, and was left as it is"


class Outcome(StrEnum):
    """What became of a session."""

    COPIED = "copied"
    UPDATED = "brought up to date"
    SAME = "already there"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Copied:
    """A session of the source, and what became of it."""

    session: str
    outcome: Outcome
    trials: int = 0
    runs: int = 0
    why: str = ""
    """Why it was left out."""


@dataclass(frozen=True, slots=True)
class _Whole:
    """A session as it was at one moment; its runs are read when they are gone through, because they may be many."""

    session: StoredSession
    trials: tuple[Trial, ...]
    runs: _Runs

    @staticmethod
    def read(store: Store, session: str) -> _Whole:
        """Return a session as it is now; the runs are counted first, so that none is of a trial that a running session added meanwhile."""
        row, runs = store.session(session), _Runs(store, session, store.count(session))
        return _Whole(row, store.trials(session), runs)

    def checked(self) -> _Whole:
        """Return the same if all its runs can be read; raise `StoreError` if not."""
        for _ in self.runs:
            pass
        return self

    def is_same(self, other: _Whole) -> bool:
        """Return whether the other is this session, as far as it is here and in everything."""
        alike = (self.session, self.trials, self.runs.count) == (other.session, other.trials, other.runs.count)
        return alike and all(map(eq, self.runs, other.runs))

    def begins(self, other: _Whole) -> bool:
        """Return whether the other is this session, gone on with."""
        return (
            self.runs.count <= other.runs.count
            and self.trials == other.trials[: len(self.trials)]
            and all(map(is_same_run, self.runs, other.runs))
        )


@dataclass(frozen=True, slots=True)
class _Runs:
    """The first runs of a stored session."""

    store: Store
    session: str
    count: int

    def __iter__(self) -> Iterator[Run]:
        """Read them."""
        return self.store.one_by_one(self.session, self.count)


def copied(source: Store, target: Store) -> Iterator[Copied]:
    """Copy every session, oldest first, each in one transaction, and yield what became of it.

    Raise `StoreError` where the target cannot be written; what cannot be read is left out and told.
    """
    there = set(target.ids())
    for session in source.ids():
        try:
            whole = _Whole.read(source, session).checked()
        except StoreError as reason:
            yield Copied(session, Outcome.LEFT_OUT, why="; ".join([reason.message, *map(str, reason.findings[:1])]))
            continue
        outcome, why = _put(whole, target) if session in there else _added(whole, target)
        yield Copied(session, outcome, len(whole.trials), whole.runs.count, why)


def _added(whole: _Whole, target: Store) -> tuple[Outcome, str]:
    target.add_whole(whole.session, whole.trials, whole.runs)
    return Outcome.COPIED, ""


def _put(whole: _Whole, target: Store) -> tuple[Outcome, str]:
    """Bring a session that the target has up to date, where it is the beginning of this one and nobody writes it."""
    known = _Whole.read(target, whole.session.id)
    if known.is_same(whole):
        return Outcome.SAME, ""
    try:
        with target.writing(whole.session.id):
            if not _Whole.read(target, whole.session.id).begins(whole):
                return Outcome.LEFT_OUT, _LEFT
            target.replace_whole(whole.session, whole.trials, whole.runs)
    except Busy as reason:
        return Outcome.LEFT_OUT, reason.message
    return Outcome.UPDATED, ""
