"""The statistics of decisions: intervals for gains, intervals for medians, and who deserves another look.

Gains are log ratios taken inside blocks, so that what disturbs a whole block cancels; their mean has a
Student interval (Gosset 1908), corrected for the number of profiles that are judged at once (Bonferroni).
Percentiles of several runs are never averaged: a profile's value is the median of its runs with the
distribution-free interval of order statistics (David & Nagaraja, Order Statistics, 3rd ed., 7.1).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

CONFIDENCE: Final = 0.95
# The spread of one block's gain that is assumed until replicated profiles have shown their own.
PRIOR_SD: Final = 0.15
PRIOR_WEIGHT: Final = 2.0
# Two runs may agree by luck; no host is quieter than this, and an optimizer that is told of no noise believes all.
LEAST_SD: Final = 0.005


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval and the number of runs or blocks behind it.

    `low` and `high` are infinite where there are too few for an interval at `confidence`.
    """

    value: float
    low: float
    high: float
    count: int
    confidence: float = CONFIDENCE


@dataclass(frozen=True, slots=True)
class Gain:
    """How many times better a profile is than the baseline: `exp` of a mean log ratio and of its interval."""

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


def student_quantile(probability: float, degrees: int) -> float:
    """Return the quantile of Student's t distribution with `degrees` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, probability))


def gain(log_ratios: Sequence[float], judged: int = 1, confidence: float = CONFIDENCE) -> Gain:
    """Return the gain whose interval holds for all of `judged` profiles together at `confidence` (Bonferroni)."""
    single = 1 - (1 - confidence) / max(judged, 1)
    found = mean_interval(log_ratios, single)
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
    outside = sum(math.comb(count, below) for below in range(rank + 1))
    return max(0.0, 1.0 - 2.0 * outside / 2.0**count)


def pooled_sd(groups: Iterable[Sequence[float]], over_itself: Sequence[float] = ()) -> float:
    """Return the spread of one block's gain, pooled over replicated profiles and what was known before them.

    That is the gains of a profile `over_itself`, whose mean is zero; a weak prior where there are none.
    """
    squares, degrees = PRIOR_WEIGHT * PRIOR_SD**2, PRIOR_WEIGHT
    if over_itself:
        squares, degrees = math.fsum(value**2 for value in over_itself), float(len(over_itself))
    for values in groups:
        if len(values) > 1:
            squares += statistics.variance(values) * (len(values) - 1)
            degrees += len(values) - 1
    return max(LEAST_SD, math.sqrt(squares / degrees))


def promise(values: Sequence[float], sd: float) -> tuple[float, float]:
    """Return the pessimistic and the optimistic view of a mean gain: one standard error either way."""
    mean, error = statistics.fmean(values), sd / math.sqrt(len(values))
    return mean - error, mean + error


def summarise(samples: Mapping[str, Sequence[float]]) -> dict[str, Estimate]:
    """Return the median and its interval for each metric that has values."""
    return {metric: median_interval(values) for metric, values in samples.items() if values}
