"""What settings do on each of many pairs of hosts: one effect that is common, and how far each pair is from it.

The score of a profile in a block (the logarithm of its performance) is

    block + Σ settings · (common effect + effect of the class + effect of the pair) + what is the profile's own + noise of the pair

*Block*: a level of its own, of which nothing is believed before: pairs are never compared with each other. *Common effect*: of each
setting, a broad normal distribution. *Effect of the class*, where classes are known, and *of the pair*: normal around 0, with spreads of
their own for each setting, so that a setting that does the same everywhere is believed to, and one that does not lends nothing to the
others (automatic relevance determination, MacKay 1994). What the pairs of a class have in common is so believed by all that they say, and not
drawn towards the other class once for each of them. *Own*: profiles are no sums of settings. *Noise*: each pair has its own, Student's t with four degrees of
freedom. Spreads are found by expectation and maximisation (Laird & Ware 1982; Lange, Little & Taylor 1989).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tuner.judging.effects import Array, tail
from tuner.judging.joint import Difference
from tuner.judging.threads import one_thread

COMMON_SD: Final = 0.3
"""Of a common effect: settings seldom do more than halve or double."""
FIRST_SD: Final = 0.05
"""Of the effects of pairs, what is own, and the noise, before anything was seen."""
LEAST_EFFECT_SD: Final = 0.002
EM_ROUNDS: Final = 30


@dataclass(frozen=True, slots=True)
class Seen:
    """What one profile reached in one block of one pair: `settings` says of each setting how far it is there, from 0 to 1."""

    profile: int
    block: int
    pair: int
    settings: Sequence[float]
    value: float


@dataclass(frozen=True, slots=True)
class Level:
    """Groups of pairs that have effects of their own: of each pair the number of its group."""

    group: Sequence[int]

    @property
    def groups(self) -> int:
        """Return how many groups there are."""
        return max(self.group) + 1


@dataclass(frozen=True, eq=False)
class PairEffects:
    """What is believed of the effects of settings on each pair: a normal distribution of all of them."""

    mean: Array
    covariance: Array
    settings: int
    levels: Sequence[Level]

    def of(self, setting: int, pairs: Sequence[int]) -> Difference:
        """Return what a setting does on some pairs in the mean: the log ratio of with it to without it."""
        return self._believed(self._along(setting, pairs))

    def between(self, setting: int, pairs: Sequence[int], others: Sequence[int]) -> Difference:
        """Return how much more a setting does on some pairs in the mean than on others."""
        return self._believed(self._along(setting, pairs) - self._along(setting, others))

    def _along(self, setting: int, pairs: Sequence[int]) -> Array:
        along = np.zeros(len(self.mean))
        along[setting] = 1.0
        first = self.settings
        for level in self.levels:
            for pair in pairs:
                along[first + setting * level.groups + level.group[pair]] += 1.0 / len(pairs)
            first += self.settings * level.groups
        return along

    def _believed(self, along: Array) -> Difference:
        variance = max(float(along @ self.covariance @ along), 0.0)
        return Difference(float(along @ self.mean), math.sqrt(variance) or LEAST_EFFECT_SD)


@dataclass
class _Fit:
    """The spreads as they are believed so far: of the effects of groups (by level and setting), of what is own, of the noise; and the tails."""

    of_groups: Array
    own: float
    noise: Array
    tails: Array


def pair_effects(seen: Sequence[Seen], pairs: int, *, classes: Sequence[int] = (), own: bool = True) -> PairEffects:
    """Return what is believed of the effects of settings on so many pairs; profile 0 is the baseline, whose settings are all 0.

    `classes` has the number of the class of each pair, nothing where none is known. Without `own` profiles have nothing of their
    own: what is looked for is one of them as a whole.
    """
    levels = [*([Level(classes)] if len(set(classes)) > 1 else []), Level(range(pairs))]
    with one_thread():
        return _fitted(_Data(seen, levels, own=own))


class _Data:
    """What was seen, as matrices: the columns are common effects, those of groups (by level and setting), and what is own."""

    def __init__(self, seen: Sequence[Seen], levels: Sequence[Level], *, own: bool) -> None:
        self.count, self.levels, self.pairs = len(seen[0].settings), levels, levels[-1].groups
        self.value = np.array([each.value for each in seen])
        self.pair = np.array([each.pair for each in seen], dtype=np.int64)
        blocks = {block: at for at, block in enumerate(sorted({each.block for each in seen}))}
        self.block = np.array([blocks[each.block] for each in seen], dtype=np.int64)
        common = np.array([list(each.settings) for each in seen], dtype=np.float64)
        parts = [common, *(self._of_groups(common, level) for level in levels)]
        self.inner = sum(part.shape[1] for part in parts)
        self.columns = np.hstack([*parts, _of_profiles(seen) if own else np.zeros((len(seen), 0))])
        self.own = slice(self.inner, self.columns.shape[1])

    def _of_groups(self, common: Array, level: Level) -> Array:
        """Return the columns of the effects of a level's groups: each setting's, where the group is that of the row's pair."""
        found = np.zeros((len(common), self.count * level.groups))
        group = np.array(level.group, dtype=np.int64)[self.pair]
        for setting in range(self.count):
            found[np.arange(len(common)), setting * level.groups + group] = common[:, setting]
        return found

    def centred(self, values: Array, weights: Array) -> Array:
        """Return values less the mean of their block: what a level of which nothing is known leaves of them."""
        shaped = weights if values.ndim == 1 else weights[:, None]
        sums = np.zeros((self.block.max() + 1, *values.shape[1:]))
        np.add.at(sums, self.block, shaped * values)
        totals = np.bincount(self.block, weights)
        means = sums / (totals if values.ndim == 1 else totals[:, None])
        return np.asarray(values - means[self.block], dtype=np.float64)

    def of_setting(self, level: int, setting: int) -> slice:
        """Return the columns of a setting's effects on the groups of a level."""
        groups = self.levels[level].groups
        first = self.count * (1 + sum(each.groups for each in self.levels[:level])) + setting * groups
        return slice(first, first + groups)


def _of_profiles(seen: Sequence[Seen]) -> Array:
    """Return the columns of what is own of each profile; of one that was seen once that is noise like any other."""
    again = Counter(each.profile for each in seen)
    profiles = {number: at for at, number in enumerate(sorted(n for n in again if n and again[n] > 1))}
    found = np.zeros((len(seen), len(profiles)))
    for row, each in enumerate(seen):
        if each.profile in profiles:
            found[row, profiles[each.profile]] = 1.0
    return found


def _fitted(data: _Data) -> PairEffects:
    first = np.full((len(data.levels), data.count), FIRST_SD)
    fit = _Fit(first, FIRST_SD, np.full(data.pairs, FIRST_SD), np.ones(len(data.value)))
    mean, covariance = _posterior(data, fit)
    for _ in range(EM_ROUNDS):
        _maximise(data, fit, mean, covariance)
        mean, covariance = _posterior(data, fit)
    return PairEffects(mean[: data.inner], covariance[: data.inner, : data.inner], data.count, data.levels)


def _weights(data: _Data, fit: _Fit) -> Array:
    return np.asarray(1.0 / (fit.noise[data.pair] ** 2 * fit.tails), dtype=np.float64)


def _posterior(data: _Data, fit: _Fit) -> tuple[Array, Array]:
    """Return the mean and the covariance of all effects by the spreads."""
    weights = _weights(data, fit)
    columns = data.centred(data.columns, weights)
    variances = np.concatenate(
        [
            np.full(data.count, COMMON_SD**2),
            *(np.repeat(spreads**2, level.groups) for spreads, level in zip(fit.of_groups, data.levels, strict=True)),
            np.full(data.own.stop - data.own.start, fit.own**2),
        ]
    )
    precision = columns.T @ (weights[:, None] * columns) + np.diag(1.0 / variances)
    covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
    return covariance @ (columns.T @ (weights * data.centred(data.value, weights))), covariance


def _maximise(data: _Data, fit: _Fit, mean: Array, covariance: Array) -> None:
    """Let the spreads be the most probable ones for the effects as they are believed."""
    second = mean**2 + np.diag(covariance)
    for level, setting in np.ndindex(*fit.of_groups.shape):
        spread = math.sqrt(float(second[data.of_setting(level, setting)].mean()))
        fit.of_groups[level, setting] = max(LEAST_EFFECT_SD, spread)
    if data.own.stop > data.own.start:
        fit.own = max(LEAST_EFFECT_SD, math.sqrt(float(second[data.own].mean())))
    weights = _weights(data, fit)
    columns = data.centred(data.columns, weights)
    rest = data.centred(data.value, weights) - columns @ mean
    unsure = np.einsum("ij,jk,ik->i", columns, covariance, columns)
    fit.tails = tail(rest, fit.noise[data.pair] ** 2)
    for pair in range(data.pairs):
        mine = data.pair == pair
        blocks = len(set(data.block[mine]))
        degrees = max(1.0, float(mine.sum()) - blocks)
        if mine.any():
            spread = float(((rest**2 + unsure)[mine] / fit.tails[mine]).sum() / degrees)
            fit.noise[pair] = max(LEAST_EFFECT_SD, math.sqrt(spread))
