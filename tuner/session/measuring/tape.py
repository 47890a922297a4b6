"""The blocks of a phase whose next step depends on what the last ones said.

Such a phase is written as if nobody ever interrupted it. When a session goes on, or is judged again, the blocks that the
store already has are told again in their order and lead to the same step; only then is something measured, where there is
a rig. Each block says in its evidence which step of the phase it was made for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from tuner.judging.objective import Objective
from tuner.records import Phase, Role, Status, Trial
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.session import Session

STEP: Final = "step"
"""What the step of a run's block is called in its evidence."""


class More(Protocol):
    """Where trials and blocks come from that the store does not have yet."""

    def enter(self, profile: str, settings: Mapping[str, str]) -> Trial:
        """Return the trial of these settings."""

    def block(self, trials: Sequence[Trial], share: float, step: int) -> int | None:
        """Return the number of a new block of the baseline and `trials`, None where there is none."""


@dataclass(frozen=True, slots=True)
class Measured:
    """More is measured: what does not end within a share of the budget is not begun."""

    session: Session
    phase: Phase

    def enter(self, profile: str, settings: Mapping[str, str]) -> Trial:
        """Return the trial of these settings, adding it when there is none."""
        return self.session.journal.enter(profile, settings, Role.REDUCED)

    def block(self, trials: Sequence[Trial], share: float, step: int) -> int | None:
        """Measure a block; None where it does not fit, or where the host spoiled it and there was no time to repeat it."""
        if not self.session.clock.fits(self.session.evidence.block_cost_s(len(trials)), self.phase, share):
            return None
        block = replace(self.session, said={STEP: step}).measure_block(self.phase, trials)
        return None if block in self.session.ledger.quarantined else block


@dataclass(frozen=True, slots=True)
class NoMore:
    """Nothing is measured: what the ledger has is all there is."""

    ledger: Ledger

    def enter(self, profile: str, settings: Mapping[str, str]) -> Trial:
        """Return the trial of these settings; one that is not in the ledger was never measured."""
        return self.ledger.find(settings) or Trial(len(self.ledger.trials), profile, Role.REDUCED, dict(settings))

    def block(self, _trials: Sequence[Trial], _share: float, _step: int) -> int | None:
        """Return None: there is no more."""
        return None


class Tape:
    """The blocks of one phase as the phase has seen them so far, by `goal`; none that is quarantined."""

    def __init__(self, evidence: Evidence, phase: Phase, goal: Objective, more: More) -> None:
        self._evidence = evidence
        self._phase = phase
        self.goal = goal
        self._more = more
        self._stored = deque(evidence.ledger.blocks(phase))
        self._step = 0
        self.blocks: list[int] = []

    def enter(self, profile: str, settings: Mapping[str, str]) -> Trial:
        """Return the trial of these settings."""
        return self._more.enter(profile, settings)

    def begin_step(self) -> None:
        """Begin the next step of the phase: its blocks are its own."""
        self._step += 1

    def block(self, trials: Sequence[Trial], share: float) -> bool:
        """Return whether there is one more block of the baseline and `trials` in this step: stored already, or measured now.

        None is measured that would not end within `share` of the budget. Raise `BaselineFailed` as a session does.
        """
        others = [trial for trial in dict.fromkeys(trials) if trial != self._evidence.baseline]
        block = self._told_again(others) if self._stored else self._more.block(others, share, self._step)
        if block is not None:
            self.blocks.append(block)
        return block is not None

    def _told_again(self, others: Sequence[Trial]) -> int | None:
        """Return the next stored block if it is of this step; one that was cut off has only some of the trials.

        What an earlier release stored does not say its step; then a block of other trials is another step's.
        """
        runs = self._evidence.ledger.runs_in(self._stored[0])
        steps = {run.evidence.get(STEP, self._step) for run in runs}
        known = {self._evidence.baseline.number, *(trial.number for trial in others)}
        if steps != {self._step} or not {run.trial for run in runs} <= known:
            return None
        return self._stored.popleft()

    def over(self, other: Trial, trial: Trial) -> dict[int, float]:
        """Return the log ratio of a trial to another in each block seen in which both were measured whole."""
        gain_over = self._evidence.gains.over
        found = {block: gain_over(other.number, trial.number, block, self.goal) for block in self.blocks}
        return {block: gain for block, gain in found.items() if gain is not None}

    def spent_s(self) -> float:
        """Return the wall time inside the phase's runs up to the last block seen, in seconds, spoiled ones included."""
        runs = (run for run in self._evidence.ledger.runs if run.phase == self._phase)
        return sum(run.wall_s for run in runs if run.block <= max(self.blocks, default=-1))

    def runs(self, trial: Trial) -> bool:
        """Return whether a trial has not failed in the blocks seen."""
        mine = (run for run in self._evidence.ledger.runs_of(trial.number) if run.block in self.blocks)
        return all(run.status == Status.OK for run in mine)
