"""A block, the unit of work of a session: what is compared, measured once each under each workload, in random order.

Data go in and runs come out; nothing is stored, judged or told here, so that a block can be measured by whoever has a
rig. Whose turn it is, is asked when the turn comes, and whoever takes the runs has each before the next one is asked.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from tuner.records import Run, Status
from tuner.runs import chosen, rate_search
from tuner.runs.rate_search import Next, Probe, Start
from tuner.runs.run import Rig
from tuner.runs.time_limits import GENEROUS, TimeLimits
from tuner.runs.workload import Workload

KEY: Final = "load"
"""The part of a run's evidence that says to which search over the load it belongs."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RateSearch:
    """A search over the load in the place of a run: its number in the session, and where it begins.

    `holds` says of a run's metrics and its offered rate whether every limit held; `tail_share` is the share of
    observations beyond the limited percentile, of which a long run must see enough.
    """

    number: int
    start: Start
    tail_share: float
    holds: Callable[[Mapping[str, float], int], bool]


@dataclass(frozen=True, slots=True)
class Step:
    """One trial under one workload. `index` is the workload's place in the session, `needed` the metrics it must report.

    `limits` is how long its runs are waited for.
    """

    trial: int
    settings: Mapping[str, str] = field(hash=False)
    workload: Workload
    index: int = 0
    needed: tuple[str, ...] = ()
    full_log: bool = False
    search: RateSearch | None = None
    limits: TimeLimits = GENEROUS


Turn = Callable[[], Step | None]
"""Says what is measured when its turn comes, None for nothing."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Who looks on while a block is measured: told of each run that starts, and asked whether a search goes on."""

    starts: Callable[[Step], None]
    goes_on: Callable[[], bool]


def shuffled(seed: str, workloads: int, turns: Sequence[T]) -> list[tuple[int, T]]:
    """Return the order of a block: the workloads in random order, and under each of them all turns in random order."""
    rng = random.Random(seed)  # noqa: S311 - the order of measurement is no secret
    indices = rng.sample(range(workloads), workloads)
    return [(index, turn) for index in indices for turn in rng.sample(turns, len(turns))]


def measure(rig: Rig, order: Iterable[Turn], watch: Watch) -> Iterator[Run]:
    """Measure one turn after the other; yield each run, with its trial, as soon as it is made.

    A trial that fails is not measured again in the block. A search over the load is several runs, of which each says
    in its evidence to which search it belongs.
    """
    failed: set[int] = set()
    for turn in order:
        step = turn()
        if step is None or step.trial in failed:
            continue
        for run in _searched(rig, step, step.search, watch) if step.search else _measured(rig, step, watch):
            yield run
            if run.status is not Status.OK:
                failed.add(step.trial)


def _measured(rig: Rig, step: Step, watch: Watch) -> Iterator[Run]:
    watch.starts(step)
    yield _complete(step, _made(rig, step, step.workload, full_log=step.full_log))


def _made(rig: Rig, step: Step, workload: Workload, *, full_log: bool) -> Run:
    return rig.execute(step.settings, workload, step.index, full_log=full_log, limits=step.limits)


def _searched(rig: Rig, step: Step, search: RateSearch, watch: Watch) -> Iterator[Run]:
    """Look for the highest rate that holds the limits. A run that is not ok ends the search, which then has no answer."""
    probes: list[Probe] = []
    asked: Next | None = rate_search.first(search.start)
    while asked is not None:
        watch.starts(step)
        run = _made(rig, step, _shaped(step.workload, asked, search.tail_share), full_log=True)
        run = _complete(step, replace(run, evidence={**run.evidence, KEY: _said(search, asked)}))
        yield run
        probes.append(Probe(asked.offered_mps, asked.long, search.holds(run.metrics(), asked.offered_mps)))
        after = rate_search.following(probes, search.start)
        asked = after if run.status is Status.OK and watch.goes_on() else None


def _said(search: RateSearch, asked: Next) -> dict[str, int]:
    said = {"series": search.number, "offered_mps": asked.offered_mps, "long": asked.long}
    return said | {"start_mps": search.start.rate_mps, "known": search.start.known}


def _shaped(workload: Workload, asked: Next, tail_share: float) -> Workload:
    """Return the workload of a probe: at its rate, and long enough for what it is to show."""
    if not asked.long:
        return replace(workload, rate_mps=asked.offered_mps, duration_s=rate_search.SHORT_S)
    lasts_s = rate_search.long_run_s(asked.offered_mps, workload.reply_every, tail_share, workload.duration_s)
    return replace(workload, rate_mps=asked.offered_mps, duration_s=lasts_s)


def _complete(step: Step, run: Run) -> Run:
    """Return the run as its trial's, failed if it lacks what is needed."""
    metrics = run.metrics()
    missing = [metric for metric in step.needed if metrics.get(metric, 0.0) <= 0.0]
    mine = replace(run, trial=step.trial)
    if run.measurement is None or not missing:
        return mine
    return mine.failed(f"{chosen.of(step.workload).name} did not report {', '.join(missing)}")
