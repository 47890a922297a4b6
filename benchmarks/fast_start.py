"""Does leaving out sockperf's fixed sleep change what is measured, and what does a run cost?

Pairs of runs, with the sleep and without it, in random order inside each pair, on the kernel stack with its default
placement, once with plain sockets and once with polling. A ratio of 1 inside the interval: no change is shown.

    .venv/bin/python benchmarks/fast_start.py [PAIRS]
"""

from __future__ import annotations

import math
import random
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from tuner.hosts import cpus
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import on_one
from tuner.judging.statistics import mean_interval
from tuner.records import Kind, Run
from tuner.runs.run import Rig
from tuner.runs.workload import Workload
from tuner.session.setup.prepare import plan, rig
from tuner.session.setup.request import Request

PAIRS = 14
SETTINGS: dict[str, dict[str, str]] = {"plain sockets": {}, "polling": {"XLIO_RX_POLL": "-1"}}
Pair = tuple[Run, Run]


def rigs() -> tuple[Rig, Rig]:
    """Return what runs are made with: the sleep left in, and left out."""
    host = LocalHost()
    fast = rig(plan(Request(kind=Kind.MEASURE, budget_s=math.inf), on_one(host), ()), on_one(host))
    return replace(fast, preloads=fast.preloads[:1]), fast


def workload() -> Workload:
    """Return TCP ping-pong of one second with server and client on different cores."""
    placed = cpus.placement(cpus.topology())
    return Workload(server_cpus=placed.server, client_cpus=placed.client)


def measure(pairs: int, ways: tuple[Callable[[], Run], Callable[[], Run]]) -> list[Pair]:
    """Return pairs of runs, one made in each way, the first way's first; they are made in random order."""
    found = []
    for number in range(pairs):
        made = {way: ways[way]() for way in random.sample((0, 1), 2)}
        print(f"pair {number + 1}/{pairs}: {made[0].status}, {made[1].status}", file=sys.stderr)
        found.append((made[0], made[1]))
    return found


def ratio(pairs: list[Pair], metric: str) -> str:
    """Return a metric in the second way over the same in the first: geometric mean and 95 % interval over pairs."""
    logs = [
        math.log(second.measurement.metrics()[metric] / first.measurement.metrics()[metric])
        for first, second in pairs
        if first.measurement and second.measurement
    ]
    found = mean_interval(logs)
    return f"{math.exp(found.value):.3f} ({math.exp(found.low):.3f} to {math.exp(found.high):.3f})"


def rows(pairs: int) -> Iterator[str]:
    """Yield a Markdown row for each setting."""
    slow, fast = rigs()
    for name, settings in SETTINGS.items():
        ways = partial(slow.execute, settings, workload()), partial(fast.execute, settings, workload())
        made = measure(pairs, ways)
        walls = [[run.wall_s for run in way] for way in zip(*made, strict=True)]
        cost = " | ".join(f"{statistics.median(way):.2f} s (at most {max(way):.2f})" for way in walls)
        yield f"| {name} | {pairs} | {ratio(made, 'latency_p50_us')} | {ratio(made, 'latency_p99_us')} | {cost} |"


def section(pairs: int = PAIRS) -> str:
    """Return the section of the benchmark page."""
    head = "| sockets | pairs | p50 without / with | p99 without / with | a run with the sleep | without |"
    return "\n".join(
        [
            "## The fast start\n",
            "Runs with and without sockperf's fixed sleep of 2 s, in pairs, random order inside a pair; TCP ping-pong, 64",
            "bytes, `-t 1`. Ratios with their 95 % interval over pairs. Wall times are medians of whole runs, server included.\n",
            head,
            "|---|---|---|---|---|---|",
            *rows(pairs),
            "\n`.venv/bin/python benchmarks/fast_start.py`\n",
        ]
    )


if __name__ == "__main__":
    print(section(int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS))
