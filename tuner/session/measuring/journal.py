"""Writing down what a session measures: each trial and run is in the store before anybody can look at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuner.records import Lease, Phase, Role, Run, Trial
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.slim import slim
from tuner.store import Store


@dataclass(frozen=True, slots=True)
class Journal:
    """The one writer of a session: into the store first, then into the ledger."""

    store: Store
    ledger: Ledger

    @staticmethod
    def resumed(store: Store, session: str) -> Journal:
        """Return the writer of a session that goes on with what the store has of it."""
        found = Journal(store, Ledger(session, store.trials(session)))
        for run in store.one_by_one(session):
            found._remember(run)
        return found

    def enter(self, profile: str, settings: Mapping[str, str], role: Role, invalid: str | None = None) -> Trial:
        """Return the trial of these settings, adding it when there is none."""
        known = self.ledger.find(settings)
        if known is not None:
            return known
        trial = Trial(len(self.ledger.trials), profile, role, dict(settings), invalid)
        self.store.add_trial(self.ledger.session, trial)
        self.ledger.add_trial(trial)
        return trial

    def record(self, trial: int, phase: Phase, block: int, run: Run, spent_s: float) -> Run:
        """Store one run of a block and the session's wall time so far; return it at its place in the session."""
        row = run.placed(len(self.ledger.runs), trial, phase, block)
        self.store.add_run(self.ledger.session, row, spent_s)
        self._remember(row)
        return row

    def close(self, lease: Lease, phase: Phase, runs: Sequence[Run], spent_s: float) -> Sequence[Run]:
        """Store a whole block that a pair of hosts measured; return its runs at their places, none where it does not count."""
        first = len(self.ledger.runs)
        rows = [run.placed(first + at, run.trial, phase, lease.block) for at, run in enumerate(runs)]
        if not self.store.add_block(self.ledger.session, lease, rows, spent_s):
            return ()
        for row in rows:
            self._remember(row)
        return rows

    def _remember(self, run: Run) -> None:
        """Add a run; of the one before it only what is compared stays in memory, because its texts are in the store."""
        if self.ledger.runs:
            self.ledger.amend_run(slim(self.ledger.runs[-1]))
        self.ledger.add_run(run)

    def amend(self, run: Run) -> None:
        """Store the last run again, with more evidence."""
        self.store.amend_run(self.ledger.session, run)
        self.ledger.amend_run(run)
