"""The noise that goes in comes out, and what a budget is said to detect it does detect."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import linregress
from scipy.stats import t as student_t

from tuner.judging.noise import (
    FEWEST_RUNS,
    gain_spread,
    sampling_sd,
    spread,
)
from tuner.judging.power import normal_difference, smallest_difference
from tuner.judging.statistics import CONFIDENCE, gain, pooled_sd
from tuner.measurement import Measurement

RNG = random.Random


def times(count: int, step_s: float = 1.0) -> list[tuple[float, float]]:
    """Return the times of `count` pairs of runs that follow each other."""
    return [(2 * i * step_s, (2 * i + 1) * step_s) for i in range(count)]


def pairs(logs: list[float]) -> list[tuple[float, float]]:
    """Return values in pairs, from their logarithms in the order of the runs."""
    return [(36 * math.exp(a), 36 * math.exp(b)) for a, b in zip(logs[::2], logs[1::2], strict=True)]


def autoregressive(rng: RNG, phi: float, sd: float) -> Iterator[float]:
    """Yield an AR(1) process whose stationary spread is `sd`."""
    value = rng.gauss(0, sd)
    while True:
        yield value
        value = phi * value + rng.gauss(0, sd * math.sqrt(1 - phi * phi))


def test_independent_noise_is_found_and_has_nothing_in_common_inside_a_block() -> None:
    rng = RNG(1)
    found = spread(pairs([rng.gauss(0, 0.05) for _ in range(800)]), times(400))
    assert found.between_runs_sd == pytest.approx(0.05, rel=0.1)
    assert found.within_block_sd == pytest.approx(0.05, rel=0.1)
    assert found.correlation == pytest.approx(0.0, abs=0.1)
    assert found.pairing_helps is False
    assert found.median == pytest.approx(36.0, rel=0.01)
    assert found.runs == 800


def test_slow_drift_makes_the_runs_of_a_block_alike_so_that_pairing_helps() -> None:
    rng = RNG(2)
    slow = autoregressive(rng, 0.98, 0.06)
    found = spread(pairs([next(slow) + rng.gauss(0, 0.02) for _ in range(1000)]), times(500))
    # variance in common: 0.98 · 0.06² of 0.06² + 0.02²
    assert found.correlation == pytest.approx(0.88, abs=0.08)
    assert found.within_block_sd == pytest.approx(math.sqrt(0.02**2 + 0.02 * 0.06**2), rel=0.15)
    assert found.pairing_helps is True


def test_a_trend_is_found_with_its_slope() -> None:
    rng = RNG(3)
    found = spread(pairs([0.03 * i / 60 + rng.gauss(0, 0.01) for i in range(120)]), times(60))
    assert found.drift is not None
    assert not found.drift.low <= 0.0 <= found.drift.high
    assert found.drift.per_minute == pytest.approx(0.03, abs=0.005)


def test_no_trend_is_rarely_called_one() -> None:
    rng = RNG(4)
    found = [spread(pairs([rng.gauss(0, 0.03) for _ in range(24)]), times(12)).drift for _ in range(300)]
    assert sum(one is not None and not one.low <= 0.0 <= one.high for one in found) <= 30


def test_hiccups_are_counted_and_kept_out_of_the_bulk() -> None:
    rng = RNG(5)
    logs = [rng.gauss(0, 0.03) for _ in range(200)]
    struck = [value + (0.5 if index % 20 == 7 else 0.0) for index, value in enumerate(logs)]
    found = spread(pairs(struck), times(100))
    assert found.hiccups == 10
    assert found.between_runs_sd == pytest.approx(0.03, rel=0.15)


def test_normal_noise_has_hardly_any_hiccups() -> None:
    rng = RNG(6)
    found = [spread(pairs([rng.gauss(0, 0.05) for _ in range(12)]), times(6)).hiccups for _ in range(300)]
    assert sum(found) / (12 * 300) < 0.02


def test_two_pairs_are_too_few_for_correlation_drift_and_hiccups() -> None:
    found = spread([(30.0, 31.0), (30.5, 60.0)], times(2))
    assert (found.correlation, found.pairing_helps, found.drift, found.hiccups) == (None, None, None, 0)
    assert found.runs < FEWEST_RUNS


@given(st.lists(st.tuples(*[st.floats(min_value=1e-3, max_value=1e9)] * 2), min_size=1, max_size=30))
def test_whatever_is_measured_has_a_finite_spread(values: list[tuple[float, float]]) -> None:
    found = spread(values, times(len(values)))
    numbers = [found.between_runs_sd, found.within_block_sd, found.correlation]
    assert all(number is None or math.isfinite(number) for number in numbers)
    assert found.correlation is None or -1.000001 <= found.correlation <= 1.000001
    assert 0 <= found.hiccups <= found.runs


def test_the_spread_of_gains_over_itself_uses_that_their_mean_is_zero() -> None:
    found = gain_spread([0.1, -0.1, 0.1, 0.1])
    assert found.sd == pytest.approx(0.1)
    assert found.degrees == 4


def test_gains_of_other_profiles_add_what_they_spread_about_their_own_mean() -> None:
    found = gain_spread([0.1, -0.1], [[1.0, 1.2], [3.0], [2.0, 2.1, 2.2]])
    assert found.sd == pytest.approx(math.sqrt((0.02 + 0.02 + 0.02) / 5))
    assert found.degrees == 5


def test_the_blocks_that_judge_tame_a_calibration_of_two_pairs() -> None:
    rng = RNG(11)

    def factors(judging: int) -> list[float]:
        pairs = [[rng.gauss(0, 0.1) for _ in range(2)] for _ in range(400)]
        return [gain_spread(two, [[rng.gauss(0.3, 0.1) for _ in range(judging)]]).sd / 0.1 for two in pairs]

    alone, together = (max(factors(judging)) for judging in (1, 6))
    assert together < alone
    assert sorted(abs(math.log(each)) for each in factors(6))[360] < math.log(1.7)
    assert sorted(abs(math.log(each)) for each in factors(1))[360] > math.log(2)


def test_the_interval_of_a_spread_covers_it() -> None:
    rng = RNG(7)
    found = [gain_spread([rng.gauss(0, 0.06) for _ in range(6)]).interval() for _ in range(1000)]
    assert 0.93 <= sum(low <= 0.06 <= high for low, high in found) / 1000 <= 0.97


def test_with_many_blocks_the_smallest_difference_is_the_textbooks() -> None:
    assert smallest_difference(0.05, 5000) == pytest.approx(math.sqrt(7.84 / 5000) * 0.05, rel=0.005)
    assert normal_difference(0.06, 8) == pytest.approx(math.sqrt(7.84 * 0.06**2 / 8))
    assert smallest_difference(0.05, 5, judged=3) > smallest_difference(0.05, 5) > normal_difference(0.05, 5)
    assert smallest_difference(0.05, 1) == math.inf


@pytest.mark.parametrize(("blocks", "judged"), [(5, 1), (6, 3), (20, 3)])
def test_what_is_said_to_be_detectable_is_found_in_about_80_percent(blocks: int, judged: int) -> None:
    rng = RNG(8)
    truth = smallest_difference(0.07, blocks, judged)
    found = [gain([rng.gauss(truth, 0.07) for _ in range(blocks)], judged).low > 1.0 for _ in range(1500)]
    assert 0.75 <= sum(found) / 1500 <= 0.9


def test_the_error_of_a_median_shrinks_with_the_messages_and_is_unknown_without_quartiles() -> None:
    rng = RNG(9)
    run = Measurement(latency_p25_us=9.5, latency_p50_us=10.0, latency_p75_us=10.5, observations=400)
    # Normal latencies with these quartiles have a standard deviation of 1 / 1.349.
    medians = [sorted(rng.gauss(10, 1 / 1.349) for _ in range(401))[200] for _ in range(400)]
    mean = sum(medians) / 400
    measured = math.sqrt(sum((value - mean) ** 2 for value in medians) / 399) / 10
    assert sampling_sd(run) == pytest.approx(measured, rel=0.2)
    assert sampling_sd(replace(run, latency_p25_us=None)) is None
    assert sampling_sd(Measurement()) is None


def test_a_measured_spread_replaces_the_assumed_one_and_is_never_nothing() -> None:
    quiet = pooled_sd([], [0.02, -0.02])
    assert quiet == pytest.approx(0.02)
    assert quiet < pooled_sd([])
    assert pooled_sd([[1.0, 1.1]], [0.02, -0.02]) > quiet
    assert pooled_sd([], [0.0, 0.0]) > 0


def test_the_interval_of_a_trend_is_the_one_of_least_squares() -> None:
    rng = RNG(4)
    logs = [0.02 * number + rng.gauss(0, 0.05) for number in range(FEWEST_RUNS)]
    found = spread(pairs(logs), times(FEWEST_RUNS // 2, 30.0)).drift
    line = linregress([0.5 * number for number in range(FEWEST_RUNS)], logs)
    half = student_t.ppf(0.5 + CONFIDENCE / 2, FEWEST_RUNS - 2) * line.stderr
    assert found is not None
    assert (found.per_minute, found.low, found.high) == pytest.approx(
        (line.slope, line.slope - half, line.slope + half)
    )
