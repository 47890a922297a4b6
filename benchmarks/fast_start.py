"""Does leaving out sockperf's fixed sleep change what is measured, and what does a run cost?

Pairs of runs, with the sleep and without it, in random order inside each pair, on the kernel stack with its
default placement. Printed: the ratio of the two medians with its 95 % interval (1 inside it: no change shown),
the same for p99, and the wall time of a run each way.

    .venv/bin/python benchmarks/fast_start.py [PAIRS] [PROFILE-SETTING …]

For example `benchmarks/fast_start.py 14 XLIO_RX_POLL=-1` compares polled runs. One pair takes about 5 s.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
from dataclasses import replace
from pathlib import Path

from tuner.hosts import cpus
from tuner.hosts.local import LocalHost
from tuner.measure.run import Rig, Run
from tuner.measure.statistics import mean_interval
from tuner.measure.workload import Workload
from tuner.preloads import faststart_library, kernel_library
from tuner.session.prepare import Request, plan, rig
from tuner.stacks import stack

PAIRS = 14


def rigs() -> dict[str, Rig]:
    """Return what runs are made with, by whether the sleep is left in."""
    made = plan(Request(kind="measure"), LocalHost(), ())
    base = rig(made, LocalHost())
    fast: tuple[Path, ...] = (kernel_library(), faststart_library())
    return {"sleep": replace(base, preloads=fast[:1]), "fast": replace(base, preloads=fast)}


def workload() -> Workload:
    """Return TCP ping-pong of one second with server and client on different cores."""
    placed = cpus.placement(cpus.topology())
    return Workload(server_cpus=placed.server, client_cpus=placed.client)


def measure(pairs: int, settings: dict[str, str]) -> dict[str, list[Run]]:
    """Return the runs of each way, pair by pair."""
    runs: dict[str, list[Run]] = {"sleep": [], "fast": []}
    both = rigs()
    for pair in range(pairs):
        for way in random.sample(sorted(both), 2):
            runs[way].append(both[way].execute(settings, workload()))
            print(f"pair {pair + 1}/{pairs} {way}: {runs[way][-1].status} {runs[way][-1].reason}", file=sys.stderr)
    return runs


def ratio(runs: dict[str, list[Run]], metric: str) -> str:
    """Return how a metric without the sleep relates to the same with it, with the interval over pairs."""
    pairs = [
        math.log(fast.measurement.metrics()[metric] / slow.measurement.metrics()[metric])
        for slow, fast in zip(runs["sleep"], runs["fast"], strict=True)
        if slow.measurement and fast.measurement
    ]
    found = mean_interval(pairs)
    low, value, high = map(math.exp, (found.low, found.value, found.high))
    return f"{metric}: without / with the sleep {value:.3f} (95 % interval {low:.3f} to {high:.3f}, {found.count} pairs)"


def main() -> None:
    """Run the comparison and print it."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    settings = dict(argument.split("=", 1) for argument in sys.argv[2:])
    runs = measure(pairs, settings)
    print(f"stack {stack('kernel').name}, settings {settings or 'none'}, workload {workload().key()}")
    for metric in ("latency_p50_us", "latency_p99_us"):
        print(ratio(runs, metric))
    for way, made in runs.items():
        walls = [run.wall_s for run in made]
        print(f"wall time of a run, {way}: median {statistics.median(walls):.3f} s, longest {max(walls):.3f} s")


if __name__ == "__main__":
    main()
