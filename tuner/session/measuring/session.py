"""The state that the phases of a tuning share, and how a block is measured into it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tuner.errors import BaselineFailed
from tuner.measure.rate_search import first, following
from tuner.measure.run import Rig
from tuner.records import Phase, Role, Run, Status, Trial
from tuner.session.measuring import rate_searches
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.progress import Progress
from tuner.session.measuring.proposals import EVIDENCE, Proposals
from tuner.session.setup import budget_shares
from tuner.session.setup.plan import Contender, Plan
from tuner.session.setup.readback import Readback, refusal

# A block in which the baseline fails says nothing; after this many in a row nothing after it could be believed.
BASELINE_FAILURES: Final = 3
# What a run is thought to cost before the first one has shown it, beyond its test's duration.
FIRST_RUN_EXTRA_S: Final = 1.0

Turn = Callable[[], Trial | None]
"""Says whose turn it is in a block when it comes, None when there is nobody new; always the same answer."""


@dataclass(frozen=True, slots=True)
class Session:
    """One tuning under way: its plan, the rig it measures with, its memory, its clock.

    `proposals` counts what became of the search's candidates.
    """

    plan: Plan
    rig: Rig
    ledger: Ledger
    clock: Clock
    progress: Progress
    readback: Readback = field(default_factory=Readback)
    proposals: Proposals = field(default_factory=Proposals)

    @property
    def baseline(self) -> Trial:
        """The trial that everything is compared with: always the first."""
        return self.ledger.trials[0]

    def enter_known(self, known: Contender) -> Trial:
        """Return the trial of a known profile; it is invalid where this release on this host would not run it."""
        why = refusal(self.plan.stack, known.settings, self.plan.release, self.plan.room)
        return self.ledger.enter(known.profile, known.settings, Role.KNOWN, why)

    def run_cost_s(self) -> float:
        """Return what one run (for an SLO, one search over the load) is expected to take: the mean so far, or a guess."""
        if self.ledger.runs:
            return self.ledger.unit_s
        if self.ledger.objective.limits:
            return budget_shares.run_s(self.plan)
        return max(workload.duration_s for workload in self.plan.workloads) + FIRST_RUN_EXTRA_S

    def block_cost_s(self, trials: int) -> float:
        """Return what a block of the baseline and this many trials is expected to take, in seconds."""
        return self.run_cost_s() * (trials + 1) * len(self.plan.workloads)

    def measure_block(self, phase: Phase, trials: Sequence[Trial]) -> int:
        """Measure the baseline and `trials` once under each workload, in random order; return the block's number.

        Each run is stored at once. A block that the host spoiled is quarantined and measured again while there is
        time; the number is that of the last. Raise `BaselineFailed` when the baseline has failed in three blocks
        one after the other, or in the first.
        """
        return self.measure_turns(phase, [always(trial) for trial in trials])

    def measure_turns(self, phase: Phase, turns: Sequence[Turn]) -> int:
        """Measure as `measure_block` does, but ask only when its turn comes which trial it is."""
        block = self._measure_turns(phase, turns)
        while block in self.ledger.quarantined and self.clock.fits(self.block_cost_s(len(turns)), phase):
            block = self._measure_turns(phase, turns)
        for trial in self.ledger.trials:
            if self.ledger.took_part(trial, block) and self.ledger.judged(trial, block):
                self.progress.compared(trial, self.ledger.gain_in(trial.number, block))
        return block

    def _measure_turns(self, phase: Phase, turns: Sequence[Turn]) -> int:
        """Measure one block. A trial that fails is not measured again in it, and none is once the budget is used up."""
        block = self.ledger.next_block()
        rng = random.Random(f"{self.plan.seed}/{block}")  # noqa: S311 - the order of measurement is no secret
        failed: set[int] = set()
        for index in rng.sample(range(len(self.plan.workloads)), len(self.plan.workloads)):
            for turn in rng.sample([always(self.baseline), *turns], len(turns) + 1):
                trial = None if self._over(phase) else turn()
                if trial is None or trial.number in failed:
                    continue
                if self._measure(phase, block, trial, index).status != Status.OK:
                    failed.add(trial.number)
        self._believe_baseline()
        return block

    def _over(self, phase: Phase) -> bool:
        """Return whether a block ends here: the budget is used up, or the user wants to stop and it proves nothing."""
        return phase is not Phase.CONFIRM if self.clock.hurried else not self.clock.fits(0.0, phase)

    def _measure(self, phase: Phase, block: int, trial: Trial, index: int) -> Run:
        if self.ledger.objective.limits:
            return self._search_load(phase, block, trial, index)
        self.progress.measuring(trial, block, self.clock.left_s(phase))
        run = self.rig.execute(trial.settings, self.plan.workloads[index], index, full_log=phase is Phase.CONFIRM)
        return self._keep(phase, block, trial, run)

    def _search_load(self, phase: Phase, block: int, trial: Trial, index: int) -> Run:
        """Look for the highest rate that holds the limits, by runs that are stored one by one; return the last of them.

        A run that is not ok ends the search, and so does the end of the budget; it then has no answer.
        """
        limits, number = self.ledger.objective.limits, self.ledger.searches.next_number()
        rng = random.Random(f"{self.plan.seed}/{number}/load")  # noqa: S311 - where a search begins is no secret
        start = rate_searches.start(self.ledger.searches.answers(), trial.number, rng)
        asked = first(start)
        while True:
            self.progress.measuring(trial, block, self.clock.left_s(phase))
            workload = rate_searches.shaped(self.plan.workloads[index], asked, limits)
            run = self.rig.execute(trial.settings, workload, index, full_log=True)
            said = {**run.evidence, **rate_searches.evidence(number, start, asked)}
            row = self._keep(phase, block, trial, replace(run, evidence=said))
            after = following(self.ledger.searches.probes(number), start)
            if after is None or row.status != Status.OK or not self.clock.fits(0.0, phase):
                return row
            asked = after

    def _keep(self, phase: Phase, block: int, trial: Trial, run: Run) -> Run:
        if differs := self.readback.differences(self.rig, trial):
            run = replace(run, evidence={**run.evidence, "read_back": differs})
        if counted := self.proposals.taken():
            run = replace(run, evidence={**run.evidence, EVIDENCE: counted})
        row = self.ledger.record(trial.number, phase, block, self._complete(run), self.clock.spent_s())
        self.progress.measured(trial, row)
        return row

    def _complete(self, run: Run) -> Run:
        """Return the run, failed if it lacks what the objective judges."""
        if run.measurement is None:
            return run
        metrics = run.metrics()
        goal = self.ledger.objective
        judged = [term.metric for term in goal.terms if term.workload == run.workload]
        wanted = [limit.measured for limit in goal.limits] or judged
        missing = [metric for metric in wanted if metrics.get(metric, 0.0) <= 0.0]
        return run.failed(f"{self.rig.benchmark.name} did not report {', '.join(missing)}") if missing else run

    def _believe_baseline(self) -> None:
        mine = [run for run in self.ledger.runs if run.trial == self.baseline.number]
        recent = mine[-BASELINE_FAILURES * len(self.plan.workloads) :]
        if recent and all(run.status != Status.OK for run in recent):
            raise BaselineFailed(
                f"the baseline ({self.baseline.profile}) does not run: {recent[-1].status}: {recent[-1].reason}",
                advice=f"see `tuner sessions show {self.ledger.session}` and `tuner check --stack {self.plan.stack}`",
            )


def always(trial: Trial) -> Turn:
    """Return the turn of a trial that is known before."""
    return lambda: trial
