"""Does a long session stay as cheap as it began? Memory, store and time by trial, of one simulated session of 20,000 trials.

Runs take no time, so that all of it is this program's own: deciding, storing, remembering; last of all the verdict. Afterwards
the report is made of a session of 20,000 trials, whatever was asked: the runs of the search are copied until there are so many.
Then the bulk of such a session is dropped as `tuner sessions gc` does it. The store is in `TMPDIR`: on a disk that a busy machine
shares, waiting for it takes most of the time.

    .venv/bin/python benchmarks/soak.py [TRIALS] [OPTIMIZER]
"""

from __future__ import annotations

import math
import re
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import simulation

from tuner import stacks
from tuner.hosts.host import Command
from tuner.hosts.pair import on_one
from tuner.records import Phase, Role, Run, Trial
from tuner.report import files
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.runs.simulated import Ends, SimulatedHost
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.progress import Silent
from tuner.session.tuning import Tuning, begin, carry_out
from tuner.store import Store, bulk

TRIALS: Final = 20_000
SAMPLES: Final = 10
RUNS_A_TRIAL: Final = 1.42
"""Of a whole session, all phases: what turns trials into a budget. Its lead is clear, so that it searches for most of it."""
MOST_REPORT_S: Final = 10.0
BANNER: Final = " XLIO INFO   : PARAMETER                      Value                      [XLIO_PARAMETER]\n" * 50
"""As long as what a library says at the start of a program: the simulated one says a line."""
FORGOTTEN: Final = Ends(Command((), {}), Command((), {}))
"""In place of the commands that the simulated host ran: their number counts, and they would be most of the memory."""


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
    """Notes what is used at even distances, and lets the simulated host forget what it ran."""

    host: SimulatedHost
    database: Path
    every: int
    began_s: float = field(default_factory=time.process_time)
    samples: list[Sample] = field(default_factory=list)
    last_s: float = 0.0
    trials: int = 0
    runs: int = 0

    def measured(self, trial: Trial, run: Run) -> None:
        """Count it, and sample where it is time."""
        self.host.runs[-1] = FORGOTTEN
        self.last_s = time.process_time()
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


def soaked(folder: Path, trials: int, optimizer: str) -> tuple[list[Sample], float]:
    """Return what a session of so many trials used on its way, all phases, and the CPU seconds from its last run to its verdict."""
    plan = replace(simulation.PLAN, budget_s=trials * RUNS_A_TRIAL, optimizer=optimizer)
    results = Results(folder)
    store, host = Store(results.url), SimulatedHost(latency_us, wall_s=1.0)
    rig = Rig(on_one(host), stacks.named(plan.stack), (Path(plan.preloads[0]),), plan.program, os_sockets=True)
    watch = Sampling(host, results.database, max(1, trials // SAMPLES))
    session = begin(store, plan, {"doubts": []})
    clock = Clock(plan.budget_s, 0.0, 0.0, lambda: float(len(host.runs)))
    carry_out(Tuning(store, results, rig, watch), plan, session, clock)
    verdict_s = time.process_time() - watch.last_s
    watch.sample()
    return watch.samples, verdict_s


def grown(folder: Path, trials: int, target: Path, banner: str = "") -> None:
    """Copy a finished session and the runs of its search, with new settings, until it has so many trials.

    `banner` is what the library of each server says beside.
    """
    store = Store.reading(Results(folder))
    session = store.session("latest")
    rows, runs = list(store.trials(session.id)), list(store.runs(session.id))
    searched = [run for run in runs if run.phase is Phase.SEARCH]
    originals = sorted({run.trial for run in searched} - {0})
    first_block = searched[0].block
    while len(rows) < trials:
        places = {number: len(rows) + at for at, number in enumerate(originals)}
        rows += [_again(rows[number], place) for number, place in places.items()]
        next_block = 1 + max(run.block for run in runs[-len(searched) :] + searched)
        for run in searched:
            place = next_block + run.block - first_block
            runs.append(replace(run, number=len(runs), trial=places.get(run.trial, 0), block=place))
    saying = (_saying(run, banner) for run in runs) if banner else runs
    Store(Results(target).url).add_whole(session, rows, list(saying))


def _saying(run: Run, banner: str) -> Run:
    server = run.evidence["server"]
    return replace(run, evidence={**run.evidence, "server": {**server, "stderr": server["stderr"] + banner}})


def _again(trial: Trial, number: int) -> Trial:
    settings = {**trial.settings, "XLIO_RX_POLL": str(number)}
    return replace(trial, number=number, profile=f"candidate-{number}", role=Role.CANDIDATE, settings=settings)


@dataclass(frozen=True, slots=True)
class Reported:
    """What the report of a long session took."""

    trials: int
    runs: int
    wall_s: float
    cpu_s: float
    html_mb: float


def reported(store: Store, path: Path) -> Reported:
    """Return what making the page of a session takes; the CPU seconds are those of this process, without the drawing's."""
    session = store.session("latest")
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    files.write_html(store, session, path)
    wall_s, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu_s
    counts = len(store.trials(session.id)), len(store.runs(session.id))
    return Reported(*counts, wall_s, cpu_s, path.stat().st_size / 1e6)


def dropped(store: Store) -> str:
    """Return what `tuner sessions gc` drops of all sessions of a store, in words; their verdicts stay.

    A simulated library says a line, and nothing of that is dropped; so this is a store whose servers print `BANNER`.
    """
    began_s, began_cpu_s, verdict = time.monotonic(), time.process_time(), store.session("latest").verdict
    found = bulk.bulky(store, bulk.Asked())
    looked_s, before = time.monotonic() - began_s, Path(store.where).stat().st_size
    bulk.drop(store, found)
    if store.session("latest").verdict != verdict:
        raise AssertionError("a verdict is lost")
    after, whole_s = Path(store.where).stat().st_size, time.monotonic() - began_s
    characters = sum(each.characters for each in found)
    sizes = f"{characters / 1e6:.1f} MB of output dropped; {before / 1e6:.1f} MB, {after / 1e6:.1f} MB afterwards"
    cpu_s = time.process_time() - began_cpu_s
    took = f"{looked_s:.1f} s for the dry run, {whole_s:.1f} s in all ({cpu_s:.1f} s of CPU)"
    return f"`sessions gc` where each server printed {len(BANNER):,} characters more: {took}; {sizes}."


def most_memory_mb() -> float:
    """Return the most that this process ever held, in 10^6 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def section(samples: list[Sample], verdict_s: float, report: Reported) -> str:
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
    took = f"{report.wall_s:.1f} s, {report.cpu_s:.1f} s of CPU in this process"
    said = f"Report of {report.trials:,} trials, {report.runs:,} runs: {took}; {report.html_mb:.1f} MB of HTML."
    ended = f"From the last run to the verdict: {verdict_s:.1f} s of CPU."
    return "\n".join([*lines, "", ended, said])


def main() -> None:
    """Soak and print."""
    trials = int(sys.argv[1]) if sys.argv[1:] else TRIALS
    optimizer = sys.argv[2] if sys.argv[2:] else "skopt"
    with tempfile.TemporaryDirectory() as name:
        samples, verdict_s = soaked(Path(name, "session"), trials, optimizer)
        with ProcessPoolExecutor(1) as apart:  # this process's memory is to be that of the program
            apart.submit(grown, Path(name, "session"), TRIALS, Path(name, "long")).result()
            apart.submit(grown, Path(name, "session"), TRIALS, Path(name, "wordy"), BANNER).result()
        store = Store(Results(Path(name, "long")).url)
        report = reported(store, Path(name, "report.html"))
        print(section(samples, verdict_s, report))
        print(dropped(Store(Results(Path(name, "wordy")).url)))
        print(f"Most memory of all: {most_memory_mb():.0f} MB.")
    sys.exit(report.wall_s > MOST_REPORT_S)


if __name__ == "__main__":
    main()
