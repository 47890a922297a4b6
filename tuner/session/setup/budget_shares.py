"""How a tuning's budget is shared among its phases: the one place where these numbers stand.

calibrate          to 10 %, inside the search's share; less where the budget is short
search             to 45 %; longer where the budget is short
                   where it found a clear lead, it goes on, to 85 % at most
choose, confirm    to 75 %, of which the choosing has the first 15 %, and a block at least; after a clear lead what its few blocks take
minimise           the rest; where that is too little, the confirmation has it
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from tuner.judging.power import FEWEST_BLOCKS
from tuner.records import Kind
from tuner.runs.workload import Workload
from tuner.session.setup.plan import Plan

# With 60 runs or fewer the calibration has its two blocks of two, and of every run beyond a sixth, until it has its share.
CALIBRATE_SHARE: Final = 0.10
CALIBRATING_RUNS: Final = 4
CALIBRATING_MORE: Final = 1 / 6
# From 150 runs on. With fewer there is too little to find a good profile by: the search has all but what judging a large
# gain needs (six blocks, with the best known profile in every second one), and of every run beyond the first 60 a quarter. `benchmarks/search.py` has what it is worth.
SEARCH_SHARE: Final = 0.45
JUDGING_RUNS: Final = 15
SHORT_RUNS: Final = 60
JUDGING_MORE: Final = 0.75
# Where each profile is measured under several workloads, a minute has few runs, and most of them would go to the known
# profiles and to proving: the search then has ten proposals, three known profiles and three baselines, as long as three
# blocks are left to judge by.
PROPOSALS: Final = 10
SEARCHING_RUNS: Final = PROPOSALS + 6
LEAST_JUDGING_RUNS: Final = 6
CONFIRM_SHARE: Final = 0.30
MINIMISE_SHARE: Final = 0.25
# This share of the confirmation chooses among finalists; the rest judges the chosen one. In `benchmarks/decisions.py`
# (true gain 10 %, before sessions were calibrated) 0, 0.15 and 0.25 chose rightly in 90, 96 and 96 % of sessions; more
# of it costs power. `docs/benchmarks.md` has what the whole session does now.
CHOOSING_PART: Final = 0.15
# That is less than a block where there are few runs, and who is judged was then chosen by one run each: in the row six-6 of
# `benchmarks/advice.py` at 90 s, 14 of 68 sessions lost more than 1 %. So of every fourth run beyond `SHORT_RUNS` the choosing
# has more, until it has a block of the baseline, three finalists and the best known profile.
CHOOSING_RUNS: Final = 6
CHOOSING_MORE: Final = 0.25
# A known profile that the search saw once is seen again there, as long as these looks take no more than the first share of all
# runs, and than the second of those beyond `SHORT_RUNS`: before that, three blocks that judge are worth more.
SECOND_LOOKS_SHARE: Final = 0.035
SECOND_LOOKS_MORE: Final = 0.35
# The least that minimising can use: the baseline, the winner and one shorter profile, three blocks of them.
LEAST_RUNS: Final = 9
# A tuning minimises only with time for sixteen such blocks. In `benchmarks/decisions.py` a session of 180 s found a true
# gain of 10 % in 43 of 60 sessions when a quarter went to minimising, and in 182 of 200 when the confirmation had it.
WORTHWHILE_RUNS: Final = 48
# Where the search found something so good that few blocks prove it, no more of them judge (each of the baseline, the chosen
# one and, where any is known, the best known one), and minimising has at least twelve blocks as above.
CLEAR_LEAD_BLOCKS: Final = (7, 20)
# But never less than this share of the runs: where there are many, a claim that a few hiccups refute would be a bad bargain. Of
# four simulated sessions of 600 s with a true gain of 1.65, one had nine blocks for it and showed nothing.
CLEAR_LEAD_JUDGING_SHARE: Final = 0.10
RUNS_A_BLOCK: Final = 3
# The usual share of so few blocks is less than one block of three finalists: two of these in any case.
CLEAR_LEAD_CHOOSING_RUNS: Final = 8
CLEAR_LEAD_REST_RUNS: Final = 36
# In these, no more settings than so many can be left out one by one, three times each. A leader with more of them has fewer
# runs: what they are worth is then believed from all blocks together, to which the search adds as much as minimising would.
CLEAR_LEAD_SETTINGS: Final = 10
CLEAR_LEAD_LEAST_RUNS: Final = 18
# The search goes on with what neither needs: large gains are where more of them are left to find.
CLEAR_LEAD_SEARCH_SHARE: Final = 0.85
# What a run costs beyond its test: start, calibration, warm-up, drain; and the benchmark's own sleep when it is left in.
RUN_EXTRA_S: Final = 0.35
SLEEP_S: Final = 2.0
# A search over the load makes three or four long runs, of two seconds and more, once it knows about where to look.
LOAD_RUNS: Final = 4
LONG_RUN_S: Final = 2


def expected_s(workloads: Iterable[Workload], *, fast_start: bool) -> float:
    """Return what one run of each workload will take on a quiet host, in seconds."""
    sleep_s = 0.0 if fast_start else SLEEP_S
    return sum(
        each.rehearsed_s or each.duration_s + RUN_EXTRA_S + (0.0 if each.recipe else sleep_s) for each in workloads
    )


def load_search_s(workloads: Iterable[Workload], *, fast_start: bool) -> float:
    """Return what one search over the load of each workload will take on a quiet host, in seconds."""
    long = [replace(each, duration_s=max(LONG_RUN_S, each.duration_s)) for each in workloads]
    return LOAD_RUNS * expected_s(long, fast_start=fast_start)


def run_s(plan: Plan) -> float:
    """Return what measuring one profile once under each workload of a plan should take, in seconds."""
    whole = load_search_s if plan.objective.limits else expected_s
    return whole(plan.workloads, fast_start=plan.fast_start)


def most_blocks(plan: Plan) -> int:
    """Return the most blocks that confirm, compare or measure; of a comparison until it is decided what fits its budget.

    It follows from the plan alone: the error of looking after each block is shared among so many looks.
    """
    fitting = int(min(_runs(plan) / 2, plan.blocks)) if plan.until_decided else plan.blocks
    return max(FEWEST_BLOCKS, fitting)


def calibrates(plan: Plan) -> bool:
    """Return whether a tuning of this length has time to calibrate beside what its search and its proof need."""
    return not is_short_of_runs(plan) or _runs(plan) >= SEARCHING_RUNS + CALIBRATING_RUNS + LEAST_JUDGING_RUNS


def is_short_of_runs(plan: Plan) -> bool:
    """Return whether a tuning has several workloads and so few runs that its search needs most of them."""
    least, most = SEARCHING_RUNS + LEAST_JUDGING_RUNS, SEARCHING_RUNS + CALIBRATING_RUNS + JUDGING_RUNS
    return plan.kind is Kind.TUNE and len(plan.workloads) > 1 and least <= _runs(plan) < most


def owes_proposals(plan: Plan) -> bool:
    """Return whether a tuning is long enough for its search to make `PROPOSALS` beside some known profiles."""
    enough = SEARCHING_RUNS + CALIBRATING_RUNS + JUDGING_RUNS
    return is_short_of_runs(plan) or (plan.kind is Kind.TUNE and _runs(plan) >= enough)


def least_judging_runs(plan: Plan) -> int:
    """Return how many runs under each workload a search must leave to those that judge."""
    return LEAST_JUDGING_RUNS if is_short_of_runs(plan) else JUDGING_RUNS


def _runs(plan: Plan) -> float:
    """Return how many runs a budget has, on all pairs of hosts together."""
    return plan.at_once * plan.budget_s / run_s(plan)


def calibrate_ends(plan: Plan) -> float:
    """Return the share of a budget at which its calibration ends."""
    runs = _runs(plan)
    few = CALIBRATING_RUNS + CALIBRATING_MORE * max(0.0, runs - SHORT_RUNS)
    return min(CALIBRATE_SHARE, few / runs) if runs else CALIBRATE_SHARE


def search_ends(plan: Plan) -> float:
    """Return the share of a tuning's budget at which its search ends; with a clear lead it is longer."""
    ends = _first_search_ends(plan)
    if not plan.clear_lead:
        return ends
    rest = _clear_lead_share(plan, plan.clear_lead.blocks) + plan.clear_lead.minimising_runs / _runs(plan)
    return max(ends, min(plan.clear_lead.search_share, 1.0 - rest))


def _first_search_ends(plan: Plan) -> float:
    runs = _runs(plan)
    if is_short_of_runs(plan):
        before = SEARCHING_RUNS + (CALIBRATING_RUNS if calibrates(plan) else 0)
        return max(SEARCH_SHARE, before / runs)
    confirming = JUDGING_RUNS + JUDGING_MORE * max(0.0, runs - SHORT_RUNS)
    choosing = max(CHOOSING_PART * confirming, _runs_of_a_choice(runs))
    after = (1.0 - CHOOSING_PART) * confirming + choosing
    return max(SEARCH_SHARE, 1.0 - after / runs) if runs else SEARCH_SHARE


def _least_choosing_runs(plan: Plan) -> float:
    """Return how many runs choose at least."""
    return plan.clear_lead.choosing_runs if plan.clear_lead else _runs_of_a_choice(_runs(plan))


def _runs_of_a_choice(runs: float) -> float:
    """Return how many of so many runs choose at least where there is no clear lead."""
    return min(CHOOSING_RUNS, CHOOSING_PART * JUDGING_RUNS + CHOOSING_MORE * (runs - SHORT_RUNS))


def second_looks_at_known(plan: Plan) -> int:
    """Return how many known profiles that were seen once may be seen again where the choosing begins."""
    runs = _runs(plan)
    return int(max(0.0, min(SECOND_LOOKS_SHARE * runs, SECOND_LOOKS_MORE * (runs - SHORT_RUNS))))


def confirm_ends(plan: Plan) -> float:
    """Return the share of the budget at which the confirmation ends: all of it where nothing is searched.

    It has everything that the search leaves when the rest would not do for minimising: a certain winner with too many
    settings is worth more than an uncertain one. It follows from the plan alone, so that a resumed session agrees.
    """
    minimises = SEARCH_SHARE + CONFIRM_SHARE if _minimises(plan) else 1.0
    if not plan.clear_lead:
        return minimises
    few = search_ends(plan) + _clear_lead_share(plan, plan.clear_lead.blocks)
    return max(few, minimises) if minimises < 1.0 else few


def _minimises(plan: Plan) -> bool:
    """Return whether a plan has time to minimise although many blocks judge."""
    return plan.kind is Kind.TUNE and MINIMISE_SHARE * _runs(plan) >= WORTHWHILE_RUNS


def _clear_lead_share(plan: Plan, blocks: int) -> float:
    """Return the share of the budget in which so many blocks judge, and the choosing before them."""
    lead = plan.clear_lead
    judging_runs = (lead.block_runs if lead else RUNS_A_BLOCK) * blocks
    return max(judging_runs / (1.0 - CHOOSING_PART), judging_runs + (lead.choosing_runs if lead else 0)) / _runs(plan)


def clear_lead_blocks(plan: Plan) -> range:
    """Return how many blocks may judge a clear lead: as many as leave time to minimise, none where fewer are too few."""
    few, many = CLEAR_LEAD_BLOCKS
    if plan.kind is not Kind.TUNE or plan.clear_lead:
        return range(0)
    few = max(few, min(many, math.ceil(CLEAR_LEAD_JUDGING_SHARE * _runs(plan) / RUNS_A_BLOCK)))
    left = 1.0 - _first_search_ends(plan) - CLEAR_LEAD_REST_RUNS / _runs(plan)
    return range(few, 1 + min(many, int(left / _clear_lead_share(plan, 1))))


def minimising_runs(settings: int) -> int:
    """Return how many runs are kept to minimise a clear leader with so many settings."""
    return CLEAR_LEAD_REST_RUNS if settings <= CLEAR_LEAD_SETTINGS else CLEAR_LEAD_LEAST_RUNS


def choosing_ends(plan: Plan) -> float:
    """Return the share of a tuning's budget at which its finalist is chosen."""
    begins, ends = search_ends(plan), confirm_ends(plan)
    least = _least_choosing_runs(plan) / _runs(plan) if _runs(plan) else 0.0
    return begins + max(CHOOSING_PART * (ends - begins), least)


def judging(plan: Plan) -> float:
    """Return the part of the budget in which one profile is judged: all of it where nothing is searched."""
    return confirm_ends(plan) - choosing_ends(plan) if plan.kind is Kind.TUNE else 1.0


def budget_s(plan: Plan, judging_s: float) -> float:
    """Return the budget, in seconds, with which a plan of this kind judges for so many seconds.

    A tuning that has time to minimise still has it: nobody is told to take a smaller budget so as to judge for longer.
    """
    if plan.kind is not Kind.TUNE:
        return judging_s
    confirming_s = judging_s / (1 - CHOOSING_PART)
    runs = confirming_s / run_s(plan)
    beyond = SHORT_RUNS + (runs - JUDGING_RUNS) / JUDGING_MORE if runs > JUDGING_RUNS else 0.0
    without_minimising_s = max(confirming_s / (1 - SEARCH_SHARE), beyond * run_s(plan))
    if confirm_ends(replace(plan, budget_s=max(plan.budget_s, without_minimising_s), clear_lead=None)) >= 1.0:
        return without_minimising_s
    return confirming_s / CONFIRM_SHARE


def minimise_share(plan: Plan) -> float:
    """Return the share of the budget that minimising has: all of it when the plan is for nothing else."""
    return 1.0 if plan.kind is Kind.MINIMISE else 1.0 - confirm_ends(plan)
