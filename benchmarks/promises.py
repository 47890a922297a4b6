"""What is promised of the advice, and whether so many sessions show that it holds.

A promise is a bound of a share or of a mean. It holds where the whole 95 % interval is within the bound, it does not where the
whole interval is outside, and between the two there are too few sessions to say. Intervals are exact for shares (Clopper &
Pearson 1934), by Student's t for means.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from advised import MUCH, Advice
from scipy.stats import binomtest, t

LEVEL: Final = 0.95
FEWEST: Final = 30
"""A mean of fewer says nothing: losses are rare and large, and ten sessions without one are no sign that there is none."""


class Word(StrEnum):
    """What sessions show of a promise."""

    HOLDS = "holds"
    BROKEN = "does not hold"
    UNSAID = "too few to say"
    UNSEEN = "never seen"
    EMPTY = "–"


@dataclass(frozen=True, slots=True)
class Seen:
    """A share or a mean as it was seen in so many sessions, with its interval; nan where it has none."""

    value: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Promise:
    """A figure of sessions that lies from `least` to `most`. With `never`, one case of it is one too many."""

    figure: Callable[[Sequence[Advice]], Seen]
    most: float = math.inf
    least: float = -math.inf
    never: bool = False

    def word(self, found: Sequence[Advice]) -> Word:
        """Return what these sessions show."""
        seen = self.figure(found)
        if not seen.count:
            return Word.EMPTY
        if self.never:
            return Word.BROKEN if seen.value else Word.UNSEEN
        if seen.low > self.most or seen.high < self.least:
            return Word.BROKEN
        return Word.HOLDS if seen.low >= self.least and seen.high <= self.most else Word.UNSAID


def share(held: Iterable[bool]) -> Seen:
    """Return how often something holds."""
    every = list(held)
    if not every:
        return Seen(math.nan, math.nan, math.nan, 0)
    found = binomtest(sum(every), len(every)).proportion_ci(LEVEL)
    return Seen(sum(every) / len(every), float(found.low), float(found.high), len(every))


def mean(values: Iterable[float]) -> Seen:
    """Return a mean; of fewer than `FEWEST` its interval is everything."""
    every = list(values)
    if len(every) < FEWEST:
        return Seen(statistics.fmean(every) if every else math.nan, -math.inf, math.inf, len(every))
    middle = statistics.fmean(every)
    half = float(t.ppf((1 + LEVEL) / 2, len(every) - 1)) * statistics.stdev(every) / math.sqrt(len(every))
    return Seen(middle, middle - half, middle + half, len(every))


PROMISES: Final[Mapping[str, Promise]] = {
    "mean loss at most 0.5 %": Promise(lambda found: mean(one.loss for one in found), most=0.005),
    "more than 1 % lost in at most 5 % of sessions": Promise(
        lambda found: share(one.loss > MUCH for one in found), most=0.05
    ),
    "more than 1 % below the best known in at most 3 %": Promise(
        lambda found: share(one.below_known > MUCH for one in found), most=0.03
    ),
    "false claims in at most 5 %": Promise(lambda found: share(one.false_claim for one in found), most=0.05),
    "intervals cover in 92 to 98 %": Promise(
        lambda found: share(one.claim.covers for one in found if one.claim), most=0.98, least=0.92
    ),
    "overclaim at most 0.5 %": Promise(
        lambda found: mean(one.claim.overclaim for one in found if one.claim), most=0.005
    ),
    "no setting in `minimal.toml` whose interval holds 1": Promise(
        lambda found: share(one.unshown > 0 for one in found), never=True
    ),
    "a worse tail is always told": Promise(
        lambda found: share(not one.told for one in found if one.harmed), never=True
    ),
}


def percent(seen: Seen) -> str:
    """Return what was seen in percent, with its interval where it has one, and of how many."""
    if not seen.count:
        return "–"
    bounds = f" ({100 * seen.low:.2f} to {100 * seen.high:.2f})" if math.isfinite(seen.low) else ""
    return f"{100 * seen.value:.2f} %{bounds}, n = {seen.count}"
