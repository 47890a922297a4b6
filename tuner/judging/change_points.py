"""Change points in a series of sessions: where a figure became another one, and by how much.

Two means that differ are looked for at every place (the largest standardised difference: Sen & Srivastava 1975, Ann. Stat.
3:98), the place where it is largest is a change point where shuffled series of the same values rarely have as large a
difference anywhere (a permutation test, which holds whatever the distribution; as in E-divisive, Matteson & James 2014, and the
systems built on it: Daly et al. 2020, ICPE, for MongoDB, and Fleming et al. 2023, ICPE, "Hunter"), and then both sides are looked at
in the same way (binary segmentation, Scott & Knott 1974).

A session counts by its own spread: `errors` are standard errors, and what sessions vary beyond them is estimated. One bad day
is no change: values far from those beside them count as the median of five in a row and no more than the usual noise, in the
shuffled series as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from tuner.judging.statistics import student_quantile

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# One series in so many has a change point where there is none; a second one in a series is looked for at the same level.
FALSE_ALARMS: Final = 0.01
SHUFFLES: Final = 999
# A segment has at least so many sessions: one may be a bad day.
LEAST_SEGMENT: Final = 2
# Fewer sessions have no place whose shuffles could be as rare as that: 10 fall into two parts of 5 in 252 ways, and so do they
# in the reverse order.
FEWEST_SESSIONS: Final = 10
_BESIDE: Final = 2
_CLIPPED_AT_SD: Final = 2.5
_SD_OF_MAD: Final = 1.4826
_LEAST_ERROR: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Shift:
    """The first session of a new level, and how far it is from the level before; the interval is Student's at 95 %."""

    at: int
    difference: float
    low: float
    high: float


def shifts(values: Sequence[float], errors: Sequence[float], seed: int = 0) -> tuple[Shift, ...]:
    """Return the change points of a series in its order; `seed` makes the shuffles reproducible.

    Values with an additive noise, as logarithms have; `errors` are their standard errors, of any unit above 0.
    """
    if len(values) < FEWEST_SESSIONS:
        return ()
    import numpy as np

    series, weights = np.asarray(values, dtype=float), _weights(values, errors)
    rng = np.random.default_rng(seed)
    places = sorted(_places(series, weights, 0, rng))
    bounds = [0, *places, len(values)]
    segments = [slice(start, end) for start, end in pairwise(bounds)]
    parts = zip(places, pairwise(segments), strict=True)
    return tuple(_shift(at, series, weights, *beside) for at, beside in parts)


def _weights(values: Sequence[float], errors: Sequence[float]) -> Array:
    """Return what each session counts: less the larger its own error is beside what sessions vary anyway."""
    import numpy as np

    own = np.maximum(np.asarray(errors, dtype=float), _LEAST_ERROR) ** 2
    steps = np.abs(np.diff(np.asarray(values, dtype=float)))
    noise = (_SD_OF_MAD * float(np.median(steps))) ** 2 / 2 if len(steps) else 0.0
    weights: Array = 1.0 / (max(noise - float(np.median(own)), 0.0) + own)
    return weights


def _places(series: Array, weights: Array, offset: int, rng: np.random.Generator) -> Iterator[int]:
    """Yield the change points of a part of a series that begins at `offset`."""
    import numpy as np

    if len(series) < FEWEST_SESSIONS:
        return
    orders = np.argsort(rng.random((SHUFFLES, len(series))), axis=1)
    rows = np.vstack([np.arange(len(series)), orders])
    found = _differences(_calmed(series[rows]), weights[rows])
    largest = found.max(axis=1)
    if (largest >= largest[0]).mean() > FALSE_ALARMS:
        return
    at = LEAST_SEGMENT + int(found[0].argmax())
    yield offset + at
    yield from _places(series[:at], weights[:at], offset, rng)
    yield from _places(series[at:], weights[at:], offset + at, rng)


def _calmed(rows: Array) -> Array:
    """Return series, one a row, whose values are no farther from the median of those beside them than the usual noise."""
    import numpy as np

    padded = np.pad(rows, ((0, 0), (_BESIDE, _BESIDE)), mode="reflect")
    width = rows.shape[1]
    beside = np.median([padded[:, at : at + width] for at in range(2 * _BESIDE + 1)], axis=0)
    away = rows - beside
    most = _CLIPPED_AT_SD * _SD_OF_MAD * np.median(np.abs(away), axis=1, keepdims=True)
    calmed: Array = beside + np.clip(away, -most, most)
    return calmed


def _differences(rows: Array, weights: Array) -> Array:
    """Return the standardised difference of the means before and after each place, for each series."""
    import numpy as np

    before, whole = weights.cumsum(axis=1), weights.sum(axis=1, keepdims=True)
    sums = (weights * rows).cumsum(axis=1)
    centre = sums[:, -1:] / whole
    spread = np.sqrt((weights * (rows - centre) ** 2).sum(axis=1, keepdims=True))
    after = whole - before
    inside = slice(LEAST_SEGMENT - 1, rows.shape[1] - LEAST_SEGMENT)
    apart = (sums - before * centre)[:, inside]
    found: Array = np.abs(apart) * np.sqrt(whole / (before * after)[:, inside]) / np.maximum(spread, 1e-300)
    return found


def _shift(at: int, series: Array, weights: Array, before: slice, after: slice) -> Shift:
    import numpy as np

    means, variances, count = [], [], 0
    for part in (before, after):
        mean = float(np.average(series[part], weights=weights[part]))
        spread = float(np.average((series[part] - mean) ** 2, weights=weights[part]))
        size = part.stop - part.start
        means.append(mean)
        variances.append(spread / (size - 1))
        count += size
    half = student_quantile(0.975, count - 2) * math.sqrt(sum(variances))
    difference = means[1] - means[0]
    return Shift(at, difference, difference - half, difference + half)
