"""The blocks of a phase whose next step depends on what the last ones said.

Such a phase is written as if nobody ever interrupted it. When a session goes on, the blocks that the store already
has are told again in their order and lead to the same step; only then is something measured.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tuner.judging.objective import Objective
from tuner.records import Phase, Status, Trial
from tuner.session.measuring.session import Session


class Tape:
    """The blocks of one phase as the phase has seen them so far, by `goal`; none that is quarantined."""

    def __init__(self, session: Session, phase: Phase, goal: Objective) -> None:
        self._session = session
        self._phase = phase
        self._goal = goal
        self._stored = deque(session.ledger.blocks(phase))
        self.blocks: list[int] = []

    def block(self, trials: Sequence[Trial], share: float) -> bool:
        """Return whether there is one more block of the baseline and `trials`: stored already, or measured now.

        None is measured that would not end within `share` of the budget; one that the host spoiled when there was no time
        to repeat it is none. Raise `BaselineFailed` as a session does.
        """
        others = [trial for trial in dict.fromkeys(trials) if trial != self._session.baseline]
        if self._stored:
            return self._told_again(others)
        if not self._session.clock.fits(self._session.block_cost_s(len(others)), self._phase, share):
            return False
        block = self._session.measure_block(self._phase, others)
        if block in self._session.ledger.quarantined:
            return False
        self.blocks.append(block)
        return True

    def _told_again(self, others: Sequence[Trial]) -> bool:
        """Return whether the next stored block is one of these trials; one that was cut off has only some of them."""
        ran = {run.trial for run in self._session.ledger.runs if run.block == self._stored[0]}
        if not ran <= {self._session.baseline.number, *(trial.number for trial in others)}:
            return False
        self.blocks.append(self._stored.popleft())
        return True

    def over(self, other: Trial, trial: Trial) -> dict[int, float]:
        """Return the log ratio of a trial to another in each block seen in which both were measured whole."""
        gain_over = self._session.ledger.gain_over
        found = {block: gain_over(other.number, trial.number, block, self._goal) for block in self.blocks}
        return {block: gain for block, gain in found.items() if gain is not None}

    def spent_s(self) -> float:
        """Return the wall time inside the phase's runs up to the last block seen, in seconds, spoiled ones included."""
        runs = (run for run in self._session.ledger.runs if run.phase == self._phase)
        return sum(run.wall_s for run in runs if run.block <= max(self.blocks, default=-1))

    def runs(self, trial: Trial) -> bool:
        """Return whether a trial has not failed in the blocks seen."""
        mine = (run for run in self._session.ledger.runs if run.trial == trial.number and run.block in self.blocks)
        return all(run.status == Status.OK for run in mine)
