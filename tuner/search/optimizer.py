"""What an optimizer is, what it is told, and which ones there are.

The caller owns the loop, the measuring and the storing. An optimizer owns nothing but what it was told, so
resuming a session is telling its outcomes again, in the order in which they came.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from statistics import fmean
from typing import Final, Protocol

from tuner.errors import MissingTool, UsageError, did_you_mean
from tuner.search.space import SearchSpace

Key = frozenset[tuple[str, str]]
Repair = Callable[[dict[str, str]], dict[str, str] | None]
"""Makes a candidate runnable (the repaired settings) or turns it down (None). Must be a pure function."""

TRIES: Final = 400
"""Random candidates looked at before a space is suspected of being used up."""

COUNTABLE: Final = 20_000
"""A space of no more combinations is gone through one by one before it is called used up."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one trial gave.

    `gain` is the natural logarithm of the ratio to the baseline, higher is better; None when the trial failed or
    broke a constraint. `variance` is the squared standard error of `gain`, None when it is not known.
    `prior` marks what an earlier session found: it shapes what is asked, but its settings count as not tried yet.
    `block` numbers the block it was measured in, None when it is not known: gains of one block share their baseline's noise.
    Raises `ValueError` for numbers that are not finite, because no model survives them.
    """

    settings: Mapping[str, str]
    gain: float | None
    variance: float | None = None
    prior: bool = False
    block: int | None = None

    def __post_init__(self) -> None:
        if self.gain is not None and not math.isfinite(self.gain):
            raise ValueError(f"a gain must be finite, but is {self.gain}; a failed trial has the gain None")
        if self.variance is not None and not (math.isfinite(self.variance) and self.variance >= 0):
            raise ValueError(f"a variance must be finite and not negative, but is {self.variance}")


class Optimizer(Protocol):
    """Proposes settings and learns what they gave.

    `ask` is a function of the seed and of what was told and asked before: the same history gives the same answer.
    It answers with settings that neither were told nor are waiting for an outcome, as long as the space has any
    (those told as prior may be asked);
    after that with the best told ones, because another measurement of these is worth most.
    Asking again before telling gives another proposal, so that several can share a block.
    """

    def tell(self, outcome: Outcome) -> None:
        """Learn an outcome, of a proposal or of any other settings."""
        ...

    def ask(self) -> dict[str, str]:
        """Return the settings to try next; raise `UsageError` when no candidate at all is runnable."""
        ...


@dataclass(frozen=True, slots=True)
class Observation:
    """All outcomes of the same settings together.

    `gain` is the mean of those that succeeded, None when none did; `variance` is that of the mean, None when
    it is not known for all of them.
    """

    settings: Mapping[str, str]
    gain: float | None
    variance: float | None


class History:
    """What an optimizer was told, by settings, and what it asked and has not been told yet."""

    def __init__(self) -> None:
        self._told: dict[Key, list[Outcome]] = {}
        self._prior: dict[Key, list[Outcome]] = {}
        self._pending: dict[Key, dict[str, str]] = {}

    def tell(self, outcome: Outcome) -> None:
        """Keep an outcome; unless it is a prior one, its settings are no longer pending."""
        key = _key(outcome.settings)
        if outcome.prior:
            self._prior.setdefault(key, []).append(outcome)
            return
        self._told.setdefault(key, []).append(outcome)
        self._pending.pop(key, None)

    def asked(self, settings: Mapping[str, str]) -> None:
        """Keep settings that were proposed and whose outcome is awaited."""
        self._pending[_key(settings)] = dict(settings)

    def knows(self, settings: Mapping[str, str]) -> bool:
        """Return whether `settings` were told or are pending."""
        return _key(settings) in self._told or _key(settings) in self._pending

    @property
    def pending(self) -> list[dict[str, str]]:
        """Settings that were proposed and whose outcome is awaited, oldest first."""
        return list(self._pending.values())

    def outcomes(self) -> list[Outcome]:
        """Return every outcome one by one: the prior ones of settings not measured since, then the measured."""
        priors = [outcomes for key, outcomes in self._prior.items() if key not in self._told]
        return list(itertools.chain.from_iterable([*priors, *self._told.values()]))

    def observations(self) -> list[Observation]:
        """Return what is known of all settings: the prior ones that were not measured since, then the measured."""
        return [*self.prior(), *self.measured()]

    def measured(self) -> list[Observation]:
        """Return what was measured in this session, in the order in which its settings were told first."""
        return [_together(outcomes) for outcomes in self._told.values()]

    def prior(self) -> list[Observation]:
        """Return what earlier sessions found of settings that this one has not measured."""
        return [_together(outcomes) for key, outcomes in self._prior.items() if key not in self._told]

    def rng(self, seed: int) -> random.Random:
        """Return the random numbers of the next ask, the same ones for the same history."""
        return random.Random(f"{seed}/{len(self._told)}/{len(self._pending)}")  # noqa: S311 - no secret depends on it

    def best(self) -> dict[str, str]:
        """Return the settings told with the highest mean gain, or the oldest pending ones while nothing has succeeded.

        Raises `UsageError` when there are neither.
        """
        found = best_of(self.measured())
        if found is not None:
            return found
        if self._pending:
            return self.pending[0]
        raise UsageError("no candidate of the search space can be run", advice="widen it with --space")


def _key(settings: Mapping[str, str]) -> Key:
    return frozenset(settings.items())


def _together(outcomes: list[Outcome]) -> Observation:
    gains = [o.gain for o in outcomes if o.gain is not None]
    variances = [o.variance for o in outcomes if o.gain is not None and o.variance is not None]
    settings = outcomes[0].settings
    if not gains:
        return Observation(settings, None, None)
    known = len(variances) == len(gains)
    return Observation(settings, fmean(gains), sum(variances) / len(gains) ** 2 if known else None)


def best_of(observed: Iterable[Observation]) -> dict[str, str] | None:
    """Return the settings with the highest mean gain, the first of equals; None when none succeeded."""
    succeeded = [(o.gain, o.settings) for o in observed if o.gain is not None]
    return dict(max(succeeded, key=itemgetter(0))[1]) if succeeded else None


def runnable(candidates: Iterable[dict[str, str]], repair: Repair, history: History) -> Iterable[dict[str, str]]:
    """Yield the repaired form of those candidates that can be run and are new to `history`."""
    for candidate in candidates:
        repaired = repair(dict(candidate))
        if repaired is not None and not history.knows(repaired):
            yield repaired


def any_new(space: SearchSpace, repair: Repair, history: History, rng: random.Random) -> dict[str, str]:
    """Return runnable settings drawn at random that are new to `history`, or the best told when there are none."""
    drawn = (space.sample(rng) for _ in range(TRIES))
    found = next(iter(runnable(drawn, repair, history)), None)
    if found is None and space.size <= COUNTABLE:
        left = list(runnable(space.every(), repair, history))
        found = rng.choice(left) if left else None
    return found if found is not None else history.best()


def _random(space: SearchSpace, seed: int, repair: Repair) -> Optimizer:
    from tuner.search.random_search import RandomSearch

    return RandomSearch(space, seed, repair)


def _skopt(space: SearchSpace, seed: int, repair: Repair) -> Optimizer:
    try:
        from tuner.search.bayesian import BayesianSearch
    except (ImportError, AttributeError) as problem:  # skopt dies of either when numpy has moved on
        raise MissingTool(
            f"scikit-optimize cannot be loaded: {problem}",
            advice="install it with `pip install scikit-optimize`, or search with `--optimizer random`",
        ) from problem
    return BayesianSearch(space, seed, repair)


def _grid(space: SearchSpace, seed: int, repair: Repair) -> Optimizer:
    from tuner.search.grid import GridSearch

    return GridSearch(space, seed, repair)


def _optuna(space: SearchSpace, seed: int, repair: Repair) -> Optimizer:
    try:
        from tuner.search.optuna_search import OptunaSearch
    except (ImportError, AttributeError) as problem:
        raise MissingTool(
            f"optuna cannot be loaded: {problem}",
            advice="install it with `pip install optuna`, or search with `--optimizer skopt`, grid or random",
        ) from problem
    return OptunaSearch(space, seed, repair)


OPTIMIZERS: Final[Mapping[str, Callable[[SearchSpace, int, Repair], Optimizer]]] = {
    "skopt": _skopt,
    "random": _random,
    "grid": _grid,
    "optuna": _optuna,
}
"""What makes each optimizer, by the name that `--optimizer` takes. Nothing heavy is imported before one is made."""


def make(name: str, space: SearchSpace, seed: int, feasible: Repair) -> Optimizer:
    """Return the optimizer called `name` over `space`.

    Raises `UsageError` for an unknown name or a space without dimensions, `MissingTool` when its library is missing.
    """
    if name not in OPTIMIZERS:
        raise UsageError(f"unknown optimizer {name!r}", advice=did_you_mean(name, OPTIMIZERS))
    if not space.dimensions:
        raise UsageError(f"nothing to search on {space.stack}", advice="name the parameters with --space")
    return OPTIMIZERS[name](space, seed, feasible)
