"""Where the search finds something obvious, few blocks judge it and the rest of the budget minimises; nowhere else."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sessions import PLAN, polling_helps, tune

from tuner.judging.statistics import LEAST_SD, spread_of
from tuner.profiles.files import read
from tuner.records import Phase
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost, stopping
from tuner.session.phases import clear_lead
from tuner.session.setup import budget_shares
from tuner.session.setup.plan import ClearLead, Plan
from tuner.store import Store

SHORT = replace(PLAN, budget_s=180.0, blocks=40)
FEWEST, MOST = budget_shares.CLEAR_LEAD_BLOCKS


def host(gain: float, base_us: float = 36.0) -> SimulatedHost:
    """Return a host on which polling is so many times as good; a run takes a second and has 5 % of noise."""

    def latency(environment: Mapping[str, str]) -> float:
        return base_us / (gain if polling_helps(environment) < polling_helps({}) else 1.0)

    return SimulatedHost(latency, noise=0.05, wall_s=1.0, rng=random.Random(3))


def stored(folder: Path, found: Mapping[str, Any]) -> Plan:
    return Plan.from_dict(Store(Results(folder).url).session(found["session"]).plan)


def test_an_obvious_gain_is_judged_in_few_blocks_and_its_settings_are_minimised(tmp_path: Path) -> None:
    found = tune(tmp_path, host(4.0), SHORT)
    assert found["verdict"] == "improved"
    lead = stored(tmp_path, found).clear_lead
    assert lead is not None
    assert lead.blocks == FEWEST
    assert 2.0 < lead.ratio < 4.5
    assert (lead.block_runs, lead.minimising_runs) == (budget_shares.RUNS_A_BLOCK, budget_shares.CLEAR_LEAD_REST_RUNS)
    assert lead.search_share == budget_shares.CLEAR_LEAD_SEARCH_SHARE
    runs = Store(Results(tmp_path).url).runs(found["session"])
    judged = {run.block for run in runs if run.phase == Phase.CONFIRM}
    assert FEWEST <= len(judged) <= math.ceil(1.5 * FEWEST)
    assert sum(run.phase == Phase.MINIMISE for run in runs) >= budget_shares.CLEAR_LEAD_REST_RUNS


def test_blocks_without_a_known_profile_are_planned_with_two_runs(tmp_path: Path) -> None:
    lead = stored(tmp_path, tune(tmp_path, host(4.0), replace(SHORT, known=()))).clear_lead
    assert lead is not None
    assert lead.block_runs == 2


def test_a_lead_that_takes_more_blocks_to_show_has_them_and_the_search_what_is_left(tmp_path: Path) -> None:
    lead = stored(tmp_path, tune(tmp_path, host(1.18), SHORT)).clear_lead
    assert lead is not None
    assert FEWEST < lead.blocks <= MOST
    plan = replace(SHORT, clear_lead=lead)
    assert budget_shares.search_ends(SHORT) < budget_shares.search_ends(plan)
    assert budget_shares.search_ends(plan) < budget_shares.search_ends(
        replace(plan, clear_lead=replace(lead, blocks=FEWEST))
    )


def test_every_setting_of_an_obvious_winner_has_its_own_interval_above_it(tmp_path: Path) -> None:
    found = tune(tmp_path, host(4.0), SHORT)
    reasons = read(Path(found["winner"]["path"])).reasons
    assert reasons
    assert all("95 % CI" in reason for reason in reasons.values())
    assert all(row["gain"]["low"] > 1.0 for row in found["minimised"]["kept"])


@pytest.mark.parametrize("gain", [1.0, 1.1])
def test_a_gain_that_takes_many_blocks_to_prove_has_them(tmp_path: Path, gain: float) -> None:
    found = tune(tmp_path, host(gain), SHORT)
    assert stored(tmp_path, found).clear_lead is None
    assert found["minimised"] is None


def test_what_a_budget_can_detect_is_not_less_because_something_was_obvious(tmp_path: Path) -> None:
    obvious, hidden = (tune(tmp_path / str(gain), host(gain), SHORT) for gain in (4.0, 1.1))
    assert stored(tmp_path / "4.0", obvious).clear_lead
    rows = [each["calibration"]["detectable"] for each in (obvious, hidden)]
    assert len({(row["budget_s"], row["blocks"], row["finalists"]) for row in rows}) == 1


def test_a_budget_with_no_time_to_minimise_keeps_its_whole_confirmation(tmp_path: Path) -> None:
    assert not budget_shares.clear_lead_blocks(replace(SHORT, budget_s=90.0))
    found = tune(tmp_path, host(4.0), replace(SHORT, budget_s=90.0))
    assert (stored(tmp_path, found).clear_lead, found["minimised"]) == (None, None)


def test_a_percentile_that_few_blocks_would_not_judge_has_all_of_them(tmp_path: Path) -> None:
    found = tune(tmp_path, host(4.0, base_us=4000.0), SHORT)
    assert stored(tmp_path, found).clear_lead is None


def test_a_session_that_goes_on_keeps_what_was_obvious(tmp_path: Path) -> None:
    whole = tune(tmp_path / "whole", host(4.0), SHORT)
    at = 1 + next(
        number
        for number, run in enumerate(Store(Results(tmp_path / "whole").url).runs(whole["session"]))
        if run.phase == Phase.MINIMISE
    )
    broken = host(4.0)
    broken.latency = stopping(broken, at, broken.latency)
    with pytest.raises(KeyboardInterrupt):
        tune(tmp_path / "parts", broken, SHORT)
    kept = Plan.from_dict(Store(Results(tmp_path / "parts").url).session("latest").plan)
    assert kept == stored(tmp_path / "whole", whole)
    assert budget_shares.confirm_ends(kept) < 1.0


def test_the_shares_of_an_obvious_winner_fit_the_budget() -> None:
    plan = replace(SHORT, clear_lead=ClearLead("candidate-7", 4.0, 7))
    assert budget_shares.search_ends(plan) < budget_shares.choosing_ends(plan) < budget_shares.confirm_ends(plan) < 1.0
    assert budget_shares.minimise_share(
        plan
    ) * plan.budget_s >= budget_shares.CLEAR_LEAD_REST_RUNS * budget_shares.run_s(plan)
    assert budget_shares.budget_s(plan, 30.0) == budget_shares.budget_s(replace(plan, clear_lead=None), 30.0)


QUIET = (0.05, -0.09, 0.03, 0.05, -0.09, 0.04, 0.02, 0.03)


def test_a_hiccup_of_the_calibration_leaves_its_spread_as_it_is_without() -> None:
    calm = clear_lead._calm([*QUIET, -0.36])
    assert calm is not None
    assert spread_of(0.0, 0, QUIET) <= calm < 1.3 * spread_of(0.0, 0, QUIET)
    assert spread_of(0.0, 0, [*QUIET, -0.36]) > 2 * spread_of(0.0, 0, QUIET)
    assert clear_lead._calm(QUIET[:5]) is None


def test_no_spread_is_less_than_any_that_is_believed() -> None:
    assert clear_lead._calm([0.0] * 9) == LEAST_SD


def test_what_the_largest_of_nine_normal_values_leaves_is_made_good() -> None:
    rng = random.Random(5)
    found = [clear_lead._calm([rng.gauss(0, 0.1) for _ in range(9)]) or 0.0 for _ in range(4000)]
    assert statistics.fmean(each**2 for each in found) == pytest.approx(0.01, rel=0.03)
