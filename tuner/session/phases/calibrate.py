"""Calibrate: the baseline against itself, before anything is compared with it.

Blocks of two runs of the same profile show how far runs differ where nothing differs. Out of it follows the smallest
difference that the budget can detect, which the user sees before it is spent, and what the search knows of noise.
"""

from __future__ import annotations

import math
from typing import Final

from tuner.judging.power import FEWEST_BLOCKS
from tuner.records import Kind, Phase
from tuner.session.answer import words
from tuner.session.answer.calibration import calibration
from tuner.session.measuring.session import Session
from tuner.session.phases.first_look import search_begun
from tuner.session.setup import budget_shares

# Twenty pairs know a spread within a sixth or so; more would not change what anybody does.
MOST_PAIRS: Final = 20
# A calibration is at least two blocks of two runs; where these would be more than a fifth of the budget, none is made.
LEAST_BUDGET_S: Final = 30.0
MOST_OF_BUDGET: Final = 0.20


def calibrate(session: Session) -> None:
    """Measure the baseline against itself for a tenth of the budget (or the plan's blocks), and say what that means."""
    if _too_small(session):
        session.progress.note("calibrate: skipped, because the budget is too small")
        return
    session.progress.phase(Phase.CALIBRATE, _expected_s(session))
    while _wanted(session):
        session.measure_block(Phase.CALIBRATE, [session.baseline])
    session.finish()
    if _alone(session):
        return
    found = calibration(session.evidence)
    for line in words.noise(found) if found else ():
        session.progress.statistic(line)


def _alone(session: Session) -> bool:
    return session.plan.kind is Kind.CALIBRATE


def _expected_s(session: Session) -> float:
    block_s = session.evidence.block_cost_s(1)
    if _alone(session):
        return session.plan.blocks * block_s
    left_s = session.clock.left_s(Phase.CALIBRATE, budget_shares.calibrate_ends(session.plan))
    return max(FEWEST_BLOCKS * block_s, left_s + _looked_s(session))


def _too_small(session: Session) -> bool:
    plan = session.plan
    least_s = 2 * FEWEST_BLOCKS * budget_shares.run_s(plan)
    little = plan.budget_s < LEAST_BUDGET_S or least_s > MOST_OF_BUDGET * plan.budget_s
    return not _alone(session) and (little or not budget_shares.calibrates(plan))


def _wanted(session: Session) -> bool:
    """Return whether another block is wanted; a session that was interrupted while it searched has its calibration."""
    done = session.begun(Phase.CALIBRATE)
    if session.clock.hurried:
        return False
    if _alone(session):
        return done < session.plan.blocks
    if search_begun(session.ledger) or done >= MOST_PAIRS:
        return False
    cost_s = session.evidence.block_cost_s(1) - _looked_s(session)
    return done < FEWEST_BLOCKS or session.clock.fits(
        cost_s, Phase.CALIBRATE, budget_shares.calibrate_ends(session.plan)
    )


def _looked_s(session: Session) -> float:
    """Return how long the first look took, which is the search's time and not the calibration's, in seconds."""
    return math.fsum(run.wall_s for run in session.ledger.runs if run.phase is Phase.SEARCH)
