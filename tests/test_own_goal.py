"""What is better in a recipe's metrics: text to terms and limits, and back; what nobody could mean is refused with its place."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessions import PLAN

from tuner.errors import UsageError
from tuner.judging.guards import parse
from tuner.judging.metrics import reported, short
from tuner.judging.objective import objective
from tuner.judging.own_goal import own_goal, usual
from tuner.runs.recipe_file import of_text
from tuner.runs.workload import Workload
from tuner.session.setup.plan import Plan

RECIPE: Final = of_text(
    """
name = "mine"
[client]
command = "client"
[metrics.requests_per_s]
unit = "requests/s"
better = "higher"
regex = '(x)'
[metrics.p99_ms]
unit = "ms"
better = "lower"
regex = '(x)'
[metrics.queue]
regex = '(x)'
[metrics.latency_us]
unit = "us"
better = "lower"
regex = '(x)'
samples = true
""",
    "it.toml",
)
WORKLOAD: Final = Workload(recipe=RECIPE)
ONE: Final = {"requests_per_s": 100.0, "p99_ms": 2.0}
BETTER: Final = {"requests_per_s": 110.0, "p99_ms": 1.0}


@pytest.mark.parametrize(
    ("text", "gain"),
    [
        ("max requests_per_s", math.log(1.1)),
        ("min p99_ms", math.log(2.0)),
        ("max requests_per_s and min p99_ms", (math.log(1.1) + math.log(2.0)) / 2),
        ("3 max requests_per_s and 1 min p99_ms", 0.75 * math.log(1.1) + 0.25 * math.log(2.0)),
        ("MAX requests_per_s WHERE p99_ms < 2", math.log(1.1)),
    ],
)
def test_a_gain_is_the_weighted_log_ratio_in_the_direction_of_each_goal(text: str, gain: float) -> None:
    assert objective(text, WORKLOAD).gain(ONE, BETTER) == pytest.approx(gain)
    assert objective(text, WORKLOAD).gain(BETTER, ONE) == pytest.approx(-gain)


def test_what_stands_behind_where_is_kept_as_guards_are() -> None:
    found = objective("max requests_per_s where p99_ms < 2 and queue < 7 and p99_ms < 1.1x", WORKLOAD)
    assert list(map(str, found.kept)) == ["p99_ms < 2ms", "queue < 7", "p99_ms < 1.1x"]
    assert found.kept[0].excess(ONE, {"p99_ms": 4.0}) == pytest.approx(math.log(2.0))
    assert found.kept[2].excess(ONE, {"p99_ms": 4.4}) == pytest.approx(math.log(2.0))
    assert found.word == "max-requests_per_s"
    assert found.space == "balanced"


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("max p99_ms", "max p99_ms", "of p99_ms lower is better"),
        ("max request_per_s", "max request_per_s", "did you mean requests_per_s?"),
        ("latency", "latency", "is not a goal"),
        ("max requests_per_s and max requests_per_s", "requests_per_s", "is named twice"),
        ("0 max queue", "0 max queue", "no weight"),
        ("max queue where p99_ms > 2", "p99_ms > 2", "does not fit p99_ms"),
        ("max queue where p99_ms < 2kg", "p99_ms < 2kg", "unknown unit 'kg'"),
        ("max queue where latency < 2", "latency < 2", "unknown metric 'latency'"),
        ("", "nothing", "is not a goal"),
    ],
)
def test_what_nobody_could_mean_is_refused_with_its_place(text: str, place: str, why: str) -> None:
    with pytest.raises(UsageError) as told:
        objective(text, WORKLOAD)
    assert any(each.where == place and why in f"{each.message} {each.suggestion}" for each in told.value.findings)


names = st.sampled_from(
    ["max requests_per_s", "min p99_ms", "max queue", "min queue", "min latency_us.p99", "min wall_s"]
)
goals = st.lists(names, min_size=1, max_size=3, unique_by=lambda text: text.split()[1])
limits = st.lists(
    st.sampled_from(["p99_ms < 2", "p99_ms < 0.5s", "queue > 3", "requests_per_s > 0.9x", "latency_us.p99 < 1ms", "memory < 1GB"]),
    max_size=3,
    unique_by=lambda text: (text.split()[0], text.endswith("x")),
)  # fmt: skip


@given(goals, st.lists(st.sampled_from(["", "2 ", "0.25 "]), min_size=3, max_size=3), limits)
def test_an_objective_is_read_as_it_is_written(goals: list[str], weights: list[str], limits: list[str]) -> None:
    where = f" where {' and '.join(limits)}" if limits else ""
    text = " and ".join(f"{weight}{goal}" for weight, goal in zip(weights, goals, strict=False)) + where
    found = own_goal(text, WORKLOAD)
    assert own_goal(str(found), WORKLOAD) == found
    assert math.isclose(sum(term.weight for term in objective(text, WORKLOAD).terms), 1.0)


@given(st.text(alphabet="maxinwhereandp9_s0123.<> "))
def test_any_text_is_an_objective_or_refused(text: str) -> None:
    try:
        found = own_goal(text, WORKLOAD)
    except UsageError as reason:
        assert reason.findings  # noqa: PT017 - it may be one
    else:
        assert found.goals


def test_a_recipe_says_what_is_judged_where_nobody_else_does() -> None:
    assert usual(WORKLOAD) == "max requests_per_s"
    assert usual(Workload(recipe=replace(RECIPE, objective="min p99_ms"))) == "min p99_ms"
    assert usual(Workload(recipe=replace(RECIPE, metrics=()))) == "min wall_s"
    timed = replace(RECIPE.client, command=("client", "{seconds}"))
    with pytest.raises(UsageError, match="nothing says what is better"):
        usual(Workload(recipe=replace(RECIPE, client=timed, metrics=RECIPE.metrics[2:3])))


def test_a_plan_with_a_recipe_comes_back_from_json_with_its_goal_and_guards() -> None:
    goal = objective("max requests_per_s where p99_ms < 2", WORKLOAD)
    guards = (*goal.kept, *parse(["cpu < 2x"], [WORKLOAD]))
    plan = replace(
        PLAN,
        objective=goal,
        workloads=(WORKLOAD,),
        guards=guards,
        program="/bin/client",
        programs={"client": {"client": "/bin/client"}},
    )
    stored = json.loads(json.dumps(plan.to_dict()))
    assert "sockperf" not in stored
    assert Plan.from_dict(stored) == plan


def test_tables_show_a_recipes_metrics_and_of_samples_the_median_and_the_tail() -> None:
    known = reported([WORKLOAD])
    assert known["latency_us.p99"].unit == "us"
    shown = short(
        ["latency_us.p50", "latency_us.p90", "latency_us.max", "latency_us.p99", "queue", "server_memory_mb", "cpu_s"]
    )
    assert shown == ["latency_us.p50", "latency_us.p99", "queue", "cpu_s"]


def test_a_limit_may_have_the_time_that_its_metrics_name_ends_in() -> None:
    plain = of_text('name = "r"\n[client]\ncommand = "c"\n[metrics.late_ms]\nregex = "(x)"\n', "r.toml")
    assert own_goal("min late_ms where late_ms < 0.5s", Workload(recipe=plain)).limits[0].limit == 500.0


def test_an_objective_that_is_not_understood_gets_an_example_in_the_right_direction() -> None:
    only_time = of_text('name = "r"\n[client]\ncommand = "sleep 0.1"\n', "r.toml")
    with pytest.raises(UsageError) as told:
        own_goal("wall_s", Workload(recipe=only_time))
    assert told.value.advice == "for example 'min wall_s'"
