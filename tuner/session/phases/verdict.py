"""The verdict: what the blocks of the confirmation say of the one profile that was judged in them, and what to doubt.

Only a profile whose interval lies above 1 is an improvement. Who is judged was chosen before by other data, so the
estimate has no winner's curse. Where the best known profile is judged beside the one that was found, either would be claimed, so
their intervals are corrected for two: without that, A/A sessions claimed something in 22 of 400.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from tuner.errors import Finding, doubt
from tuner.judging.objective import Objective
from tuner.judging.power import FEWEST_BLOCKS, WORTH_DETECTING
from tuner.judging.slo import redundant
from tuner.judging.statistics import Gain, as_claimed, blocks_for, detectable, gain
from tuner.records import Phase, Status, Trial
from tuner.runs.rate_search import LEAST_MPS
from tuner.session.answer import guarded, words
from tuner.session.answer.parts import Decision
from tuner.session.measuring import rate_searches
from tuner.session.measuring.clock import Ending
from tuner.session.measuring.evidence import Evidence
from tuner.session.phases import until_decided
from tuner.session.setup import budget_shares, policy

# What minimising meets comes after the verdict, also in a session that is gone through again.
_BEFORE: Final = tuple(phase for phase in Phase if phase != Phase.MINIMISE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What survived: the answer, the winner (None where nothing did), the gain of what was judged, and the doubts.

    `finalists` are all among which the judged one was chosen. `over_start` compares the winner with the profile that
    the search started from, where that is another one and was measured beside it; `over_known` compares the best profile
    that was found with `known`, the best known one, where both were judged. `believed` is recommended where nobody won: it was
    not shown to be better than the baseline, but it probably is.
    """

    answer: Decision
    winner: Trial | None
    gains: tuple[tuple[Trial, Gain], ...]
    why: str
    over_start: Gain | None = None
    known: Trial | None = None
    over_known: Gain | None = None
    believed: Trial | None = None
    doubts: tuple[Finding, ...] = ()
    finalists: tuple[Trial, ...] = ()

    @property
    def judged(self) -> Trial | None:
        """The profile that the confirmation judged, None where none was."""
        return next((trial for trial, _ in self.gains), None)

    def gain_of(self, trial: Trial) -> Gain | None:
        """Return the confirmed gain of a finalist."""
        return next((gain for finalist, gain in self.gains if finalist == trial), None)


def judge(evidence: Evidence, trial: Trial, ending: Ending, judged: int = 1) -> Verdict:
    """Return the verdict on a profile by the blocks of the confirmation, with its doubts.

    `judged` is how many profiles are, any of which would be claimed: their intervals hold together (Bonferroni).
    """
    return replace(_within_guards(evidence, trial, _judged(evidence, trial, ending, judged)), finalists=(trial,))


def _within_guards(evidence: Evidence, trial: Trial, verdict: Verdict) -> Verdict:
    """Return the verdict on a profile; one that is better but not shown to keep every guard is no winner."""
    failed = guarded.failing(guarded.guarded(evidence, trial, Phase.CONFIRM))
    if verdict.winner is None or not failed:
        return verdict
    why = guarded.refusal(trial.profile, failed, verdict.why)
    doubts = (*verdict.doubts, *guarded.doubts(failed))
    return replace(verdict, answer=Decision.NOT_IMPROVED, winner=None, why=why, over_start=None, doubts=doubts)


def doubted(verdict: Verdict, more: Iterable[Finding]) -> Verdict:
    """Return a verdict with more doubts."""
    return replace(verdict, doubts=(*verdict.doubts, *more))


def no_rate_holds(evidence: Evidence) -> Verdict | None:
    """Return the verdict where no load that was tried holds the limits of an SLO under any profile, None otherwise."""
    found = evidence.metrics.searches.answers()
    if not found or any(each.rate_mps for each in found):
        return None
    tried = [trial.profile for trial in evidence.ledger.trials if evidence.ledger.tried(trial.number)]
    limits = [str(limit) for limit in evidence.objective.limits]
    why = words.limits_not_met(limits, LEAST_MPS, tried, _lowest_measured(evidence))
    return Verdict(Decision.NOT_IMPROVED, None, (), why)


def _lowest_measured(evidence: Evidence) -> dict[str, float]:
    """Return how near the best run came to each limit, in µs, so that a limit can be chosen that something holds."""
    rows = [run.measurement.metrics() for run in evidence.ledger.runs if run.measurement]
    return {limit.metric: min(row[limit.measured] for row in rows) for limit in evidence.objective.limits}


def _judged(evidence: Evidence, trial: Trial, ending: Ending, judged: int) -> Verdict:
    if found_none := no_rate_holds(evidence):
        return found_none
    unjudged = _unjudged(evidence, trial)
    doubts = [*_doubts_of_runs(evidence, unjudged), *_doubts_of_constants(evidence)]
    goal = judged_objective(evidence, trial)
    gains = evidence.gains.confirmed(evidence.baseline.number, trial.number, goal) if goal.terms else []
    if not sound(evidence, trial):
        return Verdict(Decision.NOT_IMPROVED, None, (), _failure(evidence, trial), doubts=tuple(doubts))
    if len(gains) < FEWEST_BLOCKS:
        return Verdict(Decision.FAILED, None, (), _too_few(evidence, goal, ending), doubts=tuple(doubts))
    found = until_decided.judged(evidence.plan, gains, judged)
    doubts += _doubts_of_limits(evidence, trial)
    doubts += _doubts_of_gain(evidence, found, ending)
    verdict = _improved(evidence, trial, found, goal) if found.low > 1.0 else _not_improved(evidence, trial, found)
    return replace(verdict, doubts=tuple(doubts))


def _improved(evidence: Evidence, trial: Trial, found: Gain, goal: Objective) -> Verdict:
    found = found if evidence.plan.until_decided else as_claimed(found)
    over_start = _over_start(evidence, trial, goal)
    why = words.compared(trial.profile, found, evidence.baseline.profile)
    return Verdict(Decision.IMPROVED, trial, ((trial, found),), why, over_start)


def _not_improved(evidence: Evidence, trial: Trial, found: Gain) -> Verdict:
    why = words.none_better(evidence.baseline.profile, trial.profile, found)
    return Verdict(Decision.NOT_IMPROVED, None, ((trial, found),), why)


def _over_start(evidence: Evidence, winner: Trial, goal: Objective) -> Gain | None:
    start = start_of(evidence)
    if start is None or start == winner:
        return None
    gains = evidence.gains.confirmed(start.number, winner.number, goal)
    return gain(gains) if len(gains) >= FEWEST_BLOCKS else None


def start_of(evidence: Evidence) -> Trial | None:
    """Return the profile that the search started from, None where there is none or it is the baseline."""
    others = (trial for trial in evidence.ledger.trials if trial != evidence.baseline)
    return next((trial for trial in others if trial.profile == evidence.plan.start), None)


def sound(evidence: Evidence, trial: Trial) -> bool:
    """Return whether every run of a profile was good until the verdict."""
    return evidence.ledger.status(trial.number, _BEFORE) is Status.OK


def judged_objective(evidence: Evidence, trial: Trial) -> Objective:
    """Return the part of the objective by which a profile is judged: what the confirmation observed often enough."""
    return evidence.objective.without(_unjudged(evidence, trial))


def _unjudged(evidence: Evidence, trial: Trial) -> dict[str, float]:
    """Return the metrics whose percentile has too few observations beyond it, in the worse of the two, and how many.

    They are counted over the confirmation, because it is over all its runs that a percentile is judged.
    """
    both = (evidence.baseline.number, trial.number)
    counts = {
        term.metric: min(evidence.metrics.beyond(number, term) for number in both) for term in evidence.objective.terms
    }
    return {metric: count for metric, count in counts.items() if count < policy.LEAST_BEYOND}


def _doubts_of_runs(evidence: Evidence, unjudged: dict[str, float]) -> Iterator[Finding]:
    for metric, count in unjudged.items():
        what = f"{metric} is not judged: only {count:.0f} observations of the confirmation lie beyond it"
        times = f", {math.ceil(policy.LEAST_BEYOND / count)} times as long is enough" if count else ""
        yield doubt(what, f"{policy.LEAST_BEYOND} are needed: use a longer --budget or --duration{times}")
    mine = [run for run in evidence.ledger.runs if run.trial == evidence.baseline.number and run.phase in _BEFORE]
    bad = [run for run in mine if run.status != Status.OK]
    if bad:
        what = f"the baseline failed in {len(bad)} of {len(mine)} runs: {bad[-1].status}: {bad[-1].reason}"
        yield doubt(what, "the comparison is no more reliable than its baseline")


def _doubts_of_constants(evidence: Evidence) -> Iterator[Finding]:
    """Yield the metrics that are the same in every run: what a recipe reads there may be no measurement."""
    for term in evidence.objective.terms:
        mine = (run for run in evidence.ledger.runs if run.workload == term.workload and run.status is Status.OK)
        values = _alike(value for run in mine if (value := run.metrics().get(term.metric)) is not None)
        if len(values) >= policy.ENOUGH_BLOCKS:
            yield doubt(
                f"{term.metric} was {values[0]:g} in each of {len(values)} runs",
                "what never changes is seldom a measurement: see that its recipe reads the right number",
            )


def _alike(values: Iterable[float]) -> list[float]:
    """Return the values where all are the same, none where two differ: the first two of nearly every session do."""
    found: list[float] = []
    for value in values:
        if found and value != found[0]:
            return []
        found.append(value)
    return found


def _doubts_of_limits(evidence: Evidence, trial: Trial) -> Iterator[Finding]:
    """Yield what to doubt of a search over the load: a rate of 0, percentiles of few observations, limits that say nothing."""
    limits = evidence.objective.limits
    for each in (evidence.baseline, trial) if limits else ():
        answers = evidence.metrics.searches.answers()
        found = [one for one in answers if (one.trial, one.phase) == (each.number, Phase.CONFIRM)]
        if not all(one.rate_mps for one in found):
            what = f"{each.profile} did not always meet the limits at {LEAST_MPS} msg/s, the lowest rate that is tried"
            yield doubt(what, f"its rate counts as {LEAST_MPS} msg/s there, so the ratio is only a bound")
        shown_by = [one.run.measurement for one in found if one.run and one.run.measurement]
        seen = math.fsum(measured.observations for measured in shown_by)
        for limit, share in rate_searches.tail_shares(limits).items():
            if seen * share < policy.LEAST_BEYOND:
                what = f"{limit.metric} of {each.profile} was judged by only {seen * share:.0f} observations beyond it"
                yield doubt(what, f"{policy.LEAST_BEYOND} are needed: use a longer --budget or --duration")
    for line in redundant(limits):
        yield doubt(line, "leave it out")


def _doubts_of_gain(evidence: Evidence, found: Gain, ending: Ending) -> Iterator[Finding]:
    had = None if ending.stopped else found.blocks
    if found.blocks < policy.ENOUGH_BLOCKS:
        needed_s = _budget_for(evidence, policy.ENOUGH_BLOCKS, had)
        what = f"only {found.blocks} confirmation blocks: the interval assumes normally distributed noise"
        yield doubt(what, f"with {policy.ENOUGH_BLOCKS} blocks it does not: use --budget {needed_s:.0f}s")
    least = detectable(found)
    if evidence.plan.until_decided:
        return  # it says itself whether its blocks were enough
    if found.low <= 1.0 and least > math.log(WORTH_DETECTING):
        unseen = f"gains below {100 * math.expm1(least):.0f} % are" if least < 1.0 else "any gain is"
        wanted_blocks = math.ceil(blocks_for(found, math.log(WORTH_DETECTING)))
        needed_s = _budget_for(evidence, wanted_blocks, had)
        wanted = f"--budget {needed_s:.0f}s detects {words.coarse()} with 80 % power"
        yield doubt(f"{unseen} under the detection limit (n = {found.blocks} blocks, this noise)", wanted)


def _budget_for(evidence: Evidence, blocks: int, had: int | None) -> float:
    """Return the budget, in seconds, with which a session of this kind measures so many blocks like those that it `had`.

    None where it was stopped. What its whole budget should have been enough for and was not, because blocks were discarded or single
    runs took long, needs as much more of it as there are to be more blocks.
    """
    begun = evidence.ledger.blocks(Phase.CONFIRM)
    sizes = [len({run.trial for run in evidence.ledger.runs_in(block)}) for block in begun]
    before = [run for run in evidence.ledger.runs if run.phase in _BEFORE]
    block_s = rate_searches.unit_s(before) * max([2, *sizes]) * len(evidence.plan.workloads)
    needed_s, budget_s = budget_shares.budget_s(evidence.plan, block_s * blocks), evidence.plan.budget_s
    return needed_s if had is None or needed_s > budget_s else math.ceil(budget_s * blocks / max(1, had))


def _failure(evidence: Evidence, trial: Trial) -> str:
    mine = (run for run in reversed(evidence.ledger.runs) if run.trial == trial.number and run.phase in _BEFORE)
    bad = next(run for run in mine if run.status != Status.OK)
    return words.failed_when_confirmed(trial.profile, bad)


def _too_few(evidence: Evidence, goal: Objective, ending: Ending) -> str:
    if not goal.terms:
        return words.nothing_observed(goal.name)
    runs = [run for run in evidence.ledger.runs if run.phase == Phase.CONFIRM]
    bad = [run for run in runs if run.status != Status.OK]
    if bad:
        return words.confirmation_failed(bad[-1])
    needed_s = _budget_for(evidence, FEWEST_BLOCKS + 1, None if ending.stopped else FEWEST_BLOCKS - 1)
    return words.too_few_blocks(FEWEST_BLOCKS, needed_s, stopped=ending.stopped)
