"""Where a search looks for the settings that it expects most of: climbing from what is known, one setting at a time.

Settings are rows of indices into palettes, one palette of values for each dimension, so that thousands can be judged
in a few milliseconds: the kernels of a palette's values with the observations are computed once.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tuner.judging.effects import Array
from tuner.search.beliefs import Awaiting, Belief
from tuner.search.dimension import Dimension
from tuner.search.surrogate import alone, states, with_nearness

Row = NDArray[np.int64]
Rows = NDArray[np.int64]
Judge = Callable[[Rows], Array]

POSITIONS: Final = 9
"""Values of a range in its palette, evenly along its scale from a random start, beside those of the parents."""

DRAWN: Final = 100
MUTANTS: Final = 100
CROSSED, STOPS = 0.2, 0.5
"""Share of values that a mutant has of its other parent, and the chance that one random change more is not made."""

GENERATIONS: Final = 3
KEPT: Final = 10
"""Rows of a generation that the next one descends from."""


@dataclass(frozen=True, eq=False)
class Palette:
    """Values of every dimension, with their kernels towards what is known."""

    awaiting: Awaiting
    texts: list[list[str]]
    towards: list[Array]
    itself: list[Array]
    known: Array
    """The kernels of what is known with itself."""

    @staticmethod
    def of(awaiting: Awaiting, parents: Sequence[Mapping[str, str]], rng: random.Random) -> Palette:
        """Return the palettes around the parents, for what is believed now."""
        space, kernels = awaiting.space, awaiting.kernels
        held = [space.held(parent) for parent in parents]
        texts = [_texts(d, [each[d.parameter] for each in held if d.parameter in each], rng) for d in space.dimensions]
        places = [states(d, each) for d, each in zip(space.dimensions, texts, strict=True)]
        towards = [k.between(a, b) for k, a, b in zip(kernels, places, awaiting.known, strict=True)]
        itself, known = ([k.itself(a) for k, a in zip(kernels, of, strict=True)] for of in (places, awaiting.known))
        return Palette(awaiting, texts, towards, itself, np.array(known))

    def belief(self, rows: Rows) -> Belief:
        """Return what is believed of the settings that rows stand for."""
        columns = list(rows.T)
        effects = np.array([table[column] for table, column in zip(self.towards, columns, strict=True)])
        itself = np.array([table[column] for table, column in zip(self.itself, columns, strict=True)])
        return self.awaiting.by_effects(with_nearness(effects, itself, self.known), alone(itself))

    def row(self, settings: Mapping[str, str]) -> list[int]:
        """Return the row of settings; what has no effect in them is the first value."""
        held = self.awaiting.space.held(settings)
        pairs = zip(self.awaiting.space.dimensions, self.texts, strict=True)
        return [texts.index(held[d.parameter]) if held.get(d.parameter) in texts else 0 for d, texts in pairs]

    def settings(self, row: Row) -> dict[str, str]:
        """Return the settings that a row stands for."""
        picked = {
            d.parameter: texts[i] for d, texts, i in zip(self.awaiting.space.dimensions, self.texts, row, strict=True)
        }
        return self.awaiting.space.effective({**self.awaiting.space.fixed, **picked})

    def drawn(self, count: int, rng: np.random.Generator) -> Rows:
        """Return rows drawn at random."""
        return np.array([rng.integers(0, len(texts), count) for texts in self.texts], dtype=np.int64).T

    def beside(self, row: Row) -> Rows:
        """Return every row that differs in one dimension."""
        changed = []
        for dimension, texts in enumerate(self.texts):
            others = np.tile(row, (len(texts) - 1, 1))
            others[:, dimension] = [index for index in range(len(texts)) if index != row[dimension]]
            changed.append(others)
        return np.vstack(changed)


def _texts(dimension: Dimension, parents: Sequence[str], rng: random.Random) -> list[str]:
    start = rng.random()
    positions = [(number + start) / POSITIONS for number in range(POSITIONS)] if dimension.steps else []
    spread = [0.0, *positions, 1.0] if dimension.steps else []
    return list(dict.fromkeys([*dimension.singles, *(dimension.at(position) for position in spread), *parents]))


def climbed(palette: Palette, parents: Rows, judge: Judge, seed: int) -> Rows:
    """Return rows, each once, in the order of what `judge` makes of them, the best first."""
    rng = np.random.default_rng(seed)
    pool = np.vstack([parents, palette.drawn(DRAWN, rng), _mutants(palette, parents, rng)])
    worth = judge(pool)
    for _ in range(GENERATIONS):
        best = pool[np.argsort(-worth, kind="stable")[:KEPT]]
        beside = palette.beside(best[0])
        found = judge(beside)
        children = np.vstack([_together(best[0], beside, found), _mutants(palette, best, rng)])
        pool = np.vstack([pool, beside, children])
        worth = np.concatenate([worth, found, judge(children)])
    ordered = pool[np.argsort(-worth, kind="stable")]
    _, first = np.unique(ordered, axis=0, return_index=True)
    return np.asarray(ordered[np.sort(first)])


def _together(row: Row, beside: Rows, worth: Array) -> Rows:
    """Return rows with the best change of the best dimension, of the best two, and so on."""
    changed = row.copy()
    rows = []
    seen: set[int] = set()
    for index in np.argsort(-worth, kind="stable"):
        dimension = int(np.flatnonzero(beside[index] != row)[0])
        if dimension not in seen:
            seen.add(dimension)
            changed = changed.copy()
            changed[dimension] = beside[index][dimension]
            rows.append(changed)
    return np.array(rows, dtype=np.int64).reshape(-1, len(row))


def _mutants(palette: Palette, parents: Rows, rng: np.random.Generator) -> Rows:
    """Return children of random pairs of parents: some values of the other parent, a few of neither."""
    one, other = (parents[rng.integers(0, len(parents), MUTANTS)] for _ in range(2))
    mixed = np.where(rng.random(one.shape) < CROSSED, other, one)
    changes = rng.geometric(STOPS, MUTANTS)[:, None] / one.shape[1]
    return np.where(rng.random(one.shape) < changes, palette.drawn(MUTANTS, rng), mixed)
