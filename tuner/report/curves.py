"""Latency curves of the finalists: percentiles out of merged histograms, or out of each run where none is stored.

Percentiles of several runs are never averaged. Where every confirmation run of a profile has its histogram, the
histograms are added (HdrHistogram) and the curve is that of all their messages; otherwise each run has a curve of its
own, through the percentiles that the benchmark printed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tuner.errors import UsageError
from tuner.measurement import PERCENTILES, Measurement
from tuner.records import Phase, Run, Status, Trial
from tuner.report.rows import Row
from tuner.runs.chosen import BENCHMARK
from tuner.session.measuring.ledger import Ledger

# A curve goes on while a handful of messages lie beyond it: one message is a maximum and no percentile.
LEAST_DRAWN_BEYOND: Final = 10
# So many points an order of magnitude of the tail; closer ones cannot be told apart on a page.
STEPS_A_NINE: Final = 12
# Bars of a distribution an order of magnitude of latency.
BARS_A_DECADE: Final = 40
NS_A_US: Final = 1000.0


def curves(ledger: Ledger, trials: Sequence[Trial]) -> Row:
    """Return the percentile curves of these profiles as JSON: points of (percentile, µs), and the distributions.

    `source` is `histograms` or `runs`; `why` says in words what the curves are, or why there are none.
    """
    found = [_curves_of(trial, _confirmed(ledger, trial)) for trial in trials]
    found = [row for row in found if row["curves"]]
    merged = bool(found) and all(row["merged"] for row in found)
    return {"source": "histograms" if merged else "runs", "why": _why(found, merged=merged), "series": found}


def _why(found: Sequence[Row], *, merged: bool) -> str:
    if not found:
        return "No run of the finalists reported percentiles, so there is no curve."
    if merged:
        return "All messages of the runs that decide, from the sum of their histograms; percentiles are never averaged."
    problems = sorted({row["problem"] for row in found if row["problem"]})
    return f"One thin line per run, through the percentiles that {BENCHMARK.name} printed: " + "; ".join(problems) + "."


def _confirmed(ledger: Ledger, trial: Trial) -> list[Run]:
    """Return the good runs that judge a profile, all of them where none does, under the first workload."""
    mine = [run for run in ledger.runs if run.trial == trial.number and run.block not in ledger.quarantined]
    good = [run for run in mine if run.status == Status.OK and run.workload == 0 and run.measurement]
    return [run for run in good if run.phase in {Phase.CONFIRM, Phase.MINIMISE}] or good


def _curves_of(trial: Trial, runs: Sequence[Run]) -> Row:
    base = {"profile": trial.profile, "role": trial.role, "runs": len(runs)}
    histogram, problem = _merged(runs)
    if histogram is None:
        printed = [points for run in runs if run.measurement and len(points := _printed(run.measurement)) > 1]
        return base | {"merged": False, "problem": problem, "curves": printed, "messages": None, "distribution": []}
    bars = _distribution(histogram)
    points = _points(histogram)
    return base | {
        "merged": True,
        "problem": "",
        "curves": [points],
        "messages": histogram.get_total_count(),
        "distribution": bars,
    }


def _printed(measured: Measurement) -> list[list[float]]:
    """Return the percentiles of one run that messages stand behind, as (percentile, µs)."""
    named = ((percentile, getattr(measured, metric)) for metric, percentile in PERCENTILES.items())
    return [[p, us] for p, us in named if us and measured.observations_beyond(p) >= LEAST_DRAWN_BEYOND]


def _merged(runs: Sequence[Run]) -> tuple[Any, str]:
    """Return the sum of all runs' histograms, or None and why there is none."""
    stored = [run.measurement.histogram for run in runs if run.measurement and run.measurement.histogram]
    if len(stored) < len(runs) or not stored:
        return None, "not every run stored its histogram" if stored else "the runs stored no histogram"
    kinds = {(each.get("unit"), each.get("kind")) for each in stored}
    if len(kinds) != 1 or next(iter(kinds))[0] != "ns":
        return None, f"the histograms of the runs are of different kinds or units: {sorted(map(str, kinds))}"
    return added(stored)


def added(stored: Sequence[Mapping[str, Any]]) -> tuple[Any, str]:
    """Return the sum of histograms in their stored form, or None and why it cannot be computed."""
    from tuner.runs import histogram

    try:
        total = histogram.merge(map(histogram.decode, stored))
    except UsageError as reason:
        return None, reason.message
    return (total, "") if total.get_total_count() else (None, "the stored histograms are empty")


def _points(histogram: Any) -> list[list[float]]:
    percentiles = list(_percentiles(histogram.get_total_count()))
    latencies_ns = histogram.get_percentile_to_value_dict(percentiles)
    return [[round(p, 6), latencies_ns[p] / NS_A_US] for p in percentiles]


def _percentiles(count: int) -> Iterator[float]:
    """Return percentiles that are evenly spaced in nines, as long as some messages lie beyond them."""
    last = math.log10(count / LEAST_DRAWN_BEYOND) if count > LEAST_DRAWN_BEYOND else 0.0
    for step in range(int(last * STEPS_A_NINE) + 1):
        yield 100 * (1 - 10 ** (-step / STEPS_A_NINE))


def _distribution(histogram: Any) -> list[list[float]]:
    """Return bars of equal width in the logarithm: (from µs, to µs, share of the messages)."""
    from tuner.runs.histogram import recorded

    bars: dict[int, int] = {}
    for latency_ns, messages in recorded(histogram):
        at = math.floor(math.log10(max(latency_ns, 1) / NS_A_US) * BARS_A_DECADE)
        bars[at] = bars.get(at, 0) + messages
    total = histogram.get_total_count()
    return [
        [10 ** (at / BARS_A_DECADE), 10 ** ((at + 1) / BARS_A_DECADE), count / total]
        for at, count in sorted(bars.items())
    ]
