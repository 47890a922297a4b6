"""Grid search from coarse to fine: what needs no library, no model and no explanation.

A whole grid of 15 dimensions has millions of points, so each round takes a fraction of one in which the values of a
dimension come equally often (a fractional design; Box, Hunter & Hunter, Statistics for Experimenters, 2nd ed., ch. 6).
The first round takes the single values and three points of each range. Every later one is centred at the best settings
so far, changes a few dimensions at once and looks half as far along their ranges.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Final

from tuner.search.dimension import Dimension
from tuner.search.history import History, any_new, best_of, runnable
from tuner.search.optimizer import Outcome, Repair
from tuner.search.space import SearchSpace

ROUND: Final = (8, 16)
"""Fewest and most settings of a round; between them, one for each dimension."""

ROWS: Final = 64
"""Points of a round's grid that are looked at before it is called used up."""

CHANGED: Final = 3
"""Dimensions that a point of a later round changes, on average."""

FINEST: Final = 8
"""Rounds after which a range is not divided any further: a step is then 1/512 of it."""

Settings = dict[str, str]


class GridSearch:
    """Proposes the points of a coarse grid, then of finer ones around the best. Takes every outcome at its word."""

    def __init__(self, space: SearchSpace, seed: int, feasible: Repair) -> None:
        self._space = space
        self._seed = seed
        self._feasible = feasible
        self._history = History()
        self._length = min(max(ROUND[0], len(space.dimensions)), ROUND[1])

    def tell(self, outcome: Outcome) -> None:
        """Remember the outcome."""
        self._history.tell(outcome)

    def ask(self) -> dict[str, str]:
        """Return a point of the present round's grid, or of a finer one, or any when all were seen."""
        proposal = next(iter(runnable(self._points(), self._feasible, self._history)), None)
        if proposal is None:  # not "or": no settings at all are a proposal too
            proposal = any_new(self._space, self._feasible, self._history, self._history.rng(self._seed))
        self._history.asked(proposal)
        return dict(proposal)

    def _points(self) -> Iterator[Settings]:
        """Yield the points of the present round, then of the finer ones, each round in its own random order."""
        measured = self._history.measured()
        present = len(measured) // self._length
        # The centre is what was best when the round began: it must not move inside the round, or no grid is left.
        before = [*self._history.prior(), *measured[: present * self._length]]
        centre = best_of(before) if present else None
        for number in range(present, max(present, FINEST) + 1):
            rng = random.Random(f"{self._seed}/grid/{number}")  # noqa: S311 - no secret depends on it
            yield from self._coarse(rng) if centre is None else self._around(centre, number, rng)

    def _coarse(self, rng: random.Random) -> Iterator[Settings]:
        return self._rows([_balanced(_coarse_values(d), rng) for d in self._space.dimensions])

    def _around(self, centre: Settings, number: int, rng: random.Random) -> Iterator[Settings]:
        held = self._space.held(centre)
        share = min(1.0, CHANGED / len(self._space.dimensions))
        columns = []
        for dimension in self._space.dimensions:
            here = held.get(dimension.parameter)
            other = _balanced(_near_values(dimension, here, min(number, FINEST)), rng)
            columns.append([there if here is None or rng.random() < share else here for there in other])
        return self._rows(columns)

    def _rows(self, columns: list[list[str]]) -> Iterator[Settings]:
        for row in zip(*columns, strict=True):
            yield self._space.inside(dict(zip(self._space.names, row, strict=True)))


def _coarse_values(dimension: Dimension) -> list[str]:
    """Return the single values of a dimension, and the ends and the middle of its range."""
    points = [dimension.at(position) for position in (0.0, 0.5, 1.0)] if dimension.steps else []
    return list(dict.fromkeys([*dimension.singles, *points]))


def _near_values(dimension: Dimension, here: str | None, number: int) -> list[str]:
    """Return the values beside `here` on the grid of a round: all others where nothing is beside it."""
    if here is None or here in dimension.singles:
        others = [value for value in _coarse_values(dimension) if value != here]
        return others or [dimension.pick(0.0)]
    place, step = dimension.position(int(here)), 0.5 ** (number + 1)
    near = [dimension.at(place + away) for away in (-step, step)]
    return list(dict.fromkeys(near))


def _balanced(values: list[str], rng: random.Random) -> list[str]:
    """Return a column of a grid in which each value comes equally often, in random order."""
    whole = (rng.sample(values, len(values)) for _ in itertools.count())
    return list(itertools.islice(itertools.chain.from_iterable(whole), ROWS))
