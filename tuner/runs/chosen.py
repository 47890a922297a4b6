"""The benchmark that measures a workload."""

from __future__ import annotations

from typing import Final

from tuner.runs import sockperf
from tuner.runs.benchmark import Benchmark
from tuner.runs.workload import Workload

BENCHMARK: Final[Benchmark] = sockperf
"""What measures where nobody brings a benchmark of their own."""


def called(workload: Workload) -> str:
    """Return what sentences call the benchmark of a workload: a recipe by its own name."""
    return workload.recipe.name if workload.recipe else BENCHMARK.name


def of(workload: Workload) -> Benchmark:
    """Return what measures a workload."""
    if not workload.recipe:
        return BENCHMARK
    from tuner.runs import command  # with all that starts programs, which who asks for a name does not need

    return command
