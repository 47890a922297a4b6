"""Bayesian search with scikit-optimize: the only module that imports it.

How scikit-optimize is used, and why so. What is said of results was measured with 0.10.2 on synthetic landscapes of 8, 16
and 30 parameters (`benchmarks/landscapes.py`, seeds that the published comparison does not use).

- Design. Its Latin hypercube with the largest smallest distance makes the first trials; four values of ten stay at their
  default, so that fewer of them fall off a cliff. Known profiles do not use up the design.
- Acquisition. Its expected improvement, with half way certain failures taken into account, over what the model believes
  best, not over the luckiest observation.
- Model. Ours (`surrogate.py`), because its own Gaussian process takes one noise for all, one length scale for each coordinate
  and no blocks: with 60 runs it ended at 1.61, 1.91 and 1.93 times the defaults, behind Optuna's estimators on the larger two.
- Space. Ours, because its own knows no rules, no settings without effect and no special value beside a range; a selector
  beside a number moves the model where the number does nothing.
- Excursions. What the model would not propose, while its own proposals bring nothing (`excursions.py`).
- Memory. The models are made anew from everything that was told, whenever that was more. There is nothing to
  pickle, and a resumed session goes on as if it had not stopped.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import islice
from typing import Final

import numpy as np
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # ships none

from tuner.judging.effects import Array
from tuner.search import excursions
from tuner.search.beliefs import Awaiting, Belief, Beliefs
from tuner.search.candidates import Palette, climbed
from tuner.search.history import History, any_new, runnable
from tuner.search.optimizer import Outcome, Repair
from tuner.search.space import SearchSpace

with warnings.catch_warnings():  # what its imports say about the future of numpy is for its authors
    warnings.simplefilter("ignore")
    from skopt import acquisition, sampler

Settings = dict[str, str]

DESIGN: Final = (6, 12)
"""Fewest and most trials of the initial design; between them, one for each dimension."""

AT_DEFAULT: Final = 0.4
"""Share of the initial design's values that are left at their default."""

FEWEST_GAINS: Final = 2
"""Successful observations without which there is nothing to model."""

MOST_OUTCOMES: Final = 120
"""Outcomes that the model gets at most: the time of a fit grows with their cube."""

LEAST_IMPROVEMENT: Final = 0.01
"""Gain (natural logarithm of a ratio) that an improvement should have: less is seldom worth a variable."""

PARENTS: Final = 5
SHORTLIST: Final = 6
"""Candidates among which is chosen after their repair: a repair takes longer than a prediction."""

MOST_REPAIRS: Final = 200
"""Candidates looked at for those, where most are known or cannot run."""

CAUTION: Final = 2
"""Power of the chance to run in the acquisition: a hang costs its time-out, which is several runs."""

LIKELY, HOPELESS = 0.5, 0.2
LHS_TRIES: Final = 50
OUTSIDE_DOUBT: Final = 1.0
"""Variance, as a part of that of all gains, added to what was measured under settings that were not proposed here:
the variables that the model does not see have their part in it."""


@cache
def _libraries() -> ThreadpoolController:
    """Return what limits the threads of the linear algebra libraries; they are loaded with this module, and found once."""
    return ThreadpoolController()


class BayesianSearch:
    """Proposes an initial design that fills the space, then what the model expects to improve most."""

    def __init__(self, space: SearchSpace, seed: int, feasible: Repair) -> None:
        self._space = space
        self._seed = seed
        self._feasible = feasible
        self._history = History()
        self._foreign: list[Mapping[str, str]] = []
        self._beliefs: Beliefs | None = None

    def tell(self, outcome: Outcome) -> None:
        """Remember the outcome; the model is made when it is asked."""
        self._history.tell(outcome)
        self._beliefs = None
        if not self._could_propose(outcome.settings):
            self._foreign.append(outcome.settings)

    def ask(self) -> dict[str, str]:
        """Return the settings to try next: of the design, beside the model or by it, or at random when none has any."""
        rng = self._history.rng(self._seed)
        # A design only makes a first model possible: where earlier sessions give one, it would cost runs for nothing.
        proposal = None if self._warm() else self._planned()
        if proposal is None:  # not "or": no settings at all are a proposal too
            proposal = self._excursion(rng)
        if proposal is None:
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
        new = (settings for settings in self._design if not self._history.knows(settings))
        return next((settings for settings in new if not self._hopeless(settings)), None)

    def _excursion(self, rng: random.Random) -> Settings | None:
        if not excursions.due(self._space, self._history, before=0 if self._warm() else len(self._design)):
            return None
        if not excursions.sampled(self._history, rng):
            return next(self._able(excursions.changed(self._space, self._history, rng)), None)
        found = list(islice(self._able(excursions.samples(self._space, rng)), excursions.SAMPLES))
        return found[excursions.second_best(self._expected(found))] if found else None

    def _able(self, tried: Iterator[Settings]) -> Iterator[Settings]:
        """Yield the settings that can be run, are new and are not almost certain to fail, out of as many as may be looked at."""
        found = runnable(islice(tried, MOST_REPAIRS), self._feasible, self._history)
        return (settings for settings in found if not self._hopeless(settings))

    def _expected(self, found: list[Settings]) -> list[float]:
        """Return what gains are expected of settings, as far as anything is known."""
        outcomes = self._history.outcomes()
        if sum(outcome.gain is not None for outcome in outcomes) < FEWEST_GAINS:
            return [0.0] * len(found)
        with _libraries().limit(limits=1):
            return [float(mean) for mean in self._learned(outcomes).pending(self._history.pending).of(found).mean]

    def _hopeless(self, settings: Settings) -> bool:
        """Return whether settings are almost certain to fail, as far as anything is known."""
        outcomes = self._history.outcomes()
        gains = sum(outcome.gain is not None for outcome in outcomes)
        if gains < FEWEST_GAINS or gains == len(outcomes):
            return False
        with _libraries().limit(limits=1):
            return float(self._learned(outcomes).pending([]).of([settings]).runs[0]) < HOPELESS

    @cached_property
    def _design(self) -> list[Settings]:
        fewest, most = DESIGN
        dimensions = self._space.dimensions
        count = min(max(fewest, len(dimensions)), most)
        rng = random.Random(f"{self._seed}/design")  # noqa: S311 - no secret depends on it
        rows = sampler.Lhs(criterion="maximin", iterations=LHS_TRIES).generate(
            [(0.0, 1.0)] * len(dimensions), count, rng.randrange(1 << 31)
        )
        designed = (self._space.at_fractions(row, _unchanged(self._space, rng)) for row in rows)
        return list(runnable(designed, self._feasible, History()))

    def _modelled(self, rng: random.Random) -> Settings | None:
        outcomes = self._history.outcomes()
        if sum(outcome.gain is not None for outcome in outcomes) < FEWEST_GAINS:
            return None
        # A measurement may start at once on this machine: no thread of a linear algebra library may still be spinning.
        with warnings.catch_warnings(), _libraries().limit(limits=1):
            warnings.simplefilter("ignore")
            return self._best_of(self._learned(outcomes), rng)

    def _learned(self, outcomes: list[Outcome]) -> Beliefs:
        if self._beliefs is None:
            kept = _worth_most(outcomes)
            self._beliefs = Beliefs(self._space, kept, [self._doubt(outcome) for outcome in kept])
        return self._beliefs

    def _doubt(self, outcome: Outcome) -> float:
        return OUTSIDE_DOUBT if outcome.settings in self._foreign else 0.0

    def _best_of(self, beliefs: Beliefs, rng: random.Random) -> Settings | None:
        awaiting = beliefs.pending(self._history.pending)
        known = beliefs.tried
        believed = awaiting.of(known)
        order = np.argsort(-np.where(believed.runs > LIKELY, believed.mean, -np.inf), kind="stable")
        expected = _Expected(float(believed.mean[order[0]]))
        parents = [known[index] for index in order[:PARENTS]]
        palette = Palette.of(awaiting, parents, rng)
        rows = np.array([palette.row(parent) for parent in parents])
        climbing = climbed(palette, rows, lambda each: expected(palette.belief(each)), rng.randrange(1 << 31))
        return self._first_new(map(palette.settings, climbing), awaiting, expected)

    def _first_new(self, ordered: Iterable[Settings], awaiting: Awaiting, expected: _Expected) -> Settings | None:
        """Return the best of the first that can be run and are new: repaired ones are not what was ranked."""
        looked_at = islice(ordered, MOST_REPAIRS)
        found = list(islice(runnable(looked_at, self._feasible, self._history), SHORTLIST))
        return found[int(np.argmax(expected(awaiting.of(found))))] if found else None


@dataclass(frozen=True)
class _Expected:
    """Expected improvement over `best`, times the chance to run at all; an acquisition of scikit-optimize."""

    best: float

    def __call__(self, belief: Belief) -> Array:
        costs = _Costs(belief)
        improvement = acquisition.gaussian_ei(np.zeros((len(belief.mean), 1)), costs, -self.best, LEAST_IMPROVEMENT)
        return np.asarray(improvement * belief.runs**CAUTION, dtype=np.float64)


@dataclass(frozen=True)
class _Costs:
    """A belief in the words of scikit-optimize: a model whose predictions were made before, lower is better."""

    belief: Belief

    def predict(self, _points: Array, *, return_std: bool) -> tuple[Array, Array]:
        """Return costs and their standard deviations, whatever the points."""
        if not return_std:
            raise NotImplementedError("an acquisition asks for standard deviations")
        return -self.belief.mean, self.belief.sd


def _unchanged(space: SearchSpace, rng: random.Random) -> list[bool]:
    """Return which dimensions a trial of the design leaves at their default: the less urgent, the oftener."""
    return [rng.random() >= (1 - AT_DEFAULT) / dimension.priority for dimension in space.dimensions]


def _worth_most(outcomes: list[Outcome]) -> list[Outcome]:
    """Return all outcomes, or the better half of the most that the model takes and the latest of the others."""
    if len(outcomes) <= MOST_OUTCOMES:
        return outcomes
    best = sorted((o for o in outcomes if o.gain is not None), key=lambda o: -(o.gain or 0.0))[: MOST_OUTCOMES // 2]
    among_best = {id(outcome) for outcome in best}
    others = [outcome for outcome in outcomes if id(outcome) not in among_best]
    return best + others[len(best) - MOST_OUTCOMES :]
