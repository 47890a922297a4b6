"""Proposals against the model's advice, once its own have brought nothing for a while: how a search leaves its basin.

A model that is wrong about an interaction is sure of it: it proposes what it believes in, and nothing of that tells it
where it is wrong. On BDBC (a public table, 16 options; `docs/scoreboard.md`) it believed of one option -0.18 ± 0.03 where
the truth was +0.32, and stood still (median regret .045 after 100 runs; .0001 with excursions, other seeds). A forest of
trees beside it brought nothing there, and a least weight for every interaction found less on landscapes of steps. So every
second proposal is left to chance while nothing improves: half of those are samples of the whole space, half are leaders
with up to three settings changed, which is local search with steps that the model's climbing, one setting at a time, does
not take.

A sample is the second of four by what the model expects: it knows what harms whatever else is set, and what it expects most of
is where it has been. In searches that stood still (ten of 7z after 20 trials, nine of BDBC after 24) one sample in 27 and one in
17 would have been in a better basin; of those in the third quarter by expectation one in 15 and one in 7; of the worse half one in
190 and one in 40; of leaders with changes one in 50 and one in 200. On LLVM, another one, it is leaders with changes that improve
(one in 60, of samples one in 300), so there are both.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tuner.search.history import History, Observation
from tuner.search.space import SearchSpace

PATIENCE: Final = 8
"""Proposals in a row without an improvement that are left to the model; where noise may hide one, as many as there are
dimensions, if that is more.

With eight in any case, sessions of 60 noisy runs on landscapes of steps found less than without excursions (mean log gain
.34 instead of .38, 20 seeds); with as many as dimensions in any case, searches of tables without noise had .031 and .025
for the mean regret after 30 and 50 runs instead of .015 and .011 (10 seeds).
"""

EVERY: Final = 2
"""Of those that follow, until something improves, one of so many is an excursion."""

LEAST_IMPROVEMENT: Final = 0.005
"""Gain (natural logarithm) that counts as one; so does no less than its own standard error."""

LEADERS: Final = 5
SAMPLED: Final = 0.5
"""Share of excursions that are samples of the whole space."""

SAMPLES, RANK = 4, 1
"""Samples among which is chosen, and which of them is taken by what the model expects, the best being 0."""

MOST_CHANGES: Final = 3


def due(space: SearchSpace, history: History, before: int) -> bool:
    """Return whether the next proposal is an excursion; the first `before` trials are a design, which improves nothing."""
    measured = history.measured()
    late = _stalled(measured, before) + len(history.pending) - _patience(space, measured)
    return late >= 0 and late % EVERY == 0


def _patience(space: SearchSpace, measured: Sequence[Observation]) -> int:
    hidden = any(_least(each) > LEAST_IMPROVEMENT for each in measured)
    return max(PATIENCE, len(space.dimensions)) if hidden else PATIENCE


def _stalled(measured: Sequence[Observation], before: int) -> int:
    """Return how many trials were measured since the last improvement, or since the design."""
    best, at = -math.inf, min(before, len(measured))
    for number, each in enumerate(measured, start=1):
        if each.gain is not None and each.gain > best + _least(each):
            best, at = each.gain, max(at, number)
    return len(measured) - at


def _least(observed: Observation) -> float:
    return max(LEAST_IMPROVEMENT, math.sqrt(observed.variance or 0.0))


def sampled(history: History, rng: random.Random) -> bool:
    """Return whether the next excursion is a sample of the space: as often as chance has it, always while nothing has succeeded."""
    return not _leaders(history) or rng.random() < SAMPLED


def samples(space: SearchSpace, rng: random.Random) -> Iterator[dict[str, str]]:
    """Yield settings of the whole space without end, whether they can be run or not."""
    while True:
        yield space.sample(rng)


def changed(space: SearchSpace, history: History, rng: random.Random) -> Iterator[dict[str, str]]:
    """Yield leaders with a few settings changed without end, whether they can be run or not; something must have succeeded."""
    leaders = _leaders(history)
    while True:
        yield _changed(space, rng.choice(leaders), rng)


def second_best(expected: Sequence[float]) -> int:
    """Return the place of the sample to try, by what the model expects of each; the worst of too few."""
    ranked = sorted(range(len(expected)), key=lambda place: -expected[place])
    return ranked[min(RANK, len(ranked) - 1)]


def _leaders(history: History) -> list[Mapping[str, str]]:
    succeeded = [(each.gain, each.settings) for each in history.measured() if each.gain is not None]
    return [settings for _, settings in sorted(succeeded, key=lambda pair: -pair[0])[:LEADERS]]


def _changed(space: SearchSpace, leader: Mapping[str, str], rng: random.Random) -> dict[str, str]:
    count = min(rng.randint(1, MOST_CHANGES), len(space.dimensions))
    changes = {d.parameter: d.pick(rng.random()) for d in rng.sample(space.dimensions, count)}
    return space.effective({**space.inside(leader), **changes})
