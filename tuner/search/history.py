"""What an optimizer was told and asked, and the candidates that are new to it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from statistics import fmean
from typing import Final

from tuner.errors import UsageError
from tuner.records import settings_key
from tuner.search.optimizer import Outcome, Repair
from tuner.search.space import SearchSpace

TRIES: Final = 400
"""Random candidates looked at before a space is suspected of being used up."""

COUNTABLE: Final = 20_000
"""A space of no more combinations is gone through one by one before it is called used up."""


@dataclass(frozen=True, slots=True)
class Observation:
    """All outcomes of the same settings together.

    `gain` is the mean of those that succeeded, None when none did; `variance` is that of the mean, None when
    it is not known for all of them.
    """

    settings: Mapping[str, str]
    gain: float | None
    variance: float | None
    told: int | tuple[Outcome, ...] | None = field(default=None, compare=False, repr=False)
    """What it is of: of one outcome that says the same, the block only, because nearly all settings of a long search have one."""

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What it is of, as it was told."""
        if isinstance(self.told, tuple):
            return self.told
        return (Outcome(self.settings, self.gain, self.variance, block=self.told),)


class History:
    """What an optimizer was told, by settings, and what it asked and has not been told yet."""

    def __init__(self) -> None:
        self._observed: dict[bytes, Observation] = {}
        self._prior: dict[bytes, list[Outcome]] = {}
        self._pending: dict[bytes, dict[str, str]] = {}
        self._outcomes: list[Outcome] | None = None

    def tell(self, outcome: Outcome) -> None:
        """Keep an outcome; unless it is a prior one, its settings are no longer pending."""
        self._outcomes, key = None, settings_key(outcome.settings)
        if outcome.prior:
            self._prior.setdefault(key, []).append(outcome)
            return
        known = self._observed.get(key)
        self._observed[key] = _together((*known.outcomes, outcome) if known else (outcome,))
        self._pending.pop(key, None)

    def asked(self, settings: Mapping[str, str]) -> None:
        """Keep settings that were proposed and whose outcome is awaited."""
        self._pending[settings_key(settings)] = dict(settings)

    def knows(self, settings: Mapping[str, str]) -> bool:
        """Return whether `settings` were told or are pending."""
        return (key := settings_key(settings)) in self._observed or key in self._pending

    @property
    def pending(self) -> list[dict[str, str]]:
        """Settings that were proposed and whose outcome is awaited, oldest first."""
        return list(self._pending.values())

    def outcomes(self) -> list[Outcome]:
        """Return every outcome one by one: the prior ones of settings not measured since, then the measured."""
        if self._outcomes is None:  # until the next is told; an optimizer that never asks for them holds none
            priors = [outcomes for key, outcomes in self._prior.items() if key not in self._observed]
            measured = (observed.outcomes for observed in self._observed.values())
            self._outcomes = list(itertools.chain(*priors, *measured))
        return self._outcomes

    def observations(self) -> list[Observation]:
        """Return what is known of all settings: the prior ones that were not measured since, then the measured."""
        return [*self.prior(), *self.measured()]

    def measured(self) -> list[Observation]:
        """Return what was measured in this session, in the order in which its settings were told first."""
        return list(self._observed.values())

    def prior(self) -> list[Observation]:
        """Return what earlier sessions found of settings that this one has not measured."""
        return [_together(outcomes) for key, outcomes in self._prior.items() if key not in self._observed]

    def rng(self, seed: int) -> random.Random:
        """Return the random numbers of the next ask, the same ones for the same history."""
        return random.Random(f"{seed}/{len(self._observed)}/{len(self._pending)}")  # noqa: S311 - no secret depends on it

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


def _together(outcomes: Sequence[Outcome]) -> Observation:
    if len(outcomes) == 1:  # the same numbers, not equal ones
        return _alone(outcomes[0])
    gains = [o.gain for o in outcomes if o.gain is not None]
    variances = [o.variance for o in outcomes if o.gain is not None and o.variance is not None]
    settings = outcomes[0].settings
    told = tuple(outcomes)
    if not gains:
        return Observation(settings, None, None, told)
    known = len(variances) == len(gains)
    return Observation(settings, fmean(gains), sum(variances) / len(gains) ** 2 if known else None, told)


def _alone(only: Outcome) -> Observation:
    """Return what one outcome says."""
    variance = only.variance if only.gain is not None else None
    whole = only.prior or variance is not only.variance
    return Observation(only.settings, only.gain, variance, (only,) if whole else only.block)


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
