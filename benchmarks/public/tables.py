"""A published table of configurations as something to search: what may be asked of it, and how good what was found is.

The tables are those of PromiseTune (https://github.com/ideas-labo/PromiseTune at a7b7657, Apache-2.0): a file for each
system, a row for each configuration, the last column what it gave, lower is better, without noise. Nothing of them is
part of this project: whoever wants to play clones that repository and gives the folder.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tuner.search.dimension import Dimension, Scale
from tuner.search.optimizer import Outcome
from tuner.search.registry import make
from tuner.search.space import SearchSpace

Settings = Mapping[str, str]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table:
    """The configurations of one system, a row each, and what each gave: lower is better."""

    name: str
    options: tuple[str, ...]
    rows: Numbers
    costs: Numbers
    _nearest: dict[tuple[str, ...], int] = field(default_factory=dict)

    @cached_property
    def space(self) -> SearchSpace:
        """What can be searched; the default is the row that is nearest to the lowest value of every option."""
        dimensions = tuple(map(dimension, self.options, self._values))
        lowest = {name: text(values[0]) for name, values in zip(self.options, self._values, strict=True)}
        return SearchSpace("kernel", dimensions, defaults=self._settings(self._row_of(lowest)))

    @cached_property
    def _values(self) -> list[list[float]]:
        return [sorted({float(value) for value in column}) for column in self.rows.T]

    @cached_property
    def _places(self) -> list[dict[float, float]]:
        """Where each value of each option stands among all of them, from 0 to 1."""
        return [{value: index / (len(all_of) - 1) for index, value in enumerate(all_of)} for all_of in self._values]

    @cached_property
    def _placed(self) -> Numbers:
        columns = zip(self._places, self.rows.T, strict=True)
        return np.column_stack([[places[float(value)] for value in column] for places, column in columns])

    def repaired(self, settings: Settings) -> dict[str, str]:
        """Return the row that is nearest to settings, the first of equals; what they leave out is at its default."""
        return self._settings(self._row_of({**self.space.defaults, **settings}))

    def cost(self, settings: Settings) -> float:
        """Return what the row that is nearest to settings gave."""
        return float(self.costs[self._row_of({**self.space.defaults, **settings})])

    def regret(self, cost: float) -> float:
        """Return the published figure: how far a cost is from the best one, the median of all being 1 away."""
        best = float(self.costs.min())
        return (cost - best) / (float(np.median(self.costs)) - best)

    def _row_of(self, settings: Settings) -> int:
        key = tuple(settings[name] for name in self.options)
        if key not in self._nearest:
            wanted = [places[float(each)] for places, each in zip(self._places, key, strict=True)]
            self._nearest[key] = int(np.argmin(np.abs(self._placed - np.array(wanted)).sum(axis=1)))
        return self._nearest[key]

    def _settings(self, row: int) -> dict[str, str]:
        return {name: text(value) for name, value in zip(self.options, self.rows[row], strict=True)}


def text(value: float) -> str:
    """Return a value as it stands in settings."""
    return f"{value:g}"


def dimension(name: str, values: Sequence[float]) -> Dimension:
    """Return what a search may ask of an option: a range where its values are evenly spread, else one of them."""
    whole = [int(value) for value in values]
    evenly = len({after - before for before, after in pairwise(whole)}) == 1
    if len(values) > 2 and whole == list(values) and evenly:
        return Dimension(name, Scale.LINEAR, whole[0], whole[-1], step=whole[1] - whole[0])
    doubled = all(after == 2 * before > 0 for before, after in pairwise(whole))
    if len(values) > 2 and whole == list(values) and doubled:
        return Dimension(name, Scale.LOG, whole[0], whole[-1], power_of_two=True)
    return Dimension(name, Scale.CHOICE, values=tuple(map(text, values)))


def read(path: Path) -> Table:
    """Return the table of a file; options that have the same value everywhere are left out."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *lines = list(csv.reader(file))
    every = np.array(lines, dtype=np.float64)
    varied = [index for index in range(len(head) - 1) if len(set(every[:, index])) > 1]
    return Table(path.stem, tuple(head[index] for index in varied), every[:, varied], every[:, -1])


def best_so_far(table: Table, optimizer: str, seed: int, runs: int) -> list[float]:
    """Return the lowest cost after each run of a search, the first of which is the default's."""
    search = make(optimizer, table.space, seed, table.repaired)
    default = table.space.defaults
    costs = [table.cost(default)]
    search.tell(Outcome(dict(default), 0.0, 0.0))
    for block in range(1, runs):
        asked = search.ask()
        cost = table.cost(asked)
        search.tell(Outcome(asked, math.log(costs[0] / cost), 0.0, block=block))
        costs.append(cost)
    return [min(costs[: count + 1]) for count in range(runs)]
