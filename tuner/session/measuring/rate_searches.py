"""The load searches of a session as they are stored: each run is a row, and a series of rows is one search.

A row's evidence says to which series it belongs, what was offered, whether it was a long run, and where its search began.
Everything else follows from that and from the measurements, so that it can be computed again.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tuner.judging import slo
from tuner.judging.metrics import HELD_RATE
from tuner.judging.slo import Limit
from tuner.measurement import CORRECTED
from tuner.records import Phase, Run, Status
from tuner.runs import rate_search
from tuner.runs.block import KEY
from tuner.runs.rate_search import Probe, Start


def by_series(runs: Iterable[Run]) -> dict[int, list[Run]]:
    """Return the runs of each load search, in the order in which they were made."""
    found: dict[int, list[Run]] = {}
    for run in runs:
        if KEY in run.evidence:
            found.setdefault(run.evidence[KEY]["series"], []).append(run)
    return found


def unit_s(runs: Sequence[Run]) -> float:
    """Return what one profile takes once under one workload, in seconds: the mean of the load searches, or of the runs."""
    searches = by_series(runs)
    return sum(run.wall_s for run in runs) / len(searches) if searches else statistics.fmean(run.wall_s for run in runs)


def probes(series: Sequence[Run], limits: Sequence[Limit]) -> list[Probe]:
    """Return the runs of one load search as its rule sees them."""
    return [_probe(run, limits) for run in series]


def _probe(run: Run, limits: Sequence[Limit]) -> Probe:
    said = run.evidence[KEY]
    return Probe(said["offered_mps"], said["long"], slo.holds(limits, run.metrics(), said["offered_mps"]))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a load search of a trial found: the highest rate that holds and the run that shows it, 0 and None for none."""

    trial: int
    phase: Phase
    rate_mps: int
    run: Run | None

    def metrics(self) -> dict[str, float]:
        """Return the rate, and the metrics of the run at that rate."""
        return {HELD_RATE: float(self.rate_mps)} | (self.run.metrics() if self.run else {})


def answer(series: Sequence[Run], limits: Sequence[Limit]) -> Answer | None:
    """Return what a load search found, None for one that failed or was cut off."""
    if not series or any(run.status != Status.OK for run in series):
        return None
    made, said = probes(series, limits), series[0].evidence[KEY]
    if rate_search.following(made, Start(said["start_mps"], said["known"])) is not None:
        return None
    place = rate_search.answer(made)
    rate_mps, shown = (0, None) if place < 0 else (made[place].offered_mps, series[place])
    return Answer(series[0].trial, series[0].phase, rate_mps, shown)


class Searches:
    """The load searches of a session by their numbers, each answer computed once."""

    def __init__(self, limits: Sequence[Limit], runs: Sequence[Run] = ()) -> None:
        self._limits = limits
        self._series: dict[int, list[Run]] = {}
        self._found: dict[int, Answer | None] = {}
        self._seen = 0
        self.follow(runs)

    def follow(self, runs: Sequence[Run]) -> None:
        """Take note of a session's runs beyond those that were seen before."""
        new, self._seen = by_series(runs[self._seen :]), len(runs)
        for number, series in new.items():
            self._series.setdefault(number, []).extend(series)
            self._found[number] = answer(self._series[number], self._limits)

    def next_number(self) -> int:
        """Return the number of the next search."""
        return 1 + max(self._series, default=-1)

    def probes(self, number: int) -> list[Probe]:
        """Return the runs of a search as its rule sees them."""
        return probes(self._series.get(number, []), self._limits)

    def answers(self) -> list[Answer]:
        """Return the answer of each finished search, in their order."""
        return [found for found in self._found.values() if found is not None]

    def metrics(self, runs: Iterable[Run]) -> dict[str, float]:
        """Return what the last search among `runs` says, nothing where it has no answer."""
        found = self._found.get(next(reversed(by_series(runs)), -1))
        return found.metrics() if found else {}


def start(answers: Sequence[Answer], trial: int, rng: random.Random) -> Start:
    """Return where the next load search of a trial begins: at its own last answer, else at any other's, a little aside.

    The step aside is random, because rates on one grid would round a small difference away or blow it up.
    """
    aside = rate_search.STEP ** rng.uniform(-0.5, 0.5)
    for mine in (True, False):
        rates = [found.rate_mps for found in answers if found.rate_mps and (found.trial == trial) is mine]
        if rates:
            return Start(round(max(rate_search.LEAST_MPS, rates[-1] * aside)), known=mine)
    # Where nothing held so far, the least load is tried first: if that does not hold either, nothing more is to be seen.
    return Start(rate_search.LEAST_MPS if answers else round(rate_search.FIRST_MPS * aside))


def tail_share(limits: Sequence[Limit]) -> float:
    """Return the share of the observations beyond the highest limited percentile, 0 where none is limited."""
    return min(tail_shares(limits).values(), default=0.0)


def tail_shares(limits: Sequence[Limit]) -> dict[Limit, float]:
    """Return which share of the observations lies beyond each limited percentile."""
    return {each: 1 - CORRECTED[each.measured] / 100 for each in limits if each.measured in CORRECTED}
