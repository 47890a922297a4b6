"""The Pareto front: which profiles nothing beats in everything, where latency, rate and CPU pull in different directions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from tuner.judging.metrics import HIGHER_IS_BETTER
from tuner.judging.statistics import CONFIDENCE

_REACH: Final = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)


@dataclass(frozen=True, slots=True)
class Point:
    """A profile by its metrics: the natural logarithm of each, turned so that lower is better, and its standard error."""

    name: str
    costs: Mapping[str, float]
    errors: Mapping[str, float]


def point(name: str, values: Mapping[str, tuple[float, int]], sds: Mapping[str, float]) -> Point | None:
    """Return a profile as a point, None where a metric is missing or not positive.

    `values` has each metric's median and number of runs, `sds` the spread of one run as a standard deviation of logarithms,
    known from a profile with many runs: a profile that was dropped after its first block has no spread of its own.
    """
    if any(metric not in values or values[metric][0] <= 0.0 for metric in sds):
        return None
    costs = {metric: (-1 if metric in HIGHER_IS_BETTER else 1) * math.log(values[metric][0]) for metric in sds}
    return Point(name, costs, {metric: sd / math.sqrt(values[metric][1]) for metric, sd in sds.items()})


def front(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the points that no other dominates, in their order."""
    return tuple(one for one in points if not any(dominates(other, one) for other in points if other is not one))


def dominates(one: Point, other: Point) -> bool:
    """Return whether a point is at least as good as another in every metric, and clearly better in one.

    Clearly means that their 95 % intervals do not meet.
    """
    at_least = all(one.costs[metric] <= other.costs[metric] for metric in one.costs)
    return at_least and any(_clear(one, other, metric) for metric in one.costs)


def _clear(one: Point, other: Point, metric: str) -> bool:
    reach = _REACH * (one.errors[metric] + other.errors[metric])
    return one.costs[metric] + reach < other.costs[metric]
