"""The means of all pairs of some values, each with itself among them (Walsh averages), by their places in order.

There are half as many as the square of the values: of a few all are made, of many the wanted one is found by counting how
many are at most as large as a guess.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement
from typing import Final

MOST_MADE: Final = 200
"""Of so many values all means are made: 20,100."""
# Each halves what is left of the values' range: the last one is beyond what a floating point number tells apart.
_GUESSES: Final = 80


def by_place(values: Sequence[float]) -> Callable[[int], float]:
    """Return the function that returns the mean with a place, counted from 0 for the smallest."""
    if len(values) <= MOST_MADE:
        means = sorted((one + other) / 2 for one, other in combinations_with_replacement(values, 2))
        return means.__getitem__
    ascending = sorted(values)
    return lambda place: _found(ascending, place)


def _found(ascending: Sequence[float], place: int) -> float:
    low, high = ascending[0], ascending[-1]
    if _at_most(ascending, low) > place:
        return low
    for _ in range(_GUESSES):
        middle = low + (high - low) / 2
        low, high = (low, middle) if _at_most(ascending, middle) > place else (middle, high)
    return high


def _at_most(ascending: Sequence[float], mean: float) -> int:
    """Return how many of the means are at most this one."""
    return sum(bisect_right(ascending, 2 * mean - one, lo=at) - at for at, one in enumerate(ascending))
