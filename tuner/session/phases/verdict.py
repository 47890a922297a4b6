"""The verdict: what the blocks of the confirmation say of the one profile that was judged in them, and what to doubt.

Only a profile whose interval lies above 1 is an improvement. One profile is judged, chosen before by other data, so the
interval needs no correction and the estimate has no winner's curse.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from tuner.figures import shown
from tuner.hosts.facts import Doubt
from tuner.judging.objective import Objective
from tuner.judging.slo import redundant
from tuner.judging.statistics import Gain, as_claimed, blocks_for, detectable, gain
from tuner.measure.rate_search import LEAST_MPS
from tuner.records import Phase, Status, Trial
from tuner.session.measuring import rate_searches
from tuner.session.measuring.session import Session
from tuner.session.phases.calibrate import COARSE
from tuner.session.setup import budget_shares

# What minimising meets comes after the verdict, also in a session that is gone through again.
_BEFORE: Final = tuple(phase for phase in Phase if phase != Phase.MINIMISE)
FEWEST_BLOCKS: Final = 2
# With fewer the interval is Student's, which supposes normal noise (see `statistics.gain`).
ENOUGH_BLOCKS: Final = 6
# A percentile with fewer observations beyond it moves with single messages: its own error is above 10 % of its rank.
LEAST_BEYOND: Final = 100


class Answer(StrEnum):
    """What a session ends with."""

    IMPROVED = "improved"
    NOT_IMPROVED = "not improved"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What survived: the answer, the winner (None where nothing did), the gain of what was judged, and the doubts.

    `finalists` are all among which the judged one was chosen. `over_start` compares the winner with the profile that
    the search started from, where that is another one and was measured beside it.
    """

    answer: Answer
    winner: Trial | None
    gains: tuple[tuple[Trial, Gain], ...]
    why: str
    over_start: Gain | None = None
    doubts: tuple[Doubt, ...] = ()
    finalists: tuple[Trial, ...] = ()

    def gain_of(self, trial: Trial) -> Gain | None:
        """Return the confirmed gain of a finalist."""
        return next((gain for finalist, gain in self.gains if finalist == trial), None)


def judge(session: Session, trial: Trial, finalists: tuple[Trial, ...] = ()) -> Verdict:
    """Return the verdict on a profile by the blocks of the confirmation, with its doubts."""
    return replace(_judged(session, trial), finalists=finalists or (trial,))


def doubted(verdict: Verdict, more: Iterable[Doubt]) -> Verdict:
    """Return a verdict with more doubts."""
    return replace(verdict, doubts=(*verdict.doubts, *more))


def unmet(session: Session) -> Verdict | None:
    """Return the verdict where no load that was tried holds the limits of an SLO under any profile, None otherwise."""
    limits = session.ledger.objective.limits
    found = session.ledger.searches.answers()
    if not found or any(each.rate_mps for each in found):
        return None
    tried = [trial.profile for trial in session.ledger.trials if session.ledger.tried(trial.number)]
    what = f"no load of {LEAST_MPS} msg/s or more holds {' and '.join(map(str, limits))} under {', '.join(tried)}"
    return Verdict(Answer.NOT_IMPROVED, None, (), f"{what}: {_nearest_miss(session)}")


def _nearest_miss(session: Session) -> str:
    """Return how near the best run came, so that a limit can be chosen that something holds."""
    rows = [run.measurement.metrics() for run in session.ledger.runs if run.measurement]
    best = {limit: min(row[limit.measured] for row in rows) for limit in session.ledger.objective.limits}
    return f"the least seen was {', '.join(f'{limit.metric} {shown(value)}us' for limit, value in best.items())}"


def _judged(session: Session, trial: Trial) -> Verdict:
    if found_none := unmet(session):
        return found_none
    unjudged = _unjudged(session, trial)
    doubts = list(_doubts_of_runs(session, unjudged))
    goal = judged_objective(session, trial)
    gains = session.ledger.gains_over(session.baseline.number, trial.number, goal) if goal.terms else []
    if not sound(session, trial):
        return Verdict(Answer.NOT_IMPROVED, None, (), _failure(session, trial), doubts=tuple(doubts))
    if len(gains) < FEWEST_BLOCKS:
        return Verdict(Answer.FAILED, None, (), _too_few(session, goal), doubts=tuple(doubts))
    found = gain(gains)
    doubts += _doubts_of_limits(session, trial)
    doubts += _doubts_of_gain(session, found)
    verdict = _improved(session, trial, found, goal) if found.low > 1.0 else _not_improved(session, trial, found)
    return replace(verdict, doubts=tuple(doubts))


def _improved(session: Session, trial: Trial, found: Gain, goal: Objective) -> Verdict:
    found = as_claimed(found)
    over_start = _over_start(session, trial, goal)
    why = f"{trial.profile} is {spoken(found)} as {session.baseline.profile}"
    if over_start is not None:
        why += f", and {spoken(over_start)} as {session.plan.start}, where the search began"
    return Verdict(Answer.IMPROVED, trial, ((trial, found),), why, over_start)


def _not_improved(session: Session, trial: Trial, found: Gain) -> Verdict:
    why = f"no profile beats {session.baseline.profile} on this host and workload: the best, {trial.profile}, is"
    return Verdict(Answer.NOT_IMPROVED, None, ((trial, found),), f"{why} {spoken(found)}")


def _over_start(session: Session, winner: Trial, goal: Objective) -> Gain | None:
    start = start_of(session)
    if start is None or start == winner:
        return None
    gains = session.ledger.gains_over(start.number, winner.number, goal)
    return gain(gains) if len(gains) >= FEWEST_BLOCKS else None


def start_of(session: Session) -> Trial | None:
    """Return the profile that the search started from, None where there is none or it is the baseline."""
    others = (trial for trial in session.ledger.trials if trial != session.baseline)
    return next((trial for trial in others if trial.profile == session.plan.start), None)


def sound(session: Session, trial: Trial) -> bool:
    """Return whether every run of a profile was good until the verdict."""
    return session.ledger.status(trial.number, _BEFORE) is Status.OK


def judged_objective(session: Session, trial: Trial) -> Objective:
    """Return the part of the objective by which a profile is judged: what the confirmation observed often enough."""
    return session.ledger.objective.without(_unjudged(session, trial))


def _unjudged(session: Session, trial: Trial) -> dict[str, float]:
    """Return the metrics whose percentile has too few observations beyond it, in the worse of the two, and how many.

    They are counted over the confirmation, because it is over all its runs that a percentile is judged.
    """
    both = (session.baseline.number, trial.number)
    counts = {
        term.metric: min(session.ledger.beyond(number, term) for number in both)
        for term in session.ledger.objective.terms
    }
    return {metric: count for metric, count in counts.items() if count < LEAST_BEYOND}


def _doubts_of_runs(session: Session, unjudged: dict[str, float]) -> Iterator[Doubt]:
    for metric, count in unjudged.items():
        what = f"{metric} is not judged: {count:.0f} observations of the confirmation lie beyond it"
        times = f", {math.ceil(LEAST_BEYOND / count)} times as long would do" if count else ""
        yield Doubt(what, f"{LEAST_BEYOND} are needed: a longer --budget or --duration{times}")
    mine = [run for run in session.ledger.runs if run.trial == session.baseline.number and run.phase in _BEFORE]
    bad = [run for run in mine if run.status != Status.OK]
    if bad:
        what = f"the baseline failed in {len(bad)} of {len(mine)} runs: {bad[-1].status}: {bad[-1].reason}"
        yield Doubt(what, "what is compared with it is not better known than it")


def _doubts_of_limits(session: Session, trial: Trial) -> Iterator[Doubt]:
    """Yield what to doubt of a search over the load: a rate of 0, percentiles of few observations, limits that say nothing."""
    limits = session.ledger.objective.limits
    for each in (session.baseline, trial) if limits else ():
        answers = session.ledger.searches.answers()
        found = [one for one in answers if (one.trial, one.phase) == (each.number, Phase.CONFIRM)]
        if not all(one.rate_mps for one in found):
            what = f"{each.profile} did not always hold the limits at {LEAST_MPS} msg/s, the least load that is tried"
            yield Doubt(what, f"its rate counts as {LEAST_MPS} msg/s there, so that the ratio is a bound")
        shown_by = [one.run.measurement for one in found if one.run and one.run.measurement]
        seen = math.fsum(measured.observations for measured in shown_by)
        for limit, share in rate_searches.tail_shares(limits).items():
            if seen * share < LEAST_BEYOND:
                what = f"{limit.metric} of {each.profile} was judged by {seen * share:.0f} observations beyond it"
                yield Doubt(what, f"{LEAST_BEYOND} are needed: a longer --budget or --duration")
    for line in redundant(limits):
        yield Doubt(line, "leave it out")


def _doubts_of_gain(session: Session, found: Gain) -> Iterator[Doubt]:
    if found.blocks < ENOUGH_BLOCKS:
        needed_s = _budget_for(session, ENOUGH_BLOCKS)
        what = f"the confirmation had {found.blocks} blocks, and its interval supposes normal noise"
        yield Doubt(what, f"from {ENOUGH_BLOCKS} blocks on it does not: --budget {needed_s:.0f}s")
    least = detectable(found)
    if found.low <= 1.0 and least > math.log(COARSE):
        seen = f"a gain below {100 * math.expm1(least):.0f} %" if least < 1.0 else "a gain"
        needed_s = _budget_for(session, math.ceil(blocks_for(found, math.log(COARSE))))
        wanted = f"--budget {needed_s:.0f}s would show one of {100 * (COARSE - 1):.0f} % in 4 of 5 cases"
        yield Doubt(f"{seen} could not be seen surely in {found.blocks} blocks of this noise", wanted)


def _budget_for(session: Session, blocks: int) -> float:
    """Return the budget, in seconds, with which a session of this kind measures so many blocks like those it has."""
    begun = session.ledger.blocks(Phase.CONFIRM)
    sizes = [sum(session.ledger.took_part(trial, block) for trial in session.ledger.trials) for block in begun]
    return budget_shares.budget_s(session.plan, session.block_cost_s(max([2, *sizes]) - 1) * blocks)


def _failure(session: Session, trial: Trial) -> str:
    mine = (run for run in reversed(session.ledger.runs) if run.trial == trial.number and run.phase in _BEFORE)
    bad = next(run for run in mine if run.status != Status.OK)
    return f"{trial.profile} was the best and then did not run: {bad.status}: {bad.reason}"


def _too_few(session: Session, goal: Objective) -> str:
    if not goal.terms:
        return f"nothing that objective {goal.name} judges was observed often enough to be judged"
    runs = [run for run in session.ledger.runs if run.phase == Phase.CONFIRM]
    bad = [run for run in runs if run.status != Status.OK]
    if bad:
        return f"the confirmation's runs failed: {bad[-1].status}: {bad[-1].reason}"
    needed_s = _budget_for(session, FEWEST_BLOCKS + 1)
    ended = "the session was stopped" if session.clock.hurried else "the budget ended"
    return f"{ended} before {FEWEST_BLOCKS} blocks of confirmation; {needed_s:.0f}s would do"


def spoken(found: Gain) -> str:
    """Return a gain in words: ratio, interval, confidence and number of blocks."""
    interval = f"{100 * found.confidence:g} % interval {found.low:.2f} to {found.high:.2f}, {found.blocks} blocks"
    return f"{found.ratio:.2f} times as good ({interval})"
