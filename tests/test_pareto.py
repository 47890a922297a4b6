"""The Pareto front is a handful: each is probably better in something, and luck in one block puts nothing there."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sessions import PLAN, tune

from tuner.judging.objective import objective
from tuner.judging.pareto import INDIFFERENT, MOST_COMPARED, MOST_ON_FRONT, Field, Seen, handful
from tuner.judging.shrinkage import believed
from tuner.records import Kind
from tuner.report.summary import summary
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.session.answer.json_form import from_json, to_json
from tuner.session.answer.pareto_front import OnFront
from tuner.store import Store

METRICS = ("latency_p50_us", "rate_mps", "cpu_s")
BASELINE = Seen("default", {})


def measured(rng: random.Random, name: str, costs: tuple[float, ...], blocks: int, noise: float = 0.05) -> Seen:
    """Return a profile of these true log costs, in the order of `METRICS`, as some blocks show it."""
    pairs = zip(METRICS, costs, strict=True)
    return Seen(name, {metric: [rng.gauss(cost, noise) for _ in range(blocks)] for metric, cost in pairs})


def names(profiles: list[Seen]) -> list[str]:
    return [each.name for each in handful(profiles, METRICS)]


FAST, CHEAP, WORSE = (-2.0, -2.0, 1.0), (-0.3, -0.3, -0.5), (0.5, 0.5, 0.5)


def test_who_leads_is_named_with_what_it_leads_in_and_what_is_worse_in_everything_is_not() -> None:
    rng = random.Random(1)
    found = handful(
        [BASELINE, *(measured(rng, *each, 6) for each in (("fast", FAST), ("cheap", CHEAP), ("worse", WORSE)))], METRICS
    )
    assert {each.name: each.leads for each in found} == {"fast": METRICS[:2], "cheap": METRICS[2:]}


def test_of_forty_profiles_that_are_alike_and_were_measured_once_a_handful_is_named() -> None:
    for seed in range(10):
        rng = random.Random(seed)
        alike = [measured(rng, f"candidate-{n}", FAST, 1, 0.15) for n in range(40)]
        known = measured(rng, "latency", FAST, 6, 0.15)
        found = names([BASELINE, known, *alike, measured(rng, "cheap", CHEAP, 3, 0.15)])
        assert "cheap" in found
        assert len(found) <= 3
        assert MOST_ON_FRONT >= 3


def test_a_lucky_block_puts_no_profile_before_one_that_is_known_well() -> None:
    rng = random.Random(2)
    alike = [measured(rng, f"candidate-{n}", FAST, 1) for n in range(30)]
    lucky = Seen("lucky", {metric: [cost - 0.15] for metric, cost in zip(METRICS, FAST, strict=True)})
    found = names([BASELINE, measured(rng, "latency", FAST, 8), *alike, lucky])
    assert found == ["default", "latency"]


def test_of_thousands_of_profiles_the_same_few_are_named_as_of_those_that_lead() -> None:
    rng = random.Random(4)
    ordinary = [measured(rng, f"ordinary-{n}", (0.2, 0.2, 0.2), 1) for n in range(2 * MOST_COMPARED)]
    leading = [BASELINE, measured(rng, "fast", FAST, 5), measured(rng, "cheap", CHEAP, 5)]
    assert set(names([*ordinary, *leading])) == {"fast", "cheap"}


def test_a_profile_between_two_leaders_is_named_with_what_it_has_over_each() -> None:
    rng = random.Random(3)
    between = (-1.0, -1.0, 0.2)
    found = handful([BASELINE, *(measured(rng, *each, 5) for each in (("fast", FAST), ("between", between)))], METRICS)
    (named,) = [each for each in found if each.name == "between"]
    assert named.leads == ()
    over = {other: metric for metric, other in named.better}
    assert over["fast"] == "cpu_s"
    assert over["default"] in METRICS[:2]


def test_more_than_a_handful_of_compromises_is_never_named() -> None:
    rng = random.Random(4)
    line = [measured(rng, f"p{n}", (-n / 5, -n / 5, n / 5), 6, 0.01) for n in range(1, 15)]
    assert len(names([BASELINE, *line])) == MOST_ON_FRONT


def field(costs: Mapping[str, tuple[float, ...]], blocks: int) -> Field:
    profiles = [
        Seen(name, {m: [cost] * blocks for m, cost in zip(METRICS, each, strict=True)}) for name, each in costs.items()
    ]
    return Field([BASELINE, *profiles], METRICS)


steps = st.integers(-20, 20).map(lambda step: step / 10)
truths = st.lists(st.tuples(steps, steps, steps), min_size=1, max_size=6)


@settings(deadline=None)
@given(truths, st.sampled_from([1, 4, 60]))
def test_dominance_is_irreflexive_and_asymmetric_and_the_front_is_never_empty(
    costs: list[tuple[float, ...]], blocks: int
) -> None:
    found = field({str(n): each for n, each in enumerate(costs)}, blocks)
    every = range(len(costs) + 1)
    assert not any(found.dominates(one, one) for one in every)
    assert not any(found.dominates(one, other) and found.dominates(other, one) for one in every for other in every)
    assert found.front()


@settings(deadline=None)
@given(truths)
def test_dominance_of_what_is_known_exactly_is_that_of_the_figures_and_so_transitive(
    costs: list[tuple[float, ...]],
) -> None:
    found = field({str(n): each for n, each in enumerate(costs)}, 10_000)
    known = [(0.0, 0.0, 0.0), *costs]
    for one, mine in enumerate(known):
        for other, theirs in enumerate(known):
            truly = mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))
            assert found.dominates(one, other) is truly


def test_a_group_measured_once_is_believed_to_be_one_and_another_far_away_stays_away() -> None:
    rng = random.Random(5)
    near = [rng.gauss(0.0, 0.1) for _ in range(30)]
    found = believed([*near, -2.0], [0.1] * 31)
    assert max(abs(mean) for mean in found.means()[:30]) < 0.07
    assert found.means()[30] == pytest.approx(-2.0, abs=0.1)
    assert found.weights.sum(axis=1) == pytest.approx([1.0] * 31)


def test_equal_values_are_surely_as_good_within_the_margin_and_seldom_better() -> None:
    found = believed([0.0, 0.0, 1.0], [0.001] * 3)
    as_good = found.at_most(INDIFFERENT)
    assert as_good[0, 1] == pytest.approx(1.0)
    assert (as_good[0, 2], as_good[2, 0]) == pytest.approx((1.0, 0.0))


def test_a_balanced_session_reports_its_front_with_names_and_reasons(tmp_path: Path) -> None:
    host = SimulatedHost(lambda environment: 3.0 if "XLIO_RX_POLL" in environment else 36.0)
    balanced = objective("balanced")
    # Two ping-pongs: the simulated host answers every mode alike.
    plan = replace(PLAN, objective=balanced, workloads=(balanced.workloads[0], balanced.workloads[0]))
    found = tune(tmp_path, host, plan)
    front = {row["profile"]: row for row in found["pareto"]}
    assert 1 <= len(front) <= MOST_ON_FRONT
    assert "default" not in front
    assert any("lowest p50" in row["why"] for row in front.values())
    assert set(METRICS) <= set(found["pareto"][0]["metrics"])
    store = Store(Results(tmp_path).url)
    assert "## Pareto front" in summary(store, store.session("latest"))


def test_a_front_that_an_earlier_release_stored_is_read(tmp_path: Path) -> None:
    described = tune(tmp_path, SimulatedHost(lambda _: 36.0), replace(PLAN, kind=Kind.COMPARE, known=PLAN.known[:1]))[
        "a"
    ]
    found = from_json(OnFront, json.loads(json.dumps(described)), "front")
    assert (found.described.profile, found.label, found.why) == ("default", "", "")
    assert to_json(found) == described | {"label": "", "why": ""}


def test_other_objectives_have_no_front(tmp_path: Path) -> None:
    assert "pareto" not in tune(tmp_path, SimulatedHost(lambda _: 36.0))
