"""Tree-structured Parzen estimators by Optuna: the only module that imports it.

A second opinion beside scikit-optimize: no Gaussian process, 20 ms a proposal, and a library that is looked after.

- Encoding. A range is a position on the scale of its `Dimension`, from 0 to 1; special values are a categorical beside
  it, a choice is a categorical. What has no effect is left out of a trial: the estimators are one for each parameter, so
  that a setting is judged only by the trials in which it acted (Bergstra et al., NeurIPS 2011).
- Failures are told as pruned: below everything that was measured, as a rank and not as a number.
- Noise. The method looks only at ranks and takes no variances: a lucky observation counts as a good one.
- Memory. A fresh study is made for each proposal and told everything at once, so that a resumed session goes on as if
  it had not stopped. The library never writes anything.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Final

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from tuner.search.dimension import Dimension
from tuner.search.history import History, Observation, any_new, runnable
from tuner.search.optimizer import Outcome, Repair
from tuner.search.space import SearchSpace

STARTUP: Final = 10
"""Successful trials before the estimators are asked: the library's own number."""

MOST_TOLD: Final = 1000
BEST_TOLD: Final = 100
"""Trials that a study is told of at most, and how many of them are the best; the others are the latest. A study is made for each
proposal, in time that grows with its trials, and no more than 25 of them count as good to the library."""

PROPOSALS: Final = 24
"""Proposals that are looked at for one that is new and can be run."""

IN_RANGE: Final = ""
"""The categorical's word for "no special value"; no setting is spelled like this."""

Settings = dict[str, str]


class OptunaSearch:
    """Proposes random settings at first, then what is likelier among the good trials than among the others."""

    def __init__(self, space: SearchSpace, seed: int, feasible: Repair) -> None:
        self._space = space
        self._seed = seed
        self._feasible = feasible
        self._history = History()
        self._by_dimension = {d.parameter: _distributions(d) for d in space.dimensions}

    def tell(self, outcome: Outcome) -> None:
        """Remember the outcome; the study is made when it is asked."""
        self._history.tell(outcome)

    def ask(self) -> dict[str, str]:
        """Return the settings to try next."""
        rng = self._history.rng(self._seed)
        observed = self._history.observations()
        learned = sum(o.gain is not None for o in observed) >= STARTUP
        proposals = self._proposals(observed, rng) if learned else iter(())
        proposal = next(iter(runnable(proposals, self._feasible, self._history)), None)
        if proposal is None:  # not "or": no settings at all are a proposal too
            proposal = any_new(self._space, self._feasible, self._history, rng)
        self._history.asked(proposal)
        return dict(proposal)

    def _proposals(self, observed: list[Observation], rng: random.Random) -> Iterator[Settings]:
        every = {name: each for parts in self._by_dimension.values() for name, each in parts.items()}
        study = self._study(observed, rng)
        for _ in range(PROPOSALS):
            with warnings.catch_warnings():  # what the library thinks of its own options is for its authors
                warnings.simplefilter("ignore")
                params = study.ask(every).params
            yield self._space.inside({d.parameter: _text(d, params) for d in self._space.dimensions})

    def _study(self, observed: list[Observation], rng: random.Random) -> optuna.Study:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sampler = optuna.samplers.TPESampler(
                n_startup_trials=0, multivariate=False, constant_liar=True, seed=rng.randrange(1 << 31)
            )
            study = optuna.create_study(sampler=sampler, direction="maximize")
            study.add_trials([self._trial(o.settings, o.gain) for o in _worth_telling(observed)])
            # Those that are awaited count as running, which the sampler keeps away from.
            study.add_trials([self._trial(s, None, TrialState.RUNNING) for s in self._history.pending])
        return study

    def _trial(
        self, settings: Mapping[str, str], gain: float | None, state: TrialState = TrialState.PRUNED
    ) -> FrozenTrial:
        held = self._space.held(settings)
        acting = [d for d in self._space.dimensions if d.parameter in held]
        params = {name: value for d in acting for name, value in _params(d, held[d.parameter]).items()}
        known = {name: each for d in acting for name, each in self._by_dimension[d.parameter].items() if name in params}
        if gain is None:
            return create_trial(state=state, params=params, distributions=known)
        return create_trial(value=gain, params=params, distributions=known)


def _worth_telling(observed: list[Observation]) -> list[Observation]:
    """Return all observations, or, of more than a study is told of, the best and the latest."""
    if len(observed) <= MOST_TOLD:
        return observed
    earlier, latest = observed[: BEST_TOLD - MOST_TOLD], observed[BEST_TOLD - MOST_TOLD :]
    ran = sorted((each.gain, at) for at, each in enumerate(earlier) if each.gain is not None)
    return [*(earlier[at] for _, at in ran[-BEST_TOLD:]), *latest]


def _distributions(dimension: Dimension) -> dict[str, BaseDistribution]:
    """Return what stands for a dimension: a position in its range, a choice among its single values, or both."""
    found: dict[str, BaseDistribution] = {}
    if dimension.steps:
        found[dimension.parameter] = FloatDistribution(0.0, 1.0)
    if dimension.singles:
        words = (*dimension.singles, IN_RANGE) if dimension.steps else dimension.singles
        found[_single(dimension)] = CategoricalDistribution(words)
    return found


def _single(dimension: Dimension) -> str:
    return f"{dimension.parameter}/single"


def _params(dimension: Dimension, text: str) -> dict[str, Any]:
    if text in dimension.singles:
        return {_single(dimension): text}
    position = {dimension.parameter: dimension.position(int(text))}
    return position | ({_single(dimension): IN_RANGE} if dimension.singles else {})


def _text(dimension: Dimension, params: Mapping[str, Any]) -> str:
    single = params.get(_single(dimension), IN_RANGE)
    return str(single) if single != IN_RANGE else dimension.at(params[dimension.parameter])
