"""Latencies as HdrHistograms: percentiles of several runs come from merged counts, never from averaged percentiles.

The form is HdrHistogram's own (https://hdrhistogram.org, V2 compressed, base64), so that its tools read what is stored.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import numpy as np
from hdrh.codec import HdrCookieException, HdrLengthException
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from tuner.errors import UsageError

Histogram: TypeAlias = HdrHistogram

LEAST_NS: Final = 1
MOST_NS: Final = 60 * 10**9
DIGITS: Final = 3
"""Values from 1 ns to 60 s are told apart to three significant digits."""
_SUB_BUCKET_BITS: Final = 11
"""Three digits need 2000 steps to each doubling, so that HdrHistogram keeps the upper 11 bits of a value."""


def record(latencies_ns: NDArray[np.int64]) -> Histogram:
    """Return the histogram of latencies in ns; those outside 1 ns to 60 s count as the nearer end."""
    found = _empty()
    held = np.clip(latencies_ns, LEAST_NS, MOST_NS)
    # One call a bucket instead of one a message: the bits that the histogram does not keep are cut off before counting.
    surplus = np.maximum(0, np.frexp(held.astype(np.float64))[1] - _SUB_BUCKET_BITS)
    values, counts = np.unique((held >> surplus) << surplus, return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        found.record_value(value, count)
    return found


def merge(histograms: Iterable[Histogram]) -> Histogram:
    """Return the histogram of all latencies of several; empty for none."""
    whole = _empty()
    for each in histograms:
        whole.add(each)
    return whole


def percentile(histogram: Histogram, percent: float) -> float:
    """Return the latency in ns that `percent` of the observations do not exceed, to three digits; 0 when empty."""
    return float(histogram.get_value_at_percentile(percent))


def recorded(histogram: Histogram) -> Iterator[tuple[int, int]]:
    """Return each latency in ns that was recorded, to three digits, and how many messages had it, in order.

    The library's own iterator computes all of each of its 55,000 steps.
    """
    for index, count in enumerate(histogram.counts):
        if count:
            yield histogram.get_highest_equivalent_value(histogram.get_value_from_index(index)), count


def encode(histogram: Histogram, kind: str) -> dict[str, str]:
    """Return a histogram as it is stored; `kind` says what its latencies are (half round trip, corrected)."""
    return {"unit": "ns", "kind": kind, "encoded": histogram.encode().decode("ascii")}


def decode(stored: Mapping[str, Any]) -> Histogram:
    """Return the histogram that `encode` wrote; raise `UsageError` for anything else."""
    try:
        return HdrHistogram.decode(str(stored["encoded"]))
    except (KeyError, ValueError, TypeError, IndexError, zlib.error, HdrCookieException, HdrLengthException) as reason:
        raise UsageError(f"this is not a stored histogram: {type(reason).__name__}: {reason}") from reason


def _empty() -> Histogram:
    return HdrHistogram(LEAST_NS, MOST_NS, DIGITS)
