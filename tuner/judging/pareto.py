"""The Pareto front: the handful of profiles among which only the user can choose, because each is better in something.

Profiles are compared by what is believed of them and not by what was seen. In each metric, a profile's log ratios to the
baseline of the same blocks (so that what disturbs a block cancels) give a mean and its error, and `shrinkage` what it truly
is: of forty profiles measured once, the luckiest ones are no better than the others. A point leaves where another one is
probably as good in every metric and better in one; of those that nothing tells apart, one stays.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tuner.judging.shrinkage import believed
from tuner.judging.statistics import LEAST_SD, pooled_sd

if TYPE_CHECKING:
    from tuner.judging.shrinkage import Array, Beliefs

PROBABLY: Final = 0.9
INDIFFERENT: Final = 0.02
"""A difference of this log ratio is none."""
MOST_ON_FRONT: Final = 7


@dataclass(frozen=True, slots=True)
class Seen:
    """A profile as it was measured: for each metric the log ratios to the baseline, a block each, turned so that lower is better.

    The baseline has none: it is 0 by definition.
    """

    name: str
    costs: Mapping[str, Sequence[float]]

    @property
    def blocks(self) -> float:
        """How often it was measured; the baseline is in every block."""
        return min((len(values) for values in self.costs.values()), default=math.inf)


@dataclass(frozen=True, slots=True)
class Named:
    """A profile of the front: in which metrics it leads, and what it has over others of the front that it does not lead."""

    name: str
    leads: tuple[str, ...]
    better: tuple[tuple[str, str], ...]
    """Pairs of a metric and the name of a profile that it beats in it."""


class Field:
    """Profiles, and how surely each is as good as each other one; all have the same metrics."""

    def __init__(self, profiles: Sequence[Seen], metrics: Sequence[str]) -> None:
        import numpy as np

        self.profiles, self.metrics = profiles, metrics
        beliefs = [_beliefs(profiles, metric) for metric in metrics]
        self.means = np.stack([each.means() for each in beliefs])
        self.careful = self.means + np.stack([each.sds() for each in beliefs])
        self.as_good: Array = np.stack([each.at_most(INDIFFERENT) for each in beliefs])
        """At [metric, i, j], how surely i is at least as good as j, or worse by less than anybody minds."""
        self.better: Array = 1.0 - self.as_good.transpose(0, 2, 1)
        """At [metric, i, j], how surely i is better than j by more than that."""

    def dominates(self, one: int, other: int) -> bool:
        """Return whether a profile is probably as good as another in every metric and better in one."""
        as_good, better = self.as_good[:, one, other], self.better[:, one, other]
        return bool(as_good.prod() - (as_good - better).clip(0.0).prod() >= PROBABLY) and one != other

    def front(self) -> list[int]:
        """Return the profiles that no other one dominates."""
        every = range(len(self.profiles))
        return [one for one in every if not any(self.dominates(other, one) for other in every)]

    def advantage(self, one: int, other: int) -> tuple[float, str]:
        """Return how surely a profile is better than another in the metric where that is surest, and that metric."""
        surest = int(self.better[:, one, other].argmax())
        return float(self.better[surest, one, other]), self.metrics[surest]


def _beliefs(profiles: Sequence[Seen], metric: str) -> Beliefs:
    values = [profile.costs.get(metric, ()) for profile in profiles]
    sd = pooled_sd(each for each in values if each)
    means = [statistics.fmean(each) if each else 0.0 for each in values]
    errors = [sd / math.sqrt(len(each)) if each else LEAST_SD for each in values]
    return believed(means, errors)


def handful(profiles: Sequence[Seen], metrics: Sequence[str]) -> tuple[Named, ...]:
    """Return the profiles of the front that are worth a name: who leads in a metric, then what is better than each of them.

    Of several that none is probably better than, it is one that leads elsewhere, or the one that was measured most.
    """
    field = Field(profiles, metrics)
    able = field.front()
    leads: dict[int, list[str]] = {}
    for at, metric in enumerate(metrics):
        leads.setdefault(_leader(field, able, at, leads), []).append(metric)
    named = [*leads]
    while len(named) < MOST_ON_FRONT and (more := _apart(field, able, named)) is not None:
        named.append(more)
    return tuple(_named(field, each, leads) for each in sorted(named))


def _leader(field: Field, able: Sequence[int], at: int, leads: Mapping[int, Sequence[str]]) -> int:
    best = min(able, key=lambda one: field.careful[at, one])
    alike = [one for one in able if field.better[at, best, one] < PROBABLY]
    return max(alike, key=lambda one: (len(leads.get(one, ())), field.profiles[one].blocks))


def _apart(field: Field, able: Sequence[int], named: Sequence[int]) -> int | None:
    """Return the profile that is most surely better than each named one in something, None where none probably is."""
    sure = {one: min(field.advantage(one, other)[0] for other in named) for one in able if one not in named}
    most = max(sure, key=lambda one: sure[one], default=None)
    return most if most is not None and sure[most] >= PROBABLY else None


def _named(field: Field, one: int, leads: Mapping[int, Sequence[str]]) -> Named:
    others = [other for other in leads if other != one] if one not in leads else []
    over = tuple((field.advantage(one, other)[1], field.profiles[other].name) for other in others)
    return Named(field.profiles[one].name, tuple(leads.get(one, ())), over)
