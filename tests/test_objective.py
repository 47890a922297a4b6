"""An objective is a rule from metrics to one number: symmetric, scale-free, and silent where a metric is missing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import UsageError
from tuner.judging.objective import OBJECTIVES, Objective, named_by, objective
from tuner.runs.workload_checks import problems

_POSITIVE = st.floats(min_value=1e-3, max_value=1e9)
every_objective = pytest.mark.parametrize("one", OBJECTIVES.values(), ids=OBJECTIVES)


def metrics_of(one: Objective, value: float) -> dict[str, float]:
    return {term.metric: value for term in one.terms}


@every_objective
def test_the_weights_sum_to_one(one: Objective) -> None:
    assert math.fsum(term.weight for term in one.terms) == pytest.approx(1.0)


@every_objective
def test_every_term_names_a_workload_that_is_measured(one: Objective) -> None:
    assert all(term.workload < len(one.workloads) for term in one.terms)
    assert all(problems(workload) == [] for workload in one.workloads)


@every_objective
@given(base=_POSITIVE, cand=_POSITIVE)
def test_a_gain_turned_round_has_the_opposite_sign(one: Objective, base: float, cand: float) -> None:
    there = one.gain(metrics_of(one, base), metrics_of(one, cand))
    back = one.gain(metrics_of(one, cand), metrics_of(one, base))
    assert there is not None
    assert back is not None
    assert there == pytest.approx(-back, abs=1e-12)


def test_half_the_latency_is_twice_as_good() -> None:
    latency = objective("latency")
    assert math.exp(latency.gain(metrics_of(latency, 40.0), metrics_of(latency, 20.0)) or 0.0) == pytest.approx(2.0)


def test_twice_the_rate_is_twice_as_good() -> None:
    throughput = objective("throughput")
    assert math.exp(throughput.gain({"rate_mps": 1e5}, {"rate_mps": 2e5}) or 0.0) == pytest.approx(2.0)


@every_objective
def test_a_missing_or_zero_metric_gives_no_gain(one: Objective) -> None:
    whole = metrics_of(one, 5.0)
    for term in one.terms:
        assert one.gain(whole, {k: v for k, v in whole.items() if k != term.metric}) is None
        assert one.gain({**whole, term.metric: 0.0}, whole) is None


def test_an_unknown_objective_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        objective("latancy")
    assert caught.value.advice == "did you mean latency?"


@pytest.mark.parametrize(
    ("profile", "goal"),
    [
        ("latency", "latency"),
        ("multi_ring_latency", "latency"),
        ("nginx_dpu", "throughput"),
        ("tail", "tail"),
        ("", "latency"),
    ],
)
def test_a_profiles_name_means_an_objective(profile: str, goal: str) -> None:
    assert named_by(profile) == goal


@every_objective
def test_without_some_terms_the_weights_of_the_others_sum_to_one(one: Objective) -> None:
    first = one.terms[0].metric
    rest = one.without({first})
    assert first not in [term.metric for term in rest.terms]
    assert math.fsum(term.weight for term in rest.terms) == pytest.approx(1.0 if rest.terms else 0.0)
