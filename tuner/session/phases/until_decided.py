"""Comparing until it is decided: whether it is, after each block, and the interval that allows for having looked."""

from __future__ import annotations

from collections.abc import Sequence

from tuner.judging import sequential
from tuner.judging.statistics import Gain, gain
from tuner.session.setup import budget_shares, policy
from tuner.session.setup.plan import Plan


def decided(plan: Plan, log_ratios: Sequence[float]) -> bool:
    """Return whether a comparison may end with these blocks: its plan allows it, and they decide it."""
    return plan.until_decided and sequential.decided(log_ratios, budget_shares.most_blocks(plan), policy.MARGIN)


def judged(plan: Plan, log_ratios: Sequence[float]) -> Gain:
    """Return the gain that blocks of the confirmation show, with the interval that the plan makes right."""
    if plan.until_decided:
        return sequential.looked_at(log_ratios, budget_shares.most_blocks(plan))
    return gain(log_ratios)
