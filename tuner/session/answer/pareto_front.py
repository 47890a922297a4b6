"""The Pareto front of a session's trials: latency, rate and CPU as a rule, by all that was measured of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Sequence
from typing import Final

from tuner.judging.pareto import Point, front, point
from tuner.records import Status, Trial
from tuner.session.measuring.evidence import Evidence

AXES: Final[tuple[str, ...]] = ("latency_p50_us", "rate_mps", "cpu_s")


def front_of(evidence: Evidence, axes: Collection[str] = AXES) -> list[Trial]:
    """Return the trials that ran well and that no other dominates in these metrics, in the order in which they were added."""
    able = [trial for trial in evidence.ledger.trials if evidence.ledger.status(trial.number) is Status.OK]
    # The baseline is in every block: its runs tell how far one run is from the next, for trials of a single block too.
    spreads = {metric: _sd(values) for metric, values in evidence.metrics.samples(0).items() if metric in axes}
    if set(spreads) != set(axes):
        return []
    placed = {trial.number: _point(evidence, trial, spreads) for trial in able}
    kept = {each.name for each in front([found for found in placed.values() if found is not None])}
    return [trial for trial in able if str(trial.number) in kept]


def _point(evidence: Evidence, trial: Trial, spreads: dict[str, float]) -> Point | None:
    samples = evidence.metrics.samples(trial.number)
    values = {
        metric: (statistics.median(samples[metric]), len(samples[metric])) for metric in spreads if metric in samples
    }
    return point(str(trial.number), values, spreads)


def _sd(values: Sequence[float]) -> float:
    """Return the spread of logarithms; infinite for a single run, which says nothing of it."""
    logs = [math.log(value) for value in values if value > 0.0]
    return statistics.stdev(logs) if len(logs) > 1 else math.inf
