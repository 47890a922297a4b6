"""The statistics of decisions: intervals cover what they say, and claims follow from data."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.judging import pair_means, statistics
from tuner.judging.statistics import (
    Gain,
    as_claimed,
    blocks_for,
    detectable,
    gain,
    mean_interval,
    median_interval,
    pooled_sd,
    promise,
    signed_rank,
    signed_rank_interval,
    student_quantile,
)

_FINITE = st.floats(min_value=-1e6, max_value=1e6)


def test_students_quantile_agrees_with_the_printed_tables() -> None:
    assert student_quantile(0.975, 4) == pytest.approx(2.776, abs=1e-3)
    assert student_quantile(0.95, 9) == pytest.approx(1.833, abs=1e-3)


def test_the_interval_of_one_value_is_unbounded() -> None:
    found = mean_interval([1.0])
    assert (found.low, found.high, found.count) == (-math.inf, math.inf, 1)


def test_the_95_percent_interval_of_a_mean_covers_it_in_93_to_97_percent_of_small_samples() -> None:
    rng = random.Random(7)
    samples = [mean_interval([rng.gauss(0.3, 0.1) for _ in range(5)]) for _ in range(2000)]
    covered = sum(found.low <= 0.3 <= found.high for found in samples) / 2000
    assert 0.93 <= covered <= 0.97


def test_judging_more_profiles_widens_each_interval() -> None:
    alone, together = gain([0.1, 0.2, 0.3]), gain([0.1, 0.2, 0.3], judged=3)
    assert alone.ratio == together.ratio
    assert together.low < alone.low < alone.high < together.high


@pytest.mark.parametrize(("count", "critical"), [(6, 0), (8, 3), (10, 8), (15, 25), (20, 52)])
def test_the_signed_rank_interval_uses_the_printed_critical_values(count: int, critical: int) -> None:
    # Two-sided 5 % values of Wilcoxon's T: the interval ends at the mean of pairs after as many smaller ones.
    values = [2.0**power for power in range(count)]
    found = signed_rank_interval(values)
    assert found is not None
    means = sorted((values[i] + values[j]) / 2 for i in range(count) for j in range(i + 1))
    assert (found.low, found.high) == (means[critical], means[-1 - critical])


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40), st.data())
def test_a_mean_of_pairs_is_found_without_making_them_all(values: list[float], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(values) * (len(values) + 1) // 2 - 1))
    made = pair_means.by_place(values)(place)
    found = pair_means._found(sorted(values), place)
    assert found == pytest.approx(made, rel=1e-12, abs=1e-9)


def test_the_interval_of_thousands_of_values_is_that_of_all_their_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(8)
    values = [rng.gauss(0.1, 0.2) for _ in range(600)]
    found = signed_rank_interval(values)
    monkeypatch.setattr(pair_means, "MOST_MADE", 1000)
    made = signed_rank_interval(values)
    assert found is not None
    assert made is not None
    assert [found.value, found.low, found.high] == pytest.approx([made.value, made.low, made.high], rel=1e-12)


def test_too_few_values_have_no_signed_rank_interval_and_a_gain_takes_students() -> None:
    values = [0.1, 0.2, 0.35, 0.3, 0.15]
    assert signed_rank_interval(values) is None
    assert math.log(gain(values).ratio) == pytest.approx(0.22)
    assert signed_rank_interval([*values, 0.2]) is not None
    assert signed_rank_interval([*values, 0.2], 0.99) is None


def heavy(rng: random.Random, count: int) -> list[float]:
    """Return values of symmetric noise so heavy that their variance is infinite, around 0.3."""
    return [0.3 + 0.1 * rng.gauss(0, 1) / math.sqrt(rng.expovariate(1.0)) for _ in range(count)]


@pytest.mark.parametrize("count", [6, 10, 20])
def test_a_gain_covers_the_truth_however_heavy_the_tails_are(count: int) -> None:
    rng = random.Random(3)
    found = [gain(heavy(rng, count)) for _ in range(1000)]
    covered = sum(one.low <= math.exp(0.3) <= one.high for one in found) / 1000
    assert 0.93 <= covered <= 0.98


def test_under_heavy_tails_the_signed_rank_interval_is_narrower_than_students() -> None:
    rng = random.Random(5)
    samples = [heavy(rng, 20) for _ in range(200)]
    narrower = [gain(values).high / gain(values).low < math.exp(2 * _half(values)) for values in samples]
    assert sum(narrower) > 150


def _half(values: list[float]) -> float:
    return mean_interval(values).high - mean_interval(values).value


def test_the_detectable_gain_is_detected_in_about_four_of_five_cases() -> None:
    rng = random.Random(9)
    least = sum(detectable(gain([rng.gauss(0, 0.1) for _ in range(20)])) for _ in range(300)) / 300
    found = [gain([least + rng.gauss(0, 0.1) for _ in range(20)]) for _ in range(1000)]
    assert 0.75 <= sum(one.low > 1.0 for one in found) / 1000 <= 0.87


@given(st.floats(min_value=1e-6, max_value=2), st.floats(min_value=1e-6, max_value=2))
def test_a_claimed_gain_is_never_above_its_estimate_nor_below_its_interval(low: float, half: float) -> None:
    found = Gain(math.exp(low + half), math.exp(low), math.exp(low + 2 * half), 9, 0.95)
    assert found.low <= as_claimed(found).ratio * (1 + 1e-9)
    assert as_claimed(found).ratio <= found.ratio


def test_a_gain_of_many_standard_errors_is_claimed_as_it_was_estimated() -> None:
    found = Gain(3.0, 2.8, 3.2, 9, 0.95)
    assert as_claimed(found).ratio == pytest.approx(3.0, rel=1e-6)


def test_claims_overstate_less_than_the_estimates_that_passed_the_bar() -> None:
    rng = random.Random(13)
    found = [gain([0.05 + rng.gauss(0, 0.1) for _ in range(20)]) for _ in range(2000)]
    claims = [one for one in found if one.low > 1.0]
    raw, claimed = (
        sum(math.log(one.ratio) for one in ones) / len(ones) - 0.05
        for ones in (claims, [as_claimed(one) for one in claims])
    )
    assert raw > 0.01
    assert abs(claimed) < raw / 2


def test_half_the_gain_needs_four_times_the_blocks() -> None:
    found = gain([0.1, 0.2, 0.0, -0.1, 0.05, 0.3])
    assert blocks_for(found, 0.05) == pytest.approx(4 * blocks_for(found, 0.1))
    assert detectable(gain([0.1])) == math.inf


@given(st.lists(_FINITE, min_size=1, max_size=60))
def test_a_median_lies_inside_its_interval_and_the_interval_among_the_values(values: list[float]) -> None:
    found = median_interval(values)
    assert min(values) <= found.low <= found.value <= found.high <= max(values)
    assert found.count == len(values)


def test_a_median_of_many_thousands_has_its_interval_too() -> None:
    found = median_interval([float(value) for value in range(40_001)])
    assert found.value == 20_000.0
    assert 0.95 <= found.confidence <= 0.951
    assert 20_000 - found.low == found.high - 20_000 == pytest.approx(0.98 * math.sqrt(40_001), rel=0.01)


def test_the_interval_of_a_median_covers_it_at_least_as_often_as_it_says() -> None:
    rng = random.Random(11)
    found = [median_interval([rng.expovariate(1.0) for _ in range(9)]) for _ in range(2000)]
    covered = sum(one.low <= math.log(2) <= one.high for one in found) / 2000
    assert found[0].confidence >= 0.95
    assert covered >= 0.94


def test_too_few_values_say_what_their_range_covers() -> None:
    assert median_interval([1.0, 2.0, 3.0]).confidence == pytest.approx(0.75)
    assert median_interval([1.0]).confidence == 0.0


def test_the_pooled_spread_follows_the_replicated_profiles_and_not_the_single_ones() -> None:
    quiet = pooled_sd([[0.5], [1.0, 1.001], [0.2, 0.2005, 0.1995]])
    wild = pooled_sd([[0.5], [1.0, 2.0], [0.2, 0.9, 1.5]])
    assert quiet < pooled_sd([]) < wild


def test_the_pooled_spread_is_that_of_the_printed_formula() -> None:
    # 0.1² twice around a mean of 0; (0 - 0.1)² + (0.2 - 0.1)² around a mean of their own: 0.04 over 2 + 1 degrees of freedom.
    assert pooled_sd([[0.0, 0.2], [5.0]], [0.1, -0.1]) == pytest.approx(math.sqrt(0.04 / 3))


@given(st.lists(_FINITE, min_size=1, max_size=20), st.floats(min_value=0, max_value=100))
def test_more_blocks_bring_the_two_views_of_a_gain_together(values: list[float], sd: float) -> None:
    low, high = promise(values, sd)
    low4, high4 = promise(values * 4, sd)
    assert high4 - low4 <= high - low + 1e-9 * max(1.0, abs(high), abs(low))


@pytest.mark.parametrize("tail", [0.025, 0.005])
def test_the_normal_limit_of_signed_ranks_takes_over_where_it_agrees(
    tail: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = statistics.MOST_EXACT
    exact = statistics._signed_rank_quantile(count, tail)
    statistics._signed_rank_quantile.cache_clear()
    monkeypatch.setattr(statistics, "MOST_EXACT", count - 1)
    limit = statistics._signed_rank_quantile(count, tail)
    statistics._signed_rank_quantile.cache_clear()
    assert limit == pytest.approx(exact, rel=0.005)


@pytest.mark.parametrize("count", [6, 7])
def test_the_centre_is_the_median_of_the_means_of_all_pairs(count: int) -> None:
    values = [2.0**power for power in range(count)]
    means = sorted((one + other) / 2 for at, one in enumerate(values) for other in values[at:])
    found = signed_rank_interval(values)
    assert found is not None
    assert found.value == (means[(len(means) - 1) // 2] + means[len(means) // 2]) / 2


@given(st.lists(st.integers(-60, 60), min_size=6, max_size=40), st.integers(-60, 60))
def test_the_side_of_a_value_is_that_of_the_signed_rank_interval(whole: list[int], centre: int) -> None:
    values = [float(each) for each in whole]
    found = signed_rank_interval(values)
    assert found is not None
    assert signed_rank(values, centre) == (found.low > centre) - (found.high < centre)
