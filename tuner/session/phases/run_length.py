"""How long a run lasts after the calibration: as short as will do, because between-run noise is what limits a decision.

A run is made longer for two reasons only. A percentile that the objective judges needs 100 observations beyond it over the
confirmation; where a slow rate gives too few, longer runs give more of them in the same budget, because each run's fixed
cost is paid less often. And where runs differ mostly by the finite number of their messages, the duration that makes
the most of a budget is the one below.

With the variance τ² between runs, s²/v within a run of v valid seconds, and a fixed cost of e seconds, the variance of a
mean over a budget is proportional to (τ² + s²/v)(v + e), which is least at v = √(e s²/τ²) (two-stage sampling,
Cochran 1977, 10.6).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tuner.judging.noise import sampling_sd
from tuner.judging.objective import Term
from tuner.measurement import Measurement, percentile_of
from tuner.records import Phase
from tuner.runs.workload import VALID_SHARE_LOST_S, Mode
from tuner.session.measuring.evidence import Evidence
from tuner.session.phases.first_look import search_begun
from tuner.session.setup import budget_shares, policy
from tuner.session.setup.plan import LongerRuns, Plan, WhyLonger

LONGEST_S: Final = 10
# What runs have in common is never less than this part of how far they differ: a calibration has few runs.
LEAST_COMMON: Final = 0.3


def with_run_length(evidence: Evidence) -> Plan:
    """Return the session's plan with the run length that its calibration asks for; as it is where none does.

    Only a plan whose duration nobody asked for changes, and only before the search has begun.
    """
    plan = evidence.plan
    if not plan.adaptable or search_begun(evidence.ledger) or not evidence.ledger.blocks(Phase.CALIBRATE):
        return plan
    lengths = {index: found for index in range(len(plan.workloads)) if (found := _needed(evidence, index))}
    if not lengths:
        return plan
    longer = [
        replace(each, duration_s=lengths[index].duration_s) if index in lengths else each
        for index, each in enumerate(plan.workloads)
    ]
    return replace(plan, workloads=tuple(longer), adaptable=False, lengthened=tuple(lengths.values()))


def words(lengthened: Sequence[LongerRuns]) -> str:
    """Return in words how runs were lengthened and why, empty where they were not."""
    return "; ".join(f"runs of {each.duration_s} s, {_because(each)}" for each in lengthened)


def _because(longer: LongerRuns) -> str:
    if longer.why is WhyLonger.MESSAGES:
        return "because short runs have too few messages"
    return f"so that {longer.metric} has enough observations to be judged"


def _needed(evidence: Evidence, index: int) -> LongerRuns | None:
    """Return the length that a workload's runs need, None where the plan's will do."""
    workload = evidence.plan.workloads[index]
    runs = [run for run in evidence.ledger.runs if (run.phase, run.workload) == (Phase.CALIBRATE, index)]
    measurements = [run.measurement for run in runs if run.measurement]
    if workload.mode is Mode.PLAYBACK or not measurements or (workload.recipe and not workload.recipe.is_timed):
        return None
    terms = [term for term in evidence.objective.terms if term.workload == index]
    every = [
        length
        for term in terms
        for length in (_observed(evidence, term, measurements), _calm(evidence, term, measurements))
        if length
    ]
    longest = max(every, default=None)
    return longest if longest and longest.duration_s > workload.duration_s else None


def _observed(evidence: Evidence, term: Term, measurements: list[Measurement]) -> LongerRuns | None:
    """Return the least duration that lets a term's percentile be judged, None where it is, or where none does."""
    if percentile_of(term.metric) is None:
        return None
    planned_s = evidence.plan.workloads[term.workload].duration_s
    beyond = statistics.fmean(each.beyond(term.metric) for each in measurements)
    for duration_s in range(planned_s, LONGEST_S + 1):
        blocks = _judging_blocks(evidence, duration_s - planned_s)
        seen = beyond * _valid_s(duration_s) / _valid_s(planned_s) * blocks
        if seen >= policy.SURPLUS * policy.LEAST_BEYOND and (blocks >= policy.ENOUGH_BLOCKS or duration_s == planned_s):
            return LongerRuns(duration_s, WhyLonger.PERCENTILE, term.metric)
    return None


def _judging_blocks(evidence: Evidence, longer_s: int) -> int:
    """Return how many blocks of two runs will judge when each run lasts so much longer."""
    block_s = 2 * (budget_shares.run_s(evidence.plan) + longer_s)
    return min(evidence.plan.blocks, int(budget_shares.judging(evidence.plan) * evidence.plan.budget_s / block_s))


def _calm(evidence: Evidence, term: Term, measurements: list[Measurement]) -> LongerRuns | None:
    """Return the duration that makes the most of a budget where runs differ by the number of their messages."""
    of_runs = [sd for each in measurements if (sd := sampling_sd(each)) is not None]
    if term.metric != "latency_p50_us" or len(of_runs) < policy.ENOUGH_BLOCKS:
        return None
    between = statistics.stdev(math.log(each.metrics()[term.metric]) for each in measurements)
    within = statistics.median(of_runs)
    common = max(math.sqrt(max(between**2 - within**2, 0.0)), LEAST_COMMON * between)
    if common == 0.0:
        return None
    fixed_s = budget_shares.RUN_EXTRA_S + VALID_SHARE_LOST_S
    valid_s = math.sqrt(fixed_s * _valid_s(evidence.plan.workloads[term.workload].duration_s)) * within / common
    duration_s = min(LONGEST_S, round(valid_s + VALID_SHARE_LOST_S))
    return LongerRuns(duration_s, WhyLonger.MESSAGES, term.metric)


def _valid_s(duration_s: int) -> float:
    return duration_s - VALID_SHARE_LOST_S
