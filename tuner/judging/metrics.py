"""What can be judged: the benchmark's own metrics, and those that are made from its runs."""

from __future__ import annotations

from typing import Final

from tuner.runs.benchmark import Metric
from tuner.runs.chosen import BENCHMARK

HELD_RATE: Final = "held_rate_mps"
"""The highest offered rate that held every limit of an SLO; 0 where none did. It is made from several runs, and no run has it."""
EVERY: Final = (
    Metric(HELD_RATE, "msg/s", higher_is_better=True, short=True),
    *BENCHMARK.metrics,
    Metric("cpu_s", "s", short=True),  # of both ends together; whoever ran them knows it
    Metric("server_memory_mb", "MB"),
)
HIGHER_IS_BETTER: Final = frozenset(metric.name for metric in EVERY if metric.higher_is_better)
UNITS: Final = {metric.name: metric.unit for metric in EVERY}
SHORT: Final = tuple(metric.name for metric in EVERY if metric.short)
"""The metrics of tables that have room for a few only."""
