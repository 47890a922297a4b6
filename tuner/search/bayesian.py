"""Bayesian search by scikit-optimize: the only module that imports it.

How scikit-optimize is used, and why so. The comparisons were made with 0.10.2 on two synthetic stacks of 6 and 19 parameters
with noise, cliffs, special values and failures, 30 to 40 trials, 3 to 6 seeds: enough to choose by, not to quote.

- Encoding. A Categorical selector beside an Integer for "a special value or a range", in the library's own way, ended below
  the same model on the coordinates of `SearchSpace.encode` (each a `Real` from 0 to 1) on both stacks: while the
  selector says "for ever", the number beside it still moves the model. As numbers are scaled there, the library's
  clipping of logarithmic integers (its tree models then answer with nothing but the upper bound) cannot happen.
- Proposals. Its own proposal optimises continuous coordinates and knows nothing of rules or of what was told, so it is
  one candidate among samples and neighbours of the best, all ranked by expected improvement. Both together
  found the most on the larger stack; on the smaller one it made no difference.
- Model. Its Gaussian process has one length scale for each coordinate, too many for so few trials: on the larger stack it was
  about level with random search. A log-normal prior around half the root of their number beat both (the growth with the
  dimension is that of Hvarfner et al., ICML 2024; their longer scales found less here).
- Noise. The variance of each observation goes into the diagonal (`alpha`); what the variances do not explain is learned
  (`noise="gaussian"`). The library refuses noise for each point in any other way.
- Memory. A fresh `skopt.Optimizer` is made for each proposal and told everything at once. There is nothing to pickle, and
  a resumed session goes on as if it had not stopped. Known profiles do not use up the initial design.
- Time. The hyperparameters get a bounded number of steps and the model a bounded number of observations: a proposal takes
  0.2 to 0.5 s of one core at 60 observations and 0.3 to 0.9 s at 200, for 15 to 57 coordinates.
"""

from __future__ import annotations

import random
import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, minimize
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships none

from tuner.search.optimizer import History, Observation, Outcome, Repair, any_new, runnable
from tuner.search.space import SearchSpace

with warnings.catch_warnings():  # what its imports say about the future of numpy is for its authors
    warnings.simplefilter("ignore")
    import skopt
    from skopt.acquisition import gaussian_ei
    from skopt.learning import GaussianProcessRegressor
    from skopt.learning.gaussian_process.kernels import ConstantKernel, Matern
    from skopt.space import Real

Array = NDArray[np.float64]
Settings = dict[str, str]

DESIGN: Final = (6, 12)
"""Fewest and most trials of the initial design; between them, one for each dimension."""

FEWEST_GAINS: Final = 2
"""Successful observations without which there is nothing to model."""

MOST_OBSERVATIONS: Final = 100
"""Observations that the model gets at most: the time of a fit grows with their cube."""

LEAST_IMPROVEMENT: Final = 0.01
"""Gain (natural logarithm of a ratio) that an improvement should have: less is seldom worth a variable."""

FIT_STEPS: Final = 30
RANDOM_CANDIDATES: Final = 600
PARENTS: Final = 4
BROODS: Final = 8
SHORTLIST: Final = 8
"""Candidates repaired before the choice among them: a repair takes longer than a prediction."""

LEAST_SPREAD: Final = 0.02
DEEPEST: Final = 3.0
"""Losses count no deeper below the median than this many times the distance of the best above it: a cliff of a thousand
times would otherwise make all differences among good settings look like none."""

LEAST_DOUBT: Final = 1e-6
OUTSIDE_DOUBT: Final = 1.0
"""Variance, as a part of that of all gains, added to what was measured under settings that were not proposed here:
the variables that the model does not see have their part in it."""


class BayesianSearch:
    """Proposes an initial design that fills the space, then what the model expects to improve most."""

    def __init__(self, space: SearchSpace, seed: int, feasible: Repair) -> None:
        self._space = space
        self._seed = seed
        self._feasible = feasible
        self._history = History()
        self._foreign: list[Mapping[str, str]] = []

    def tell(self, outcome: Outcome) -> None:
        """Remember the outcome; the model is made when it is asked."""
        self._history.tell(outcome)
        if not self._could_propose(outcome.settings):
            self._foreign.append(outcome.settings)

    def ask(self) -> dict[str, str]:
        """Return the settings to try next: of the design, or by the model, or at random when neither has any."""
        rng = self._history.rng(self._seed)
        # A design only makes a first model possible: where earlier sessions give one, it would cost runs for nothing.
        proposal = None if self._warm() else self._planned()
        if proposal is None:  # not "or": no settings at all are a proposal too
            proposal = self._modelled(rng)
        if proposal is None:
            proposal = any_new(self._space, self._feasible, self._history, rng)
        self._history.asked(proposal)
        return dict(proposal)

    def _could_propose(self, settings: Mapping[str, str]) -> bool:
        # A repair may take out what is a default and put in what a rule demands: that is no foreign influence.
        return self._space.covers(settings) or self._feasible(self._space.inside(settings)) == settings

    def _warm(self) -> bool:
        return sum(o.gain is not None for o in self._history.prior()) >= len(self._design)

    def _planned(self) -> Settings | None:
        return next((settings for settings in self._design if not self._history.knows(settings)), None)

    @cached_property
    def _design(self) -> list[Settings]:
        fewest, most = DESIGN
        rng = random.Random(f"{self._seed}/design")  # noqa: S311 - no secret depends on it
        spread = self._space.spread(min(max(fewest, len(self._space.dimensions)), most), rng)
        return list(runnable(spread, self._feasible, History()))

    def _modelled(self, rng: random.Random) -> Settings | None:
        observed = self._history.observations()
        if sum(o.gain is not None for o in observed) < FEWEST_GAINS:
            return None
        lesson = self._lesson(_worth_most(observed))
        # A measurement may start at once on this machine: no thread of a linear algebra library may still be spinning.
        with warnings.catch_warnings(), threadpool_limits(limits=1):
            warnings.simplefilter("ignore")
            return self._best_of(_learned(lesson, rng), lesson, _ranked(observed), rng)

    def _lesson(self, observed: list[Observation]) -> _Lesson:
        """Return what to tell of the observations, and of the pending settings as if they had given the mean."""
        pending = self._history.pending
        gains = _tellable([o.gain for o in observed])
        gains += [statistics.fmean(gains)] * len(pending)
        scale = statistics.pvariance(gains) or 1.0
        doubts = [self._doubt(o, scale) for o in observed] + [LEAST_DOUBT] * len(pending)
        points = [list(self._space.encode(s)) for s in (*(o.settings for o in observed), *pending)]
        return _Lesson(points, [-gain for gain in gains], np.array(doubts))

    def _doubt(self, observation: Observation, scale: float) -> float:
        outside = OUTSIDE_DOUBT if observation.settings in self._foreign else 0.0
        return LEAST_DOUBT + (observation.variance or 0.0) / scale + outside

    def _best_of(
        self, learned: skopt.Optimizer, lesson: _Lesson, ranked: Sequence[Observation], rng: random.Random
    ) -> Settings | None:
        candidates = self._candidates(learned, ranked, rng)
        expected = _acquisition(self._space, learned.models[-1], lesson)
        order = np.argsort(-expected(candidates), kind="stable")
        for start in range(0, len(order), SHORTLIST):
            shortlist = (candidates[i] for i in order[start : start + SHORTLIST])
            new = list(runnable(shortlist, self._feasible, self._history))
            if new:
                return new[int(np.argmax(expected(new)))]  # repaired ones are not what was ranked
        return None

    def _candidates(
        self, learned: skopt.Optimizer, ranked: Sequence[Observation], rng: random.Random
    ) -> list[Settings]:
        own = self._space.decode(tuple(float(c) for c in learned.ask()))
        drawn = [self._space.sample(rng) for _ in range(RANDOM_CANDIDATES)]
        liked = [self._space.inside(o.settings) for o in _ranked(self._history.prior())[:PARENTS]]
        parents = [o for o in ranked[:PARENTS] for _ in range(BROODS)]
        found = [own, *liked, *drawn, *(child for parent in parents for child in self._brood(parent, rng))]
        return list({frozenset(settings.items()): settings for settings in found}.values())

    def _brood(self, parent: Observation, rng: random.Random) -> list[Settings]:
        children = self._space.neighbours(parent.settings, rng)
        return children + (self._space.neighbours(rng.choice(children), rng) if children else [])


@dataclass(frozen=True, slots=True)
class _Lesson:
    """What the model is told: coordinates, costs (lower is better) and the variance of each normalised cost."""

    points: list[list[float]]
    costs: list[float]
    doubts: Array


def _ranked(observed: Sequence[Observation]) -> list[Observation]:
    return sorted((o for o in observed if o.gain is not None), key=lambda o: -(o.gain or 0.0))


def _worth_most(observed: list[Observation]) -> list[Observation]:
    """Return all observations, or the better half of the most that the model takes and the latest of the others."""
    if len(observed) <= MOST_OBSERVATIONS:
        return observed
    best = _ranked(observed)[: MOST_OBSERVATIONS // 2]
    others = [o for o in observed if all(o is not b for b in best)]
    return best + others[len(best) - MOST_OBSERVATIONS :]


def _tellable(gains: list[float | None]) -> list[float]:
    """Return the gains with deep losses cut off, and failures as a bit worse than the worst of them."""
    known = [gain for gain in gains if gain is not None]
    middle = statistics.median(known)
    spread = max(max(known) - middle, LEAST_SPREAD)
    worst = max(min(known), middle - DEEPEST * spread)
    return [worst - spread if gain is None else max(gain, worst) for gain in gains]


def _learned(lesson: _Lesson, rng: random.Random) -> skopt.Optimizer:
    """Return an optimizer of scikit-optimize that was told the lesson."""
    width = len(lesson.points[0])
    bounds = (0.05, 1000.0)
    kernel = ConstantKernel(1.0, (0.05, 20.0)) * Matern(np.ones(width), [bounds] * width, nu=2.5)
    model = GaussianProcessRegressor(
        kernel=kernel, alpha=lesson.doubts, normalize_y=True, noise="gaussian", optimizer=_fit
    )
    learned = skopt.Optimizer(
        [Real(0.0, 1.0)] * width,
        base_estimator=model,
        n_initial_points=0,
        acq_func="EI",
        acq_func_kwargs={"xi": LEAST_IMPROVEMENT},
        acq_optimizer="lbfgs",
        acq_optimizer_kwargs={"n_points": 400, "n_restarts_optimizer": 2},
        random_state=rng.randrange(1 << 31),
    )
    learned.tell(lesson.points, lesson.costs)
    return learned


def _fit(likelihood: Callable[[Array], Any], start: Array, bounds: Array) -> tuple[Array, float]:
    """Return the most probable logarithms of amplitude, length scales and noise, and the value there.

    `likelihood` gives the negative logarithm and its gradient. The prior is normal in the logarithms.
    """
    scales = len(start) - 2
    mean = np.array([0.0, *[np.log(0.5 * np.sqrt(scales))] * scales, -4.0])
    deviation = np.array([1.0, *[1.0] * scales, 1.5])

    def posterior(theta: Array) -> tuple[float, Array]:
        value, gradient = likelihood(theta)
        away = (theta - mean) / deviation
        return float(value) + 0.5 * float(away @ away), gradient + away / deviation

    allowed = Bounds(bounds[:, 0], bounds[:, 1])
    first = np.clip(mean, bounds[:, 0], bounds[:, 1])
    found = minimize(posterior, first, method="L-BFGS-B", jac=True, bounds=allowed, options={"maxfun": FIT_STEPS})
    return found.x, float(found.fun)


def _acquisition(space: SearchSpace, model: Any, lesson: _Lesson) -> Callable[[list[Settings]], Array]:
    """Return the function from settings to their expected improvements.

    What is to be improved is the best that the model believes in, not the luckiest observation.
    """
    best = float(np.min(model.predict(np.array(lesson.points))))

    def expected(candidates: list[Settings]) -> Array:
        points = np.array([space.encode(settings) for settings in candidates])
        return np.asarray(gaussian_ei(points, model, best, LEAST_IMPROVEMENT), dtype=np.float64)

    return expected
