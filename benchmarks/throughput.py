"""How many blocks a minute many pairs measure, by threads and by a Dask cluster, and what the coordinator's CPU does meanwhile.

Runs sleep instead of burning CPU, so that one machine can stand for many. Each session is a comparison in real time: its blocks are
given out, leased, stored and judged as in any other. *Of ideal*: the blocks of one pair times the number of pairs.

    .venv/bin/python benchmarks/throughput.py [SECONDS]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import dask_programs
import simulation

from tuner import stacks
from tuner.hosts.host import Command
from tuner.hosts.pair import on_one
from tuner.hosts.simulated import Words
from tuner.records import Kind
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.runs.simulated import SimulatedHost
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.pairs import Carrier, Pairs, Seat, Threads
from tuner.session.measuring.progress import Silent
from tuner.session.measuring.scheduler import Cluster, connected
from tuner.session.setup.plan import Contender, PairPlan, Plan
from tuner.session.tuning import Tuning, begin, carry_out
from tuner.store import Store

RUN_S: Final = 1.35
"""What a run sleeps, in seconds: a test of 1 s, and what starting and ending it takes."""
SECONDS: Final = 60.0
COUNTS: Final = (1, 4, 64)
FOUR: Final = 3.4
"""How many times the blocks of one pair four must measure."""
MANY: Final = 0.8
"""Which part of the ideal 64 must."""
PLAN: Final = replace(
    simulation.PLAN, kind=Kind.COMPARE, known=(Contender("polling", {"XLIO_RX_POLL": "-1"}),), blocks=1_000_000
)


@dataclass
class Sleeping(SimulatedHost):
    """A host whose runs sleep."""

    def client(self, command: Command) -> Words:
        """Sleep as long as a run lasts."""
        time.sleep(self.wall_s)
        return super().client(command)


@dataclass(frozen=True)
class Row:
    """What one session measured: `cpu_s` is the CPU time of its process, in seconds."""

    carrier: str
    pairs: int
    blocks: int
    took_s: float
    cpu_s: float

    @property
    def per_minute(self) -> float:
        """How many blocks a minute."""
        return 60.0 * self.blocks / self.took_s


def rig() -> Rig:
    """Return a pair of its own on which runs sleep."""
    host = Sleeping(lambda environment: 20.0 if "XLIO_RX_POLL" in environment else 36.0, wall_s=RUN_S)
    return Rig(on_one(host), stacks.named(PLAN.stack), tuple(map(Path, PLAN.preloads)), PLAN.program)


def session(carrier: Carrier, name: str, plan: Plan) -> Row:
    """Carry out a comparison on the pairs of a plan; return what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        results = Results(Path(folder))
        store = Store(results.url)
        session_id = begin(store, plan, {"doubts": []})
        began_cpu_s = time.process_time()
        pairs = Pairs(carrier, {each.name: tuple(map(Seat.of, each.workloads)) for each in plan.pairs})
        clock = Clock.start(plan.budget_s)
        carry_out(Tuning(store, results, rig(), Silent(), pairs), plan, session_id, clock)
        took_s, cpu_s = store.session(session_id).spent_s, time.process_time() - began_cpu_s
        blocks = len({run.block for run in store.runs(session_id)})
    return Row(name, len(plan.pairs), blocks, took_s, cpu_s)


def plan_of(count: int, budget_s: float) -> Plan:
    """Return the plan of a comparison on so many pairs."""
    own = PairPlan.of("", PLAN)
    return replace(PLAN, budget_s=budget_s, pairs=tuple(replace(own, name=f"p{at}") for at in range(count)))


def by_threads(count: int, budget_s: float) -> Row:
    """Measure with a thread for each pair."""
    plan = plan_of(count, budget_s)
    carrier = Threads({each.name: rig() for each in plan.pairs})
    try:
        return session(carrier, "threads", plan)
    finally:
        carrier.close()


def seat(texts: list[str]) -> None:
    """Let a worker reach pairs on which runs sleep, as it would reach real ones."""
    from tuner.session.measuring import clustered

    for text in texts:
        clustered.REACHED[text] = clustered.At(rig(), PLAN.objective)


def by_cluster(cluster: Cluster, count: int, budget_s: float) -> Row:
    """Measure with tasks of a cluster."""
    from tuner.session.measuring import clustered

    plan = plan_of(count, budget_s)
    there = {
        each.name: clustered.There("", "", replace(plan.of_pair(each), seed=at)) for at, each in enumerate(plan.pairs)
    }
    with connected(cluster) as scheduler:
        scheduler.client.run(seat, [json.dumps(each.to_dict()) for each in there.values()])
        return session(clustered.Clustered(scheduler, f"{count}-{time.time()}", there), "dask", plan)


@contextmanager
def cluster(threads: int, tls: Mapping[str, Path] | None = None) -> Iterator[Cluster]:
    """Yield a scheduler on this machine with one worker process that measures so many blocks at once; `tls` are its files by Dask's names."""
    # Dask looks at each thread of a worker a hundred times a second: real workers have one thread, this one has one for each pair.
    profiled = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false"}
    here = {**os.environ, **profiled, "PYTHONPATH": str(Path(__file__).parent)}
    with tempfile.TemporaryDirectory() as folder:
        programs = dask_programs.on_this_machine(Path(folder), here, tls)
        try:
            programs.start_scheduler()
            programs.start_worker(threads)
            programs.await_workers(1)
            yield programs.cluster
        finally:
            programs.end()


def table(rows: list[Row]) -> list[str]:
    """Return the lines of a table of what was measured."""
    single = {row.carrier: row.per_minute for row in rows if row.pairs == 1}
    lines = [
        "| carrier | pairs | blocks a minute | times one pair | of ideal | the coordinator's CPU |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        times = row.per_minute / single[row.carrier]
        share = f"{100 * row.cpu_s / row.took_s:.0f} %"
        lines.append(
            f"| {row.carrier} | {row.pairs} | {row.per_minute:.0f} | {times:.1f} | {times / row.pairs:.2f} | {share} |"
        )
    return lines


def failings(rows: list[Row]) -> list[str]:
    """Return which rows are below what is promised."""
    single = {row.carrier: row.per_minute for row in rows if row.pairs == 1}
    found = []
    for row in rows:
        times = row.per_minute / single[row.carrier]
        if (row.pairs == 4 and times < FOUR) or (row.pairs == 64 and times < MANY * 64):
            found.append(f"{row.carrier}: {row.pairs} pairs measure {times:.1f} times the blocks of one")
    return found


def main(budget_s: float) -> int:
    """Print the table; return 1 where a row is below what is promised."""
    rows = [by_threads(count, budget_s) for count in COUNTS]
    with cluster(max(COUNTS)) as there:
        rows += [by_cluster(there, count, budget_s) for count in COUNTS]
    wrong = failings(rows)
    print("\n".join([*table(rows), *wrong]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
