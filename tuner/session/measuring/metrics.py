"""What the runs of a trial say together: its metrics in a block, by the workloads or the limits of an objective."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tuner.judging.metrics import HELD_RATE
from tuner.judging.objective import Objective, Term
from tuner.measurement import percentile_of
from tuner.records import Phase, Run, Status
from tuner.session.measuring import rate_searches
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.rate_searches import Searches

MOST_REMEMBERED: Final = 1024
"""Parts of blocks whose metrics are remembered: those of a long session would be most of its memory."""


class Metrics:
    """The metrics of a ledger's trials. Those of the last thousand parts of blocks that were asked for are remembered."""

    def __init__(self, ledger: Ledger, objective: Objective) -> None:
        self.ledger = ledger
        self.objective = objective
        self._of: dict[tuple[int, int], tuple[int, Mapping[str, float]]] = {}
        self._searches = Searches(objective.limits)

    @property
    def searches(self) -> Searches:
        """The searches over the load so far."""
        self._searches.follow(self.ledger.runs)
        return self._searches

    def of(self, trial: int, block: int) -> Mapping[str, float]:
        """Return what a trial's runs of a block say together: the first workload's metrics, and the terms' own."""
        runs = self.ledger.runs_of(trial, block)
        known = self._of.get((trial, block))
        # What a search over the load says depends on whether it is over, which its runs here do not show.
        if known is None or known[0] != len(runs) or self.objective.limits:
            known = len(runs), self.merged([run for run in runs if run.status == Status.OK])
            self._of[trial, block] = known
            if len(self._of) > MOST_REMEMBERED:
                del self._of[next(iter(self._of))]
        return known[1]

    def merged(self, runs: Sequence[Run]) -> dict[str, float]:
        """Return what runs of one profile in one block say together; of a search over the load, its answer."""
        if self.objective.limits:
            return self.searches.metrics(runs)
        by_workload = {run.workload: run.metrics() for run in runs}
        merged = dict(by_workload.get(0, {}))
        for term in self.objective.terms:
            if term.metric in by_workload.get(term.workload, {}):
                merged[term.metric] = by_workload[term.workload][term.metric]
            else:
                merged.pop(term.metric, None)
        return merged

    def samples(self, trial: int) -> dict[str, list[float]]:
        """Return each metric's values over the blocks of a trial: none of the search's when it has others."""
        blocks = sorted({run.block for run in self.counted(trial)})
        return _columns(self.of(trial, block) for block in blocks)

    def counted(self, trial: int) -> list[Run]:
        """Return the runs of a trial that its metrics are of: none of the search's when it has others."""
        mine = [run for run in self.ledger.runs_of(trial) if run.status == Status.OK]
        confirmed = [run for run in mine if run.phase in {Phase.CONFIRM, Phase.MINIMISE}]
        return [run for run in confirmed or mine if run.block not in self.ledger.quarantined]

    def beyond(self, trial: int, term: Term) -> float:
        """Return how many observations of a trial's confirmation lie beyond a term's percentile; infinite for others."""
        if percentile_of(term.metric) is None:
            return math.inf
        mine = (run for run in self.ledger.runs_of(trial) if run.phase is Phase.CONFIRM)
        rows = [run.measurement for run in mine if run.measurement and run.workload == term.workload]
        return math.fsum(row.beyond(term.metric) for row in rows)

    def twins(self, block: int) -> tuple[list[Run], list[Run]] | None:
        """Return the baseline's first and second runs of a block, one under each workload, None unless all are ok."""
        mine = [run for run in self.ledger.runs_of(0, block) if run.measurement]
        if self.objective.limits:
            return self._twin_searches(mine)
        runs = [[run for run in mine if run.workload == index] for index in sorted({run.workload for run in mine})]
        wanted = 1 + max(term.workload for term in self.objective.terms)
        if len(runs) < wanted or any(len(both) != 2 for both in runs):  # noqa: PLR2004 - a pair
            return None
        return [both[0] for both in runs], [both[1] for both in runs]

    def _twin_searches(self, mine: Sequence[Run]) -> tuple[list[Run], list[Run]] | None:
        held = [each for each in rate_searches.by_series(mine).values() if self.merged(each).get(HELD_RATE, 0.0) > 0.0]
        return (held[0], held[1]) if len(held) == 2 else None  # noqa: PLR2004 - a pair


def _columns(rows: Iterable[Mapping[str, float]]) -> dict[str, list[float]]:
    columns: dict[str, list[float]] = {}
    for row in rows:
        for metric, value in row.items():
            columns.setdefault(metric, []).append(value)
    return columns
