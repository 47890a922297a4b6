"""A published table of configurations as something to search: what may be asked of it, and how good what was found is.

The tables are those of PromiseTune (https://github.com/ideas-labo/PromiseTune at a7b7657, Apache-2.0): a file for each
system, a row for each configuration, the last column what it gave, lower is better, without noise. Nothing of them is
part of this project: whoever wants to play clones that repository and gives the folder.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import alternatives
import numpy as np
from alternatives import NONE, Choice
from numpy.typing import NDArray

from tuner.search.dimension import Dimension, Scale
from tuner.search.optimizer import Outcome
from tuner.search.registry import make
from tuner.search.space import SearchSpace

Settings = Mapping[str, str]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Option:
    """What can be set: its values are numbers, or the names of these alternatives, which the numbers count."""

    name: str
    alternatives: tuple[str, ...] = ()

    def text(self, value: float) -> str:
        """Return a value as it stands in settings."""
        return self.alternatives[int(value)] if self.alternatives else f"{value:g}"

    def places(self, values: Sequence[float]) -> dict[str, float]:
        """Return where each of its values stands among all of them, from 0 to 1, by their texts."""
        return {self.text(value): index / (len(values) - 1) for index, value in enumerate(values)}

    def apart(self, placed: Numbers, place: float) -> Numbers:
        """Return how far values are from one of them: alternatives are all as far from each other."""
        return (placed != place).astype(np.float64) if self.alternatives else np.abs(placed - place)

    def dimension(self, values: Sequence[float]) -> Dimension:
        """Return what a search may ask of it: a range where its values are evenly spread, else one of them."""
        whole = [int(value) for value in values]
        number = not self.alternatives and len(values) > 2 and whole == list(values)
        if number and len({after - before for before, after in pairwise(whole)}) == 1:
            return Dimension(self.name, Scale.LINEAR, whole[0], whole[-1], step=whole[1] - whole[0])
        if number and all(after == 2 * before > 0 for before, after in pairwise(whole)):
            return Dimension(self.name, Scale.LOG, whole[0], whole[-1], power_of_two=True)
        return Dimension(self.name, Scale.CHOICE, values=tuple(map(self.text, values)))


@dataclass(frozen=True, eq=False)
class Table:
    """The configurations of one system, a row each, and what each gave: lower is better."""

    name: str
    options: tuple[Option, ...]
    rows: Numbers
    costs: Numbers
    _nearest: dict[tuple[str, ...], int] = field(default_factory=dict)

    @cached_property
    def space(self) -> SearchSpace:
        """What can be searched; the default is the row that is nearest to the lowest value of every option."""
        along = list(zip(self.options, self._values, strict=True))
        lowest = {option.name: option.text(values[0]) for option, values in along}
        defaults = self._settings(self._row_of(lowest))
        return SearchSpace("kernel", tuple(option.dimension(values) for option, values in along), defaults=defaults)

    @cached_property
    def _values(self) -> list[list[float]]:
        return [sorted({float(value) for value in column}) for column in self.rows.T]

    @cached_property
    def _places(self) -> list[dict[str, float]]:
        return [option.places(values) for option, values in zip(self.options, self._values, strict=True)]

    @cached_property
    def _placed(self) -> list[Numbers]:
        """Where the value of each row stands, for each option."""
        along = zip(self.options, self._places, self.rows.T, strict=True)
        return [np.array([places[option.text(value)] for value in column]) for option, places, column in along]

    @cached_property
    def _exactly(self) -> dict[tuple[str, ...], int]:
        """The first row with these texts: to look for the nearest of some ten thousand takes longer than a search thinks."""
        along = [
            {value: option.text(value) for value in set(column)}
            for option, column in zip(self.options, self.rows.T, strict=True)
        ]
        texts = [tuple(texts[value] for texts, value in zip(along, row, strict=True)) for row in self.rows]
        return {key: row for row, key in reversed(list(enumerate(texts)))}

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
        key = tuple(settings[option.name] for option in self.options)
        if key in self._exactly:
            return self._exactly[key]
        if key not in self._nearest:
            along = zip(self.options, self._placed, self._places, key, strict=True)
            apart = [option.apart(placed, places[each]) for option, placed, places, each in along]
            self._nearest[key] = int(np.argmin(np.sum(apart, axis=0)))
        return self._nearest[key]

    def _settings(self, row: int) -> dict[str, str]:
        return {option.name: option.text(value) for option, value in zip(self.options, self.rows[row], strict=True)}


def read(path: Path) -> Table:
    """Return the table of a file: without options that are the same everywhere, and with alternatives as one option."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *lines = list(csv.reader(file))
    every = np.array(lines, dtype=np.float64)
    options, rows = _options(head[:-1], every[:, :-1])
    return Table(path.stem, options, rows, every[:, -1])


def _options(names: Sequence[str], rows: Numbers) -> tuple[tuple[Option, ...], Numbers]:
    """Return what can be set, the alternatives first, and the values of each row."""
    choices = alternatives.choices(rows)
    columns = {Option("|".join(members), (NONE, *members)): codes for members, codes in _coded(names, rows, choices)}
    said = {index for choice in choices for index in choice.columns}
    said.update(index for codes in columns.values() for index in alternatives.determined(rows, codes))
    said.update(index for index in range(len(names)) if len(set(rows[:, index])) == 1)
    columns |= {Option(name): rows[:, index] for index, name in enumerate(names) if index not in said}
    return tuple(columns), np.column_stack(list(columns.values()))


def _coded(names: Sequence[str], rows: Numbers, choices: Sequence[Choice]) -> Iterator[tuple[tuple[str, ...], Numbers]]:
    for choice in choices:
        yield tuple(names[index] for index in choice.columns), choice.codes(rows)


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
