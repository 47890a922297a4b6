"""What a session has measured so far: its trials and runs, in memory and in the store, and what they say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from tuner.judging.metrics import HELD_RATE
from tuner.judging.objective import Objective, Term
from tuner.measurement import PERCENTILES
from tuner.records import Phase, Role, Run, Status, Trial
from tuner.session.measuring import quarantine, rate_searches
from tuner.store import Store


class Ledger:
    """The trials and runs of one session. Adding writes through to the store before anybody looks at it."""

    def __init__(self, store: Store, session: str, objective: Objective) -> None:
        self.session = session
        self.objective = objective
        self._store = store
        self._trials = list(store.trials(session))
        self._runs = list(store.runs(session))
        self._disturbed = quarantine.disturbed(self._runs)
        self._quarantined = quarantine.quarantined(self._disturbed)
        self._metrics_of = [run.metrics() for run in self._runs]
        self._of: dict[int, list[Run]] = {}
        self._placed: dict[tuple[int, int], list[Run]] = {}
        for run in self._runs:
            self._place(run)
        self.searches = rate_searches.Searches(self._runs, objective.limits)
        self._levels: dict[int, float | None] = {}
        self._over_itself: list[float] | None = None

    @property
    def trials(self) -> Sequence[Trial]:
        """The trials in the order they were added; the first is the baseline."""
        return self._trials

    @property
    def runs(self) -> Sequence[Run]:
        """The runs in the order they were made."""
        return self._runs

    @property
    def runs_s(self) -> float:
        """The wall time spent inside runs, in seconds."""
        return sum(run.wall_s for run in self._runs)

    @property
    def unit_s(self) -> float:
        """What one profile took once under one workload, in seconds, in the mean: a run, or a whole search over the load."""
        return rate_searches.unit_s(self._runs)

    @property
    def quarantined(self) -> frozenset[int]:
        """The blocks that the host spoiled and that say nothing of any profile."""
        return self._quarantined

    def enter(self, profile: str, settings: Mapping[str, str], role: Role, invalid: str | None = None) -> Trial:
        """Return the trial of these settings, adding it when there is none."""
        known = self.find(settings)
        if known is not None:
            return known
        trial = Trial(len(self._trials), profile, role, dict(settings), invalid)
        self._store.add_trial(self.session, trial)
        self._trials.append(trial)
        return trial

    def find(self, settings: Mapping[str, str]) -> Trial | None:
        """Return the trial of these settings, None when there is none."""
        return next((trial for trial in self._trials if dict(trial.settings) == dict(settings)), None)

    def record(self, trial: int, phase: Phase, block: int, run: Run, spent_s: float) -> Run:
        """Store one run of a block and the session's wall time so far; return it at its place in the session."""
        row = run.placed(len(self._runs), trial, phase, block)
        self._store.add_run(self.session, row, spent_s)
        self._runs.append(row)
        self._metrics_of.append(row.metrics())
        self._place(row)
        self.searches.add(row)
        self._note_disturbance(row)
        self._over_itself = None
        return row

    def _place(self, row: Run) -> None:
        self._of.setdefault(row.trial, []).append(row)
        self._placed.setdefault((row.trial, row.block), []).append(row)

    def _note_disturbance(self, row: Run) -> None:
        if why := quarantine.reasons(row):
            self._disturbed[row.block] = why
            self._quarantined = quarantine.quarantined(self._disturbed)

    def next_block(self) -> int:
        """Return the number of the next block."""
        return 1 + max((run.block for run in self._runs), default=-1)

    def tried(self, trial: int) -> int:
        """Return how many blocks that count a trial took part in."""
        return len({run.block for run in self._of.get(trial, ())} - self._quarantined)

    def status(self, trial: int, phases: Collection[Phase] = tuple(Phase)) -> Status:
        """Return the status of a trial: ok only if all its runs of `phases` are, else that of its last bad one."""
        row = self._trials[trial]
        if row.invalid is not None:
            return Status.INVALID
        mine = (run for run in self._of.get(trial, ()) if run.phase in phases)
        bad = [run.status for run in mine if run.status != Status.OK]
        return bad[-1] if bad else Status.OK

    def phases_of(self, trial: int) -> frozenset[Phase]:
        """Return the phases in which a trial was measured."""
        return frozenset(run.phase for run in self._of.get(trial, ()))

    def reason(self, trial: int, phase: Phase) -> str:
        """Return why a trial was refused or last failed in a phase, empty when it did not."""
        mine = (run for run in self._of.get(trial, ()) if run.phase == phase)
        bad = [run.reason for run in mine if run.status != Status.OK]
        return self._trials[trial].invalid or (bad[-1] if bad else "")

    def counts(self) -> dict[str, int]:
        """Return how many trials have each status."""
        counted = Counter(self.status(trial.number) for trial in self._trials)
        return {status.value: counted[status] for status in Status}

    def took_part(self, trial: Trial, block: int) -> bool:
        """Return whether a trial was measured in a block."""
        return (trial.number, block) in self._placed

    def runs_in(self, block: int) -> list[Run]:
        """Return the runs of a block in the order they were made."""
        return [run for run in self._runs if run.block == block]

    def judged(self, trial: Trial, block: int) -> bool:
        """Return whether a block says something of a trial: a gain, or that it does not run."""
        mine = [run for run in self._runs if run.trial == trial.number and run.block == block]
        return self.gain_in(trial.number, block) is not None or any(run.status != Status.OK for run in mine)

    def gain_in(self, trial: int, block: int) -> float | None:
        """Return the log ratio to the baseline in a block, None unless both were measured whole."""
        return self.gain_over(0, trial, block)

    def gain_over(self, other: int, trial: int, block: int, goal: Objective | None = None) -> float | None:
        """Return the log ratio of a trial to another in a block, None unless both were measured whole in peace.

        `goal` is the session's objective or a part of it.
        """
        if block in self._quarantined:
            return None
        return (goal or self.objective).gain(self._metrics(other, block), self._metrics(trial, block))

    def level(self, block: int) -> float | None:
        """Return how good the baseline was in a block that is over, as the log ratio to its first block.

        None unless it was measured whole in both.
        """
        if block not in self._levels:
            first = next((run.block for run in self._runs if run.trial == 0), block)
            self._levels[block] = self.objective.gain(self._metrics(0, first), self._metrics(0, block))
        return self._levels[block]

    def gains_over(self, other: int, trial: int, goal: Objective) -> list[float]:
        """Return the log ratio of a trial to another in each block of the confirmation that measured both whole."""
        found = (self.gain_over(other, trial, block, goal) for block in self.blocks(Phase.CONFIRM))
        return [gain for gain in found if gain is not None]

    def beyond(self, trial: int, term: Term) -> float:
        """Return how many observations of a trial's confirmation lie beyond a term's percentile; infinite for others."""
        percentile = PERCENTILES.get(term.metric)
        if percentile is None:
            return math.inf
        mine = (run for run in self._runs if run.trial == trial and run.phase == Phase.CONFIRM)
        rows = [run.measurement for run in mine if run.measurement and run.workload == term.workload]
        return math.fsum(row.observations_beyond(percentile) for row in rows)

    def blocks(self, phase: Phase) -> list[int]:
        """Return the numbers of a phase's blocks that count."""
        return sorted({run.block for run in self._runs if run.phase == phase} - self._quarantined)

    def begun(self, phase: Phase) -> bool:
        """Return whether anything was measured in a phase."""
        return any(run.phase == phase for run in self._runs)

    def twins(self, block: int) -> tuple[list[Run], list[Run]] | None:
        """Return the baseline's first and second runs of a block, one under each workload, None unless all are ok."""
        mine = [run for run in self._runs if run.block == block and run.trial == 0 and run.measurement]
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

    def gains_over_itself(self) -> Sequence[float]:
        """Return the log ratio of the baseline's second run to its first in each block of the calibration."""
        if self._over_itself is None:
            pairs = (self.twins(block) for block in self.blocks(Phase.CALIBRATE))
            found = (self.objective.gain(self.merged(pair[0]), self.merged(pair[1])) for pair in pairs if pair)
            self._over_itself = [gain for gain in found if gain is not None]
        return self._over_itself

    def gains(self, trial: int, phase: Phase) -> list[float]:
        """Return the log ratio to the baseline in each block of `phase` where both were measured whole."""
        blocks = sorted({run.block for run in self._of.get(trial, ()) if run.phase == phase})
        found = (self.gain_in(trial, block) for block in blocks)
        return [gain for gain in found if gain is not None]

    def samples(self, trial: int) -> dict[str, list[float]]:
        """Return each metric's values over the blocks of a trial: none of the search's when it has others."""
        mine = [run for run in self._of.get(trial, ()) if run.status == Status.OK]
        confirmed = [run for run in mine if run.phase in {Phase.CONFIRM, Phase.MINIMISE}]
        blocks = sorted({run.block for run in confirmed or mine} - self._quarantined)
        return _columns(self._metrics(trial, block) for block in blocks)

    def _metrics(self, trial: int, block: int) -> dict[str, float]:
        """Return what a trial's runs of a block say together: the first workload's metrics, and the terms' own."""
        return self.merged([run for run in self._placed.get((trial, block), ()) if run.status == Status.OK])

    def merged(self, runs: Sequence[Run]) -> dict[str, float]:
        """Return what runs of one profile in one block say together; of a search over the load, its answer."""
        if self.objective.limits:
            return self.searches.metrics(runs)
        by_workload = {run.workload: self._metrics_of[run.number] for run in runs}
        merged = dict(by_workload.get(0, {}))
        for term in self.objective.terms:
            if term.metric in by_workload.get(term.workload, {}):
                merged[term.metric] = by_workload[term.workload][term.metric]
            else:
                merged.pop(term.metric, None)
        return merged


def _columns(rows: Iterable[Mapping[str, float]]) -> dict[str, list[float]]:
    columns: dict[str, list[float]] = {}
    for row in rows:
        for metric, value in row.items():
            columns.setdefault(metric, []).append(value)
    return columns
