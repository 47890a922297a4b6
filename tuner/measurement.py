"""What one run reported, unrounded. What was not reported is None, never zero."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Final

from tuner.errors import Finding, UsageError, did_you_mean, error

LATENCIES: Final = (
    "latency_min_us",
    "latency_p25_us",
    "latency_p50_us",
    "latency_p75_us",
    "latency_p90_us",
    "latency_p99_us",
    "latency_p99_9_us",
    "latency_p99_99_us",
    "latency_p99_999_us",
    "latency_max_us",
)
"""The order statistics, smallest first; a later one is never below an earlier one."""


PERCENTILES: Final = {
    "latency_p25_us": 25.0,
    "latency_p50_us": 50.0,
    "latency_p75_us": 75.0,
    "latency_p90_us": 90.0,
    "latency_p99_us": 99.0,
    "latency_p99_9_us": 99.9,
    "latency_p99_99_us": 99.99,
    "latency_p99_999_us": 99.999,
}
"""The metrics that are percentiles, and which."""

CORRECTED: Final = {
    "latency_p50_corrected_us": 50.0,
    "latency_p75_corrected_us": 75.0,
    "latency_p90_corrected_us": 90.0,
    "latency_p99_corrected_us": 99.0,
    "latency_p99_9_corrected_us": 99.9,
    "latency_p99_99_corrected_us": 99.99,
}
"""The metrics that are percentiles of latencies corrected for stalls of the sender, and which."""
_MEDIAN: Final = 50.0
OF_SAMPLES: Final = re.compile(r"(?P<metric>[a-z][a-z0-9_]*)\.p(?P<percentile>[0-9]{1,2}(?:\.[0-9]{1,3})?)")
"""A percentile of the samples of a metric of one's own: `latency_ms.p99`."""
CORRECTED_LATENCIES: Final = (*CORRECTED, "latency_max_corrected_us", "latency_mean_corrected_us")
"""All metrics of latencies that are corrected so."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run reported.

    Latencies are in µs, half the round trip unless `half_round_trip` is False. `observations` is how many of them
    were taken (0 in throughput mode, which takes none). `sent` and `received` count messages of the whole run in
    the direction that `rate_mps` rates, which is messages that *arrived* per second:

    ping-pong              replies that the client received in the valid duration, per second of it;
                           `sent` and `received` are the client's counts
    under-load, playback,  messages that reached the server per second of the client's run;
    throughput             `sent` is the client's count, `received` the server's

    `dropped`, `duplicated` and `out_of_order` are the client's counts of replies in the valid duration.
    `bandwidth_mbytes_per_s` (throughput mode) is the payload that arrived, in 10^6 bytes per second.
    `client_cpu_s` and `server_cpu_s` are the seconds of CPU of each process, and `server_memory_mb` is the most memory that
    the server held, in 10^6 bytes; they are known to whoever ran them.

    With several receivers of a multicast group, latencies, rate, counts and `observations` are each those of the receiver
    with the worst value, because a feed is as slow as the slowest of them; nothing is summed but `received` of ping-pong,
    which counts the replies of all, `server_cpu_s` and `server_memory_mb`. `lost_by_receiver` has one number for each: the
    replies that the client missed, in the order in which the receivers first answered (ping-pong), or the messages that
    did not reach it, in the order of the servers (the other modes); it is None for a single receiver.

    What follows comes from the benchmark's full log, and is None where none was asked for. A latency that is `corrected`
    counts from when the constant rate of under-load meant a message to be sent; it is the wait until it was sent and
    half the round trip. The histograms are those of `tuner.runs.histogram`, in their stored form.

    `own` are the numbers of a benchmark whose metrics are its own, by their names, and `samples` of how many samples of a run
    some of them are made; None for other benchmarks.
    """

    latency_min_us: float | None = None
    latency_p25_us: float | None = None
    latency_p50_us: float | None = None
    latency_p75_us: float | None = None
    latency_p90_us: float | None = None
    latency_p99_us: float | None = None
    latency_p99_9_us: float | None = None
    latency_p99_99_us: float | None = None
    latency_p99_999_us: float | None = None
    latency_max_us: float | None = None
    latency_mean_us: float | None = None
    latency_std_us: float | None = None
    observations: int = 0
    sent: int | None = None
    received: int | None = None
    dropped: int | None = None
    duplicated: int | None = None
    out_of_order: int | None = None
    rate_mps: float | None = None
    bandwidth_mbytes_per_s: float | None = None
    run_time_s: float | None = None
    valid_time_s: float | None = None
    half_round_trip: bool = True
    client_cpu_s: float | None = None
    server_cpu_s: float | None = None
    server_memory_mb: float | None = None
    latency_p50_corrected_us: float | None = None
    latency_p75_corrected_us: float | None = None
    latency_p90_corrected_us: float | None = None
    latency_p99_corrected_us: float | None = None
    latency_p99_9_corrected_us: float | None = None
    latency_p99_99_corrected_us: float | None = None
    latency_max_corrected_us: float | None = None
    latency_mean_corrected_us: float | None = None
    histogram: Mapping[str, str] | None = None
    histogram_corrected: Mapping[str, str] | None = None
    lost_by_receiver: tuple[int, ...] | None = None
    own: Mapping[str, float] | None = None
    samples: Mapping[str, int] | None = None

    @property
    def cpu_s(self) -> float | None:
        """Return the CPU seconds of client and server together, None unless both are known."""
        if self.client_cpu_s is None or self.server_cpu_s is None:
            return None
        return self.client_cpu_s + self.server_cpu_s

    def metrics(self) -> dict[str, float]:
        """Return the numbers that can be judged, by the names that results use; absent ones are left out."""
        found = {name: value for name, value in zip(_JUDGED, _judged(self), strict=True) if value is not None}
        return {**found, **self.own} if self.own else found

    def beyond(self, metric: str) -> float:
        """Return how many observations lie above a metric that is a percentile; infinite for others.

        So it is for the median of samples, which is no tail: that of a few is a sound number too, as noisy as blocks show.
        """
        percentile = percentile_of(metric)
        if percentile is None:
            return math.inf
        sampled = OF_SAMPLES.fullmatch(metric)
        if sampled is None:
            return self.observations_beyond(percentile)
        if percentile == _MEDIAN:
            return math.inf
        return (self.samples or {}).get(sampled["metric"], 0) * (100.0 - percentile) / 100.0

    def observations_beyond(self, percentile: float) -> float:
        """Return how many observations lie above `percentile` (0 to 100).

        Below about 10 the number says little of the percentile, and below 1 it is the maximum under another name.
        """
        return self.observations * (100.0 - percentile) / 100.0

    def to_dict(self) -> dict[str, Any]:
        """Return the measurement as plain values for JSON; what came after the first release only where it is there."""
        held = {name: getattr(self, name) for name in _NAMES}  # `asdict` would copy all that is in it
        return {name: value for name, value in held.items() if value is not None or name not in _LATER}


def percentile_of(metric: str) -> float | None:
    """Return which percentile a metric is, None for one that is none."""
    sampled = OF_SAMPLES.fullmatch(metric)
    return float(sampled["percentile"]) if sampled else PERCENTILES.get(metric)


_TRAFFIC: Final = ("latency_mean_us", "latency_std_us", "rate_mps", "bandwidth_mbytes_per_s")
_OF_HOST: Final = ("cpu_s", "server_memory_mb")
_JUDGED: Final = (*LATENCIES, *_TRAFFIC, *_OF_HOST, *CORRECTED_LATENCIES)
_judged: Final = attrgetter(*_JUDGED)
_NAMES: Final = tuple(field.name for field in fields(Measurement))
_LATER: Final = ("own", "samples")
_NUMBERS: Final = (float, int)
_COUNTS: Final = ("observations", "sent", "received", "dropped", "duplicated", "out_of_order")


def from_dict(data: Mapping[str, Any]) -> Measurement:
    """Return the measurement that `to_dict` wrote; raise `UsageError` with everything that is not of its form."""
    if not all(map(_fits, data, data.values())):
        findings = [finding for name, value in data.items() for finding in _problems(name, value)]
        raise UsageError("this is not a measurement", findings=findings)
    lost = data.get("lost_by_receiver")
    return Measurement(**{**data, "lost_by_receiver": None if lost is None else tuple(lost)})


def _fits(name: str, value: Any) -> bool:
    """Return whether a value may stand under this name: asked of each of the numbers of a long session."""
    if value is None:
        return name in _MAY_LACK
    if type(value) is float and name in _ANY_NUMBER:  # nearly all of them
        return 0.0 <= value < math.inf
    return name in _KINDS and _KINDS[name][0](value)


def _problems(name: str, value: Any) -> list[Finding]:
    if name not in _NAMES:
        return [error(f"measurement.{name}", "is not a part of a measurement", did_you_mean(name, _NAMES))]
    return [] if _fits(name, value) else [error(f"measurement.{name}", _KINDS[name][1](value))]


def _is_histogram(value: Any) -> bool:
    keys = {"unit", "kind", "encoded"}
    return isinstance(value, Mapping) and set(value) == keys and all(isinstance(text, str) for text in value.values())


def _are_counts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(type(one) is int and one >= 0 for one in value)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(name, str) and _is_number(one) for name, one in value.items())


def _is_number(value: Any) -> bool:
    return type(value) is not bool and isinstance(value, _NUMBERS) and 0 <= value < math.inf


def _are_named_counts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(type(one) is int and one >= 0 for one in value.values())


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _no_number(value: Any) -> str:
    return f"{value!r} is not a number of 0 or more"


def _no_flag(value: Any) -> str:
    return f"{value!r} is not true or false"


def _is_no(what: str) -> Callable[[Any], str]:
    return lambda value: f"{str(value)[:40]!r} is {what}"


_Kind = tuple[Callable[[Any], bool], Callable[[Any], str]]
_KINDS: Final[Mapping[str, _Kind]] = {
    **dict.fromkeys(_NAMES, (_is_number, _no_number)),
    **dict.fromkeys(_COUNTS, (_is_count, _no_number)),
    "half_round_trip": (_is_flag, _no_flag),
    "histogram": (_is_histogram, _is_no("not a histogram")),
    "histogram_corrected": (_is_histogram, _is_no("not a histogram")),
    "lost_by_receiver": (_are_counts, _is_no("not a list of counts")),
    "own": (_are_numbers, _is_no("not a table of numbers")),
    "samples": (_are_named_counts, _is_no("not a table of counts")),
}
_MAY_LACK: Final = frozenset(_NAMES) - {"observations", "half_round_trip"}
_ANY_NUMBER: Final = frozenset(name for name, kind in _KINDS.items() if kind[0] is _is_number)
