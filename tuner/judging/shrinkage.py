"""What several measured values truly are, when some were measured once and all are of one kind: an empirical prior for all.

The prior has no form: it is the distribution over a grid that makes the measured values likely (Kiefer & Wolfowitz 1956, found
by the EM algorithm of Laird 1978). So profiles may stand in groups far apart, and a lucky value inside a group goes
back to the group. The algorithm starts from a flat prior and stops early: run to its end, the prior is a few sharp points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
else:
    Array = Any

POINTS: Final = 401
STEPS: Final = 100
MOST_LEARNED: Final = 1000
"""Of values that nobody asks for: about so many of them, evenly taken, show the prior as well as all would."""


@dataclass(frozen=True, slots=True)
class Beliefs:
    """For each of several values, a distribution over the same grid."""

    grid: Array
    """Shape (points,), evenly spaced, ascending."""
    weights: Array
    """Shape (values, points); every row sums to 1."""

    def means(self) -> Array:
        """Return the mean of each value."""
        means: Array = self.weights @ self.grid
        return means

    def sds(self) -> Array:
        """Return the standard deviation of each value."""
        import numpy as np

        squares: Array = self.weights @ self.grid**2 - self.means() ** 2
        sds: Array = np.sqrt(np.maximum(squares, 0.0))
        return sds

    def at_most(self, margin: float) -> Array:
        """Return, at [i, j], how surely value i is at most value j and a margin, both drawn by themselves."""
        import numpy as np

        steps = round(margin / (self.grid[1] - self.grid[0]))
        # At [j, g], how surely j is at grid point g or above.
        reached = np.flip(np.cumsum(np.flip(self.weights, axis=1), axis=1), axis=1)
        beyond = np.concatenate([np.ones((len(self.weights), steps)), reached], axis=1)[:, : len(self.grid)]
        found: Array = np.clip(self.weights @ beyond.T, 0.0, 1.0)
        return found


def believed(means: Sequence[float], errors: Sequence[float], told: Sequence[int] | None = None) -> Beliefs:
    """Return what values with these means and standard errors are believed to be: all of them, or those at the places `told`.

    The prior is learned from these and the others; of very many others from a sample, which counts for all of them.
    """
    import numpy as np

    seen, spread = np.asarray(means)[:, None], np.asarray(errors)[:, None]
    pad = float(spread.max())
    grid = np.linspace(float(seen.min()) - pad, float(seen.max()) + pad, POINTS)
    places = np.arange(len(seen)) if told is None else np.asarray(told)
    others = np.setdiff1d(np.arange(len(seen)), places)
    some = others[:: max(1, len(others) // MOST_LEARNED)]
    likely = _likely(seen, spread, np.concatenate([places, some]), grid)
    count_for = np.concatenate([np.ones(len(places)), np.full(len(some), len(others) / max(1, len(some)))])
    prior = np.full(POINTS, 1.0 / POINTS)
    for _ in range(STEPS):
        prior = count_for @ _posteriors(likely, prior) / len(seen)
    return Beliefs(grid, _posteriors(likely[: len(places)], prior))


def _likely(means: Array, errors: Array, places: NDArray[np.int_], grid: Array) -> Array:
    import numpy as np

    logs = -0.5 * ((means[places] - grid) / errors[places]) ** 2
    likely: Array = np.exp(logs - logs.max(axis=1, keepdims=True))
    return likely


def _posteriors(likely: Array, prior: Array) -> Array:
    joint = likely * prior
    normed: Array = joint / joint.sum(axis=1, keepdims=True)
    return normed
