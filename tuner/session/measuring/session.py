"""The state that the phases of a tuning share, and how a block is measured into it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from tuner.errors import BaselineFailed, HostLost, TunerError
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
from tuner.session.measuring.losses import MOST_LOSSES, Losses
from tuner.session.measuring.pairs import (
    LOOK_S,
    PAIR,
    Asked,
    Done,
    Event,
    Failed,
    Gone,
    Job,
    Lost,
    Pairs,
    Reached,
    Said,
)
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
    pairs: Pairs | None = None
    """The pairs of hosts that measure at once, None where there is one."""

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

    def measure_block(self, phase: Phase, trials: Sequence[Trial]) -> list[int]:
        """Measure the baseline and `trials` once under each workload, in random order; return the numbers of the blocks that are over.

        That is this one, where there is one pair of hosts; its runs are stored one by one. A block that the host spoiled is
        quarantined and measured again while there is time, without what hung while the host was calm; the number is that
        of the last. Many pairs measure on while more is asked for, and `finish` waits for the rest.

        Raise `BaselineFailed` when the baseline has failed in three blocks one after the other, or in the first.
        """
        return self.measure_turns(phase, [always(trial) for trial in trials])

    def measure_everywhere(self, phase: Phase, trials: Sequence[Trial]) -> list[int]:
        """Measure such a block on every pair that is free; return their numbers when all are over."""
        count = len(self.pairs.free) if self.pairs else 1
        return [block for _ in range(count) for block in self.measure_block(phase, trials)] + self.finish()

    def measure_turns(self, phase: Phase, turns: Sequence[Turn]) -> list[int]:
        """Measure as `measure_block` does, but ask only when its turn comes which trial it is."""
        if self.pairs is None:
            return [self._measure_here(phase, turns)]
        asked = Asked(self._next_block(), phase, tuple(trial for turn in turns if (trial := turn())), self.said)
        self.pairs.waiting.append(asked)
        self._hand_out(self.pairs)
        found: list[int] = []
        while self.pairs.busy and not self.pairs.free:
            found += self._next_event(self.pairs)
        return found

    def finish(self) -> list[int]:
        """Wait for the blocks that are under way; return their numbers. There are none where there is one pair."""
        found: list[int] = []
        while self.pairs and self.pairs.busy:
            found += self._next_event(self.pairs)
        return found

    def begun(self, phase: Phase) -> int:
        """Return how many blocks of a phase count or are under way."""
        return len(self.ledger.blocks(phase)) + (self.pairs.pending(phase) if self.pairs else 0)

    def is_pending(self, trial: Trial) -> bool:
        """Return whether a trial is in a block that is under way."""
        return self.pairs is not None and self.pairs.is_pending(trial)

    def rarest_first(self, trials: Iterable[Trial]) -> Iterable[Trial]:
        """Return trials, those first that the next pair has measured least."""
        return self.pairs.rarest_first(trials) if self.pairs else trials

    def _next_block(self) -> int:
        if self.pairs is None:
            return self.ledger.next_block()
        block = max(self.ledger.next_block(), self.pairs.next_block)
        self.pairs.next_block = block + 1
        return block

    def _hand_out(self, pairs: Pairs) -> None:
        """Let free pairs measure what waits; what does not fit the budget any more is dropped."""
        while pairs.waiting and pairs.free:
            asked, pair = pairs.waiting.popleft(), pairs.free[0]
            if self._over(asked.phase):
                continue
            order = shuffled(
                f"{self.plan.seed}/{asked.block}", len(self.plan.workloads), [self.baseline, *asked.trials]
            )
            steps = [self._step(asked.phase, index, always(trial)) for index, trial in order]
            lease = self.journal.store.lease(self.ledger.session, pair, asked.block)
            seats = pairs.seats[pair]
            seated = tuple(replace(each, workload=seats[each.index].seated(each.workload)) for each in steps if each)
            self.progress.measuring((*asked.trials, self.baseline)[0], asked.block, self.clock.left_s(asked.phase))
            pairs.begin(pair, asked, Job(lease, seated, self.clock.left_s(asked.phase)))

    def _next_event(self, pairs: Pairs) -> list[int]:
        """Wait for what happens next on a pair; return the number of a block that is over by that."""
        began_s, alive = self.clock.now(), pairs.alive
        event = pairs.carrier.wait(LOOK_S)
        if not alive:
            self.clock.hold(self.clock.now() - began_s)  # no pair can measure: that is not the budget's time
        if self.clock.stood_still():
            pairs.void.update(pairs.under_way)
        if self.clock.hurried:
            self._hasten(pairs)
        found = self._happened(pairs, event)
        self._hand_out(pairs)
        return found

    def _happened(self, pairs: Pairs, event: Event | None) -> list[int]:
        match event:
            case Done(job, runs):
                return self._closed(pairs, job, runs)
            case Lost(job, why):
                self._lost(pairs, job, why)
            case Reached(pair):
                self._reached(pairs, pair)
            case Gone(pair, reason):
                self._leave_out(pairs, pair, reason)
            case Said(text):
                self.progress.note(text)
            case Failed(reason):
                raise reason
        return []

    def _reached(self, pairs: Pairs, pair: str) -> None:
        if pairs.losses[pair] > MOST_LOSSES:
            self._leave_out(
                pairs, pair, HostLost(f"pair {pair} was lost in {pairs.losses[pair]} blocks, one after the other")
            )
            return
        pairs.recovering.discard(pair)
        pairs.free.append(pair)
        self.progress.note(f"pair {pair} is reached again")

    def _hasten(self, pairs: Pairs) -> None:
        """Let blocks that prove nothing end after their run in flight, because the session is to end."""
        if any(asked.phase is not Phase.CONFIRM for asked, _ in pairs.under_way.values()):
            pairs.carrier.cancel()

    def _closed(self, pairs: Pairs, job: Job, runs: Sequence[Run]) -> list[int]:
        """Store a block that came to its end, with all its runs; return its number where it counts."""
        pair = job.lease.pair
        asked = pairs.ended(pair)
        if pair in pairs.void:
            self.progress.note(f"this process was stopped and goes on: the block on pair {pair} is measured again")
            pairs.void.discard(pair)
            pairs.waiting.appendleft(asked)
            pairs.free.append(pair)
            return []
        said = {**asked.said, PAIR: pair}
        counted = self.proposals.taken() if runs else None
        rows = [replace(run, evidence={**run.evidence, **said}) for run in runs]
        if rows and counted:
            rows[0] = replace(rows[0], evidence={**rows[0].evidence, EVIDENCE: counted})
        stored = self.journal.close(job.lease, asked.phase, rows, self.clock.spent_s())
        for run in stored:
            self.progress.measured(self.ledger.trials[run.trial], run)
        pairs.losses[pair] = 0
        pairs.free.append(pair)
        self._believe_pair(pairs, pair)
        self._tell_compared(asked.block)
        return [asked.block] if stored else []

    def _believe_pair(self, pairs: Pairs, pair: str) -> None:
        """Leave a pair out on which the baseline does not run; raise `BaselineFailed` where there is no other."""
        try:
            believe_baseline(self.evidence, pair)
        except BaselineFailed as reason:
            pairs.free.remove(pair)
            self._leave_out(pairs, pair, reason)

    def _lost(self, pairs: Pairs, job: Job, why: str) -> None:
        """Take a block away from a pair that was lost in it, so that another one measures it."""
        pair = job.lease.pair
        asked = pairs.ended(pair)
        pairs.void.discard(pair)
        pairs.recovering.add(pair)
        pairs.losses[pair] += 1
        self.journal.store.end_lease(self.ledger.session, job.lease)
        pairs.waiting.appendleft(asked)
        self.progress.note(
            f"pair {pair} was lost: {why}; its block is measured again by the next pair that is free, and {pair} is tried again"
        )

    def _leave_out(self, pairs: Pairs, pair: str, reason: TunerError) -> None:
        """Go on without a pair; raise the reason where there is no other."""
        pairs.recovering.discard(pair)
        pairs.gone[pair] = reason
        if not (pairs.alive or pairs.recovering):
            raise reason
        left = len(pairs.seats) - len(pairs.gone)
        self.progress.note(
            f"pair {pair} is left out from here on: {reason.message}; {left} of {len(pairs.seats)} go on"
        )

    def _tell_compared(self, block: int) -> None:
        for number in sorted({run.trial for run in self.ledger.runs_in(block)}):
            trial = self.ledger.trials[number]
            if self.evidence.gains.judged(trial, block):
                self.progress.compared(trial, self.evidence.gains.in_block(trial.number, block))

    def _measure_here(self, phase: Phase, turns: Sequence[Turn]) -> int:
        """Measure a block on the one pair, again where the host spoiled it and there is time; return the number of the last."""
        block, whole = self._measured_turns(phase, turns)
        while (block in self.ledger.quarantined or not whole) and self.clock.fits(
            self.evidence.block_cost_s(len(turns)), phase
        ):
            block, whole = self._measured_turns(phase, [partial(self._again, turn) for turn in turns])
        self._tell_compared(block)
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
        limits, number = self.evidence.objective.limits, self._next_series()
        rng = random.Random(f"{self.plan.seed}/{number}/load")  # noqa: S311 - where a search begins is no secret
        start = rate_searches.start(self.evidence.metrics.searches.answers(), trial.number, rng)
        return RateSearch(number, start, rate_searches.tail_share(limits), partial(slo.holds, limits))

    def _next_series(self) -> int:
        number = self.evidence.metrics.searches.next_number()
        if self.pairs is None:
            return number
        number = max(number, self.pairs.next_series)
        self.pairs.next_series = number + 1
        return number

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
