"""The statistics of one profile measured against itself: how far runs differ, drift, and what can be told apart.

All spreads are standard deviations of natural logarithms, so that 0.05 means about 5 %. A run comes in a pair: two
runs of one block. What cannot be computed from so few runs is None, which is not a finding.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tuner.judging.statistics import CONFIDENCE, student_quantile
from tuner.measurement import Measurement

# A run this many robust standard deviations from the median is a hiccup. The usual 2.5 to 3 (Leys et al. 2013) is for
# samples in which the median absolute deviation is well known; among a dozen runs it is not, hence the distance.
HICCUP: Final = 5.0
# The median absolute deviation of a normal sample is its standard deviation divided by this.
MAD_TO_SD: Final = 1.4826
# A deviation below a thousandth is the grain of what the benchmark prints.
LEAST_MAD: Final = 0.001
FEWEST_RUNS: Final = 6
FEWEST_PAIRS: Final = 5

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Drift:
    """The straight line through the logarithms over time: its slope a minute, with the 95 % interval of least squares.

    Runs that follow each other are alike where a host drifts, so the interval is rather too narrow.
    """

    per_minute: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Spread:
    """The noise of one metric of one profile. Runs counted as `hiccups` are left out of everything but the median.

    `between_runs_sd` is how far runs differ; `within_block_sd` how far those of one block do; `correlation` is the
    part of the variance that a block's runs have in common (intraclass correlation, Fisher 1925), so that a ratio
    taken inside a block has 2 (1 − correlation) times the variance of a run: less than a run's own above 0.5.
    `sampling_sd` is what would remain if only the number of messages in a run were finite: where it is far below
    `between_runs_sd`, more runs help and longer ones do not.
    """

    median: float
    runs: int
    hiccups: int
    between_runs_sd: float
    within_block_sd: float | None
    correlation: float | None
    drift: Drift | None
    sampling_sd: float | None = None

    @property
    def pairing_helps(self) -> bool | None:
        """Return whether a ratio inside a block is less noisy than a single run; None where that is not known."""
        return None if self.correlation is None else self.correlation > 1 / 2


def spread(pairs: Sequence[Pair], times_s: Sequence[Pair], sampling_sd: float | None = None) -> Spread:
    """Return the noise in pairs of positive values that were measured at these times, in seconds.

    Raises:
        statistics.StatisticsError: there is no pair.

    """
    logs = [(math.log(first), math.log(second)) for first, second in pairs]
    bulk = _bulk(_flat(logs))
    kept = frozenset(bulk)
    calm = [pair for pair in logs if kept.issuperset(pair)]
    points = zip(_flat(times_s), _flat(logs), strict=True)
    return Spread(
        median=statistics.median(_flat(pairs)),
        runs=2 * len(pairs),
        hiccups=2 * len(pairs) - len(bulk),
        between_runs_sd=statistics.stdev(bulk),
        within_block_sd=_within(calm) if calm else None,
        correlation=_correlation(calm) if len(calm) >= FEWEST_PAIRS else None,
        drift=_drift([(time_s, value) for time_s, value in points if value in kept]),
        sampling_sd=sampling_sd,
    )


def _flat(pairs: Sequence[Pair]) -> list[float]:
    return [value for pair in pairs for value in pair]


def _bulk(values: Sequence[float]) -> list[float]:
    """Return the values without those far from their median, by its absolute deviation (MAD)."""
    if len(values) < FEWEST_RUNS:
        return list(values)
    median = statistics.median(values)
    mad = max(statistics.median(abs(value - median) for value in values), LEAST_MAD)
    return [value for value in values if abs(value - median) <= HICCUP * MAD_TO_SD * mad]


def _within(pairs: Sequence[Pair]) -> float:
    return math.sqrt(statistics.fmean((first - second) ** 2 for first, second in pairs) / 2)


def _correlation(pairs: Sequence[Pair]) -> float | None:
    """Return the intraclass correlation of a one-way analysis of variance with two values a class."""
    between = 2 * statistics.variance(statistics.fmean(pair) for pair in pairs)
    within = _within(pairs) ** 2
    return (between - within) / (between + within) if between + within > 0 else None


def _drift(points: Sequence[Pair]) -> Drift | None:
    """Return the line of least squares through (seconds, value), None where it has no interval."""
    times = [time_s / 60 for time_s, _ in points]
    if len(points) < FEWEST_RUNS or len(set(times)) < FEWEST_RUNS:
        return None
    values = [value for _, value in points]
    slope, intercept = statistics.linear_regression(times, values)
    residual = math.fsum((v - intercept - slope * t) ** 2 for t, v in zip(times, values, strict=True))
    middle = statistics.fmean(times)
    error = math.sqrt(residual / (len(points) - 2) / math.fsum((t - middle) ** 2 for t in times))
    half = student_quantile(0.5 + CONFIDENCE / 2, len(points) - 2) * error
    return Drift(slope, slope - half, slope + half)


def sampling_sd(measured: Measurement) -> float | None:
    """Return the relative standard error of one run's median that follows from its number of latencies alone.

    The standard error of a median is 1 / (2 f √n) (Kenney & Keeping 1962), the density f there being about a half
    divided by the distance of the quartiles. Latencies that follow each other are alike, so it is a lower bound.
    """
    low, median, high = measured.latency_p25_us, measured.latency_p50_us, measured.latency_p75_us
    if not low or not median or not high or measured.observations < 1:
        return None
    return (high - low) / median / math.sqrt(measured.observations)


@dataclass(frozen=True, slots=True)
class GainSpread:
    """How far a block's gain is from that of the next: a standard deviation of logarithms, and its degrees of freedom."""

    sd: float
    degrees: int

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return the interval of the standard deviation, for normal values."""
        from scipy.special import chdtri

        outside = (1 - confidence) / 2
        low, high = float(chdtri(self.degrees, outside)), float(chdtri(self.degrees, 1 - outside))
        return self.sd * math.sqrt(self.degrees / low), self.sd * math.sqrt(self.degrees / high)


def gain_spread(over_itself: Sequence[float], replicated: Iterable[Sequence[float]] = ()) -> GainSpread:
    """Return the spread of gains of a profile over itself, whose mean is zero, pooled with that of gains of other profiles.

    A short calibration has two pairs of runs, whose spread is known within a factor of four at best; the blocks that judge
    know it too, about their own mean.
    """
    several = [values for values in replicated if len(values) > 1]
    squares = math.fsum(gain * gain for gain in over_itself)
    squares += math.fsum(statistics.variance(values) * (len(values) - 1) for values in several)
    degrees = len(over_itself) + sum(len(values) - 1 for values in several)
    return GainSpread(math.sqrt(squares / degrees), degrees)
