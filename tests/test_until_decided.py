"""Comparisons that end when they are decided: they err no more often than others, end early, and say how they ended."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simulation
import until_decided
from command_line import Tuner
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import UsageError
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import on_one
from tuner.judging import sequential
from tuner.judging.sequential import LOOK_LEVELS
from tuner.judging.statistics import CONFIDENCE, gain, signed_rank, signed_rank_interval
from tuner.records import Kind
from tuner.session.answer.answers import CompareAnswer
from tuner.session.answer.json_form import from_json
from tuner.session.setup import budget_shares, prepare
from tuner.session.setup.plan import Plan
from tuner.session.setup.request import Request, Task

# Half of the smallest number that a float can be is none: no gain is that small.
_GAINS = st.one_of(st.floats(-1.0, 1.0, allow_subnormal=False), st.sampled_from([0.0, 0.5, -0.5]))
_VALUES = st.lists(_GAINS, min_size=2, max_size=30)


@given(_VALUES)
def test_the_quick_side_of_the_interval_is_that_of_the_interval(values: list[float]) -> None:
    whole = signed_rank_interval(values)
    side = 0 if whole is None else (whole.low > 0.0) - (whole.high < 0.0)
    assert signed_rank(values, 0.0) == side


def test_the_levels_of_a_look_keep_the_error_of_a_whole_comparison_and_waste_little_of_it() -> None:
    least = until_decided.least_chances(4000, 50, np.random.default_rng(7))
    for most in (most for most in LOOK_LEVELS if most <= 50):
        errors = float((least[:, most] <= sequential.level(most)).mean())
        assert errors < 0.06, most
        assert errors > (0.035 if most >= 20 else 0.02), most


def test_a_comparison_has_the_level_of_the_next_longer_one() -> None:
    assert [sequential.level(most) for most in (2, 8, 9, 200, 300)] == [
        *(LOOK_LEVELS[8], LOOK_LEVELS[8], LOOK_LEVELS[12]),
        *(LOOK_LEVELS[200], LOOK_LEVELS[200]),
    ]


def test_the_interval_that_allows_for_looking_is_wider_and_says_what_it_holds() -> None:
    rng = random.Random(1)
    values = [rng.gauss(0.1, 0.1) for _ in range(30)]
    plain, looked = gain(values), sequential.looked_at(values, 200)
    assert looked.low < plain.low < plain.ratio == looked.ratio < plain.high < looked.high
    assert looked.confidence == CONFIDENCE


def test_decided_is_better_worse_or_alike_and_never_before_ranks_can_say_so() -> None:
    rng = random.Random(2)
    quiet = [rng.gauss(0.0, 0.002) for _ in range(40)]
    assert sequential.decided([each + 0.1 for each in quiet], 200, 0.01)
    assert sequential.decided([each - 0.1 for each in quiet], 200, 0.01)
    assert sequential.decided(quiet, 200, 0.01)
    assert not sequential.decided([rng.gauss(0.0, 0.2) for _ in range(40)], 200, 0.01)
    assert not sequential.decided([0.1, 0.1001, 0.1002, 0.1003, 0.1004, 0.1005], 200, 0.01)


def test_without_a_difference_sessions_rarely_find_one() -> None:
    found = [until_decided.compared(seed, 1.0, 30.0) for seed in range(15)]
    assert sum(not one.low <= 1.0 <= one.high for one in found) <= 3
    assert max(one.blocks for one in found) == found[0].planned


def test_a_true_difference_ends_a_comparison_long_before_its_last_block() -> None:
    found = [until_decided.compared(seed, 1.2, 600.0) for seed in range(5)]
    assert all(one.decided and 9 <= one.blocks <= one.planned / 4 for one in found)
    assert sum(one.low <= 1.2 <= one.high for one in found) >= 4


def _answered(folder: Path, gained: float, **changes: Any) -> dict[str, Any]:
    def latency(environment: Any) -> float:
        return simulation.BASE_US / (gained if "XLIO_RX_POLL" in environment else 1.0)

    host = simulation.NoisyHost(latency, simulation.Noise(), simulation.chances("one"))
    return simulation.carried_out(folder, host, replace(until_decided.PLAN, **changes), "one")


def test_the_answer_says_after_how_many_blocks_of_how_many_it_was_decided_and_reads_back(tmp_path: Path) -> None:
    found = _answered(tmp_path, 1.5, budget_s=600.0)
    ended = found["sequential"]
    assert found["verdict"] == "improved"
    assert ended["decided"]
    assert 9 <= ended["blocks"] < 30
    assert f"Decided after {ended['blocks']} of at most 200 blocks" in found["why"]
    assert from_json(CompareAnswer, found, "answer").to_dict() == found


def test_an_answer_that_is_not_decided_says_what_would_do(tmp_path: Path) -> None:
    found = _answered(tmp_path, 1.0, budget_s=30.0)
    assert found["sequential"] == {"decided": False, "blocks": 11, "planned": 11}
    assert "Not decided in 11 of at most 11 blocks: a longer --max may decide it" in found["why"]


def test_a_comparison_of_a_fixed_plan_looks_once_and_says_nothing_of_it(tmp_path: Path) -> None:
    found = _answered(tmp_path, 1.5, budget_s=30.0, until_decided=False)
    assert "sequential" not in found
    assert found["gain"]["blocks"] == 12


def test_a_plan_keeps_that_it_ends_when_decided_and_an_earlier_one_does_not() -> None:
    kept = until_decided.PLAN.to_dict()
    assert Plan.from_dict(kept).until_decided
    del kept["until_decided"]
    assert not Plan.from_dict(kept).until_decided


def test_the_most_blocks_follow_from_the_budget_and_are_never_more_than_the_plans() -> None:
    asked = replace(until_decided.PLAN, budget_s=60.0)
    assert budget_shares.most_blocks(asked) == 22
    assert budget_shares.most_blocks(replace(asked, budget_s=1e5)) == 200
    assert budget_shares.most_blocks(replace(asked, budget_s=1.0)) == 2
    assert budget_shares.most_blocks(replace(asked, until_decided=False)) == 200


@pytest.mark.parametrize(
    "task", [Task(guards=("p99.9 < 1.1x",)), Task(objective="max rate where p99 < 50us")], ids=["guard", "limit"]
)
def test_what_cannot_be_looked_at_after_each_block_is_refused(task: Task) -> None:
    asked = Request(Kind.COMPARE, "default", "default", 600.0, until_decided=True, task=task)
    with pytest.raises(UsageError, match="cannot be judged after each block"):
        prepare.plan(asked, on_one(LocalHost()), ())


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--until", "decidde"], "--until 'decidde' is nothing to wait for"),
        (["--max", "1m"], "add --until decided"),
        (["--until", "decided", "--budget", "1m"], "has no fixed --budget"),
        (["--until", "decided", "--max", "soon"], "--max 'soon' is not a duration"),
    ],
)
def test_options_that_contradict_each_other_are_refused(tuner: Tuner, options: list[str], what: str) -> None:
    done = tuner("compare", "default", "latency", *options)
    assert done.status == 2
    assert what in done.err.replace("\n", " ")


def test_signed_ranks_need_about_the_blocks_of_the_best_test_where_that_is_known() -> None:
    normal = lambda values: -(values**2) / (2 * 0.15**2)  # noqa: E731 - one line of mathematics
    assert until_decided.efficiency(normal) == pytest.approx(3 / math.pi, abs=0.01)
