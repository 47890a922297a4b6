"""The phases of a tuning share one budget, and who asks how much is needed gets what the phases will give."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from sessions import PLAN

from tuner.records import Kind
from tuner.session.setup import budget_shares
from tuner.session.setup.plan import ClearLead, Plan

LONG = replace(PLAN, budget_s=400.0)
SHORT = replace(PLAN, budget_s=40.0)


def test_the_phases_of_a_long_tuning_use_the_whole_budget() -> None:
    assert pytest.approx(1.0) == budget_shares.SEARCH_SHARE + budget_shares.CONFIRM_SHARE + budget_shares.MINIMISE_SHARE
    assert (
        budget_shares.CALIBRATE_SHARE
        < budget_shares.SEARCH_SHARE
        < budget_shares.choosing_ends(LONG)
        < budget_shares.confirm_ends(LONG)
        < 1.0
    )
    assert budget_shares.minimise_share(LONG) == pytest.approx(budget_shares.MINIMISE_SHARE)


def test_a_short_budget_calibrates_in_two_blocks_and_a_longer_one_in_its_share() -> None:
    assert budget_shares.calibrate_ends(LONG) == budget_shares.CALIBRATE_SHARE
    minute = replace(LONG, budget_s=60.0)
    runs = budget_shares.calibrate_ends(minute) * minute.budget_s / budget_shares.run_s(minute)
    assert runs == pytest.approx(budget_shares.CALIBRATING_RUNS)


def test_where_minimising_has_no_room_the_confirmation_has_its_share() -> None:
    assert budget_shares.confirm_ends(SHORT) == 1.0
    assert budget_shares.minimise_share(SHORT) == 0.0
    assert budget_shares.confirm_ends(replace(LONG, budget_s=60.0, fast_start=False)) == 1.0


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.TUNE])
def test_other_sessions_have_their_budget_for_one_thing(kind: Kind) -> None:
    plan = replace(LONG, kind=kind)
    assert (budget_shares.confirm_ends(plan), budget_shares.judging(plan)) == (1.0, 1.0)
    assert budget_shares.minimise_share(plan) == (1.0 if kind is Kind.MINIMISE else 0.0)


@pytest.mark.parametrize("kind", [Kind.TUNE, Kind.COMPARE])
@pytest.mark.parametrize("judging_s", [5.0, 15.0, 22.0, 30.0, 500.0])
def test_a_budget_that_is_advised_judges_for_as_long_as_was_asked(kind: Kind, judging_s: float) -> None:
    plan = replace(SHORT, kind=kind)
    plan = replace(plan, budget_s=budget_shares.budget_s(plan, judging_s))
    assert budget_shares.judging(plan) * plan.budget_s == pytest.approx(judging_s)


def test_a_tuning_that_judges_too_little_is_never_advised_a_smaller_budget() -> None:
    had_s = budget_shares.judging(LONG) * LONG.budget_s
    assert budget_shares.budget_s(LONG, 1.01 * had_s) > LONG.budget_s


@pytest.mark.parametrize("budget_s", [100.0, 180.0, 240.0, 900.0])
def test_a_clear_lead_is_judged_by_as_many_blocks_as_leave_the_runs_to_minimise(budget_s: float) -> None:
    few, many = budget_shares.CLEAR_LEAD_BLOCKS
    plan = replace(LONG, budget_s=budget_s)
    tenth = math.ceil(0.1 * budget_shares._runs(plan) / budget_shares.RUNS_A_BLOCK)
    few = max(few, min(many, tenth))
    left = 1.0 - budget_shares._first_search_ends(plan)
    after = budget_shares.CLEAR_LEAD_REST_RUNS / budget_shares._runs(plan)
    fits = [blocks for blocks in range(few, many + 1) if budget_shares._clear_lead_share(plan, blocks) + after <= left]
    assert list(budget_shares.clear_lead_blocks(plan)) == fits
    assert list(budget_shares.clear_lead_blocks(replace(plan, kind=Kind.MEASURE))) == []


def test_a_tenth_of_the_runs_judges_a_clear_lead_at_least() -> None:
    least = {runs: budget_shares.clear_lead_blocks(of_runs(LONG, runs)).start for runs in (200, 300, 480, 2000)}
    assert least == {200: 7, 300: 10, 480: 16, 2000: 20}


def of_runs(plan: Plan, runs: float) -> Plan:
    """Return a plan with the budget of so many runs."""
    return replace(plan, budget_s=runs * budget_shares.run_s(plan))


def test_a_search_owes_proposals_from_the_runs_on_that_all_phases_need() -> None:
    enough = budget_shares.SEARCHING_RUNS + budget_shares.CALIBRATING_RUNS + budget_shares.JUDGING_RUNS
    assert budget_shares.owes_proposals(of_runs(LONG, enough + 0.5))
    assert not budget_shares.owes_proposals(of_runs(LONG, enough - 0.5))


def test_a_tuning_of_several_workloads_is_short_of_runs_between_what_searching_and_what_all_phases_need() -> None:
    least = budget_shares.SEARCHING_RUNS + budget_shares.LEAST_JUDGING_RUNS
    most = budget_shares.SEARCHING_RUNS + budget_shares.CALIBRATING_RUNS + budget_shares.JUDGING_RUNS
    two = replace(LONG, workloads=(*LONG.workloads, *LONG.workloads))
    runs = (least - 0.5, least + 0.5, most - 0.5, most + 0.5)
    assert [budget_shares.is_short_of_runs(of_runs(two, each)) for each in runs] == [False, True, True, False]
    assert not budget_shares.is_short_of_runs(of_runs(LONG, least + 0.5))


def test_a_clear_lead_is_confirmed_in_its_blocks_after_the_search() -> None:
    plan = replace(LONG, clear_lead=ClearLead("found", 2.0, 20))
    after = budget_shares.search_ends(plan) + budget_shares._clear_lead_share(plan, 20)
    assert budget_shares.confirm_ends(plan) == max(after, budget_shares.SEARCH_SHARE + budget_shares.CONFIRM_SHARE)
    assert budget_shares.confirm_ends(replace(plan, budget_s=100.0)) == pytest.approx(
        budget_shares.search_ends(replace(plan, budget_s=100.0))
        + budget_shares._clear_lead_share(replace(plan, budget_s=100.0), 20)
    )


def test_the_blocks_of_a_clear_lead_take_their_runs_and_the_choosing_before_them() -> None:
    share = budget_shares._clear_lead_share(of_runs(LONG, 200.0), 10)
    runs = 200.0 * share
    assert runs * (1.0 - budget_shares.CHOOSING_PART) == pytest.approx(10 * budget_shares.RUNS_A_BLOCK)


def test_a_leader_with_more_settings_than_can_be_left_out_one_by_one_leaves_the_search_more() -> None:
    few, many = (budget_shares.minimising_runs(budget_shares.CLEAR_LEAD_SETTINGS + more) for more in (0, 1))
    assert (few, many) == (budget_shares.CLEAR_LEAD_REST_RUNS, budget_shares.CLEAR_LEAD_LEAST_RUNS)
    assert 3 * (2 + budget_shares.CLEAR_LEAD_SETTINGS) <= few < 3 * (3 + budget_shares.CLEAR_LEAD_SETTINGS)
    lead = ClearLead("found", 2.0, 7, minimising_runs=few, search_share=budget_shares.CLEAR_LEAD_SEARCH_SHARE)
    plan = of_runs(LONG, 166.0)
    ends = [
        budget_shares.search_ends(replace(plan, clear_lead=replace(lead, minimising_runs=runs))) for runs in (few, many)
    ]
    assert 166.0 * (ends[1] - ends[0]) == pytest.approx(few - many)


def test_what_a_clear_lead_leaves_in_a_long_session_is_searched_to_its_share() -> None:
    share = budget_shares.CLEAR_LEAD_SEARCH_SHARE
    plan = replace(of_runs(LONG, 1000.0), clear_lead=ClearLead("found", 2.0, 7, search_share=share))
    assert budget_shares.search_ends(plan) == share
    assert budget_shares.confirm_ends(plan) == pytest.approx(share + budget_shares._clear_lead_share(plan, 7))


def test_blocks_in_which_nothing_known_is_judged_leave_the_search_their_third_runs() -> None:
    plan = of_runs(LONG, 166.0)
    lead = ClearLead("found", 2.0, 7)
    ends = [
        budget_shares.search_ends(replace(plan, clear_lead=replace(lead, block_runs=runs)))
        for runs in (budget_shares.RUNS_A_BLOCK, budget_shares.RUNS_A_BLOCK - 1)
    ]
    assert 166.0 * (ends[1] - ends[0]) == pytest.approx(7 / (1.0 - budget_shares.CHOOSING_PART))


def test_finalists_of_a_clear_lead_are_measured_in_two_blocks_before_few_judge() -> None:
    plan = of_runs(LONG, 166.0)
    lead = ClearLead("found", 2.0, 7, choosing_runs=budget_shares.CLEAR_LEAD_CHOOSING_RUNS)
    plan = replace(plan, clear_lead=lead)
    begins, chosen, ends = (
        166.0 * share
        for share in (
            budget_shares.search_ends(plan),
            budget_shares.choosing_ends(plan),
            budget_shares.confirm_ends(plan),
        )
    )
    assert chosen - begins == pytest.approx(2 * (1 + 3))
    assert ends - chosen == pytest.approx(7 * budget_shares.RUNS_A_BLOCK)


@pytest.mark.parametrize(("runs", "search", "confirm"), [(166.0, 0.634, 0.783), (1000.0, 0.7, 0.75)])
def test_a_plan_of_an_earlier_release_shares_its_budget_as_it_did(runs: float, search: float, confirm: float) -> None:
    stored = of_runs(LONG, runs).to_dict() | {"obvious": {"profile": "found", "ratio": 2.0, "blocks": 7}}
    plan = Plan.from_dict(stored)
    assert budget_shares.search_ends(plan) == pytest.approx(search, abs=0.001)
    assert budget_shares.confirm_ends(plan) == pytest.approx(confirm, abs=0.001)
