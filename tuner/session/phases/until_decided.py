"""Comparing until it is decided: whether it is, after each block, and the interval that allows for having looked."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tuner.judging import sequential
from tuner.judging.statistics import Gain, gain
from tuner.session.setup import budget_shares, policy
from tuner.session.setup.plan import Plan


def decided(plan: Plan, log_ratios: Sequence[float]) -> bool:
    """Return whether a comparison may end with these blocks: its plan allows it, and they decide it."""
    if not plan.until_decided:
        return False
    if plan.promise:
        return side(plan, log_ratios) != 0
    return sequential.decided(log_ratios, budget_shares.most_blocks(plan), policy.MARGIN)


def side(plan: Plan, log_ratios: Sequence[float]) -> int:
    """Return on which side of what a plan holds a profile against its gain is: 1 above, −1 below, 0 where that was not decided."""
    at_least = plan.promise.at_least if plan.promise else 1.0
    return sequential.side(log_ratios, budget_shares.most_blocks(plan), math.log(at_least))


def judged(plan: Plan, log_ratios: Sequence[float], profiles: int = 1) -> Gain:
    """Return the gain that blocks of the confirmation show, with the interval that the plan makes right."""
    if plan.until_decided:
        return sequential.looked_at(log_ratios, budget_shares.most_blocks(plan))
    return gain(log_ratios, profiles)
