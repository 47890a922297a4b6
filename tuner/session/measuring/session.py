"""The state that the phases of a tuning share, and how a block is measured into it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from tuner.errors import HostLost
from tuner.hosts.calm import SAMPLE_S
from tuner.hosts.telemetry import Telemetry
from tuner.judging import slo
from tuner.records import Phase, Role, Run, Trial
from tuner.runs.block import RateSearch, Step, Watch, measure, shuffled
from tuner.runs.run import Rig
from tuner.session.measuring import overdue, rate_searches
from tuner.session.measuring.baseline import believe_baseline
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.journal import Journal
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.losses import Losses
from tuner.session.measuring.patience import WAITED, Patience
from tuner.session.measuring.progress import Progress
from tuner.session.measuring.proposals import EVIDENCE, Proposals, told
from tuner.session.setup.plan import Contender, Plan
from tuner.session.setup.readback import Readback, refusal

Turn = Callable[[], Trial | None]
"""Says whose turn it is in a block when it comes, None when there is nobody new; always the same answer."""


@dataclass(frozen=True, slots=True)
class Session:
    """One tuning under way: its evidence so far, the rig that makes more of it, and who writes it down."""

    evidence: Evidence
    journal: Journal
    rig: Rig
    clock: Clock
    progress: Progress
    readback: Readback = field(default_factory=Readback)
    proposals: Proposals = field(default_factory=Proposals)
    """What became of the search's candidates and no run carries yet."""
    patience: Patience = field(default_factory=Patience)
    """How long blocks may be held back for a calm host."""
    losses: Losses = field(default_factory=Losses)
    """How often another host was lost since a block went well."""
    said: Mapping[str, int] = field(default_factory=dict)
    """What the evidence of each run says beside how it was made."""

    @property
    def plan(self) -> Plan:
        """What the session was asked to do."""
        return self.evidence.plan

    @property
    def ledger(self) -> Ledger:
        """The trials and runs so far."""
        return self.evidence.ledger

    @property
    def baseline(self) -> Trial:
        """The trial that everything is compared with."""
        return self.evidence.baseline

    def enter_known(self, known: Contender) -> Trial:
        """Return the trial of a known profile; it is invalid where this release on this host would not run it."""
        why = refusal(self.plan.stack, known.settings, self.plan.release, self.plan.room)
        return self.journal.enter(known.profile, known.settings, Role.KNOWN, why)

    def settle(self) -> None:
        """Let the last run carry what became of candidates and no run carries yet."""
        if rest := self.proposals.taken():
            last = self.ledger.runs[-1]
            whole = told([last])
            whole.add(rest)
            self.journal.amend(replace(last, evidence={**last.evidence, EVIDENCE: whole.taken()}))

    def measure_block(self, phase: Phase, trials: Sequence[Trial]) -> int:
        """Measure the baseline and `trials` once under each workload, in random order; return the block's number.

        Each run is stored at once. A block that the host spoiled is quarantined and measured again while there is
        time, without what hung while the host was calm; the number is that of the last. Raise `BaselineFailed` when the baseline has failed in three blocks
        one after the other, or in the first.
        """
        return self.measure_turns(phase, [always(trial) for trial in trials])

    def measure_turns(self, phase: Phase, turns: Sequence[Turn]) -> int:
        """Measure as `measure_block` does, but ask only when its turn comes which trial it is."""
        block, whole = self._measured_turns(phase, turns)
        while (block in self.ledger.quarantined or not whole) and self.clock.fits(
            self.evidence.block_cost_s(len(turns)), phase
        ):
            block, whole = self._measured_turns(phase, [partial(self._again, turn) for turn in turns])
        for trial in self.ledger.trials:
            if self.ledger.took_part(trial, block) and self.evidence.gains.judged(trial, block):
                self.progress.compared(trial, self.evidence.gains.in_block(trial.number, block))
        return block

    def _measured_turns(self, phase: Phase, turns: Sequence[Turn]) -> tuple[int, bool]:
        """Measure one block, again where another host was lost in it; return its number, and whether it came to its end."""
        while True:
            self.losses.good_s = self.clock.now()
            try:
                found = self._measure_turns(phase, turns)
            except HostLost as lost:
                self.losses.survived(lost, self.rig.pair, self.clock, self.progress)
            else:
                self.losses.in_a_row = 0
                return found

    def _again(self, turn: Turn) -> Trial | None:
        """Return whose turn it is in a block that is repeated, None for a trial that would only hang once more."""
        trial = turn()
        return None if trial is None or self.ledger.hung(trial.number) else trial

    def _measure_turns(self, phase: Phase, turns: Sequence[Turn]) -> tuple[int, bool]:
        """Measure and store one block; return its number, and whether it came to its end. Nothing new starts once the budget is used up.

        A first block that the host spoils ends there: on a host that is always busy the next one counts all the same.
        A block in which this process was stopped (Ctrl-Z) ends too: nobody watched the time of its last run, which is forgotten.
        """
        if not self._over(phase):
            self.patience.wait(self._sample, self.clock, self.progress)
        block = self.ledger.next_block()
        order = shuffled(f"{self.plan.seed}/{block}", len(self.plan.workloads), [always(self.baseline), *turns])
        watch = Watch(partial(self._announce, phase, block), partial(self.clock.fits, 0.0, phase))
        for run in measure(self.rig, (partial(self._step, phase, index, turn) for index, turn in order), watch):
            if self.clock.stood_still():
                self.progress.note(
                    "this process was stopped and goes on: the run meanwhile does not count, and its block is repeated"
                )
                return block, False
            self._keep(phase, block, run)
            if block == 0 and self.ledger.quarantined:
                break
        believe_baseline(self.evidence)
        return block, True

    def _sample(self) -> Sequence[Telemetry]:
        return self.rig.pair.sample(self.plan.server_cpus, self.plan.client_cpus, SAMPLE_S)

    def _step(self, phase: Phase, index: int, turn: Turn) -> Step | None:
        """Return what is measured now that this turn has come, None when the block is over or there is nobody new."""
        trial = None if self._over(phase) else turn()
        if trial is None:
            return None
        goal = self.evidence.objective
        needed = [limit.measured for limit in goal.limits] or goal.metrics_of(index)
        search = self._rate_search(trial) if goal.limits else None
        full_log = phase is Phase.CONFIRM
        limits = overdue.time_limits(self.evidence, trial, index)
        workload = self.plan.workloads[index]
        return Step(trial.number, trial.settings, workload, index, tuple(needed), full_log, search, limits)

    def _over(self, phase: Phase) -> bool:
        """Return whether a block ends here: the budget is used up, or the user wants to stop and it proves nothing."""
        return phase is not Phase.CONFIRM if self.clock.hurried else not self.clock.fits(0.0, phase)

    def _rate_search(self, trial: Trial) -> RateSearch:
        """Return the next search over the load of a trial, which begins near what is known of its answer."""
        limits, number = self.evidence.objective.limits, self.evidence.metrics.searches.next_number()
        rng = random.Random(f"{self.plan.seed}/{number}/load")  # noqa: S311 - where a search begins is no secret
        start = rate_searches.start(self.evidence.metrics.searches.answers(), trial.number, rng)
        return RateSearch(number, start, rate_searches.tail_share(limits), partial(slo.holds, limits))

    def _announce(self, phase: Phase, block: int, step: Step) -> None:
        self.clock.stood_still()
        self.progress.measuring(self.ledger.trials[step.trial], block, self.clock.left_s(phase))

    def _keep(self, phase: Phase, block: int, run: Run) -> None:
        trial = self.ledger.trials[run.trial]
        if differs := self.readback.differences(self.rig, trial):
            run = replace(run, evidence={**run.evidence, "read_back": differs})
        run = replace(run, evidence={**run.evidence, **self.said})
        if counted := self.proposals.taken():
            run = replace(run, evidence={**run.evidence, EVIDENCE: counted})
        if waited_s := self.patience.taken():
            run = replace(run, evidence={**run.evidence, WAITED: waited_s})
        self.progress.measured(trial, self.journal.record(trial.number, phase, block, run, self.clock.spent_s()))
        self.losses.good_s = self.clock.now()


def always(trial: Trial) -> Turn:
    """Return the turn of a trial that is known before."""
    return lambda: trial
