"""Record a table of the real kernel stack: every configuration of a grid, each in several rounds, with the baseline.

TCP ping-pong of 64 bytes, one second, server and client on different cores. A round measures all configurations once,
in random order, in blocks of eight with one run of the defaults at a random place in each. The table is data for
`benchmarks/search.py`, so that searches can be compared on what a real stack did without measuring it again.

    .venv/bin/python benchmarks/record_table.py [ROUNDS] > benchmarks/data/kernel-table.csv
"""

from __future__ import annotations

import csv
import itertools
import math
import random
import sys
from collections.abc import Iterator, Mapping

from tuner.hosts import cpus
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import on_one
from tuner.records import Kind, Run
from tuner.runs.run import Rig
from tuner.runs.workload import Workload
from tuner.session.setup.prepare import plan, rig
from tuner.session.setup.request import Request

ROUNDS = 3
BLOCK = 8
LEVELS: Mapping[str, tuple[str, ...]] = {
    "XLIO_RX_POLL": ("0", "-1", "1", "10", "100", "1000", "10000", "100000"),
    "XLIO_RX_POLL_YIELD": ("0", "1", "100"),
    "XLIO_SELECT_POLL": ("0", "-1", "1000"),
    "XLIO_TCP_QUICKACK": ("0", "1"),
    "XLIO_TCP_NODELAY": ("0", "1"),
}
METRICS = ("latency_p50_us", "latency_p99_us", "latency_p99.9_us", "rate_mps")
COLUMNS = (*LEVELS, "round", "block", "role", "status", *METRICS, "wall_s")
BASELINE: Mapping[str, str] = {}

Row = dict[str, str | int | float]


def grid() -> list[dict[str, str]]:
    """Return the settings of every configuration; the first level of each variable is its default."""
    return [dict(zip(LEVELS, values, strict=True)) for values in itertools.product(*LEVELS.values())]


def blocks(rounds: int, rng: random.Random) -> Iterator[tuple[int, list[Mapping[str, str]]]]:
    """Yield the round and the settings of each block, the baseline among them."""
    for number in range(rounds):
        order = grid()
        rng.shuffle(order)
        for chunk in (order[at : at + BLOCK] for at in range(0, len(order), BLOCK)):
            block = [*chunk, BASELINE]
            rng.shuffle(block)
            yield number, block


def record(rounds: int, rng: random.Random) -> Iterator[Row]:
    """Yield a row for each run, as soon as it is made."""
    placed = cpus.placement(cpus.topology())
    workload = Workload(server_cpus=placed.server, client_cpus=placed.client)
    made = _rig()
    every = math.ceil(len(grid()) / BLOCK) * rounds
    for number, (turn, block) in enumerate(blocks(rounds, rng)):
        print(f"block {number + 1} of {every}", file=sys.stderr)
        for settings in block:
            explicit = {name: value for name, value in settings.items() if value != LEVELS[name][0]}
            run = made.execute(explicit, workload)
            yield _row(settings, run) | {"round": turn, "block": number}


def _rig() -> Rig:
    host = LocalHost()
    return rig(plan(Request(kind=Kind.MEASURE, budget_s=math.inf), on_one(host), ()), on_one(host))


def _row(settings: Mapping[str, str], run: Run) -> Row:
    whole = {name: settings.get(name, levels[0]) for name, levels in LEVELS.items()}
    found = run.metrics()
    metrics = {name: round(found[name], 3) for name in METRICS if name in found}
    role = "baseline" if settings is BASELINE else "candidate"
    return {**whole, "role": role, "status": run.status.value, **metrics, "wall_s": round(run.wall_s, 3)}


def main() -> None:
    """Write the table to stdout, a line a run."""
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in record(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS, random.Random(1)):  # noqa: S311 - no secret
        writer.writerow(row)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
