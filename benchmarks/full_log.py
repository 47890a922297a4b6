"""Does sockperf's full log change what is measured, and what does it cost?

Pairs of runs, without the log and with it, in random order inside each pair, on the kernel stack with its default
placement. A ratio of 1 inside the interval: no change is shown.

    .venv/bin/python benchmarks/full_log.py [PAIRS]
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

from fast_start import PAIRS, measure, ratio, rigs, workload

from tuner.runs.workload import Mode, Workload

RATE_MPS = 20_000


def cases() -> Iterator[tuple[str, Mapping[str, str], Workload]]:
    """Yield what is measured: its name, the settings, the workload."""
    plain = workload()
    yield "ping-pong, plain sockets", {}, plain
    yield "ping-pong, polling", {"XLIO_RX_POLL": "-1"}, plain
    yield f"under load, {RATE_MPS:,} msg/s", {}, replace(plain, mode=Mode.UNDER_LOAD, rate_mps=RATE_MPS)


def rows(pairs: int) -> Iterator[str]:
    """Yield a Markdown row for each case."""
    _, rig = rigs()
    for name, settings, load in cases():
        made = measure(
            pairs, (partial(rig.execute, settings, load), partial(rig.execute, settings, load, full_log=True))
        )
        walls = " | ".join(f"{statistics.median(run.wall_s for run in way):.3f} s" for way in zip(*made, strict=True))
        seen = statistics.median(logged.measurement.observations for _, logged in made if logged.measurement)
        yield f"| {name} | {pairs} | {seen:,.0f} | {ratio(made, 'latency_p50_us')} | {ratio(made, 'latency_p99_us')} | {walls} |"


def section(pairs: int = PAIRS) -> str:
    """Return the section of the benchmark page."""
    return "\n".join(
        [
            "## The full log\n",
            "Runs without and with sockperf's full log, in pairs, random order inside a pair; TCP, 64 bytes, `-t 1`. Ratios with",
            "their 95 % interval over pairs. Wall times are medians of whole runs; reading the log comes after them.\n",
            "| workload | pairs | observations | p50 with / without | p99 with / without | a run without | with |",
            "|---|---|---|---|---|---|---|",
            *rows(pairs),
            "\n`.venv/bin/python benchmarks/full_log.py`\n",
        ]
    )


if __name__ == "__main__":
    print(section(int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS))
