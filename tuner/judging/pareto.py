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
    import numpy as np
    from numpy.typing import NDArray

    from tuner.judging.shrinkage import Array

PROBABLY: Final = 0.9
INDIFFERENT: Final = 0.02
"""A difference of this log ratio is none."""
MOST_ON_FRONT: Final = 7
MOST_COMPARED: Final = 600
"""Every pair is compared: of more profiles, those that do best in a metric or over all of them."""


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

        estimates = [_estimates(profiles, metric) for metric in metrics]
        able = _contenders(estimates)
        self.profiles, self.metrics = [profiles[at] for at in able], metrics
        beliefs = [believed(means, errors, able) for means, errors in estimates]
        self.means = np.stack([each.means() for each in beliefs])
        self.careful = self.means + np.stack([each.sds() for each in beliefs])
        self.as_good: Array = np.stack([each.at_most(INDIFFERENT) for each in beliefs])
        """At [metric, i, j], how surely i is at least as good as j, or worse by less than anybody minds."""
        self.better: Array = 1.0 - self.as_good.transpose(0, 2, 1)
        """At [metric, i, j], how surely i is better than j by more than that."""

        surely: Array = self.as_good.prod(axis=0) - (self.as_good - self.better).clip(0.0).prod(axis=0)
        np.fill_diagonal(surely, 0.0)  # nobody dominates himself
        self.dominating: NDArray[np.bool_] = np.asarray(surely >= PROBABLY)
        """At [i, j], whether i is probably as good as j in every metric and better in one."""

    def dominates(self, one: int, other: int) -> bool:
        """Return whether a profile dominates another."""
        return bool(self.dominating[one, other])

    def front(self) -> list[int]:
        """Return the profiles that no other one dominates."""
        return [at for at in range(len(self.profiles)) if not self.dominating[:, at].any()]

    def advantage(self, one: int, other: int) -> tuple[float, str]:
        """Return how surely a profile is better than another in the metric where that is surest, and that metric."""
        surest = int(self.better[:, one, other].argmax())
        return float(self.better[surest, one, other]), self.metrics[surest]


def _estimates(profiles: Sequence[Seen], metric: str) -> tuple[list[float], list[float]]:
    """Return what was seen of each profile in a metric: the means, and their standard errors."""
    values = [profile.costs.get(metric, ()) for profile in profiles]
    sd = pooled_sd(each for each in values if each)
    means = [statistics.fmean(each) if each else 0.0 for each in values]
    errors = [sd / math.sqrt(len(each)) if each else LEAST_SD for each in values]
    return means, errors


def _contenders(estimates: Sequence[tuple[Sequence[float], Sequence[float]]]) -> list[int]:
    """Return, ascending, the profiles that are compared: all, or those of the lowest careful costs, by each metric and by their sum."""
    careful = [[mean + error for mean, error in zip(*each, strict=True)] for each in estimates]
    every = range(len(careful[0]))
    if len(every) <= MOST_COMPARED:
        return [*every]
    keys = [*careful, [sum(costs) for costs in zip(*careful, strict=True)]]
    share = MOST_COMPARED // len(keys)
    return sorted({at for key in keys for at in sorted(every, key=key.__getitem__)[:share]})


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
