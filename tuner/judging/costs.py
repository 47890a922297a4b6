"""What a profile costs: how metrics beside the objective differ between two profiles that were measured in the same blocks.

Each metric's ratio has the interval of a gain (`statistics.gain`). Several metrics are looked at, and whatever got worse is
told, so the intervals hold for all of them together (Bonferroni): where nothing differs, at most one session in twenty
tells any difference, and at most one in forty a cost.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tuner.judging.power import FEWEST_BLOCKS
from tuner.judging.statistics import Gain, gain


class Change(StrEnum):
    """What was shown of a metric."""

    WORSE = "worse"
    BETTER = "better"
    UNCLEAR = "no difference shown"


@dataclass(frozen=True, slots=True)
class Paired:
    """One metric of two profiles, block by block; every value is above 0."""

    metric: str
    baseline: tuple[float, ...]
    profile: tuple[float, ...]
    workload: int = 0
    """Its place among the session's."""
    higher_is_better: bool = False

    @property
    def enough(self) -> bool:
        """Whether there are blocks enough for an interval."""
        return len(self.baseline) >= FEWEST_BLOCKS


@dataclass(frozen=True, slots=True)
class Compared:
    """One metric of a profile beside the baseline's: medians, and the ratio of the profile to the baseline."""

    metric: str
    workload: int
    baseline: float
    profile: float
    ratio: Gain
    """Above 1 where the profile has the higher value, whichever way is better."""
    higher_is_better: bool = False

    @property
    def change(self) -> Change:
        """Whether the metric got worse or better beyond noise."""
        if self.ratio.low <= 1.0 <= self.ratio.high:
            return Change.UNCLEAR
        higher = self.ratio.low > 1.0
        return Change.BETTER if higher is self.higher_is_better else Change.WORSE


def compared(metrics: Sequence[Paired]) -> tuple[Compared, ...]:
    """Return the ratio of each metric that has blocks enough, with intervals that hold for all of them together."""
    able = [each for each in metrics if each.enough]
    return tuple(_compared(each, len(able)) for each in able)


def _compared(found: Paired, judged: int) -> Compared:
    pairs = zip(found.profile, found.baseline, strict=True)
    ratio = gain([math.log(profile / baseline) for profile, baseline in pairs], judged)
    medians = statistics.median(found.baseline), statistics.median(found.profile)
    return Compared(found.metric, found.workload, *medians, ratio, found.higher_is_better)
