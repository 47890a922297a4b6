"""What each setting of the recommended profile contributes, shown or believed, and what is left where only shown ones stay."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tuner.judging.joint import Difference
from tuner.judging.statistics import CONFIDENCE, Gain
from tuner.records import Trial
from tuner.session.answer import words
from tuner.session.answer.parts import Basis, Minimal, Recommended, Worth
from tuner.session.measuring.evidence import Evidence
from tuner.session.phases import suspects
from tuner.session.phases.beliefs import Beliefs
from tuner.session.phases.minimise import Minimised, earned

# Of a normal distribution, what lies within so many standard deviations has the probability CONFIDENCE.
REACH: Final = 1.959964
# Sums of many products differ in their last digits from one machine to another.
DECIMALS: Final = 4


def contributions(best: Trial, beliefs: Beliefs, shorter: Minimised | None) -> Iterator[Recommended]:
    """Yield what each setting of the recommended profile contributes."""
    seen = {each.name: each for each in (*shorter.kept, *shorter.dropped)} if shorter else {}
    for name, value in best.settings.items():
        found = seen.get(name)
        if found and found.gain and earned(found.gain):
            yield Recommended(name, value, Basis.SHOWN, found.gain, words.setting(found.gain))
        else:
            expected = as_gain(beliefs.over(best.settings, suspects.without(best.settings, [name])), beliefs.blocks)
            yield Recommended(name, value, Basis.BELIEVED, expected, _believed(expected, found))


def _believed(expected: Gain, found: Worth | None) -> str:
    """Return what is believed of a setting, and what its own blocks showed where it has enough of them."""
    return "; ".join([words.believed(expected), *([words.setting(found.gain)] if found and found.gain else [])])


def as_gain(found: Difference, blocks: int) -> Gain:
    """Return what is believed of a difference as a ratio with the interval that holds it with probability `CONFIDENCE`."""
    low, high = found.mean - REACH * found.sd, found.mean + REACH * found.sd
    ratio, low, high = (round(math.exp(each), DECIMALS) for each in (found.mean, low, high))
    return Gain(ratio, low, high, blocks, CONFIDENCE)


def minimal(evidence: Evidence, best: Trial, beliefs: Beliefs, shorter: Minimised | None) -> Minimal | None:
    """Return the profile of the settings that are shown to contribute, None where none is or the stack's rules forbid it."""
    if shorter is None:
        return None
    settings = _shown(shorter.kept)
    left_out = [name for name in shorter.original.settings if name not in settings]
    if not settings or not suspects.removable(evidence.plan, shorter.original.settings, left_out):
        return None
    whole = shorter.gain if dict(shorter.profile.settings) == settings else None
    lost = as_gain(beliefs.over(best.settings, settings), beliefs.blocks)
    return Minimal(settings, None, whole, lost)


def _shown(kept: Sequence[Worth]) -> Mapping[str, str]:
    return {each.name: each.value for each in kept if each.gain and earned(each.gain)}
