"""A Gaussian process that takes settings for a sum of effects: what a few dozen noisy trials can teach.

Most settings of a stack act by themselves, some only together with another one. The covariance of two settings is

    s² · (∏ᵢ (1 + wᵢ · cᵢ(x, y)) - 1) + r² · exp(-d(x, y) / ℓ) + 1

with one kernel cᵢ for each dimension, centred over its values, so that wᵢ is the share of that dimension's own effect,
wᵢwⱼ that of a pair, and s² says how little the pairs matter (smoothing-spline ANOVA: Wahba 1990, ch. 10; additive
Gaussian processes: Duvenaud et al., NeurIPS 2011; centred kernels: Durrande et al., 2013). One weight for each dimension,
with a log-normal prior that shrinks as their number grows, is what so few observations can carry.

What is no sum of effects is the second term, r²: a deviation that near settings have in common, d being their squared distance
in the space of the kernels. The most probable weights of a few trials are often zero, and a sum of effects with such weights
is sure of what it has never seen, and never looks there: so it was on 7z, a public table (`docs/scoreboard.md`).

A gain is measured against its block's baseline, which is noisy too: half of its variance is common to the block. Both
halves have heavy tails, as hiccups have: what the model cannot explain loses weight (Student's t with four degrees of
freedom, by expectation and maximisation: Lange, Little & Taylor 1989).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
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
from tuner.search.dimension import REMEMBERED, Dimension

LENGTH: Final = 0.3
"""Length scale along a range, as a part of it."""

REFERENCES: Final = 32
"""Values of a dimension over which its kernel is centred."""

IN_RANGE, NOWHERE = -1.0, -2.0
"""Kinds of a value beside the indices of the single ones: a number of the range; without effect or place here."""

# The prior of the logarithm of the noise that the variances do not explain; those of weights and scale are `judging/effects.py`'s.
NOISE_MEAN, NOISE_SD = -5.0, 1.5
# That of r², and the distance ℓ at which settings have little in common; two values of a setting are 2 or more apart.
LOCAL_MEAN, LOCAL_SD = -2.0, 1.0
LOCAL_REACH: Final = 8.0
BOUNDS: Final = {"weight": (-12.0, 1.4), "scale": (-3.0, 6.0), "local": (-12.0, 1.0), "noise": (-12.0, 1.0)}


def with_nearness(effects: Array, one: Array, other: Array) -> Array:
    """Return the kernels between two lists of settings, and after them the correlation of their local deviations.

    `one` and `other` have the kernel of each with itself, parameters along the first axis.
    """
    apart = one.sum(axis=0)[:, None] + other.sum(axis=0)[None, :] - 2.0 * effects.sum(axis=0)
    near = np.exp(-np.maximum(apart, 0.0) / LOCAL_REACH)
    return np.concatenate([effects, near[None]])


def alone(itself: Array) -> Array:
    """Return the kernels of settings with themselves, and after them the correlation of their local deviations, which is 1."""
    return np.vstack([itself, np.ones(itself.shape[1])])


def states(dimension: Dimension, texts: Sequence[str | None]) -> Array:
    """Return kind and place of each value of a dimension: rows of two numbers."""
    return np.array([_state(dimension, text) for text in texts], dtype=np.float64).reshape(-1, 2)


# Remembered, because a model is made anew from the same outcomes after every block.
@lru_cache(maxsize=REMEMBERED)
def _state(dimension: Dimension, text: str | None) -> tuple[float, float]:
    value = None if text is None else dimension.nearest(text)
    if value is None:
        return NOWHERE, 0.0
    if value in dimension.singles:
        return float(dimension.singles.index(value)), 0.0
    return IN_RANGE, dimension.position(int(value))


def _alike(one: Array, other: Array) -> Array:
    """Return the correlation of the values of one dimension: Matérn 5/2 along a range, 1 for the same single value."""
    away = np.sqrt(5.0) / LENGTH * np.abs(one[:, None, 1] - other[None, :, 1])
    return np.where(one[:, None, 0] == other[None, :, 0], (1 + away + away**2 / 3) * np.exp(-away), 0.0)


@dataclass(frozen=True)
class Centred:
    """The kernel of one dimension, centred and scaled so that its effect has mean 0 and variance 1 over the values."""

    reference: Array

    @staticmethod
    def over(dimension: Dimension) -> Centred:
        """Return the kernel that is centred over what a search draws of `dimension`."""
        drawn = [dimension.pick((number + 0.5) / REFERENCES) for number in range(REFERENCES)]
        return Centred(states(dimension, drawn))

    @cached_property
    def _whole(self) -> tuple[float, float]:
        alike = _alike(self.reference, self.reference)
        return float(alike.mean()), float(max(1.0 - alike.mean(), JITTER))

    def _mean(self, values: Array) -> Array:
        return np.asarray(_alike(values, self.reference).mean(axis=1), dtype=np.float64)

    def between(self, one: Array, other: Array) -> Array:
        """Return the covariances of the values."""
        mean, scale = self._whole
        return (_alike(one, other) - self._mean(one)[:, None] - self._mean(other)[None, :] + mean) / scale

    def itself(self, values: Array) -> Array:
        """Return the variance of each value."""
        mean, scale = self._whole
        return (1.0 - 2 * self._mean(values) + mean) / scale


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a model is told: observed values, and how much their settings have in common.

    `urgency` says how much each dimension is expected to matter, 1 for the most. `effects` has a matrix for each dimension, and the nearness last. `own` is the variance of each value that is its own, `common` that which it
    shares with those of the same block; `blocks` numbers the blocks, -1 for none.
    """

    urgency: Array
    effects: Array
    values: Array
    own: Array
    common: Array
    blocks: NDArray[np.int64]

    @cached_property
    def together(self) -> Array:
        """Which pairs were measured in the same block: 1 or 0."""
        same = (self.blocks[:, None] == self.blocks[None, :]) & (self.blocks[:, None] >= 0)
        return np.asarray(same, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model that was fitted to a lesson; predicts from the covariances with what it was told."""

    weights: Array
    scale: float
    local: float
    lower: Array
    told: Array

    def covariances(self, effects: Array) -> Array:
        """Return the covariances from the kernels of the effects, which have the dimensions along their first axis, and the nearness."""
        return _covariances(self.weights, self.scale, self.local, effects)

    def predict(self, towards: Array, itself: Array) -> tuple[Array, Array]:
        """Return means and standard deviations of settings with these covariances with the told and with themselves."""
        half = solve_triangular(self.lower, towards.T, lower=True, check_finite=False)
        mean: Array = half.T @ self.told
        return mean, np.sqrt(np.maximum(itself - np.einsum("ij,ij->j", half, half), JITTER))


def _covariances(weights: Array, scale: float, local: float, effects: Array) -> Array:
    return np.asarray(covariances(weights, scale, effects[:-1]) + local * effects[-1] + 1.0, dtype=np.float64)


def fitted(lesson: Lesson) -> Fitted:
    """Return the model whose weights are the most probable for a lesson."""
    prior, first = _prior(lesson), lesson
    theta = most_probable(lambda at: _likelihood(first, at), prior, prior.mean, FIT_STEPS)
    for _ in range(TAIL_ROUNDS):
        lesson = _reweighted(lesson, theta)
    theta = most_probable(lambda at: _likelihood(lesson, at), prior, theta, REFIT_STEPS)
    lower = _factor(lesson, theta)
    told = solve_triangular(lower, lesson.values, lower=True, check_finite=False)
    return Fitted(*_parameters(theta), lower, told)


def extended(model: Fitted, towards: Array, itself: Array, noise: float) -> Fitted:
    """Return the model as if it had also been told its own belief of settings with these covariances."""
    half = solve_triangular(model.lower, towards.T, lower=True, check_finite=False)
    rest = itself + noise * np.eye(len(itself)) - half.T @ half
    corner = np.linalg.cholesky(rest + JITTER * np.eye(len(rest)))
    lower = np.block([[model.lower, np.zeros_like(half)], [half.T, corner]])
    return Fitted(model.weights, model.scale, model.local, lower, np.concatenate([model.told, np.zeros(len(rest))]))


def _prior(lesson: Lesson) -> Prior:
    count = len(lesson.effects) - 1
    return Prior(
        mean=np.array([*np.log(lesson.urgency / count), SCALE_MEAN, LOCAL_MEAN, NOISE_MEAN]),
        deviation=np.array([*[WEIGHT_SD] * count, SCALE_SD, LOCAL_SD, NOISE_SD]),
        limits=np.array([*[BOUNDS["weight"]] * count, BOUNDS["scale"], BOUNDS["local"], BOUNDS["noise"]]),
    )


def _noise(lesson: Lesson, theta: Array) -> Array:
    own = np.diag(lesson.own + np.exp(theta[-1]) + JITTER)
    return np.asarray(own + np.sqrt(np.outer(lesson.common, lesson.common)) * lesson.together)


def _parameters(theta: Array) -> tuple[Array, float, float]:
    """Return the weights, the scale and the variance of the local deviations."""
    return np.exp(theta[:-3]), float(np.exp(theta[-3])), float(np.exp(theta[-2]))


def _factor(lesson: Lesson, theta: Array) -> Array:
    signal = _covariances(*_parameters(theta), lesson.effects)
    return np.asarray(np.linalg.cholesky(signal + _noise(lesson, theta)), dtype=np.float64)


def _likelihood(lesson: Lesson, theta: Array) -> tuple[float, Array]:
    """Return the negative log likelihood and its gradient (Rasmussen & Williams 2006, 5.8 and 5.9)."""
    lower = _factor(lesson, theta)
    inverse = cho_solve((lower, True), np.eye(len(lower)), check_finite=False)
    alpha = inverse @ lesson.values
    slope = 0.5 * (inverse - np.outer(alpha, alpha))
    weights, scale, local = _parameters(theta)
    of_effects = slopes(weights, scale, lesson.effects[:-1], slope)
    of_local = local * float(np.sum(slope * lesson.effects[-1]))
    of_noise = float(np.trace(slope) * np.exp(theta[-1]))
    value = 0.5 * float(lesson.values @ alpha) + float(np.log(np.diag(lower)).sum())
    return value, np.array([*of_effects, of_local, of_noise])


def _reweighted(lesson: Lesson, theta: Array) -> Lesson:
    """Return the lesson with larger variances for what lies further from the model than its noise explains."""
    lower = _factor(lesson, theta)
    alpha = np.asarray(cho_solve((lower, True), lesson.values, check_finite=False))
    own = lesson.own + np.exp(theta[-1])
    shared = lesson.common * (lesson.together @ alpha)
    return Lesson(
        lesson.urgency,
        lesson.effects,
        lesson.values,
        lesson.own + own * (tail(own * alpha, own) - 1.0),
        lesson.common * tail(shared, lesson.common),
        lesson.blocks,
    )
