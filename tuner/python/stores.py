"""The sessions of a results folder or of a shared database, as tables of pandas and as answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.errors import StoreError
from tuner.judging.metrics import reported
from tuner.python.functions import workspace
from tuner.records import StoredSession
from tuner.session.answer.answers import Answer
from tuner.session.answer.stored import answer_of
from tuner.session.workspace import Workspace
from tuner.store import Store

if TYPE_CHECKING:  # takes longer to load than all the rest
    import pandas as pd


@dataclass(frozen=True, slots=True)
class OpenStore:
    """Stored sessions, to be read only. A session is named by its id, a beginning of it that only one has, or `latest`.

    >>> answer = tuner.compare("default", "latency")
    >>> store = tuner.open_store()
    >>> store.runs(answer.session).groupby("profile").latency_p99_us.median().idxmin()
    'latency'
    """

    _store: Store

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.where}>"

    @property
    def where(self) -> str:
        """The file, or the database without its password."""
        return self._store.where

    def sessions(self) -> pd.DataFrame:
        """Return one row a session, oldest first; `ratio` is how many times better, with its interval."""
        from tuner.report.frames import sessions_frame

        return sessions_frame(self._store.sessions())

    def trials(self, session: str = "latest") -> pd.DataFrame:
        """Return one row a profile that a session measured, or refused to (`invalid` says why)."""
        from tuner.report.frames import trials_frame

        found = self._store.session(session).id
        return trials_frame(self._store.trials(found), self._store.runs(found))

    def runs(self, session: str = "latest") -> pd.DataFrame:
        """Return one row a run, in the order in which they were made; numbers have their unit in the name (`latency_p99_us`).

        A recipe's metric has its own where the name lacks it: `rate` in requests/s is `rate_requests_per_s`. One that is called
        as a column of every run has `own_` before it (`own_wall_s`: of the client alone).
        Runs of different workloads are never comparable, and those of one workload only inside their `block`.
        """
        from tuner.report.frames import runs_frame

        stored = self._store.session(session)
        return runs_frame(self._store.trials(stored.id), self._store.runs(stored.id), _units(stored))

    def answer(self, session: str = "latest") -> Answer | None:
        """Return what a session answered, None while it has no answer."""
        return answer_of(self._store.session(session))


def _units(stored: StoredSession) -> Mapping[str, str]:
    """Return the units of what a session's recipes report, none where its plan cannot be read."""
    from tuner.session.setup.plan import Plan

    try:
        workloads = Plan.from_dict(stored.plan).workloads
    except StoreError:
        return {}
    return {each.name: each.unit for each in reported(each for each in workloads if each.recipe).values()}


def open_store(
    results: str | Path | None = None, *, store: str | None = None, at: Workspace | None = None
) -> OpenStore:
    """Return the stored sessions of a results folder (`results`), or of the database `store`.

    Raise `UsageError` where there is none: nothing is made.

    >>> answer = tuner.measure("latency", runs=2)
    >>> store = tuner.open_store("results")
    >>> len(store.runs(answer.session))
    2
    """
    return OpenStore(Store.reading(workspace({"results": results, "store": store, "at": at}).results))
