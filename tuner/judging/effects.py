"""What a model of the effects of settings is fitted by: their covariance, its slopes, the most probable parameters, heavy tails.

The covariance of two profiles is s² · (Π (1 + wᵢ · cᵢ) − 1) over one centred kernel cᵢ for each parameter; `search/surrogate.py` has
where that comes from. Parameters are logarithms: of each weight, of s², and of what a model has beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Likelihood = Callable[[Array], tuple[float, Array]]
"""Gives the negative log likelihood of parameters, and its gradient."""

TAIL_DEGREES: Final = 4.0
TAIL_ROUNDS: Final = 3
FIT_STEPS: Final = 40
REFIT_STEPS: Final = 15
# Chosen on synthetic landscapes of 8 to 30 dimensions: with s² near 1 a model was so sure of its few observations that
# it stopped to look elsewhere.
WEIGHT_SD: Final = 2.5
SCALE_MEAN, SCALE_SD = 2.0, 0.3
JITTER: Final = 1e-8


def covariances(weights: Array, scale: float, effects: Array) -> Array:
    """Return the covariances by the effects' kernels, which have the parameters along their first axis."""
    shaped = weights.reshape(-1, *[1] * (effects.ndim - 1))
    return np.asarray(scale * (np.prod(1.0 + shaped * effects, axis=0) - 1.0), dtype=np.float64)


def slopes(weights: Array, scale: float, effects: Array, by_pair: Array) -> Array:
    """Return how fast the likelihood falls with the logarithm of each weight and of the scale, last.

    `by_pair` says how fast it falls with the covariance of each pair.
    """
    signal = covariances(weights, scale, effects)
    product = by_pair * (signal + scale)
    # One parameter after the other: matrices of all of them at once do not fit a processor's cache.
    of_weights = [
        float(np.sum(_share(weight * effect, product))) for weight, effect in zip(weights, effects, strict=True)
    ]
    return np.array([*of_weights, float(np.sum(by_pair * signal))])


def _share(share: Array, product: Array) -> Array:
    """Return what the factor 1 + `share` has of a product: its derivative by the logarithm of the share."""
    factors = 1.0 + share
    if np.abs(factors).min() < JITTER:
        factors = np.where(np.abs(factors) < JITTER, JITTER, factors)
    return product * share / factors


@dataclass(frozen=True, eq=False)
class Prior:
    """Means and standard deviations of parameters, and between which limits each is looked for (rows of two)."""

    mean: Array
    deviation: Array
    limits: Array


def most_probable(likelihood: Likelihood, prior: Prior, start: Array, steps: int) -> Array:
    """Return the most probable parameters, after no more evaluations than `steps`."""
    from scipy.optimize import Bounds, minimize

    def posterior(theta: Array) -> tuple[float, Array]:
        away = (theta - prior.mean) / prior.deviation
        try:
            value, gradient = likelihood(theta)
        except np.linalg.LinAlgError:  # not positive definite by rounding: turn back
            return 1e10, np.zeros_like(theta)
        return value + 0.5 * float(away @ away), gradient + away / prior.deviation

    allowed: Any = Bounds(prior.limits[:, 0], prior.limits[:, 1])
    found = minimize(posterior, start, method="L-BFGS-B", jac=True, bounds=allowed, options={"maxfun": steps})
    return np.asarray(found.x, dtype=np.float64)


def tail(deviation: Array, variance: Array) -> Array:
    """Return by how much a variance must be larger for a deviation to be likely; never smaller than it was."""
    beyond = deviation**2 / np.maximum(variance, JITTER)
    return np.asarray(np.maximum(1.0, (TAIL_DEGREES + beyond) / (TAIL_DEGREES + 1.0)), dtype=np.float64)
