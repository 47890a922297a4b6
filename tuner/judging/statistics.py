"""The statistics of decisions: intervals for gains, intervals for medians, and who deserves another look.

Gains are log ratios taken inside blocks, so that what disturbs a whole block cancels. Runs have heavy tails and
hiccups, which a mean follows and a median of pairs does not; the noise of a ratio of two runs in random order is
symmetric, however heavy its tails. So a gain is the Hodges–Lehmann estimate with the interval of Wilcoxon's signed
ranks, which is exact for every symmetric noise; with too few blocks for that it is a mean with Student's interval
(Gosset 1908). Where several profiles are judged at once, intervals are corrected for their number (Bonferroni).
Percentiles of several runs are never averaged: a profile's value is the median of its runs with the
distribution-free interval of order statistics (David & Nagaraja, Order Statistics, 3rd ed., 7.1).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from typing import Final

from tuner.judging.pair_means import by_place

CONFIDENCE: Final = 0.95
# The spread of one block's gain that is assumed until replicated profiles have shown their own.
PRIOR_SD: Final = 0.15
PRIOR_WEIGHT: Final = 2.0
# Two runs may agree by luck; no host is quieter than this, and an optimizer that is told of no noise believes all.
LEAST_SD: Final = 0.005
POWER: Final = 0.8
# The exact distribution takes time with the cube of the number of values: half a minute at a thousand.
MOST_EXACT: Final = 150
_HALVINGS: Final = 40


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval and the number of runs or blocks behind it.

    `low` and `high` are infinite where there are too few for an interval at `confidence`.

    >>> p99_us = tuner.measure("latency", runs=6).metrics["latency_p99_us"]
    >>> p99_us.low <= p99_us.value <= p99_us.high, p99_us.count
    (True, 6)
    """

    value: float
    low: float
    high: float
    count: int
    confidence: float = CONFIDENCE


@dataclass(frozen=True, slots=True)
class Gain:
    """How many times better a profile is than the baseline: `exp` of a mean log ratio and of its interval.

    >>> gain = tuner.compare("default", "latency").gain
    >>> 1.0 < gain.low <= gain.ratio <= gain.high, gain.confidence
    (True, 0.95)
    """

    ratio: float
    low: float
    high: float
    blocks: int
    confidence: float


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Return the mean of `values` with its Student interval; the interval of one value is infinite."""
    mean = statistics.fmean(values)
    if len(values) == 1:
        return Estimate(mean, -math.inf, math.inf, len(values), confidence)
    half = student_quantile(0.5 + confidence / 2, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return Estimate(mean, mean - half, mean + half, len(values), confidence)


def as_claimed(found: Gain) -> Gain:
    """Return a gain whose interval excludes 1 with the ratio that is right for gains that are told only if it does.

    What is claimed has passed a bar, so those claims whose error was upwards are too many (Zhong & Prentice 2008,
    Bias-reduced estimators … after the "winner's curse"). The ratio becomes the median-unbiased one under that
    condition: the truth μ at which half of the estimates beyond the bar h are beyond this one, x; P(X > x) = P(X > h)/2,
    with normal X of the standard error that the interval shows. It changes gains of many standard errors by nothing, and
    never leaves the interval, which stays as it is.
    """
    half = math.log(found.ratio) - math.log(found.low)
    normal = statistics.NormalDist()
    reach = normal.inv_cdf(0.5 + found.confidence / 2)
    if half <= 0.0:
        return found
    beyond = reach * math.log(found.low) / half
    low, high = 0.0, reach
    for _ in range(_HALVINGS):
        shift = (low + high) / 2
        too_small = normal.cdf(-shift) > normal.cdf(beyond - shift) / 2
        low, high = (shift, high) if too_small else (low, shift)
    return replace(found, ratio=found.ratio * math.exp(-high * half / reach))


def signed_rank_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate | None:
    """Return the centre of `values` and the interval that covers it at least at `confidence`, None with too few values.

    The centre is the median of the means of all pairs, each value with itself among them (Hodges & Lehmann 1963); the
    interval ends at two of those means, chosen by the exact distribution of Wilcoxon's signed-rank statistic (Hollander,
    Wolfe & Chicken, Nonparametric Statistical Methods, 3rd ed., 3.2 and 3.3). Supposes symmetric noise, and no more.
    """
    rank = _signed_rank_quantile(len(values), (1 - confidence) / 2)
    if rank == 0:
        return None
    mean, count = by_place(values), len(values) * (len(values) + 1) // 2
    centre = (mean((count - 1) // 2) + mean(count // 2)) / 2
    return Estimate(centre, mean(rank - 1), mean(count - rank), len(values), confidence)


def signed_rank(values: Sequence[float], centre: float, confidence: float = CONFIDENCE) -> int:
    """Return on which side of `centre` the interval of `signed_rank_interval` lies: 1 above, −1 below, 0 where it holds it.

    The same without the interval, in the time of sorting: as many means of pairs are at most `centre` as the ranks of
    the values below it have in sum, ranked by their distance from it (same book, 3.1).
    """
    rank = _signed_rank_quantile(len(values), (1 - confidence) / 2)
    away = [value - centre for value in values]
    return (_means_until_zero(away) < rank) - (_means_until_zero([-each for each in away]) < rank)


def _means_until_zero(values: Sequence[float]) -> int:
    """Return how many means of pairs are at most 0."""
    ordered = sorted(values, key=lambda value: (abs(value), value <= 0.0))
    return sum(rank for rank, value in enumerate(ordered, start=1) if value <= 0.0)


@cache
def _signed_rank_quantile(count: int, tail: float) -> int:
    """Return how many values of the signed-rank statistic, counted from 0, together have at most the chance `tail`.

    Beyond `MOST_EXACT` by its normal limit (same book, 3.1), which errs by less than its rounding down there.
    """
    if count > MOST_EXACT:
        spread = math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
        return int(count * (count + 1) / 4 + statistics.NormalDist().inv_cdf(tail) * spread)
    ways = [1]
    for rank in range(1, count + 1):
        longer = ways + [0] * rank
        ways = [here + (longer[at - rank] if at >= rank else 0) for at, here in enumerate(longer)]
    return sum(below <= tail * 2**count for below in accumulate(ways[: len(ways) // 2]))


def detectable(found: Gain) -> float:
    """Return the smallest gain, as a log ratio, that as many blocks of this spread show at 80 % power.

    A true difference must exceed the half width of the interval by as much as an estimate falls short of the truth in
    one case of five: δ = (z₀.₉₇₅ + z₀.₈) · standard error (e.g. Chow, Shao & Wang, Sample Size Calculations, 3.2).
    """
    normal = statistics.NormalDist()
    reach = 1 + normal.inv_cdf(POWER) / normal.inv_cdf(0.5 + found.confidence / 2)
    return reach * (math.log(found.high) - math.log(found.low)) / 2 if found.low > 0.0 else math.inf


def blocks_for(found: Gain, log_ratio: float) -> float:
    """Return how many blocks would detect a gain of `log_ratio` at 80 % power, infinite where the spread is unknown."""
    return found.blocks * (detectable(found) / log_ratio) ** 2


def student_quantile(probability: float, degrees: float) -> float:
    """Return the quantile of Student's t distribution with `degrees` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, probability))


def gain(log_ratios: Sequence[float], judged: int = 1, confidence: float = CONFIDENCE) -> Gain:
    """Return the gain whose interval holds for all of `judged` profiles together at `confidence` (Bonferroni).

    With 6 blocks and more (at 95 %) it is `signed_rank_interval`, with fewer `mean_interval`.
    """
    single = 1 - (1 - confidence) / max(judged, 1)
    found = signed_rank_interval(log_ratios, single) or mean_interval(log_ratios, single)
    return Gain(math.exp(found.value), math.exp(found.low), _exp(found.high), found.count, confidence)


def _exp(value: float) -> float:
    return math.inf if value == math.inf else math.exp(value)


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Return the median with the interval of order statistics that covers it at least at `confidence`.

    With too few values for that (fewer than 6 at 95 %) the interval is their range and `confidence` says
    what that range does cover: 1 − 2^(1−n).
    """
    ordered = sorted(values)
    rank = _lower_rank(len(ordered), confidence)
    covered = _coverage(len(ordered), rank)
    return Estimate(statistics.median(ordered), ordered[rank], ordered[-1 - rank], len(ordered), covered)


def _lower_rank(count: int, confidence: float) -> int:
    wide_enough = (rank for rank in range(count // 2, 0, -1) if _coverage(count, rank) >= confidence)
    return next(wide_enough, 0)


def _coverage(count: int, rank: int) -> float:
    """Return how surely the median lies between the order statistics `rank` and `count − 1 − rank` (from 0)."""
    from scipy.special import bdtr

    return max(0.0, 1.0 - 2.0 * float(bdtr(rank, count, 0.5)))


def pooled_sd(groups: Iterable[Sequence[float]], over_itself: Sequence[float] = ()) -> float:
    """Return the spread of one block's gain, pooled over replicated profiles and what was known before them.

    That is the gains of a profile `over_itself`, whose mean is zero; a weak prior where there are none.
    """
    replicated = [values for values in groups if len(values) > 1]
    squares = math.fsum(statistics.variance(values) * (len(values) - 1) for values in replicated)
    return spread_of(squares, sum(len(values) - 1 for values in replicated), over_itself)


def spread_of(squares: float, degrees: int, over_itself: Sequence[float] = ()) -> float:
    """Return the same from the squares of the distances of gains from their profile's mean, in sum, and their degrees of freedom."""
    if over_itself:
        return max(
            LEAST_SD, math.sqrt((squares + math.fsum(value**2 for value in over_itself)) / (degrees + len(over_itself)))
        )
    return max(LEAST_SD, math.sqrt((squares + PRIOR_WEIGHT * PRIOR_SD**2) / (degrees + PRIOR_WEIGHT)))


def promise(values: Sequence[float], sd: float) -> tuple[float, float]:
    """Return the pessimistic and the optimistic view of a mean gain: one standard error either way."""
    mean, error = statistics.fmean(values), sd / math.sqrt(len(values))
    return mean - error, mean + error


def summarise(samples: Mapping[str, Sequence[float]]) -> dict[str, Estimate]:
    """Return the median and its interval for each metric that has values."""
    return {metric: median_interval(values) for metric, values in samples.items() if values}
