"""How numbers look on a screen: rounded there and nowhere else, each with its spread and count."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_WHOLE: Final = 1000
_BETWEEN_DIGITS: Final = re.compile(r"(?<=\d)_(?=\d)")


def shown(value: float | None) -> str:
    """Return a number with three significant digits, whole from 1000 on; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= _WHOLE else f"{value:.3g}"


def estimate(found: Mapping[str, Any] | None) -> str:
    """Return a metric as it stands in an answer: median, interval, and number of runs."""
    if found is None:
        return "–"
    return f"{shown(found['value'])} ({shown(found['low'])}–{shown(found['high'])}; n = {found['runs']})"


def side_by_side(profiles: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Return headers and rows of a table of those `metrics` that any profile has, one column a profile: narrow enough for two on any terminal."""
    present = [metric for metric in metrics if any(metric in row["metrics"] for row in profiles)]
    rows = [[metric, *(interval(row["metrics"].get(metric)) for row in profiles)] for metric in present]
    counts = [str(max((found["runs"] for found in row["metrics"].values()), default=0)) for row in profiles]
    return ["median", *(row["profile"] for row in profiles)], [*rows, ["runs", *counts]]


def interval(found: Mapping[str, Any] | None) -> str:
    """Return a metric's median and interval."""
    return "–" if found is None else f"{shown(found['value'])} ({shown(found['low'])}–{shown(found['high'])})"


def profile_rows(profiles: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Return headers and rows of a table of profiles with those of `metrics` that any of them has."""
    present = [metric for metric in metrics if any(metric in row["metrics"] for row in profiles)]
    rows = [[row["profile"], *(estimate(row["metrics"].get(metric)) for metric in present)] for row in profiles]
    return ["profile", *present], rows


def plain(metric: str) -> str:
    """Return a metric's name as a column's heading.

    latency_p99_9_us is `p99.9, µs`, latency_p99_corrected_us `p99 corrected, µs`; of a recipe's, requests_per_s is `requests/s`
    and latency_ms.p99 `latency p99, ms`.
    """
    unit = {"us": "µs", "mps": "msg/s", "s": "s", "mb": "MB", "ms": "ms", "ns": "ns"}
    whole, _, sampled = metric.partition(".")
    name, _, last = whole.removeprefix("latency_" if not sampled and whole.count("_") > 1 else "").rpartition("_")
    if name.endswith("_per"):
        return f"{name.removesuffix('_per').replace('_', ' ')}/{last}{f' {sampled}' if sampled else ''}"
    name = f"{name} {sampled}" if sampled else name
    name = _BETWEEN_DIGITS.sub(".", name)
    name = "CPU" if metric == "cpu_s" else name
    return (
        f"{name.replace('_', ' ')}, {unit[last]}"
        if name and last in unit
        else metric.replace("_", " ").replace(".", " ")
    )
