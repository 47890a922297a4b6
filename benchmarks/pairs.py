"""What does a run between two other hosts cost beyond one on this machine, and where does its time go?

Pairs of runs of one second, one on this machine and one between the hosts, in random order inside each pair, with the whole
of `Rig.execute`: ports, counters, folders, both ends, and what they leave. The hosts may be those of a lab (`tuner lab up`).

    TUNER_SSH_CONFIG=… .venv/bin/python benchmarks/pairs.py ssh://server-1.lab ssh://client-1.lab [PAIRS]
"""

from __future__ import annotations

import math
import os
import random
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tuner.hosts import ssh
from tuner.hosts.host import Host
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import Pair, on_one
from tuner.hosts.remote import RemoteHost
from tuner.judging.statistics import mean_interval
from tuner.records import Kind, Run, Status
from tuner.runs.run import Rig
from tuner.runs.workload import Workload
from tuner.session.setup.prepare import plan, rig
from tuner.session.setup.request import Request, Task

PAIRS = 20
ALLOWED_MS = 150.0
ASKED = Request(kind=Kind.MEASURE, budget_s=math.inf, task=Task("kernel", workload={"duration_s": 1}))


def made(pair: Pair) -> tuple[Rig, Workload]:
    """Return what runs on these hosts are made with."""
    prepared = plan(ASKED, pair, ())
    return rig(prepared, pair), prepared.workloads[0]


def timed(what: tuple[Rig, Workload]) -> tuple[Run, float]:
    """Return a run and how long it took altogether, in seconds."""
    began_s = time.perf_counter()
    run = what[0].execute({}, what[1])
    return run, time.perf_counter() - began_s


def connected(text: str, folder: Path, open_: ExitStack) -> Host:
    """Return the host that a URL names, and say how long it took to reach it."""
    target = ssh.target(text, "argument")
    if target is None:
        return LocalHost()
    began_s = time.perf_counter()
    host = open_.enter_context(RemoteHost(ssh.way(target, os.environ, folder)))
    print(f"{text}: reached in {1000 * (time.perf_counter() - began_s):.0f} ms")
    return host


def main() -> None:
    """Measure and print."""
    pairs = int(sys.argv[3]) if len(sys.argv) > 3 else PAIRS
    with ExitStack() as open_:
        folder = Path(open_.enter_context(tempfile.TemporaryDirectory()))
        server, client = (connected(text, folder, open_) for text in sys.argv[1:3])
        ways = {"here": made(on_one(LocalHost())), "between": made(Pair(server, client))}
        rows = [{way: timed(ways[way]) for way in random.sample(list(ways), 2)} for _ in range(pairs)]
    good = [row for row in rows if all(run.status is Status.OK for run, _ in row.values())]
    more_ms = [1000 * (row["between"][1] - row["here"][1]) for row in good]
    found = mean_interval(more_ms)
    for way in ways:
        took_s = [row[way][1] for row in good]
        print(
            f"{way}: a run takes {statistics.median(took_s):.3f} s (median of {len(took_s)}), {100 / statistics.median(took_s):.0f} % of it the test of 1 s"
        )
    print(
        f"a run between the hosts takes {statistics.median(more_ms):.0f} ms more (median; mean {found.value:.0f}, 95 % {found.low:.0f} to {found.high:.0f}); {ALLOWED_MS:.0f} are allowed"
    )
    sys.exit(statistics.median(more_ms) > ALLOWED_MS)


if __name__ == "__main__":
    main()
