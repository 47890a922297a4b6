"""What a session believes of its profiles: the joint model of all its blocks (`judging/joint.py`), asked by settings.

Beliefs choose (who is a finalist, who is judged, what is recommended, what may be left out); they never claim.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from tuner.judging.effects import Array
from tuner.judging.joint import Belief, Difference, Fitted, Lesson, Score, fitted, refitted, shifted
from tuner.judging.objective import Objective
from tuner.judging.statistics import pooled_sd
from tuner.records import Phase, Run, Status, Trial
from tuner.search.space import SearchSpace
from tuner.search.surrogate import Centred, states
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.ledger import Ledger
from tuner.session.phases.propose import search_space

Settings = Mapping[str, str]

# A model of more profiles takes seconds: of a long search every n-th profile tells, beside the last that were measured again.
MOST_PROFILES: Final = 240
MOST_AGAIN: Final = 60
ASKED_AT_ONCE: Final = 100
"""Profiles whose means are asked for together."""
MOST_KNOWN: Final = 8
"""Models of a session that are kept: each has megabytes of kernels, and few are asked for again."""
# How much a variable is expected to matter that nobody would search here, beside one that is searched first.
NOT_SEARCHED: Final = 0.02
# What one run's score spreads, of the spread of a gain, which is the difference of two.
OF_A_GAIN: Final = 0.5**0.5


@dataclass(frozen=True, eq=False)
class Encoding:
    """How settings become kernels: by the search's dimensions, and by the text of each other variable that differs."""

    space: SearchSpace
    others: tuple[str, ...]

    @staticmethod
    def of(space: SearchSpace, profiles: Sequence[Settings]) -> Encoding:
        """Return the encoding of profiles and of all that has their variables."""
        names = sorted({name for settings in profiles for name in settings} - set(space.names))
        return Encoding(space, tuple(name for name in names if len({each.get(name) for each in profiles}) > 1))

    @property
    def urgency(self) -> Array:
        """How much each parameter is expected to matter, 1 for the most."""
        searched = (1.0 / dimension.priority for dimension in self.space.dimensions)
        return np.array([*searched, *[NOT_SEARCHED] * len(self.others)])

    @cached_property
    def _kernels(self) -> list[Centred]:
        return [Centred.over(dimension) for dimension in self.space.dimensions]

    def placed(self, profiles: Sequence[Settings]) -> Placed:
        """Return settings as the kernels need them."""
        held = [self.space.held(each) for each in profiles]
        states_of = (states(each, [row.get(each.parameter) for row in held]) for each in self.space.dimensions)
        texts = [np.array([each.get(name) for each in profiles], dtype=object) for name in self.others]
        return Placed(tuple(states_of), tuple(texts), len(profiles))

    def between(self, one: Placed, other: Placed) -> Array:
        """Return the kernel of each parameter between two lists of settings: parameters along the first axis.

        Of a variable that is not searched: 1 for the same text and -1 for others, the centred kernel of two values.
        """
        pairs = zip(self._kernels, one.states, other.states, strict=True)
        along = [kernel.between(mine, theirs) for kernel, mine, theirs in pairs]
        alike = [2.0 * np.equal.outer(a, b) - 1.0 for a, b in zip(one.texts, other.texts, strict=True)]
        return np.array([*along, *alike], dtype=np.float64).reshape(-1, one.count, other.count)


@dataclass(frozen=True, eq=False)
class Placed:
    """A list of settings as the kernels need it: their states along each dimension, and the texts of other variables."""

    states: tuple[Array, ...]
    texts: tuple[NDArray[np.object_], ...]
    count: int

    def __add__(self, other: Placed) -> Placed:
        """Return one list after the other."""
        along = tuple(np.vstack(both) for both in zip(self.states, other.states, strict=True))
        texts = tuple(np.concatenate(both) for both in zip(self.texts, other.texts, strict=True))
        return Placed(along, texts, self.count + other.count)


@dataclass(frozen=True, eq=False)
class Beliefs:
    """A fitted model and the profiles that it was told, by their settings; the first is the baseline."""

    encoding: Encoding
    model: Fitted
    told: tuple[Settings, ...]
    placed: Placed

    def of(self, profiles: Sequence[Settings]) -> Belief:
        """Return what is believed of profiles, measured or not, as log ratios to the baseline."""
        asked = [self.told[0], *profiles]
        placed = self.encoding.placed(asked)
        effects = self.encoding.between(placed, self.placed + placed)
        found = shifted(self.model.gains(effects, [self._place(each) for each in asked]), 0)
        return Belief(found.mean[1:], found.covariance[1:, 1:])

    def means(self, profiles: Sequence[Settings]) -> list[float]:
        """Return the means of the same, of however many profiles: not all at once, because covariances are the square of them."""
        parts = (profiles[first : first + ASKED_AT_ONCE] for first in range(0, len(profiles), ASKED_AT_ONCE))
        return [float(mean) for part in parts for mean in self.of(part).mean]

    @property
    def spread(self) -> float:
        """The spread of one block's gain, which is the difference of two scores."""
        return self.model.lesson.sd / OF_A_GAIN

    @property
    def blocks(self) -> int:
        """How many blocks it was told of."""
        return len({score.block for score in self.model.lesson.scores})

    def _place(self, settings: Settings) -> int | None:
        return self._places.get(frozenset(settings.items()))

    @cached_property
    def _places(self) -> dict[frozenset[tuple[str, str]], int]:
        return {frozenset(each.items()): place for place, each in reversed(list(enumerate(self.told)))}

    def gain(self, settings: Settings) -> Difference:
        """Return what is believed of a profile's log gain over the baseline."""
        return self.over(settings, self.told[0])

    def over(self, one: Settings, other: Settings) -> Difference:
        """Return what is believed of how much better one profile is than another."""
        return self.of([one, other]).over(0, 1)

    def over_each(self, one: Settings, others: Sequence[Settings]) -> list[Difference]:
        """Return the same for each of several others."""
        found = self.of([one, *others])
        return [found.over(0, place) for place in range(1, len(others) + 1)]


def updated(evidence: Evidence, before: Beliefs, phases: Collection[Phase]) -> Beliefs:
    """Return what the blocks of `phases` make believed of the profiles that were told before, by the model as it was fitted then."""
    told = Told(evidence, frozenset(phases), evidence.objective, math.inf)
    trials = list(filter(None, map(evidence.ledger.find, before.told)))
    lesson = replace(before.model.lesson, scores=told.all_scores(trials), unit=before.model.lesson.scale)
    return replace(before, model=refitted(lesson, before.model.theta))


_KNOWN: Final[WeakKeyDictionary[Ledger, dict[object, Beliefs | None]]] = WeakKeyDictionary()


def believed(
    evidence: Evidence, phases: Collection[Phase], goal: Objective | None = None, before: int | None = None
) -> Beliefs | None:
    """Return what the blocks of `phases` make believed by `goal` (the session's objective or a part of it).

    With `before` only blocks of lower numbers count. None where they hold too little: no block in which two profiles were
    measured whole.
    """
    known = _KNOWN.setdefault(evidence.ledger, {})
    told = Told(evidence, frozenset(phases), goal or evidence.objective, math.inf if before is None else before)
    key = (told.phases, told.goal, told.count, evidence.ledger.quarantined)
    if key in known:
        known[key] = known.pop(key)  # the latest last
        return known[key]
    known[key] = told.beliefs()
    while len(known) > MOST_KNOWN:
        del known[next(iter(known))]
    return known[key]


@dataclass(frozen=True, slots=True)
class Told:
    """Which blocks of a session tell, and by which objective."""

    evidence: Evidence
    phases: frozenset[Phase]
    goal: Objective
    before: float

    @property
    def count(self) -> int:
        """How many runs tell."""
        ledger = self.evidence.ledger
        if self.before == math.inf:
            return sum(map(ledger.count, self.phases))
        return sum(run.phase in self.phases and run.block < self.before for run in ledger.runs)

    def beliefs(self) -> Beliefs | None:
        """Return what is believed, None where too little is told."""
        trials = self._trials()
        scores = self.all_scores(trials)
        if len(scores) < len({score.block for score in scores}) + 1:
            return None
        told = tuple(trial.settings for trial in trials)
        encoding = Encoding.of(search_space(self.evidence.plan), told)
        placed = encoding.placed(told)
        lesson = Lesson(encoding.between(placed, placed), encoding.urgency, scores, self._sd(trials))
        return Beliefs(encoding, fitted(lesson), told, placed)

    def _runs(self, trial: Trial) -> list[Run]:
        runs = self.evidence.ledger.runs_of(trial.number)
        return [run for run in runs if run.phase in self.phases and run.block < self.before]

    def _blocks(self, trial: Trial) -> list[int]:
        return sorted({run.block for run in self._runs(trial)} - self.evidence.ledger.quarantined)

    def _trials(self) -> list[Trial]:
        """Return the baseline and what ran well; of very many those that mattered later, and every n-th of the others."""
        able = [trial for trial in self.evidence.ledger.trials[1:] if self._ran_well(trial)]
        if len(able) <= MOST_PROFILES:
            return [self.evidence.baseline, *able]
        again = [trial for trial in able if len(self._blocks(trial)) > 1][-MOST_AGAIN:]
        numbers = {trial.number for trial in again}
        once = [trial for trial in able if trial.number not in numbers]
        every = math.ceil(len(once) / (MOST_PROFILES - len(again)))
        return [self.evidence.baseline, *once[::every], *again]

    def _ran_well(self, trial: Trial) -> bool:
        runs = self._runs(trial)
        return bool(runs) and all(run.status is Status.OK for run in runs)

    def all_scores(self, trials: Sequence[Trial]) -> list[Score]:
        """Return the scores of trials, the baseline first; of very many not its own where nobody else is told: that says nothing."""
        others = [
            score
            for place, trial in enumerate(trials[1:], start=1)
            for score in self._scores(trial, place, self._blocks(trial))
        ]
        blocks = self._blocks(trials[0])
        if len(trials) > MOST_PROFILES:
            blocks = sorted({score.block for score in others}.intersection(blocks))
        return [*self._scores(trials[0], 0, blocks), *others]

    def _scores(self, trial: Trial, place: int, blocks: Sequence[int]) -> list[Score]:
        """Return the scores of a trial in those of the blocks in which it was measured whole."""
        metrics = self.evidence.metrics
        first = next((run.block for run in self.evidence.ledger.runs_of(0) if run.status is Status.OK), 0)
        reference = metrics.of(0, first)
        values = ((block, self.goal.gain(reference, metrics.of(trial.number, block))) for block in blocks)
        return [Score(place, block, value) for block, value in values if value is not None]

    def _sd(self, trials: Sequence[Trial]) -> float:
        """Return the spread of one score, as replicated profiles and the calibration show it."""
        return OF_A_GAIN * pooled_sd(map(self._gains, trials[1:]), self.evidence.gains.over_itself())

    def _gains(self, trial: Trial) -> list[float]:
        over = self.evidence.gains.over
        found = (over(0, trial.number, block, self.goal) for block in self._blocks(trial))
        return [gain for gain in found if gain is not None]
