"""sockperf's full log: when each message was sent and its reply came, and what that says of stalls of the sender.

sockperf stamps a message when it is really sent. A sender that stalls sends late, and the wait that a user of a
constant rate would have met is in no percentile (coordinated omission, G. Tene, "How NOT to Measure Latency", 2013).
Here the wait is put back: a message's latency counts from when the rate meant it to be sent.

The log of 3.7 (recorded): lines of words, a header `packet, txTime(sec), rxTime(sec), latency(usec)`, a row for each
observation of the valid duration, a line of dashes; then the same of the next receiver, where there are several. The
packet of a row is its place in the log and not the message's number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import SEEK_CUR, BytesIO
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from tuner.measurement import CORRECTED
from tuner.runs import histogram
from tuner.runs.benchmark import ParseError
from tuner.runs.workload import Mode, Workload

Nanoseconds = NDArray[np.int64]

HALF: Final = "half round trip"
WHOLE: Final = "round trip"
WAITED: Final = "corrected"
_HEADER: Final = b"packet, txTime(sec)"
MOST_BYTES: Final = 1 << 27
"""The largest log of one receiver that is read: three million observations, which take 250 MB in memory."""
_LONGEST_LINE: Final = 4096
_MOST_PHASES: Final = 64
_SEGMENTS: Final = 64
_STEPS: Final = 40
# sockperf paces by whole ticks of its clock, so that its interval may differ from the asked one by about this.
_PIECE_BYTES: Final = 1 << 20
_TICK_NS: Final = 1.0
# A message that seems early by this part of the time between two rows is on time: the schedule is not known better.
_EARLY_PART: Final = 0.25


@dataclass(frozen=True, slots=True)
class Log:
    """When each observed message was sent and its reply received, in ns of the client's clock, in sending order."""

    sent_ns: Nanoseconds
    received_ns: Nanoseconds

    def latencies_ns(self, *, full_rtt: bool = False) -> Nanoseconds:
        """Return the latencies as sockperf counts them: half of the round trips, or all of them."""
        return (self.received_ns - self.sent_ns) // (1 if full_rtt else 2)


def read(stream: BinaryIO) -> Log:
    """Return the next rows of a log; raise `ParseError` when it holds none or one of them is no row."""
    if not (rows := _rows(stream).strip()):
        raise ParseError("sockperf's full log holds no observation")
    try:
        table = np.loadtxt(BytesIO(rows), delimiter=",", usecols=(1, 2), ndmin=2, comments=None)
    except ValueError as reason:
        raise ParseError(f"sockperf's full log has a row of another form: {reason}") from reason
    if not np.isfinite(table).all():
        raise ParseError("sockperf's full log has a time that is not a number")
    times = np.round(table * 1e9).astype(np.int64)
    return Log(times[:, 0], times[:, 1])


def _rows(stream: BinaryIO) -> bytes:
    """Return what stands between the next header and its dashes; raise `ParseError` for a log of a size that no run writes."""
    size = 0
    while not (line := stream.readline(_LONGEST_LINE)).startswith(_HEADER):
        size = _within_limit(size + len(line))
        if not line:
            return b""
    start = stream.seek(-1, SEEK_CUR)  # the header's own end of line stands before the dashes where no row does
    text = _read(stream, MOST_BYTES - size + 2)
    end = text.find(b"\n---")
    if end < 0:
        _within_limit(size + len(text))
        return text[1:]
    stream.seek(start + end)
    return text[1 : end + 1]


def _read(stream: BinaryIO, most_bytes: int) -> bytes:
    """Return so many bytes, or all there are; memory is taken for what is there, and not for as much as may be."""
    text = bytearray()
    while len(text) < most_bytes and (more := stream.read(min(_PIECE_BYTES, most_bytes - len(text)))):
        text += more
    return bytes(text)


def _within_limit(size: int) -> int:
    if size > MOST_BYTES:
        raise ParseError(f"sockperf's full log is larger than {MOST_BYTES} bytes")
    return size


def observed(stream: BinaryIO, workload: Workload, dropped: int) -> dict[str, Any]:
    """Return what a log adds to a measurement, by its names: histograms, and corrected latencies under a constant load.

    `dropped` is how many messages of the valid duration were never answered. The histograms hold the observations of
    all receivers; each corrected latency is that of the receiver with the highest. Raise `ParseError` as `read` does.
    """
    logs = [read(stream) for _ in range(workload.receivers)]
    latencies = [log.latencies_ns(full_rtt=workload.full_rtt) for log in logs]
    kind = WHOLE if workload.full_rtt else HALF
    found: dict[str, Any] = {"histogram": histogram.encode(histogram.record(np.concatenate(latencies)), kind)}
    if workload.mode is not Mode.UNDER_LOAD or workload.rate_mps is None:
        return found
    corrected = [each + waits_ns(log.sent_ns, workload, dropped) for each, log in zip(latencies, logs, strict=True)]
    stored = histogram.encode(histogram.record(np.concatenate(corrected)), WAITED)
    return found | {"histogram_corrected": stored} | _highest(list(map(_statistics, corrected)))


def _highest(each: list[dict[str, float]]) -> dict[str, float]:
    """Return the highest of each statistic that all receivers have."""
    shared = set(each[0]).intersection(*each)
    return {name: max(one[name] for one in each) for name in each[0] if name in shared}


def _statistics(corrected_ns: Nanoseconds) -> dict[str, float]:
    ordered = np.sort(corrected_ns)
    # sockperf's own ranks, so that the raw and the corrected figure differ by the correction alone.
    ranks = {name: math.floor(0.5 + percent / 100 * len(ordered)) - 1 for name, percent in CORRECTED.items()}
    found = {name: float(ordered[rank]) / 1e3 for name, rank in ranks.items() if rank >= 0}
    ends = {"latency_max_corrected_us": float(ordered[-1]), "latency_mean_corrected_us": float(ordered.mean())}
    return found | {name: value / 1e3 for name, value in ends.items()}


def waits_ns(sent_ns: Nanoseconds, workload: Workload, dropped: int = 0) -> Nanoseconds:
    """Return how long after its intended time each observed message was sent, in ns, never below zero.

    The schedule is one burst an interval, from a start that the log does not tell: sockperf never sends early and
    catches up after a stall, so that it is the latest schedule before which nothing was sent. The position of the first
    row inside its burst is not told either: it is the one that makes the waits shortest. Each unanswered message
    shifts the rows after it, and the shift is taken as late as it can have been.
    """
    interval_ns = 1e9 * workload.burst / (workload.rate_mps or 1)
    since = (sent_ns - sent_ns[0]).astype(np.float64)
    phases = range(0, workload.burst, max(1, workload.burst // _MOST_PHASES))
    found = (_waits(since, _cycles(len(since), workload, phase, 0), interval_ns) for phase in phases)
    phase, waits = min(enumerate(found), key=lambda pair: float(pair[1].mean()))
    if dropped:
        lost = _lost(waits, workload, dropped)
        waits = _waits(since, _cycles(len(since), workload, phases[phase], lost), interval_ns)
    return np.maximum(waits, 0.0).astype(np.int64)


def _cycles(rows: int, workload: Workload, phase: int, lost: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """Return in which interval each row's message was due, `lost` messages before it having no row."""
    numbers = (np.arange(rows) + lost) * workload.reply_every + phase
    return (numbers // workload.burst).astype(np.float64)


def _lost(waits: NDArray[np.float64], workload: Workload, dropped: int) -> NDArray[np.int64]:
    """Return how many of the answers before each row can have been lost: so many that no later row is early."""
    between_ns = 1e9 * workload.reply_every / (workload.rate_mps or 1)
    room = np.floor(waits / between_ns + _EARLY_PART).astype(np.int64)
    latest: NDArray[np.int64] = np.minimum.accumulate(room[::-1])[::-1]
    return np.clip(latest, 0, dropped)


def _waits(since: NDArray[np.float64], cycles: NDArray[np.float64], interval_ns: float) -> NDArray[np.float64]:
    """Return the waits under the schedule that makes them shortest without anything being early."""
    late = since - cycles * interval_ns
    parts = np.array_split(np.arange(len(late)), min(_SEGMENTS, len(late)))
    corners = np.array([part[np.argmin(late[part])] for part in parts])
    late -= cycles * _drift_ns(cycles[corners], late[corners], float(cycles.mean()))
    return np.asarray(late - late.min())


def _drift_ns(cycles: NDArray[np.float64], late: NDArray[np.float64], centre: float) -> float:
    """Return by how much the true interval exceeds the asked one, within a tick: what makes the mean wait shortest.

    The mean wait is convex in it (a linear function less a minimum of linear ones), so that thirds find its minimum.
    """
    low, high = -_TICK_NS, _TICK_NS
    for _ in range(_STEPS):
        third = (high - low) / 3
        left, right = low + third, high - third
        if -centre * left - (late - cycles * left).min() <= -centre * right - (late - cycles * right).min():
            high = right
        else:
            low = left
    return (low + high) / 2
