"""How much better trials are than the baseline, or than each other: log ratios inside blocks, by an objective."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tuner.judging.guards import Guard
from tuner.judging.objective import Objective
from tuner.records import Phase, Status, Trial
from tuner.session.measuring.guarding import Guarding
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.metrics import Metrics
from tuner.session.measuring.pairs import pair_of


class Gains:
    """The gains of a ledger's trials; above 0 is better. None is taken in a block that the host spoiled."""

    def __init__(self, ledger: Ledger, objective: Objective, guards: Sequence[Guard] = ()) -> None:
        self.ledger = ledger
        self.objective = objective
        self.metrics = Metrics(ledger, objective)
        self.guarding = Guarding(ledger, self.metrics, guards)
        self._levels: dict[int, float | None] = {}
        self._pairs: dict[int, str] = {}
        self._over_itself: tuple[tuple[int, frozenset[int]], list[float]] = ((0, frozenset()), [])

    def judged(self, trial: Trial, block: int) -> bool:
        """Return whether a block says something of a trial: a gain, or that it does not run."""
        mine = self.ledger.runs_of(trial.number, block)
        return self.in_block(trial.number, block) is not None or any(run.status != Status.OK for run in mine)

    def in_block(self, trial: int, block: int) -> float | None:
        """Return the log ratio to the baseline in a block, None unless both were measured whole."""
        return self.over(0, trial, block)

    def over(self, other: int, trial: int, block: int, goal: Objective | None = None) -> float | None:
        """Return the log ratio of a trial to another in a block, None unless both were measured whole in peace.

        `goal` is the session's objective or a part of it.
        """
        if block in self.ledger.quarantined:
            return None
        return (goal or self.objective).gain(self.metrics.of(other, block), self.metrics.of(trial, block))

    def of(self, trial: int, phase: Phase) -> list[float]:
        """Return the log ratio to the baseline in each block of `phase` where both were measured whole."""
        blocks = sorted({run.block for run in self.ledger.runs_of(trial) if run.phase == phase})
        found = (self.in_block(trial, block) for block in blocks)
        return [gain for gain in found if gain is not None]

    def confirmed(self, other: int, trial: int, goal: Objective) -> list[float]:
        """Return the log ratio of a trial to another in each block of the confirmation that measured both whole."""
        found = (self.over(other, trial, block, goal) for block in self.ledger.blocks(Phase.CONFIRM))
        return [gain for gain in found if gain is not None]

    def over_itself(self) -> Sequence[float]:
        """Return the log ratio of the baseline's second run to its first in each block of the calibration."""
        seen = self.ledger.count(Phase.CALIBRATE), self.ledger.quarantined
        if self._over_itself[0] != seen:
            pairs = (self.metrics.twins(block) for block in self.ledger.blocks(Phase.CALIBRATE))
            merged = self.metrics.merged
            found = (self.objective.gain(merged(pair[0]), merged(pair[1])) for pair in pairs if pair)
            self._over_itself = seen, [gain for gain in found if gain is not None]
        return self._over_itself[1]

    def pair(self, block: int) -> str:
        """Return the pair of hosts that a block was measured on, empty where there is one only."""
        if block not in self._pairs:
            runs = self.ledger.runs_in(block)
            if not runs:
                return ""
            self._pairs[block] = sys.intern(pair_of(runs[0]))
        return self._pairs[block]

    def level(self, block: int) -> float | None:
        """Return how good the baseline was in a block that is over, as the log ratio to its first block on the same pair.

        None unless it was measured whole in both.
        """
        if block not in self._levels:
            pair = self.pair(block)
            first = next((run.block for run in self.ledger.runs_of(0) if pair_of(run) == pair), block)
            self._levels[block] = self.objective.gain(self.metrics.of(0, first), self.metrics.of(0, block))
        return self._levels[block]
