"""What the calibration of a session says: the noise of each metric, and the smallest difference that a budget can detect."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Final

from tuner.errors import Finding, doubt
from tuner.judging import power
from tuner.judging.noise import GainSpread, Spread, gain_spread, sampling_sd, spread
from tuner.judging.objective import Term
from tuner.judging.statistics import CONFIDENCE, POWER
from tuner.records import Kind, Phase, Run
from tuner.session.answer import words
from tuner.session.answer.parts import Calibration, Detectable
from tuner.session.measuring import rate_searches
from tuner.session.measuring.evidence import Evidence
from tuner.session.setup import budget_shares, policy
from tuner.session.setup.plan import Plan

# For which budgets `tuner check --noise` says what they can detect.
BUDGETS_S: Final = (60.0, 300.0, 3600.0)

Twins = tuple[list[Run], list[Run]]


def calibration(evidence: Evidence) -> Calibration | None:
    """Return what the calibration shows, None where none was made."""
    known = _gain_spread(evidence)
    if known is None:
        return None
    found = (evidence.metrics.twins(block) for block in evidence.ledger.blocks(Phase.CALIBRATE))
    twins = [pair for pair in found if pair]
    low, high = known.interval()
    return Calibration(
        blocks=len(twins),
        runs=sum(len(first) + len(second) for first, second in twins),
        gain_sd=known.sd,
        gain_sd_low=low,
        gain_sd_high=high,
        metrics={term.metric: _spread(evidence, twins, term) for term in evidence.objective.terms},
        detectable=None if _alone(evidence) else _detectable(evidence, known, evidence.plan.budget_s),
    )


def of_budgets(evidence: Evidence) -> tuple[Detectable, ...]:
    """Return what budgets of a minute, five and an hour can detect, nothing where no calibration was made."""
    known = _gain_spread(evidence)
    return () if known is None else tuple(_detectable(evidence, known, budget_s) for budget_s in BUDGETS_S)


def _alone(evidence: Evidence) -> bool:
    return evidence.plan.kind is Kind.CALIBRATE


def _gain_spread(evidence: Evidence) -> GainSpread | None:
    """Return the spread of a block's gain by the calibration, and by the blocks that choose and judge once there are any.

    Those of the search are left out: a profile is measured again in it because it looked good.
    """
    over_itself = evidence.gains.over_itself()
    if len(over_itself) < power.FEWEST_BLOCKS:
        return None
    phases = (Phase.CHOOSE, Phase.CONFIRM)
    others = [evidence.gains.of(trial.number, phase) for trial in evidence.ledger.trials[1:] for phase in phases]
    return gain_spread(over_itself, others)


def _spread(evidence: Evidence, twins: Sequence[Twins], term: Term) -> Spread:
    merged = evidence.metrics.merged
    values = [(merged(first)[term.metric], merged(second)[term.metric]) for first, second in twins]
    sides = [[run for run in side if run.workload == term.workload] for pair in twins for side in pair]
    ends = list(accumulate(sum(run.wall_s for run in side) for side in sides))
    of_runs = [sampling_sd(run.measurement) for side in sides for run in side if run.measurement]
    known = [sd for sd in of_runs if sd is not None]
    sampled = statistics.median(known) if known and term.metric == "latency_p50_us" else None
    return spread(values, list(zip(ends[::2], ends[1::2], strict=True)), sampled)


def _detectable(evidence: Evidence, known: GainSpread, budget_s: float) -> Detectable:
    """Return the smallest difference that the confirmation of a budget detects.

    Where the search found something obvious, so that fewer blocks judge, it is still what the budget could have done.
    """
    most = policy.MOST_BLOCKS if _alone(evidence) else evidence.plan.blocks
    of_budget = replace(evidence.plan, kind=Kind.TUNE, budget_s=budget_s, blocks=most, clear_lead=None)
    blocks, finalists = confirmation(lambda trials: _block_cost_s(evidence, trials), of_budget)
    sd, (low, high) = known.sd, known.interval()
    return Detectable(
        budget_s=budget_s,
        blocks=blocks,
        finalists=finalists,
        percent=power.percent(power.smallest_difference(sd, blocks, finalists)),
        low_percent=power.percent(power.smallest_difference(low, blocks, finalists)),
        high_percent=power.percent(power.smallest_difference(high, blocks, finalists)),
        normal_percent=power.percent(power.normal_difference(sd, blocks)),
        enough_s=_enough_s(evidence, sd, of_budget, blocks),
        power=POWER,
        confidence=CONFIDENCE,
    )


def confirmation(block_cost_s: Callable[[int], float], plan: Plan) -> tuple[int, int]:
    """Return how many blocks of how many profiles will judge in a tuning: what is left when one has been chosen."""
    judging_s = plan.at_once * budget_shares.judging(plan) * plan.budget_s
    return min(plan.blocks, int(judging_s / block_cost_s(_beside(plan)))), 1


def _beside(plan: Plan) -> int:
    """Return how many profiles are measured beside the baseline: the best known one too where there is one."""
    return 2 if any(each.settings != plan.baseline.settings for each in plan.known) else 1


def _enough_s(evidence: Evidence, sd: float, plan: Plan, blocks: int) -> float | None:
    """Return the budget, in seconds, that detects a difference of `WORTH_DETECTING`; None where the plan's own does."""
    if power.enough(sd, blocks):
        return None
    return budget_shares.budget_s(plan, power.blocks_needed(sd) * _block_cost_s(evidence, _beside(plan)))


def _block_cost_s(evidence: Evidence, trials: int) -> float:
    """Return what a block takes by the calibration's runs alone, so that the answer stays what was said before."""
    made = [run for run in evidence.ledger.runs if run.phase == Phase.CALIBRATE]
    return rate_searches.unit_s(made) * (trials + 1) * len(evidence.plan.workloads)


def doubts(found: Calibration | None) -> list[Finding]:
    """Return what to doubt of a session whose budget is too small to detect what would matter, by its calibration."""
    row = found.detectable if found else None
    if row is None or row.enough_s is None:
        return []
    return [doubt(words.undetectable(row), f"--budget {math.ceil(row.enough_s)}s detects {words.coarse()}")]
