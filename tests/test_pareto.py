"""The Pareto front has what nothing beats in everything, and doubt keeps a point on it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessions import PLAN, tune

from tuner.judging.objective import objective
from tuner.judging.pareto import Point, dominates, front, point
from tuner.report.summary import summary
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.store import Store

SDS = {"latency_p50_us": 0.02, "rate_mps": 0.02, "cpu_s": 0.02}


def made(name: str, latency_us: float, rate_mps: float, cpu_s: float, runs: int = 4) -> Point:
    values = {"latency_p50_us": (latency_us, runs), "rate_mps": (rate_mps, runs), "cpu_s": (cpu_s, runs)}
    found = point(name, values, SDS)
    assert found is not None
    return found


def names(*points: Point) -> list[str]:
    return [each.name for each in front(points)]


def test_a_profile_that_is_clearly_worse_in_everything_is_not_on_the_front() -> None:
    assert names(made("fast", 3, 300, 2), made("cheap", 30, 30, 1), made("worse", 31, 20, 2.5)) == ["fast", "cheap"]


def test_a_difference_inside_the_intervals_keeps_both() -> None:
    assert names(made("one", 3.00, 300, 1), made("other", 3.03, 299, 1.01)) == ["one", "other"]
    assert names(made("one", 3.00, 300, 1), made("other", 3.30, 299, 1.01)) == ["one"]


def test_few_runs_are_not_clear() -> None:
    assert names(made("one", 3.0, 300, 1), made("other", 3.1, 290, 1.05, runs=1)) == ["one", "other"]
    assert names(made("one", 3.0, 300, 1, runs=60), made("other", 3.1, 290, 1.05, runs=60)) == ["one"]


def test_a_profile_without_a_metric_is_no_point() -> None:
    assert point("x", {"latency_p50_us": (3.0, 2)}, SDS) is None


def test_a_spread_that_is_not_known_makes_nothing_clear() -> None:
    values = {"latency_p50_us": (3.0, 1)}
    good = point("good", values, {"latency_p50_us": math.inf})
    bad = point("bad", {"latency_p50_us": (9.0, 1)}, {"latency_p50_us": math.inf})
    assert good
    assert bad
    assert not dominates(good, bad)


some = st.floats(0.1, 1000.0)


@given(st.lists(st.builds(made, st.uuids().map(str), some, some, some), min_size=1, max_size=8))
def test_the_front_is_never_empty_and_nothing_on_it_is_dominated(points: list[Point]) -> None:
    kept = front(points)
    assert kept
    assert not any(dominates(one, other) for one in kept for other in kept)
    assert all(one in kept or any(dominates(other, one) for other in points) for one in points)


def test_a_balanced_session_reports_its_front(tmp_path: Path) -> None:
    host = SimulatedHost(lambda environment: 3.0 if "XLIO_RX_POLL" in environment else 36.0)
    balanced = objective("balanced")
    # Two ping-pongs: the simulated host answers every mode alike.
    plan = replace(PLAN, objective=balanced, workloads=(balanced.workloads[0], balanced.workloads[0]))
    found = tune(tmp_path, host, plan)
    front_names = {row["profile"] for row in found["pareto"]}
    assert "default" not in front_names
    assert front_names
    assert set(found["pareto"][0]["metrics"]) >= set(SDS)
    store = Store(Results(tmp_path).url)
    assert "## Pareto front" in summary(store, store.session("latest"))


def test_other_objectives_have_no_front(tmp_path: Path) -> None:
    assert "pareto" not in tune(tmp_path, SimulatedHost(lambda _: 36.0))


@pytest.mark.parametrize("cpu_s", [0.5, 1.0])
def test_cheaper_in_one_metric_alone_is_enough_for_the_front(cpu_s: float) -> None:
    assert names(made("a", 3, 300, 2), made("b", 30, 30, cpu_s)) == ["a", "b"]
