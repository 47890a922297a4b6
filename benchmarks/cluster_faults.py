"""What becomes of a session on a Dask cluster when a worker or the scheduler is killed, again and again.

    .venv/bin/python benchmarks/cluster_faults.py [TIMES]

Four pairs on which runs sleep, a scheduler and two workers on this machine. At a random moment of a comparison one worker, or the
scheduler with all workers (they end with it), is killed; new ones are started a moment later. Counted are the verdicts, the clear
messages, blocks that are not whole, and profiles that were counted twice in a block.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import throughput

from tuner.records import Run
from tuner.results import Results
from tuner.session.answer.answers import decision
from tuner.session.measuring import clustered
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.pairs import Pairs, Seat
from tuner.session.measuring.progress import Silent
from tuner.session.tuning import Tuning, begin, carry_out
from tuner.store import Store

TIMES: Final = 20
PAIRS: Final = 4
BUDGET_S: Final = 15.0
AGAIN_S: Final = 2.0
"""After so long what was killed is started again."""
RUN_S: Final = 0.3
SEATED: Final = f"""
import throughput
from tuner.session.measuring import clustered
throughput.RUN_S = {RUN_S}
clustered.reached = lambda there: clustered.At(throughput.rig(), throughput.PLAN.objective)
"""
"""Lets a worker reach pairs on which runs sleep, as it would reach real ones."""


@dataclass
class Processes:
    """A scheduler and its workers, each in a session of its own."""

    folder: Path
    port: int
    scheduler: list[subprocess.Popen[bytes]] = field(default_factory=list)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where the scheduler is."""
        return f"tcp://127.0.0.1:{self.port}"

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start one of Dask's programs."""
        program = str(Path(sys.executable).with_name("dask"))
        here = {**os.environ, "PYTHONPATH": str(Path(throughput.__file__).parent)}
        with (self.folder / "log").open("ab") as log:
            argv = [program, *words, "--no-dashboard"]
            return subprocess.Popen(argv, env=here, cwd=self.folder, stdout=log, stderr=log, start_new_session=True)

    def start_scheduler(self) -> None:
        """Start the scheduler."""
        self.scheduler.append(self.start("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-jupyter"))

    def start_worker(self) -> None:
        """Start a worker that measures two blocks at once."""
        (self.folder / "seated.py").write_text(SEATED, encoding="utf-8")
        options = ("--nthreads", "2", "--resources", "pair=2", "--no-nanny", "--preload", "seated.py")
        self.workers.append(self.start("worker", self.address, *options))

    def end(self) -> None:
        """Kill all of them."""
        kill([*self.workers, *self.scheduler])


def kill(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kill processes with what they started."""
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def worker_killed(there: Processes) -> Callable[[], None]:
    """Kill a worker; return what starts another."""
    kill(there.workers[:1])
    return there.start_worker


def scheduler_killed(there: Processes) -> Callable[[], None]:
    """Kill the scheduler and its workers; return what starts others."""
    there.end()

    def again() -> None:
        there.start_scheduler()
        there.start_worker()
        there.start_worker()

    return again


FAULTS: Final = {"Dask worker killed": worker_killed, "scheduler killed": scheduler_killed}
SAYS: Final = {"Dask worker killed": "workers went away", "scheduler killed": "the scheduler tcp://"}


class Noted(Silent):
    """Somebody who notes what is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Note it."""
        self.notes.append(text)


@dataclass(frozen=True)
class Outcome:
    """What came of one fault."""

    clear: bool
    verdict: bool
    lost: int
    twice: int

    @property
    def good(self) -> bool:
        """Whether it is as it should be."""
        return self.clear and self.verdict and not (self.lost or self.twice)


def once(name: str, chance: random.Random) -> Outcome:
    """Return what comes of one fault at a random moment of a session."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        there = Processes(folder, _free_port())
        stack.callback(there.end)
        there.start_scheduler()
        there.start_worker()
        there.start_worker()
        _await_workers(there.address)
        scheduler = stack.enter_context(clustered.connected(clustered.Cluster(there.address)))
        strikes = threading.Timer(chance.uniform(1.0, 6.0), _strike, [there, FAULTS[name]])
        strikes.start()
        stack.callback(strikes.join)
        return _outcome(folder, scheduler, SAYS[name])


def _strike(there: Processes, fault: Callable[[Processes], Callable[[], None]]) -> None:
    again = fault(there)
    threading.Event().wait(AGAIN_S)
    again()


def _outcome(folder: Path, scheduler: clustered.Scheduler, says: str) -> Outcome:
    plan = throughput.plan_of(PAIRS, BUDGET_S)
    store, noted = Store(Results(folder).url), Noted()
    session = begin(store, plan, {"doubts": []})
    there = {
        each.name: clustered.There("", "", replace(plan.of_pair(each), seed=at)) for at, each in enumerate(plan.pairs)
    }
    carrier = clustered.Clustered(scheduler, session, there)
    try:
        pairs = Pairs(carrier, {each.name: tuple(map(Seat.of, each.workloads)) for each in plan.pairs})
        made = Tuning(store, Results(folder), throughput.rig(), noted, pairs)
        answer = carry_out(made, plan, session, Clock.start(plan.budget_s))
    finally:
        carrier.close()
    lost, twice = _counted(store.runs(session))
    return Outcome(any(says in line for line in noted.notes), decision(answer) is not None, lost, twice)


def _counted(runs: Sequence[Run]) -> tuple[int, int]:
    """Return how many blocks between the first and the last are not there or not whole, and how often a profile is in one twice."""
    places = Counter((run.block, run.trial) for run in runs)
    blocks = Counter(block for block, _ in places)
    whole = sum(count == len({run.trial for run in runs}) for count in blocks.values())
    # The last blocks may end with the budget, one on each pair.
    return max(0, max(blocks) + 1 - PAIRS - whole), sum(count - 1 for count in places.values())


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _await_workers(address: str) -> None:
    import distributed

    connect: Any = distributed.Client  # Dask has no types
    with connect(address, timeout=30, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)


def main(times: int) -> int:
    """Print a table of counts; return 0 when all are as they should be."""
    print("| fault | clear message | verdict | blocks lost | counted twice |\n|---|---|---|---|---|", flush=True)
    good = True
    for name in FAULTS:
        rows = [once(name, random.Random(f"{name} {turn}")) for turn in range(times)]  # noqa: S311 - moments to strike at
        clear, verdicts = sum(row.clear for row in rows), sum(row.verdict for row in rows)
        counts = sum(row.lost for row in rows), sum(row.twice for row in rows)
        print(f"| {name} | {clear}/{times} | {verdicts}/{times} | {counts[0]} | {counts[1]} |", flush=True)
        good = good and all(row.good for row in rows)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else TIMES))
