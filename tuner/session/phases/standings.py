"""How the trials of a search stand: what was seen of each, who leads, how far blocks differ. Kept as blocks come.

A block moves the trials that it measured and no others, so that what it takes to know who leads does not grow with the trials of
a session. Sums are of whole numbers: they are the same in whichever order blocks came, for a resumed session too.
"""

from __future__ import annotations

import heapq
import math
import statistics
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from tuner.judging.statistics import spread_of
from tuner.records import Phase, Status, Trial
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.gains import Gains
from tuner.session.phases.baseline_shift import seen

FINE: Final = 1 << 50
"""What one is in the sums of whole numbers."""

Place = tuple[float, int]
"""Where a trial stands among others: the negative of the view that is taken of it, and its number."""


class Seen(NamedTuple):
    """What the search saw of a trial that did not fail in it; it stands by its first two among those with as many gains."""

    lack: float
    """The negative of the mean of its gains."""
    number: int
    """Of the trial."""
    times: int
    """How many gains it has."""
    squares: float
    """Of the distances of its gains from their mean, in sum."""

    @staticmethod
    def of(number: int, gains: Sequence[float]) -> Seen:
        """Return what these gains of a trial say; there is one at least."""
        squares = statistics.variance(gains) * (len(gains) - 1) if len(gains) > 1 else 0.0
        return Seen(-statistics.fmean(gains), number, len(gains), squares)


class Standings:
    """The trials that a search saw, but for the baseline, in the order of what may be said of them."""

    def __init__(self) -> None:
        self._runs = 0
        self._quarantined: frozenset[int] = frozenset()
        self._over_itself: Sequence[float] = ()
        self._seen: dict[int, Seen] = {}
        self._by_count: dict[int, list[Seen]] = {}
        self._squares, self._degrees = 0, 0
        self._means, self._means_squared = 0, 0

    def follow(self, gains: Gains) -> None:
        """Take note of what was measured since the last time."""
        for number in self._moved(gains):
            self._leave(number)
            found = seen(gains, number)
            if found and gains.ledger.status(number, {Phase.SEARCH}) is Status.OK:
                self._enter(Seen.of(number, found))

    def _moved(self, gains: Gains) -> set[int]:
        """Return the trials that stand otherwise now, or may: those of blocks with new runs or that count otherwise."""
        ledger = gains.ledger
        new, self._runs = ledger.runs[self._runs :], len(ledger.runs)
        blocks = {run.block for run in new}
        if ledger.quarantined is not self._quarantined:
            blocks |= ledger.quarantined ^ self._quarantined
            self._quarantined = ledger.quarantined
        moved = {run.trial for block in blocks for run in ledger.runs_in(block)}
        over_itself = gains.over_itself()
        if over_itself != self._over_itself:  # by which every gain was corrected
            self._over_itself = over_itself
            moved.update(self._seen)
        return moved - {0}

    def _enter(self, found: Seen) -> None:
        self._seen[found.number] = found
        insort(self._by_count.setdefault(found.times, []), found)
        self._sum(found, 1)

    def _leave(self, number: int) -> None:
        found = self._seen.pop(number, None)
        if found is not None:
            places = self._by_count[found.times]
            del places[bisect_left(places, found)]
            self._sum(found, -1)

    def _sum(self, found: Seen, sign: int) -> None:
        mean = round(-found.lack * FINE)
        self._means += sign * mean
        self._means_squared += sign * mean * mean
        self._squares += sign * round(found.squares * FINE)
        self._degrees += sign * (found.times - 1)

    @property
    def spread(self) -> float:
        """The spread of one block's gain, as the calibration and the replicated trials show it."""
        return spread_of(self._squares / FINE, self._degrees, self._over_itself)

    @property
    def apart(self) -> float:
        """The standard deviation of the trials' mean gains, 0 of fewer than two."""
        count = len(self._seen)
        squares = count * self._means_squared - self._means**2
        return math.sqrt(squares / (count * (count - 1))) / FINE if count > 1 else 0.0

    def ranked(self) -> Iterator[int]:
        """Yield the trials by the pessimistic view of their gain, best first."""
        return self._merged(self._by_count)

    def promising(self, most: int) -> Iterator[int]:
        """Yield in the same order those of fewer than `most` gains that may be as good as the leader is in that view."""
        bar = max(
            (_low(places[0], self._error(count)) for count, places in self._by_count.items() if places), default=0.0
        )
        few = {count: places for count, places in self._by_count.items() if count < most}
        return self._merged({count: _reaching(places, self._error(count), bar) for count, places in few.items()})

    def _error(self, count: int) -> float:
        return self.spread / math.sqrt(count)

    def _merged(self, groups: Mapping[int, Iterable[Seen]]) -> Iterator[int]:
        ordered = [_lowered(places, self._error(count)) for count, places in groups.items()]
        return (number for _, number in heapq.merge(*ordered))


def _low(first: Seen, error: float) -> float:
    return -first.lack - error


def _lowered(places: Iterable[Seen], error: float) -> Iterator[Place]:
    """Yield the same trials by the negative of a pessimistic view."""
    return ((found.lack + error, found.number) for found in places)


def _reaching(places: Iterable[Seen], error: float, bar: float) -> Iterator[Seen]:
    """Yield those at the head that reach the bar in the optimistic view."""
    return takewhile(lambda found: error - found.lack >= bar, places)


_STANDINGS: Final[WeakKeyDictionary[Gains, Standings]] = WeakKeyDictionary()


def standings(evidence: Evidence) -> Standings:
    """Return how the trials of a session's search stand now."""
    found = _STANDINGS.setdefault(evidence.gains, Standings())
    found.follow(evidence.gains)
    return found


def ranked(evidence: Evidence) -> Iterator[Trial]:
    """Yield the trials that ran well in the search, by the pessimistic view of their gain in it, best first."""
    return (evidence.ledger.trials[number] for number in standings(evidence).ranked())


def incumbent(evidence: Evidence) -> Trial | None:
    """Return the trial that the search holds for the best, None before any ran well."""
    return next(ranked(evidence), None)


def spread(evidence: Evidence) -> float:
    """Return the spread of one block's gain, as the calibration and the replicated trials show it."""
    return standings(evidence).spread
