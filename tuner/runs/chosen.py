"""The benchmark that sessions measure with."""

from __future__ import annotations

from typing import Final

from tuner.runs import sockperf
from tuner.runs.benchmark import Benchmark

BENCHMARK: Final[Benchmark] = sockperf
