"""What a search believes of settings after what it was told: their gain, how surely, and whether they run at all."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from scipy.special import ndtr

from tuner.judging.effects import Array
from tuner.search.optimizer import Outcome
from tuner.search.space import SearchSpace
from tuner.search.surrogate import Centred, Fitted, Lesson, alone, extended, fitted, states, with_nearness

LEAST_SPREAD: Final = 0.02
DEEPEST: Final = 3.0
"""Losses count no deeper below the median than this many times the distance of the best above it: a cliff of a thousand
times would otherwise make all differences among good settings look like none."""

SHARED: Final = 0.5
"""Part of a gain's variance that is its baseline's, and so common to its block."""

FAILED_AT: Final = -1.0
FAILURE_DOUBT: Final = 0.05
EXACT: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Belief:
    """Expected gains with their standard deviations (natural logarithms of ratios), and the chance to run."""

    mean: Array
    sd: Array
    runs: Array


class Beliefs:
    """Two models of one history: of the gains of what ran, and of what runs. Makes no random choices."""

    def __init__(self, space: SearchSpace, outcomes: Sequence[Outcome], doubts: Sequence[float]) -> None:
        self.space = space
        self._outcomes = outcomes
        self._doubts = doubts
        self.kernels = [Centred.over(dimension) for dimension in space.dimensions]
        self.told = self.places([outcome.settings for outcome in outcomes])
        self._ran = np.array([outcome.gain is not None for outcome in outcomes])

    def places(self, settings: Sequence[Mapping[str, str]]) -> list[Array]:
        """Return for each dimension the states of these settings."""
        held = [self.space.held(each) for each in settings]
        return [states(d, [each.get(d.parameter) for each in held]) for d in self.space.dimensions]

    def effects(self, one: Sequence[Array], other: Sequence[Array]) -> Array:
        """Return for each dimension the kernel between two lists of states, and their nearness."""
        among = np.array([k.between(a, b) for k, a, b in zip(self.kernels, one, other, strict=True)])
        return with_nearness(among, self._itself(one), self._itself(other))

    def effects_itself(self, one: Sequence[Array]) -> Array:
        """Return for each dimension the kernel of each state with itself, and the nearness to itself."""
        return alone(self._itself(one))

    def _itself(self, one: Sequence[Array]) -> Array:
        return np.array([k.itself(a) for k, a in zip(self.kernels, one, strict=True)])

    @cached_property
    def scale(self) -> float:
        """The spread of the gains told, by which the model's numbers are divided."""
        return max(statistics.pstdev(tellable(self._gains)), LEAST_SPREAD)

    @cached_property
    def tried(self) -> list[Mapping[str, str]]:
        """The settings of what ran, each once."""
        ran = (outcome.settings for outcome in self._outcomes if outcome.gain is not None)
        return list({frozenset(settings.items()): settings for settings in ran}.values())

    @property
    def _gains(self) -> list[float]:
        return [outcome.gain for outcome in self._outcomes if outcome.gain is not None]

    @cached_property
    def _centre(self) -> float:
        return statistics.fmean(tellable(self._gains))

    @property
    def _urgency(self) -> Array:
        return np.array([1.0 / dimension.priority for dimension in self.space.dimensions])

    @cached_property
    def _all(self) -> Array:
        return self.effects(self.told, self.told)

    @cached_property
    def gain(self) -> Fitted:
        """The model of the gains of what ran."""
        ran = [index for index, outcome in enumerate(self._outcomes) if outcome.gain is not None]
        values = (np.array(tellable(self._gains)) - self._centre) / self.scale
        mine = [self._outcomes[index] for index in ran]
        variances = np.array([(outcome.variance or 0.0) / self.scale**2 for outcome in mine])
        common = np.where([outcome.block is None for outcome in mine], 0.0, SHARED * variances)
        own = variances - common + EXACT + np.array([self._doubts[index] for index in ran])
        blocks = np.array([-1 if outcome.block is None else outcome.block for outcome in mine], dtype=np.int64)
        return fitted(Lesson(self._urgency, self._all[:, ran][:, :, ran], values, own, common, blocks))

    @cached_property
    def success(self) -> Fitted | None:
        """The model of what runs (0) and what does not (-1), None while nothing has failed."""
        if self._ran.all():
            return None
        values = np.where(self._ran, 0.0, FAILED_AT)
        own = np.full(len(values), FAILURE_DOUBT)
        return fitted(Lesson(self._urgency, self._all, values, own, np.zeros(len(values)), np.full(len(values), -1)))

    def pending(self, settings: Sequence[Mapping[str, str]]) -> Awaiting:
        """Return these beliefs while `settings` are being measured."""
        return Awaiting(self, self.places(settings) if settings else None)

    def ran(self, effects: Array) -> Array:
        """Return the part of `effects` that is with what ran."""
        return effects[..., np.flatnonzero(self._ran)]

    def gains_of(self, mean: Array, sd: Array) -> tuple[Array, Array]:
        """Return the model's numbers as gains."""
        return mean * self.scale + self._centre, sd * self.scale


class Awaiting:
    """Beliefs while the outcomes of some settings are awaited: those are taken for what they are believed to be."""

    def __init__(self, beliefs: Beliefs, pending: list[Array] | None) -> None:
        self._beliefs = beliefs
        self.space = beliefs.space
        self.kernels = beliefs.kernels
        self.known = beliefs.told
        self._gain = beliefs.gain
        if pending is not None:
            towards = beliefs.ran(beliefs.effects(pending, beliefs.told))
            among = beliefs.effects(pending, pending)
            model = beliefs.gain
            self._gain = extended(model, model.covariances(towards), model.covariances(among), EXACT)
            self.known = [np.vstack(both) for both in zip(beliefs.told, pending, strict=True)]

    def of(self, settings: Sequence[Mapping[str, str]]) -> Belief:
        """Return what is believed of settings."""
        places = self._beliefs.places(settings)
        return self.by_effects(self._beliefs.effects(places, self.known), self._beliefs.effects_itself(places))

    def by_effects(self, effects: Array, itself: Array) -> Belief:
        """Return what is believed of settings with these kernels towards the `known` and with themselves."""
        told = len(self._beliefs.told[0])
        mine = np.concatenate([self._beliefs.ran(effects[..., :told]), effects[..., told:]], axis=-1)
        mean, sd = self._gain.predict(self._gain.covariances(mine), self._gain.covariances(itself))
        return Belief(*self._beliefs.gains_of(mean, sd), self._chance(effects[..., :told], itself))

    def _chance(self, effects: Array, itself: Array) -> Array:
        model = self._beliefs.success
        if model is None:
            return np.ones(itself.shape[-1])
        mean, sd = model.predict(model.covariances(effects), model.covariances(itself))
        # Half way between what runs and what does not is the border (Nickisch & Rasmussen 2008, label regression).
        return np.asarray(ndtr((mean - FAILED_AT / 2) / np.sqrt(sd**2 + FAILURE_DOUBT)), dtype=np.float64)


def tellable(gains: Sequence[float]) -> list[float]:
    """Return the gains with deep losses cut off."""
    middle = statistics.median(gains)
    spread = max(max(gains) - middle, LEAST_SPREAD)
    return [max(gain, middle - DEEPEST * spread) for gain in gains]
