"""How a tuning's budget is shared among its phases: the one place where these numbers stand."""

from __future__ import annotations

from typing import Final

from tuner.session.plan import Plan

SEARCH: Final = 0.45
CONFIRM: Final = 0.30
MINIMISE: Final = 0.25
# The least that minimising can use: the baseline, the winner and one shorter profile, three blocks of them.
LEAST_RUNS: Final = 9
# What a run is thought to cost beyond its test's duration.
RUN_EXTRA_S: Final = 0.35


def run_s(plan: Plan) -> float:
    """Return what measuring one profile once under each workload of a plan should take, in seconds."""
    return sum(workload.duration_s + RUN_EXTRA_S for workload in plan.workloads)


def confirm_ends(plan: Plan) -> float:
    """Return the share of the budget at which the confirmation ends.

    It has everything that the search leaves when the rest would not do for minimising: a certain winner with too many
    settings is worth more than an uncertain one. It follows from the plan alone, so that a resumed session agrees.
    """
    if plan.kind != "tune" or MINIMISE * plan.budget_s < LEAST_RUNS * run_s(plan):
        return 1.0
    return SEARCH + CONFIRM


def minimise_share(plan: Plan) -> float:
    """Return the share of the budget that minimising has: all of it when the plan is for nothing else."""
    return 1.0 if plan.kind == "minimise" else 1.0 - confirm_ends(plan)
