"""Calibrate: the baseline against itself, before anything is compared with it.

Blocks of two runs of the same profile show how far runs differ where nothing differs. Out of it follows the smallest
difference that the budget can detect, which the user sees before it is spent, and what the search knows of noise.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, Final

from tuner.figures import shown
from tuner.hosts.facts import Doubt
from tuner.judging.noise import (
    POWER,
    Spread,
    normal_difference,
    paired_sd,
    sampling_sd,
    sd_interval,
    smallest_difference,
    spread,
)
from tuner.judging.objective import Term
from tuner.judging.statistics import CONFIDENCE
from tuner.records import Kind, Phase, Run
from tuner.session.measuring import quarantine, rate_searches
from tuner.session.measuring.session import Session
from tuner.session.setup import budget_shares
from tuner.session.setup.plan import Plan
from tuner.session.setup.prepare import MOST_BLOCKS

FEWEST_BLOCKS: Final = 2
# Twenty pairs know a spread within a sixth or so; more would not change what anybody does.
MOST_PAIRS: Final = 20
# A calibration is at least two blocks of two runs; where these would be more than a fifth of the budget, none is made.
LEAST_BUDGET_S: Final = 30.0
MOST_SHARE: Final = 0.20
# For which budgets `tuner check --noise` says what they can detect.
BUDGETS_S: Final = (60.0, 300.0, 3600.0)

# What a session should be able to detect: if it cannot, it says which budget would.
COARSE: Final = 1.10
# More blocks than this are days.
MOST_NEEDED: Final = 1 << 20

Twins = tuple[list[Run], list[Run]]


def calibrate(session: Session) -> None:
    """Measure the baseline against itself for a tenth of the budget (or the plan's blocks), and say what that means."""
    if _too_small(session):
        session.progress.note("calibrate: left out, because the budget is too small for it")
        return
    session.progress.phase(Phase.CALIBRATE, _expected_s(session))
    while _wanted(session):
        session.measure_block(Phase.CALIBRATE, [session.baseline])
    if _alone(session):
        return
    for line in words(calibration_json(session) or {}):
        session.progress.note(line)


def _alone(session: Session) -> bool:
    return session.plan.kind is Kind.CALIBRATE


def _expected_s(session: Session) -> float:
    block_s = session.block_cost_s(1)
    if _alone(session):
        return session.plan.blocks * block_s
    return max(
        FEWEST_BLOCKS * block_s, session.clock.left_s(Phase.CALIBRATE, budget_shares.calibrate_ends(session.plan))
    )


def _too_small(session: Session) -> bool:
    plan = session.plan
    least_s = 2 * FEWEST_BLOCKS * budget_shares.run_s(plan)
    little = plan.budget_s < LEAST_BUDGET_S or least_s > MOST_SHARE * plan.budget_s
    return not _alone(session) and (little or not budget_shares.calibrates(plan))


def _wanted(session: Session) -> bool:
    """Return whether another block is wanted; a session that was interrupted while it searched has its calibration."""
    done = len(session.ledger.blocks(Phase.CALIBRATE))
    if session.clock.hurried:
        return False
    if _alone(session):
        return done < session.plan.blocks
    if session.ledger.blocks(Phase.SEARCH) or done >= MOST_PAIRS:
        return False
    return done < FEWEST_BLOCKS or session.clock.fits(
        session.block_cost_s(1), Phase.CALIBRATE, budget_shares.calibrate_ends(session.plan)
    )


def noise(session: Session) -> dict[str, Any]:
    """Return what a calibration alone found, as JSON, and what budgets of a minute, five and an hour can detect."""
    sd = _gain_sd(session)
    return {
        "session": session.ledger.session,
        "profile": session.baseline.profile,
        "stack": session.plan.stack,
        "objective": session.plan.objective.name,
        "workload": session.plan.workloads[0].to_dict(),
        "workloads": [workload.to_dict() for workload in session.plan.workloads],
        "calibration": calibration_json(session),
        "budgets": [_difference(session, sd, budget_s) for budget_s in BUDGETS_S] if sd is not None else [],
        **quarantine.found_in(session.ledger.runs),
    }


def calibration_json(session: Session) -> dict[str, Any] | None:
    """Return what the calibration found, as JSON, None where none was made. It is computed from the stored runs."""
    sd = _gain_sd(session)
    if sd is None:
        return None
    twins = [pair for block in session.ledger.blocks(Phase.CALIBRATE) if (pair := session.ledger.twins(block))]
    low, high = sd_interval(sd, len(twins))
    found = {
        "blocks": len(twins),
        "runs": sum(len(first) + len(second) for first, second in twins),
        "gain_sd": sd,
        "gain_sd_low": low,
        "gain_sd_high": high,
        "metrics": {term.metric: _spread(session, twins, term).to_dict() for term in session.ledger.objective.terms},
    }
    return found if _alone(session) else found | {"detectable": _difference(session, sd, session.plan.budget_s)}


def _gain_sd(session: Session) -> float | None:
    gains = session.ledger.gains_over_itself()
    return paired_sd(gains) if len(gains) >= FEWEST_BLOCKS else None


def _spread(session: Session, twins: Sequence[Twins], term: Term) -> Spread:
    merged = session.ledger.merged
    values = [(merged(first)[term.metric], merged(second)[term.metric]) for first, second in twins]
    sides = [[run for run in side if run.workload == term.workload] for pair in twins for side in pair]
    ends = list(accumulate(sum(run.wall_s for run in side) for side in sides))
    of_runs = [sampling_sd(run.measurement) for side in sides for run in side if run.measurement]
    known = [sd for sd in of_runs if sd is not None]
    sampled = statistics.median(known) if known and term.metric == "latency_p50_us" else None
    return spread(values, list(zip(ends[::2], ends[1::2], strict=True)), sampled)


def _difference(session: Session, sd: float, budget_s: float) -> dict[str, Any]:
    """Return the smallest difference that the confirmation of a budget detects, in percent, as JSON.

    `low` and `high` are what it would be at the ends of the interval of `sd`; None stands for no limit. Where the search
    found something obvious, so that fewer blocks judge, it is still what the budget could have done.
    """
    most = MOST_BLOCKS if _alone(session) else session.plan.blocks
    of_budget = replace(session.plan, kind=Kind.TUNE, budget_s=budget_s, blocks=most, clear_lead=None)
    blocks, finalists = confirmation(lambda trials: _block_cost_s(session, trials), of_budget)
    low, high = sd_interval(sd, len(session.ledger.gains_over_itself()))
    return {
        "budget_s": budget_s,
        "blocks": blocks,
        "finalists": finalists,
        "percent": _percent(smallest_difference(sd, blocks, finalists)),
        "low_percent": _percent(smallest_difference(low, blocks, finalists)),
        "high_percent": _percent(smallest_difference(high, blocks, finalists)),
        "normal_percent": _percent(normal_difference(sd, blocks)),
        "enough_s": _enough_s(session, sd, of_budget, blocks),
        "power": POWER,
        "confidence": CONFIDENCE,
    }


def _enough_s(session: Session, sd: float, plan: Plan, blocks: int) -> float | None:
    """Return the budget, in seconds, that detects a difference of `COARSE`; None where the plan's own does."""
    wanted = math.log(COARSE)
    if blocks and smallest_difference(sd, blocks, 1) <= wanted:
        return None
    # The negative of a falling figure rises, which is what bisection wants.
    numbers = range(FEWEST_BLOCKS, MOST_NEEDED)
    needed = FEWEST_BLOCKS + bisect_left(numbers, -wanted, key=lambda count: -smallest_difference(sd, count, 1))
    return budget_shares.budget_s(plan, needed * _block_cost_s(session, 1))


def doubts(session: Session) -> list[Doubt]:
    """Return what to doubt of a session whose budget is too small to detect what would matter, by its calibration."""
    row = (calibration_json(session) or {}).get("detectable")
    if row is None or row["enough_s"] is None:
        return []
    what = f"a budget of {row['budget_s']:g} s can detect no difference below {_least(row)}"
    return [Doubt(what, f"--budget {math.ceil(row['enough_s'])}s would detect one of {100 * (COARSE - 1):.0f} %")]


def _least(row: Mapping[str, Any]) -> str:
    return "1000 times" if row["percent"] is None else f"{shown(row['percent'])} %"


def _block_cost_s(session: Session, trials: int) -> float:
    """Return what a block takes by the calibration's runs alone, so that the answer stays what was said before."""
    made = [run for run in session.ledger.runs if run.phase == Phase.CALIBRATE]
    return rate_searches.unit_s(made) * (trials + 1) * len(session.plan.workloads)


def confirmation(block_cost_s: Callable[[int], float], plan: Plan) -> tuple[int, int]:
    """Return how many blocks of how many profiles will judge in a tuning: what is left when one has been chosen."""
    return min(plan.blocks, int(budget_shares.judging(plan) * plan.budget_s / block_cost_s(1))), 1


def _percent(log_ratio: float) -> float | None:
    """Return a log ratio in percent, None where it is beyond any that is ever seen."""
    return 100 * math.expm1(log_ratio) if log_ratio < math.log(1000) else None


def words(found: Mapping[str, Any]) -> list[str]:
    """Return a calibration in words: a line a metric, and last the smallest difference that the budget can detect."""
    lines = [f"noise of {metric}: {'; '.join(_metric(row))}" for metric, row in found.get("metrics", {}).items()]
    return [*lines, *map(detectable, [found["detectable"]] if "detectable" in found else [])]


def _metric(row: Mapping[str, Any]) -> Iterator[str]:
    yield f"{row['runs']} runs, median {shown(row['median'])}"
    yield f"runs differ by {_sd(row['between_runs_sd'])}"
    if row["within_block_sd"] is not None:
        yield f"those of one block by {_sd(row['within_block_sd'])}"
    if row["correlation"] is not None:
        helps = "quieter" if row["pairing_helps"] else "no quieter"
        yield f"correlation in a block {row['correlation']:.2f}: a ratio inside a block is {helps} than a run"
    if drift := row["drift"]:
        yield f"drift from {100 * drift['low']:+.1f} to {100 * drift['high']:+.1f} % a minute"
    if row["hiccups"]:
        yield f"hiccups apart from that: {row['hiccups']}"
    if row["sampling_sd"] is not None and row["sampling_sd"] < row["between_runs_sd"] / 2:
        yield "longer runs would not help, more runs do"


def _sd(value: float) -> str:
    return f"{shown(100 * math.expm1(value))} %"


def detectable(row: Mapping[str, Any]) -> str:
    """Return in words what a budget can detect."""
    how = f"{100 * row['power']:.0f} % power with {row['blocks']} blocks to judge by"
    enough = row.get("enough_s")
    more = f"; --budget {math.ceil(enough)}s would do for {100 * (COARSE - 1):.0f} %" if enough else ""
    if row["percent"] is None:
        return f"a budget of {row['budget_s']:g} s can detect no difference on this host ({how}){more}"
    between = f"{shown(row['low_percent'])} to {shown(row['high_percent']) if row['high_percent'] else '∞'} %"
    least = f"{shown(row['percent'])} % ({between}) or more"
    return f"a budget of {row['budget_s']:g} s can detect a difference of {least}: {how}{more}"
