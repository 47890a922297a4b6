"""What the runs say of guards: by how much trials are beyond their limits, and what the search makes of that."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from tuner.judging.guards import Guard
from tuner.judging.statistics import pooled_sd, promise
from tuner.records import Phase
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.metrics import Metrics


class Guarding:
    """The guards of a session, held against its trials."""

    def __init__(self, ledger: Ledger, metrics: Metrics, guards: Sequence[Guard] = ()) -> None:
        self.ledger = ledger
        self.metrics = metrics
        self.guards = tuple(guards)
        self._sds: dict[str, float] = {}

    def excesses(self, guard: Guard, trial: int, phases: Collection[Phase]) -> list[float]:
        """Return a trial's log excess over a guard in each block of some phases that measured it and the baseline."""
        blocks = sorted({run.block for run in self.ledger.runs_of(trial) if run.phase in phases})
        found = (self._excess(guard, trial, block) for block in blocks)
        return [excess for excess in found if excess is not None]

    def _excess(self, guard: Guard, trial: int, block: int) -> float | None:
        if block in self.ledger.quarantined:
            return None
        return guard.excess(self.metrics.of(0, block), self.metrics.of(trial, block))

    def breaks(self, trial: int, phases: Collection[Phase]) -> bool:
        """Return whether a trial breaks a guard by more than a standard error in some phases' blocks."""
        found = ((guard, self.excesses(guard, trial, phases)) for guard in self.guards)
        return any(promise(excesses, self._sd(guard))[0] > 0.0 for guard, excesses in found if excesses)

    def scored(self, gain: float, trial: int, block: int) -> float:
        """Return what the search makes of a gain: who breaks a guard by more than noise is no better than the baseline.

        The further beyond the limit, the worse, so that a model of the gains learns where it is kept.
        """
        found = ((guard, self._excess(guard, trial, block)) for guard in self.guards)
        beyond = max((excess - self._sd(guard) for guard, excess in found if excess is not None), default=0.0)
        return min(gain, 0.0) - beyond if beyond > 0.0 else gain

    def _sd(self, guard: Guard) -> float:
        """Return the spread of one block's excess, as the baseline over itself shows it in the calibration, which is over."""
        if guard.name not in self._sds:
            over_itself = replace(guard, limit=1.0, relative=True)
            pairs = (self.metrics.twins(block) for block in self.ledger.blocks(Phase.CALIBRATE))
            merged = self.metrics.merged
            found = (over_itself.excess(merged(pair[0]), merged(pair[1])) for pair in pairs if pair)
            self._sds[guard.name] = pooled_sd((), [each for each in found if each is not None])
        return self._sds[guard.name]
