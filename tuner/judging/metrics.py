"""What can be judged: the metrics of a workload's benchmark, and those that are made from its runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from tuner.runs import chosen
from tuner.runs.metric import Metric
from tuner.runs.workload import Workload

HELD_RATE: Final = "held_rate_mps"
"""The highest offered rate that held every limit of an SLO; 0 where none did. It is made from several runs, and no run has it."""
_HELD: Final = Metric(HELD_RATE, "msg/s", higher_is_better=True, short=True)
_OF_THE_HOST: Final = (
    Metric("cpu_s", "s", short=True),  # of both ends together; whoever ran them knows it
    Metric("server_memory_mb", "MB"),
)
EVERY: Final = (_HELD, *chosen.BENCHMARK.metrics(Workload()), *_OF_THE_HOST)
"""The metrics of sessions that bring no benchmark of their own."""
HIGHER_IS_BETTER: Final = frozenset(metric.name for metric in EVERY if metric.higher_is_better)
SHORT: Final = tuple(metric.name for metric in EVERY if metric.short)
_KNOWN: Final = frozenset(metric.name for metric in EVERY)
# Of the samples of a metric of one's own: these two stand in every table.
_SHORT_SAMPLES: Final = ("p50", "p99")


def reported(workloads: Iterable[Workload]) -> Mapping[str, Metric]:
    """Return what is known of all metrics that runs of these workloads may have, by their names."""
    of_all = (metric for each in workloads for metric in chosen.of(each).metrics(each))
    return {metric.name: metric for metric in (_HELD, *of_all, *_OF_THE_HOST)}


def short(names: Iterable[str]) -> list[str]:
    """Return which of these metrics stand in tables that have room for a few only: of a recipe all but some made of samples."""
    present = list(dict.fromkeys(names))
    own = [name for name in present if name not in _KNOWN]
    told = [name for name in own if "." not in name or name.partition(".")[2] in _SHORT_SAMPLES]
    return [*told, *(name for name in SHORT if name in present)]
