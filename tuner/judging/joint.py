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
from scipy.linalg import cho_solve

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
    def together(self) -> Array:
        """Which scores are of one block: 1 or 0."""
        blocks = np.array([score.block for score in self.scores], dtype=np.int64)
        return np.asarray(blocks[:, None] == blocks[None, :], dtype=np.float64)

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
        towards = towards[:, self.lesson.profiles]
        mean = towards @ cho_solve((self._lower, True), self.lesson.values, check_finite=False)
        rest = among - towards @ cho_solve((self._lower, True), towards.T, check_finite=False)
        return Belief(mean * self.lesson.scale, rest * self.lesson.scale**2)

    @cached_property
    def _lower(self) -> Array:
        return _factor(self.lesson, self.theta, self.tails)


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


def _factor(lesson: Lesson, theta: Array, tails: Array) -> Array:
    told = _signal(theta, lesson.effects) + np.exp(theta[-2]) * np.eye(len(lesson.effects[0]))
    spread = told[np.ix_(lesson.profiles, lesson.profiles)] + LEVEL_VARIANCE * lesson.together
    noise = np.exp(theta[-1]) * tails + JITTER
    return np.asarray(np.linalg.cholesky(spread + np.diag(noise)), dtype=np.float64)


def _likelihood(lesson: Lesson, theta: Array, tails: Array) -> tuple[float, Array]:
    """Return the negative log likelihood and its gradient, whose sums are taken over profiles rather than scores."""
    lower = _factor(lesson, theta, tails)
    inverse = cho_solve((lower, True), np.eye(len(lower)), check_finite=False)
    alpha = inverse @ lesson.values
    slope = 0.5 * (inverse - np.outer(alpha, alpha))
    by_pair = _gathered(slope, lesson)
    of_effects = slopes(np.exp(theta[:-3]), float(np.exp(theta[-3])), lesson.effects, by_pair)
    of_own = float(np.trace(by_pair) * np.exp(theta[-2]))
    of_noise = float(np.diag(slope) @ tails * np.exp(theta[-1]))
    value = 0.5 * float(lesson.values @ alpha) + float(np.log(np.diag(lower)).sum())
    return value, np.array([*of_effects, of_own, of_noise])


def _gathered(slope: Array, lesson: Lesson) -> Array:
    """Return the sums of a matrix of scores over those of each pair of profiles."""
    members = np.zeros((len(lesson.effects[0]), len(lesson.values)))
    members[lesson.profiles, np.arange(len(lesson.values))] = 1.0
    return np.asarray(members @ slope @ members.T, dtype=np.float64)


def _tails(lesson: Lesson, theta: Array, tails: Array) -> Array:
    """Return how many times the variance of each score is larger than usual, so that its distance is likely; never below 1."""
    lower = _factor(lesson, theta, tails)
    alpha = np.asarray(cho_solve((lower, True), lesson.values, check_finite=False))
    noise = float(np.exp(theta[-1]))
    return tail(noise * tails * alpha, np.full(len(alpha), noise))


def shifted(found: Belief, at: int) -> Belief:
    """Return a belief with the profile at a place for its level."""
    mean = found.mean - found.mean[at]
    column = found.covariance[:, [at]]
    covariance = found.covariance - column - column.T + found.covariance[at, at]
    return replace(found, mean=mean, covariance=covariance)
