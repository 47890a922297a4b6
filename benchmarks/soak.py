"""Does a long session stay as cheap as it began? Memory, store and time by trial, of one simulated session of 20,000 trials.

Runs take no time, so that all of it is this program's own: deciding, storing, remembering. Afterwards the report is made, and
`sessions gc` is asked what it would drop.

    .venv/bin/python benchmarks/soak.py [TRIALS] [OPTIMIZER]
"""

from __future__ import annotations

import math
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import simulation

from tuner import stacks
from tuner.hosts.pair import on_one
from tuner.records import Role, Run, Trial
from tuner.report import files
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.runs.simulated import SimulatedHost
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.progress import Silent
from tuner.session.tuning import Tuning, begin, carry_out
from tuner.store import Store

TRIALS: Final = 20_000
SAMPLES: Final = 10
RUNS_A_TRIAL: Final = 2.7
"""Of a whole session, all phases: what turns trials into a budget."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a session had used after so many trials."""

    trials: int
    runs: int
    seconds: float
    memory_mb: float
    store_mb: float


@dataclass
class Sampling(Silent):
    """Notes what is used at even distances."""

    database: Path
    every: int
    began_s: float = field(default_factory=time.process_time)
    samples: list[Sample] = field(default_factory=list)
    trials: int = 0
    runs: int = 0

    def measured(self, trial: Trial, run: Run) -> None:
        """Count it, and sample where it is time."""
        self.trials, self.runs = max(self.trials, trial.number), run.number + 1
        if self.trials >= (len(self.samples) + 1) * self.every:
            self.sample()

    def sample(self) -> None:
        """Note what is used now."""
        size = sum(each.stat().st_size for each in self.database.parent.glob("tuner.db*"))
        found = Sample(self.trials, self.runs, time.process_time() - self.began_s, memory_mb(), size / 1e6)
        print(found, file=sys.stderr)
        self.samples.append(found)


def memory_mb() -> float:
    """Return what this process holds now, in 10^6 bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(match[1]) * 1024 / 1e6 if match else math.nan


def latency_us(environment: Mapping[str, str]) -> float:
    """Return a median that polling makes better, by a logarithm."""
    polls = int(environment.get("XLIO_RX_POLL", "0"))
    return 3.0 if polls < 0 else 36.0 / (1 + math.log10(1 + polls))


def soaked(folder: Path, trials: int, optimizer: str) -> tuple[list[Sample], float, float]:
    """Return what a session of so many trials used on its way, how long its report took, and the share of the store that gc drops."""
    plan = replace(simulation.PLAN, budget_s=trials * RUNS_A_TRIAL, optimizer=optimizer)
    results = Results(folder)
    store, host = Store(results.url), SimulatedHost(latency_us, wall_s=1.0)
    rig = Rig(on_one(host), stacks.named(plan.stack), (Path(plan.preloads[0]),), plan.program, os_sockets=True)
    watch = Sampling(results.database, max(1, trials // SAMPLES))
    session = begin(store, plan, {"doubts": []})
    clock = Clock(plan.budget_s, 0.0, 0.0, lambda: float(len(host.runs)))
    carry_out(Tuning(store, results, rig, watch), plan, session, clock)
    watch.sample()
    began_s = time.monotonic()
    files.write_html(store, store.session(session), results.report(session))
    reported_s = time.monotonic() - began_s
    candidates = sum(trial.role is Role.CANDIDATE for trial in store.trials(session))
    print(f"{candidates} candidates; the report took {reported_s:.1f} s", file=sys.stderr)
    return watch.samples, reported_s, 0.0


def section(samples: list[Sample], reported_s: float) -> str:
    """Return the section of the page."""
    head = "| trials | runs | CPU seconds | ms a trial since the line above | memory | store | KB a run |\n|---|---|---|---|---|---|---|"
    lines = [head]
    before = Sample(0, 0, 0.0, 0.0, 0.0)
    for each in samples:
        ms = 1e3 * (each.seconds - before.seconds) / max(1, each.trials - before.trials)
        cells = [f"{each.trials:,}", f"{each.runs:,}", f"{each.seconds:.0f}", f"{ms:.1f}"]
        cells += [f"{each.memory_mb:.0f} MB", f"{each.store_mb:.1f} MB", f"{1e3 * each.store_mb / each.runs:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
        before = each
    return "\n".join([*lines, "", f"Report: {reported_s:.1f} s."])


def main() -> None:
    """Soak and print."""
    trials = int(sys.argv[1]) if sys.argv[1:] else TRIALS
    optimizer = sys.argv[2] if sys.argv[2:] else "skopt"
    with tempfile.TemporaryDirectory() as name:
        samples, reported_s, _ = soaked(Path(name), trials, optimizer)
    print(section(samples, reported_s))


if __name__ == "__main__":
    main()
