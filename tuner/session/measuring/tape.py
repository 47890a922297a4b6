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
ROUND: Final = "round"
"""What it is called there which blocks many pairs measured at once: those of one number."""


class More(Protocol):
    """Where trials and blocks come from that the store does not have yet."""

    def enter(self, profile: str, settings: Mapping[str, str]) -> Trial:
        """Return the trial of these settings."""

    def blocks(self, trials: Sequence[Trial], share: float, said: Mapping[str, int]) -> list[int]:
        """Return the numbers of new blocks of the baseline and `trials`, one on each pair of hosts; none where there is no time."""


@dataclass(frozen=True, slots=True)
class Measured:
    """More is measured: what does not end within a share of the budget is not begun."""

    session: Session
    phase: Phase

    def enter(self, profile: str, settings: Mapping[str, str]) -> Trial:
        """Return the trial of these settings, adding it when there is none."""
        return self.session.journal.enter(profile, settings, Role.REDUCED)

    def blocks(self, trials: Sequence[Trial], share: float, said: Mapping[str, int]) -> list[int]:
        """Measure a block on each pair; none where it does not fit, or where the host spoiled all and there was no time to repeat it."""
        if not self.session.clock.fits(self.session.evidence.block_cost_s(len(trials)), self.phase, share):
            return []
        made = replace(self.session, said=said).measure_everywhere(self.phase, trials)
        return [block for block in made if block not in self.session.ledger.quarantined]


@dataclass(frozen=True, slots=True)
class NoMore:
    """Nothing is measured: what the ledger has is all there is."""

    ledger: Ledger

    def enter(self, profile: str, settings: Mapping[str, str]) -> Trial:
        """Return the trial of these settings; one that is not in the ledger was never measured."""
        return self.ledger.find(settings) or Trial(len(self.ledger.trials), profile, Role.REDUCED, dict(settings))

    def blocks(self, _trials: Sequence[Trial], _share: float, _said: Mapping[str, int]) -> list[int]:
        """Return none: there is no more."""
        return []


class Tape:
    """The blocks of one phase as the phase has seen them so far, by `goal`; none that is quarantined."""

    def __init__(self, evidence: Evidence, phase: Phase, goal: Objective, more: More) -> None:
        self._evidence = evidence
        self._phase = phase
        self.goal = goal
        self._more = more
        self._stored = deque(evidence.ledger.blocks(phase))
        self._step = 0
        self._round = 0
        self.blocks: list[int] = []
        self._seen: set[int] = set()

    def enter(self, profile: str, settings: Mapping[str, str]) -> Trial:
        """Return the trial of these settings."""
        return self._more.enter(profile, settings)

    def begin_step(self) -> None:
        """Begin the next step of the phase: its blocks are its own."""
        self._step += 1

    def block(self, trials: Sequence[Trial], share: float) -> bool:
        """Return whether there are more blocks of the baseline and `trials` in this step, one on each pair: stored already, or measured now.

        None is measured that would not end within `share` of the budget. Raise `BaselineFailed` as a session does.
        """
        others = [trial for trial in dict.fromkeys(trials) if trial != self._evidence.baseline]
        self._round += 1
        said = {STEP: self._step, ROUND: self._round}
        found = self._told_again(others) if self._stored else self._more.blocks(others, share, said)
        self.blocks += found
        self._seen.update(found)
        return bool(found)

    def _told_again(self, others: Sequence[Trial]) -> list[int]:
        """Return the stored blocks that come next, if they are of this step; one that was cut off has only some of the trials.

        What an earlier release stored does not say its step; then a block of other trials is another step's.
        """
        runs = self._evidence.ledger.runs_in(self._stored[0])
        steps = {run.evidence.get(STEP, self._step) for run in runs}
        known = {self._evidence.baseline.number, *(trial.number for trial in others)}
        if steps != {self._step} or not {run.trial for run in runs} <= known:
            return []
        found = [self._stored.popleft()]
        while (mark := self._mark(found[0])) is not None and self._stored and self._mark(self._stored[0]) == mark:
            found.append(self._stored.popleft())
        self._round = self._round if mark is None else mark
        return found

    def _mark(self, block: int) -> int | None:
        """Return the round that a stored block is of, None where it says none: then it is one of its own."""
        rounds = (run.evidence.get(ROUND) for run in self._evidence.ledger.runs_in(block))
        return next((each for each in rounds if each is not None), None)

    def over(self, other: Trial, trial: Trial) -> dict[int, float]:
        """Return the log ratio of a trial to another in each block seen in which both were measured whole."""
        gain_over = self._evidence.gains.over
        found = {block: gain_over(other.number, trial.number, block, self.goal) for block in self.blocks}
        return {block: gain for block, gain in found.items() if gain is not None}

    def spent_s(self) -> float:
        """Return the wall time inside the phase's runs up to the last block seen, in seconds, spoiled ones included."""
        last = max(self.blocks, default=-1)
        return sum(run.wall_s for run in self._evidence.ledger.runs if run.phase == self._phase and run.block <= last)

    def runs(self, trial: Trial) -> bool:
        """Return whether a trial has not failed in the blocks seen."""
        mine = (run for run in self._evidence.ledger.runs_of(trial.number) if run.block in self._seen)
        return all(run.status == Status.OK for run in mine)
