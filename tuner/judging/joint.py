"""One model of all blocks of a session: what each profile is worth, by everything that was measured, jointly.

The score of a profile in a block (the logarithm of its performance) is

    block + effects of its settings and of pairs of them + what is its own + noise of the run

*Block*: a level of its own for each block, of which nothing is believed before. *Effects*: a Gaussian process over one
kernel for each parameter, Π (1 + wᵢ·cᵢ) − 1 with one weight each, as the search has it (`search/surrogate.py`), so that
what was seen of a setting in one profile counts for others that share it, and a parameter of which nothing is seen is
believed to do little. *Own*: profiles are not sums of effects, so each has a deviation of its own, whose size the data
say. *Noise*: Student's t with four degrees of freedom, by expectation and maximisation, so that hiccups lose weight
(Lange, Little & Taylor 1989).

Selection needs no correction here: the leader of many noisy trials is shrunk to where its settings and its other blocks
say that it is (Senn 2008, A note concerning a selection "paradox" of Dawid's). What is *claimed* is never this, but
an interval of blocks that chose nothing (`session/phases/verdict.py`).

Weights, the scale of pairs, the own deviation and the noise are the most probable ones (Rasmussen & Williams 2006, 5.8, 5.9).
All values are natural logarithms of ratios.

What takes time grows with the cube of the number of *profiles* and only linearly with that of scores, however often a profile was
measured, and nothing is approximated: with K between profiles, Z which profile each score is of, and M = noise + levels,
which is a matrix of rank one beside a diagonal for each block, A = Zᵀ M⁻¹ Z and b = Zᵀ M⁻¹ y are all that the scores say, and
profiles are worth V·b with the covariance V = (K⁻¹ + A)⁻¹ (matrix inversion lemma: Rasmussen & Williams 2006, A.9, A.10).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular

from tuner.judging.effects import (
    FIT_STEPS,
    JITTER,
    REFIT_STEPS,
    SCALE_MEAN,
    SCALE_SD,
    TAIL_ROUNDS,
    WEIGHT_SD,
    Array,
    Prior,
    covariances,
    most_probable,
    slopes,
    tail,
)
from tuner.judging.threads import one_thread

LEAST_SCALE: Final = 0.02
LEVEL_VARIANCE: Final = 100.0
"""Of a block's level, in units of the spread of the scores: so wide that it says nothing."""
# Priors of the logarithms. Those of a weight's spread and of the scale of pairs are common to all models (`effects.py`). What a
# parameter does, and what is a profile's own, is believed to be a few percent whatever one large effect does to that spread.
EFFECT: Final = 0.06
OWN, OWN_SD = 0.01, 1.5
# How many times more or less noisy than replicated profiles say: they are few in a short session.
NOISE_SD: Final = 0.5
BOUNDS: Final = {"weight": (-18.0, 1.4), "scale": (-3.0, 6.0), "own": (-18.0, 1.0)}
NOISE_REACH: Final = 3.0


@dataclass(frozen=True, slots=True)
class Score:
    """What one profile (by its place in a list) reached in one block: the logarithm of its performance."""

    profile: int
    block: int
    value: float


@dataclass(frozen=True, eq=False)
class Pairs:
    """Which two scores are of one block: `one` and `other` by their places; `cell` is where a matrix of profiles has their profiles."""

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    cell: NDArray[np.int64]

    @staticmethod
    def of(profiles: NDArray[np.int64], blocks: NDArray[np.int64], count: int) -> Pairs:
        """Return the pairs of scores of `count` profiles; as many for each block as the square of its size."""
        order = np.argsort(blocks, kind="stable")
        sizes = np.bincount(blocks)
        wide = np.repeat(sizes, sizes)  # of each score, in that order, how many there are in its block
        one = np.repeat(order, wide)
        starts = np.repeat(np.repeat(np.cumsum(sizes) - sizes, sizes), wide)
        within = np.arange(len(one)) - np.repeat(np.cumsum(wide) - wide, wide)
        other = order[starts + within]
        return Pairs(one, other, profiles[one] * count + profiles[other])


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is told: scores of `count` profiles, the kernel of each parameter between them, and what was known before.

    `effects` has a matrix for each parameter, `urgency` says how much each is expected to matter (1 for the most), `sd` is
    the spread of one score that replicated profiles show.
    """

    effects: Array
    urgency: Array
    scores: Sequence[Score]
    sd: float
    unit: float | None = None
    """What values are divided by; None: their own spread."""

    @cached_property
    def profiles(self) -> NDArray[np.int64]:
        """The profile of each score."""
        return np.array([score.profile for score in self.scores], dtype=np.int64)

    @cached_property
    def blocks(self) -> NDArray[np.int64]:
        """The block of each score, counted from 0 without gaps."""
        found = np.unique([score.block for score in self.scores], return_inverse=True)[1]
        return np.asarray(found, dtype=np.int64)

    @cached_property
    def pairs(self) -> Pairs:
        """The pairs of scores of one block, each with itself among them."""
        return Pairs.of(self.profiles, self.blocks, len(self.effects[0]))

    @cached_property
    def scale(self) -> float:
        """The spread of the scores inside blocks, by which all values are divided."""
        if self.unit is not None:
            return self.unit
        levels: dict[int, list[float]] = {}
        for score in self.scores:
            levels.setdefault(score.block, []).append(score.value)
        inside = [score.value - statistics.median(levels[score.block]) for score in self.scores]
        return max(statistics.pstdev(inside), self.sd, LEAST_SCALE)

    @cached_property
    def values(self) -> Array:
        """The scores in units of their spread."""
        centre = statistics.fmean(score.value for score in self.scores)
        return np.array([score.value - centre for score in self.scores]) / self.scale


@dataclass(frozen=True, eq=False)
class Fitted:
    """What is believed after a lesson: the most probable parameters, and how much each score weighs."""

    lesson: Lesson
    theta: Array
    tails: Array

    def gains(self, effects: Array, places: Sequence[int | None]) -> Belief:
        """Return what is believed of some profiles.

        `effects` has for each parameter the kernel between them (rows) and all told profiles and then themselves (columns);
        `places` says where each is among the told ones, None where it was never measured.
        """
        with one_thread():
            return self._gains(effects, places)

    def _gains(self, effects: Array, places: Sequence[int | None]) -> Belief:
        known = len(self.lesson.effects[0])
        signal = _signal(self.theta, effects)
        own = np.exp(self.theta[-2])
        towards, among = signal[:, :known].copy(), signal[:, known:] + own * _same(places)
        for row, place in enumerate(places):
            if place is not None:
                towards[row, place] += own
        half = solve_triangular(self._solved.prior, towards.T, lower=True, check_finite=False)
        mean = half.T @ cho_solve((self._solved.lower, True), self._solved.told, check_finite=False)
        rest = among - half.T @ half + half.T @ cho_solve((self._solved.lower, True), half, check_finite=False)
        return Belief(mean * self.lesson.scale, rest * self.lesson.scale**2)

    @cached_property
    def _solved(self) -> _Solved:
        return _Solved(self.lesson, self.theta, self.tails)


def _same(places: Sequence[int | None]) -> Array:
    """Return 1 where two of the profiles are the same one: by their place, or where they stand."""
    known = [-1 - row if place is None else place for row, place in enumerate(places)]
    return np.equal.outer(known, known).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Belief:
    """What profiles are believed to be worth: means and covariances of the logarithms, from an unknown common level."""

    mean: Array
    covariance: Array

    def over(self, one: int, other: int) -> Difference:
        """Return what is believed of how much better one profile is than another, by their places."""
        variance = self.covariance[one, one] + self.covariance[other, other] - 2 * self.covariance[one, other]
        return Difference(float(self.mean[one] - self.mean[other]), math.sqrt(max(float(variance), JITTER)))


@dataclass(frozen=True, slots=True)
class Difference:
    """A log ratio as it is believed: a normal distribution."""

    mean: float
    sd: float

    def above(self, bar: float) -> float:
        """Return the probability that it is above `bar`."""
        return 1.0 - statistics.NormalDist(self.mean, self.sd).cdf(bar)

    @property
    def loss(self) -> float:
        """What is expected to be lost by going without it: the mean of what is above 0 of it, of which is no gain below.

        E max(0, x) = μ·Φ(μ/σ) + σ·φ(μ/σ), the expected value of perfect information (Raiffa & Schlaifer 1961, 5.3).
        """
        normal = statistics.NormalDist()
        away = self.mean / self.sd
        return self.mean * normal.cdf(away) + self.sd * normal.pdf(away)


def fitted(lesson: Lesson) -> Fitted:
    """Return the model whose parameters are the most probable for a lesson."""
    with one_thread():
        prior, usual = _prior(lesson), np.ones(len(lesson.values))
        theta = most_probable(lambda at: _likelihood(lesson, at, usual), prior, prior.mean, FIT_STEPS)
        tails = _weighed(lesson, theta)
        return Fitted(
            lesson, most_probable(lambda at: _likelihood(lesson, at, tails), prior, theta, REFIT_STEPS), tails
        )


def _weighed(lesson: Lesson, theta: Array) -> Array:
    tails = np.ones(len(lesson.values))
    for _ in range(TAIL_ROUNDS):
        tails = _tails(lesson, theta, tails)
    return tails


def refitted(lesson: Lesson, theta: Array) -> Fitted:
    """Return the model with known parameters: what takes time is to find them, and a few more blocks hardly change them."""
    with one_thread():
        return Fitted(lesson, theta, _weighed(lesson, theta))


def _prior(lesson: Lesson) -> Prior:
    """Return the prior of each weight, the scale of pairs, the own deviation and the noise."""
    count = len(lesson.effects)
    own, noise, effect = (2 * math.log(sd / lesson.scale) for sd in (OWN, lesson.sd, EFFECT))
    around = (noise - NOISE_REACH, noise + NOISE_REACH)
    return Prior(
        mean=np.array([*(np.log(lesson.urgency) + effect - SCALE_MEAN), SCALE_MEAN, own, noise]),
        deviation=np.array([*[WEIGHT_SD] * count, SCALE_SD, OWN_SD, NOISE_SD]),
        limits=np.array([*[BOUNDS["weight"]] * count, BOUNDS["scale"], BOUNDS["own"], around]),
    )


def _signal(theta: Array, effects: Array) -> Array:
    return covariances(np.exp(theta[:-3]), float(np.exp(theta[-3])), effects)


class _Solved:
    """What is believed of the told profiles by parameters and the tails of the noise.

    `prior` is the lower factor L of K; `lower` that of I + Lᵀ A L, of which no eigenvalue is below 1; `told` is Lᵀ b. So
    V = L (I + Lᵀ A L)⁻¹ Lᵀ, however near to singular K is.
    """

    def __init__(self, lesson: Lesson, theta: Array, tails: Array) -> None:
        self.lesson = lesson
        count = len(lesson.effects[0])
        self.weights = 1.0 / (np.exp(theta[-1]) * tails + JITTER)
        self.of_blocks = np.bincount(lesson.blocks, self.weights) + 1.0 / LEVEL_VARIANCE
        self.prior = np.linalg.cholesky(_signal(theta, lesson.effects) + np.exp(theta[-2]) * np.eye(count))
        self.seen = self._seen(count)
        self.told = self.prior.T @ np.bincount(lesson.profiles, self.weighed(lesson.values), count)
        self.lower = np.linalg.cholesky(np.eye(count) + self.prior.T @ self.seen @ self.prior)

    def _seen(self, count: int) -> Array:
        """Return A: what the scores tell of each pair of profiles."""
        pairs, blocks = self.lesson.pairs, self.lesson.blocks
        shared = self.weights[pairs.one] * self.weights[pairs.other] / self.of_blocks[blocks[pairs.one]]
        found = -np.bincount(pairs.cell, shared, count * count).reshape(count, count)
        found[np.diag_indices(count)] += np.bincount(self.lesson.profiles, self.weights, count)
        return np.asarray(found, dtype=np.float64)

    def weighed(self, values: Array) -> Array:
        """Return M⁻¹ times a value for each score: how far it is from the level of its block, in variances of its noise."""
        levels = np.bincount(self.lesson.blocks, self.weights * values) / self.of_blocks
        return np.asarray(self.weights * (values - levels[self.lesson.blocks]), dtype=np.float64)

    @cached_property
    def alpha(self) -> Array:
        """Σ⁻¹ y, Σ being the covariance of the scores: how far each is from what is believed, in variances of its noise."""
        worth = self.prior @ cho_solve((self.lower, True), self.told, check_finite=False)
        return self.weighed(self.lesson.values - worth[self.lesson.profiles])

    @cached_property
    def doubt(self) -> Array:
        """V: the covariance of what the told profiles are believed to be worth."""
        half = solve_triangular(self.lower, self.prior.T, lower=True, check_finite=False)
        return np.asarray(half.T @ half, dtype=np.float64)

    @property
    def unlikely(self) -> float:
        """The negative logarithm of the likelihood, but for a constant."""
        levels = np.log(self.of_blocks * LEVEL_VARIANCE).sum() - np.log(self.weights).sum()
        return float(0.5 * (self.lesson.values @ self.alpha + levels) + np.log(np.diag(self.lower)).sum())

    def slope(self) -> tuple[Array, Array]:
        """Return how fast that grows with K, and with the variance of the noise of each score: halves of Zᵀ S Z and the diagonal of S.

        S = Σ⁻¹ − α αᵀ, and Zᵀ Σ⁻¹ Z = A − A V A.
        """
        sums = np.bincount(self.lesson.profiles, self.alpha, len(self.seen))
        by_pair = 0.5 * (self.seen - self.seen @ self.doubt @ self.seen - np.outer(sums, sums))
        return by_pair, 0.5 * (self._own_precision() - self.alpha**2)

    def _own_precision(self) -> Array:
        """Return the diagonal of Σ⁻¹ = M⁻¹ − M⁻¹ Z V Zᵀ M⁻¹, in sums over the pairs of each block."""
        pairs, blocks, profiles = self.lesson.pairs, self.lesson.blocks, self.lesson.profiles
        along = (
            np.bincount(pairs.one, self.weights[pairs.other] * self.doubt.ravel()[pairs.cell]) / self.of_blocks[blocks]
        )
        whole = (np.bincount(blocks, self.weights * along) / self.of_blocks)[blocks]
        spread = np.diag(self.doubt)[profiles] - 2.0 * along + whole
        return np.asarray(self.weights - self.weights**2 * (1.0 / self.of_blocks[blocks] + spread), dtype=np.float64)


def _likelihood(lesson: Lesson, theta: Array, tails: Array) -> tuple[float, Array]:
    """Return the negative log likelihood and its gradient."""
    solved = _Solved(lesson, theta, tails)
    by_pair, by_score = solved.slope()
    of_effects = slopes(np.exp(theta[:-3]), float(np.exp(theta[-3])), lesson.effects, by_pair)
    of_own = float(np.trace(by_pair) * np.exp(theta[-2]))
    of_noise = float(by_score @ tails * np.exp(theta[-1]))
    return solved.unlikely, np.array([*of_effects, of_own, of_noise])


def _tails(lesson: Lesson, theta: Array, tails: Array) -> Array:
    """Return how many times the variance of each score is larger than usual, so that its distance is likely; never below 1."""
    alpha = _Solved(lesson, theta, tails).alpha
    noise = float(np.exp(theta[-1]))
    return tail(noise * tails * alpha, np.full(len(alpha), noise))


def shifted(found: Belief, at: int) -> Belief:
    """Return a belief with the profile at a place for its level."""
    mean = found.mean - found.mean[at]
    column = found.covariance[:, [at]]
    covariance = found.covariance - column - column.T + found.covariance[at, at]
    return replace(found, mean=mean, covariance=covariance)
