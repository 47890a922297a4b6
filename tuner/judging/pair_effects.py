"""What settings do on each of many pairs of hosts: one effect that is common, and how far each pair is from it.

The score of a profile in a block (the logarithm of its performance) is

    block + Σ settings · (common effect + effect of the pair) + what is the profile's own + noise of the pair

*Block*: a level of its own, of which nothing is believed before: pairs are never compared with each other. *Common effect*: of each
setting, a broad normal distribution. *Effect of the pair*: normal around 0, with a spread of its own for each setting, so that a
setting that does the same everywhere is believed to, and one that does not lends nothing to the others (automatic relevance
determination, MacKay 1994). *Own*: profiles are no sums of settings. *Noise*: each pair has its own, Student's t with four degrees of
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


@dataclass(frozen=True, eq=False)
class PairEffects:
    """What is believed of the effects of settings on each pair: a normal distribution of all of them."""

    mean: Array
    covariance: Array
    settings: int
    pairs: int

    def of(self, setting: int, pairs: Sequence[int]) -> Difference:
        """Return what a setting does on some pairs in the mean: the log ratio of with it to without it."""
        along = np.zeros(len(self.mean))
        along[setting] = 1.0
        for pair in pairs:
            along[self.settings + setting * self.pairs + pair] = 1.0 / len(pairs)
        return Difference(
            float(along @ self.mean), math.sqrt(max(float(along @ self.covariance @ along), 0.0)) or LEAST_EFFECT_SD
        )


@dataclass
class _Fit:
    """The spreads as they are believed so far: of the effects of pairs, of what is own, of the noise; and the tails."""

    of_pairs: Array
    own: float
    noise: Array
    tails: Array


def pair_effects(seen: Sequence[Seen], pairs: int, *, own: bool = True) -> PairEffects:
    """Return what is believed of the effects of settings on so many pairs; profile 0 is the baseline, whose settings are all 0.

    Without `own` profiles have nothing of their own: what is looked for is one of them as a whole.
    """
    with one_thread():
        return _fitted(_Data(seen, pairs, own=own))


class _Data:
    """What was seen, as matrices: the columns are common effects, those of pairs (by setting), and what is own."""

    def __init__(self, seen: Sequence[Seen], pairs: int, *, own: bool) -> None:
        self.count, self.pairs = len(seen[0].settings), pairs
        self.value = np.array([each.value for each in seen])
        self.pair = np.array([each.pair for each in seen], dtype=np.int64)
        blocks = {block: at for at, block in enumerate(sorted({each.block for each in seen}))}
        self.block = np.array([blocks[each.block] for each in seen], dtype=np.int64)
        again = Counter(each.profile for each in seen if own)
        # What is own of a profile that was seen once is noise like any other.
        profiles = {number: at for at, number in enumerate(sorted(n for n in again if n and again[n] > 1))}
        common = np.array([list(each.settings) for each in seen], dtype=np.float64)
        of_pairs = np.zeros((len(seen), self.count * pairs))
        for setting in range(self.count):
            of_pairs[np.arange(len(seen)), setting * pairs + self.pair] = common[:, setting]
        of_profiles = np.zeros((len(seen), len(profiles)))
        for row, each in enumerate(seen):
            if each.profile in profiles:
                of_profiles[row, profiles[each.profile]] = 1.0
        self.columns = np.hstack([common, of_pairs, of_profiles])
        self.own = slice(self.count * (1 + pairs), self.columns.shape[1])

    def centred(self, values: Array, weights: Array) -> Array:
        """Return values less the mean of their block: what a level of which nothing is known leaves of them."""
        shaped = weights if values.ndim == 1 else weights[:, None]
        sums = np.zeros((self.block.max() + 1, *values.shape[1:]))
        np.add.at(sums, self.block, shaped * values)
        totals = np.bincount(self.block, weights)
        means = sums / (totals if values.ndim == 1 else totals[:, None])
        return np.asarray(values - means[self.block], dtype=np.float64)

    def of_setting(self, setting: int) -> slice:
        """Return the columns of a setting's effects on pairs."""
        first = self.count + setting * self.pairs
        return slice(first, first + self.pairs)


def _fitted(data: _Data) -> PairEffects:
    fit = _Fit(np.full(data.count, FIRST_SD), FIRST_SD, np.full(data.pairs, FIRST_SD), np.ones(len(data.value)))
    mean, covariance = _posterior(data, fit)
    for _ in range(EM_ROUNDS):
        _maximise(data, fit, mean, covariance)
        mean, covariance = _posterior(data, fit)
    inner = data.count * (1 + data.pairs)
    return PairEffects(mean[:inner], covariance[:inner, :inner], data.count, data.pairs)


def _weights(data: _Data, fit: _Fit) -> Array:
    return np.asarray(1.0 / (fit.noise[data.pair] ** 2 * fit.tails), dtype=np.float64)


def _posterior(data: _Data, fit: _Fit) -> tuple[Array, Array]:
    """Return the mean and the covariance of all effects by the spreads."""
    weights = _weights(data, fit)
    columns = data.centred(data.columns, weights)
    variances = np.concatenate(
        [
            np.full(data.count, COMMON_SD**2),
            np.repeat(fit.of_pairs**2, data.pairs),
            np.full(data.own.stop - data.own.start, fit.own**2),
        ]
    )
    precision = columns.T @ (weights[:, None] * columns) + np.diag(1.0 / variances)
    covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
    return covariance @ (columns.T @ (weights * data.centred(data.value, weights))), covariance


def _maximise(data: _Data, fit: _Fit, mean: Array, covariance: Array) -> None:
    """Let the spreads be the most probable ones for the effects as they are believed."""
    second = mean**2 + np.diag(covariance)
    for setting in range(data.count):
        fit.of_pairs[setting] = max(LEAST_EFFECT_SD, math.sqrt(float(second[data.of_setting(setting)].mean())))
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
