"""Several samples of a metric in one run: their percentiles and, where they are times, their histogram, made by us."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from tuner.measurement import Measurement
from tuner.runs.recipe_text import TIME_UNITS

_PERCENTILES: Final = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9}
SAMPLED: Final = (*_PERCENTILES, "mean", "min", "max")
"""What is made of the samples of a run: `latency_ms.p99` and so on."""


def summed_up(
    own: Mapping[str, float], samples: Mapping[str, Sequence[float]], units: Mapping[str, str]
) -> Measurement:
    """Return the measurement of single numbers and of samples; the first samples that are times have their histogram."""
    made = {f"{name}.{word}": value for name, values in samples.items() for word, value in _of(values).items()}
    timed = next((name for name in samples if units.get(name) in TIME_UNITS), None)
    return Measurement(
        own={**own, **made},
        samples={name: len(values) for name, values in samples.items()} or None,
        histogram=_histogram(timed, samples[timed], TIME_UNITS[units[timed]]) if timed else None,
    )


def _of(values: Sequence[float]) -> dict[str, float]:
    """Return percentiles (nearest rank), mean and extremes; no percentile beyond which there is not one sample."""
    ordered = sorted(values)
    able = {word: p for word, p in _PERCENTILES.items() if len(ordered) * (100.0 - p) / 100.0 >= 1.0 or p == 50.0}  # noqa: PLR2004
    ranks = {word: ordered[max(0, math.ceil(p / 100.0 * len(ordered)) - 1)] for word, p in able.items()}
    return ranks | {"mean": statistics.fmean(ordered), "min": ordered[0], "max": ordered[-1]}


def _histogram(name: str, values: Sequence[float], unit_s: float) -> dict[str, str]:
    import numpy as np

    from tuner.runs import histogram

    times_ns = np.rint(np.asarray(values) * unit_s * 1e9).astype(np.int64)
    return histogram.encode(histogram.record(times_ns), name)
