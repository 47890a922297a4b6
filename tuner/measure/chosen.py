"""The benchmark that sessions measure with."""

from __future__ import annotations

from typing import Final

from tuner.measure import sockperf
from tuner.measure.benchmark import Benchmark

BENCHMARK: Final[Benchmark] = sockperf
