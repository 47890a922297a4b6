"""An SLO is read in one grammar, everything wrong with it is said at once, and a run holds it or does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import UsageError
from tuner.judging.metrics import HELD_RATE
from tuner.judging.objective import objective
from tuner.judging.slo import METRICS, UNITS_US, Limit, holds, parse, redundant, spoken

some_limits = st.lists(
    st.builds(Limit, st.sampled_from(sorted(METRICS)), st.integers(1, 10**6).map(float), st.booleans()),
    min_size=1,
    max_size=4,
    unique_by=lambda limit: limit.metric,
)


@given(limits=some_limits)
def test_what_is_spoken_is_read_again_as_it_was(limits: list[Limit]) -> None:
    assert parse(spoken(limits)) == tuple(limits)
    assert spoken(parse(spoken(limits))) == spoken(limits)


@given(text=st.text(st.sampled_from("max rte whp<>=059.usmnd µ-")))
def test_any_text_is_limits_or_a_usage_error(text: str) -> None:
    try:
        limits = parse(f"max rate where {text}")
    except UsageError:
        return
    assert limits
    assert all(limit.limit_us > 0 for limit in limits)


@pytest.mark.parametrize(
    ("text", "limit_us"),
    [("50us", 50.0), ("50", 50.0), ("50 us", 50.0), ("0.5ms", 500.0), ("800ns", 0.8), ("50µs", 50.0), ("2MS", 2000.0)],
)
def test_a_limit_may_have_any_unit_of_time(text: str, limit_us: float) -> None:
    (limit,) = parse(f"max rate where p99<{text}")
    assert (limit.metric, limit.inclusive) == ("p99", False)
    assert limit.limit_us == pytest.approx(limit_us)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max rat where p99 < 5us", ["'rate' was expected instead of 'rat'"]),
        ("max rate", ["'where' was expected instead of 'the end'"]),
        ("max rate where", ["nothing", "is not a limit"]),
        ("max rate where p99", ["p99", "is not a limit"]),
        ("max rate where p98 < 5us", ["unknown metric 'p98'", "did you mean p9"]),
        ("max rate where p99 < 5 lightyears", ["unknown unit 'lightyears'", "known: ms, ns, us"]),
        ("max rate where p99 < 5uss", ["unknown unit 'uss'", "did you mean us?"]),
        ("max rate where p99 < 0us", ["no latency is 0 or less"]),
        ("max rate where p99 < -5us", ["no latency is 0 or less"]),
        ("max rate where p99 < fast", ["'fast' is not a latency"]),
        ("max rate where p99 < 10us and p50 > 20us", ["contradicts the search", "upper bound"]),
        ("max rate where p99 < 10us and p99 < 20us", ["limited twice"]),
        ("max rate where p98 < 1us and p50 > 2us and max < 3h", ["'p98'", "'>'", "'h'"]),
    ],
)
def test_what_is_wrong_is_said_with_the_nearest_right_thing(text: str, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        objective(text)
    said = " ".join([caught.value.message, caught.value.advice, *map(str, caught.value.findings)])
    assert [word for word in words if word not in said] == []
    assert "for example" in said


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("p50 < 5us and p99 < 3us", ["p50 < 5us has no effect beside p99 < 3us: p50 is never above p99"]),
        ("p99 < 3us and p50 < 5us", ["p50 < 5us has no effect beside p99 < 3us: p50 is never above p99"]),
        ("p99 <= 3us and p50 < 3us", []),
        ("p99 < 3us and p50 <= 3us", ["p50 <= 3us has no effect beside p99 < 3us: p50 is never above p99"]),
        ("p50 < 3us and p99 < 5us", []),
        ("mean < 9us and p99 < 5us", []),
    ],
)
def test_a_limit_that_follows_from_another_is_named(text: str, lines: list[str]) -> None:
    assert redundant(parse(f"max rate where {text}")) == lines


def test_a_run_holds_its_limits_only_with_what_was_offered_received() -> None:
    limits = parse("max rate where p99 < 50us and max <= 60us")
    good = {"latency_p99_corrected_us": 49.0, "latency_max_corrected_us": 60.0, "rate_mps": 9_900.0}
    assert holds(limits, good, 10_000)
    assert not holds(limits, good | {"rate_mps": 9_899.0}, 10_000)
    assert not holds(limits, good | {"latency_p99_corrected_us": 50.0}, 10_000)
    assert not holds(limits, {name: value for name, value in good.items() if "max" not in name}, 10_000)


def test_the_raw_figure_does_not_hold_a_limit() -> None:
    assert not holds(parse("max rate where p99 < 50us"), {"latency_p99_us": 1.0, "rate_mps": 1e4}, 10_000)


@pytest.mark.parametrize("unit", UNITS_US)
def test_every_unit_is_read(unit: str) -> None:
    assert parse(f"max rate where mean < 7{unit}")[0].limit_us == pytest.approx(7 * UNITS_US[unit])


def test_the_gain_is_the_ratio_of_the_rates_and_a_rate_of_nothing_counts_as_the_least() -> None:
    goal = objective("max rate where p99 < 50us")
    assert goal.gain({HELD_RATE: 1e4}, {HELD_RATE: 2e4}) == pytest.approx(0.693, abs=1e-3)
    assert goal.gain({HELD_RATE: 0.0}, {HELD_RATE: 1e3}) == pytest.approx(2.303, abs=1e-3)
    assert goal.gain({HELD_RATE: 0.0}, {HELD_RATE: 0.0}) == 0.0
    assert goal.gain({}, {HELD_RATE: 1e3}) is None
