"""What do searches recommend for the same number of runs, and what is it truly worth?

On synthetic landscapes of 8, 16 and 30 parameters, on one of steps that need each other, and on a table of the real kernel stack (`landscapes.py`). What
neighbouring runs have in common drifts (AR(1), sd 2.7 %). Every rival (`rivals.py`) gets the same number of runs, the defaults
known to it, and recommends what its users take: the best single run. A hang costs as many runs as its time-out takes: for
rivals, whose users set one, `HANG_RUNS`; for ours what the session itself waits.

Ours is the session itself on a host whose truth is known: calibration, search, choice and proof, all out of the same runs;
where nothing is proved it recommends the defaults. Beside it stands what the same session had chosen before the proof.

    .venv/bin/python benchmarks/search.py [--quick | --runs 60 --seeds 60] [--complete] [--only NAME …] [--landscape NAME]

Ours and random search are always computed anew. What libraries recommended is kept in `data/search-gains.csv` (`kept.py`);
`--complete` computes what is missing there, seed by seed: several hours, interrupted and resumed at will. The rivals that
are no dependency of the project: `pip install --group rivals`.
"""

from __future__ import annotations

import argparse
import math
import random
import shlex
import statistics
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import joblib  # type: ignore[import-untyped]  # ships none
import kept
import landscapes
import rivals
import simulation
from kept import Outcome, Played
from landscapes import Fate, Landscape, recorded, stepped, synthetic
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships none

from tuner import stacks
from tuner.hosts.host import Command
from tuner.hosts.pair import on_one
from tuner.hosts.simulated import Words
from tuner.judging.statistics import median_interval
from tuner.records import Role
from tuner.runs.run import Rig
from tuner.runs.simulated import BANNER, report
from tuner.search.dimension import Dimension
from tuner.search.registry import make
from tuner.search.space import SearchSpace
from tuner.session.answering import verdict
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.evidence import Evidence
from tuner.session.measuring.journal import Journal
from tuner.session.measuring.ledger import Ledger
from tuner.session.measuring.progress import Silent
from tuner.session.measuring.session import Session
from tuner.session.phases.calibrate import calibrate
from tuner.session.phases.clear_lead import with_short_confirmation
from tuner.session.phases.confirm import confirm
from tuner.session.phases.search import search

SIZES = (8, 16, 30)
STEPPED = "stepped"
RUNS, SEEDS = 60, 60
QUICK = (30, 3)
QUICK_RIVALS = ("random", "Optuna TPE")
DRIFT, MEMORY = 0.027, 0.9
DEFAULT_US = 36.0
HANG_RUNS = 8
"""Runs that a hang costs: a run's time-out is about so many times what a run takes."""

TABLE = Path(__file__).with_name("data") / "kernel-table.csv"
KEPT = Path(__file__).with_name("data") / "search-gains.csv"
OURS = "ours"
FOUND = "ours, before its proof"
Settings = Mapping[str, str]


@dataclass
class Bench:
    """Makes noisy runs on a landscape and counts them."""

    landscape: Landscape
    runs: int
    rng: random.Random
    made: float = 0
    drift: float = 0.0
    turn: int = 0
    seen: list[tuple[float, Settings]] = field(default_factory=list)

    @property
    def space(self) -> SearchSpace:
        """What can be searched."""
        return self.landscape.space

    @property
    def left(self) -> int:
        """The whole runs that are left; below zero when the last one hung."""
        return math.floor(self.runs - self.made)

    def latency_us(self, settings: Settings) -> float | None:
        """Return what one run measures, None where it crashes or hangs."""
        fate = self.landscape.fate(settings)
        self.made += HANG_RUNS if fate is Fate.HANGS else 1
        self.drift = MEMORY * self.drift + self.rng.gauss(0, DRIFT * math.sqrt(1 - MEMORY**2))
        self.turn = self.turn if self.rng.random() < MEMORY else self.rng.randrange(1000)
        if fate is not Fate.RUNS:
            return None
        found = DEFAULT_US * math.exp(self.drift - self.landscape.measured(settings, self.rng, self.turn))
        self.seen.append((found, dict(settings)))
        return found

    def luckiest(self) -> Settings:
        """Return the settings of the best single run."""
        return min(self.seen, key=lambda pair: pair[0])[1]


class BenchHost(simulation.NoisyHost):
    """The bench in the place of a host: a session measures on it, and its time is counted in runs."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(lambda _environment: DEFAULT_US, simulation.Noise(), bench.rng)
        self.bench = bench
        self.run_s = 0.0
        self.made_before = 0.0

    def client(self, command: Command) -> Words:
        """Return what a run of the bench under a command's environment would print."""
        before, names = self.now(), self.bench.space.names
        self.made_before = self.bench.made
        settings = {name: text for name, text in command.environment.items() if name in names}
        found = self.bench.latency_us(settings)
        self.run_s = self.now() - before
        hangs = self.bench.landscape.fate(settings) is Fate.HANGS
        return Words("" if found is None else report(found), BANNER, hangs=hangs)

    def lasted_s(self) -> float:
        """Return how long the last run took, in simulated seconds."""
        return self.run_s

    def now(self) -> float:
        """Return the simulated time; a run that hung was charged for a time-out, and took as long as the session waited."""
        if self.hung_s:
            self.bench.made = self.made_before + self.hung_s / simulation.RUN_S
            self.run_s, self.hung_s = self.hung_s, 0.0
        return simulation.RUN_S * self.bench.made


def ours(bench: Bench, seed: int) -> tuple[Settings, Settings]:
    """Return what a whole session recommends, and what it had chosen before it was judged."""
    budget_s = simulation.RUN_S * bench.runs
    plan = replace(simulation.PLAN, known=(), optimizer="skopt", seed=seed, budget_s=budget_s, blocks=bench.runs)
    host = BenchHost(bench)
    journal = Journal(simulation.Memory(), Ledger(f"search-{seed}"))
    journal.enter(plan.baseline.profile, plan.baseline.settings, Role.BASELINE)
    rig = Rig(on_one(host), stacks.named(plan.stack), tuple(map(Path, plan.preloads)), plan.program)
    session = Session(Evidence(plan, journal.ledger), journal, rig, Clock(budget_s, 0.0, 0.0, host.now), Silent())
    calibrate(session)
    search(session, make(plan.optimizer, bench.space, seed, lambda settings: settings))
    session = replace(session, evidence=replace(session.evidence, plan=with_short_confirmation(session.evidence)))
    search(session, make(plan.optimizer, bench.space, seed, lambda settings: settings))
    confirm(session)
    found = verdict(session.evidence, session.clock.ending())
    judged = next((dict(trial.settings) for trial, _ in found.gains), {})
    return (dict(found.winner.settings) if found.winner else {}), judged


@cache
def landscape(name: str, seed: int) -> Landscape:
    """Return a landscape by its name: a number of parameters, steps, or the recorded table, the same for all seeds."""
    if name == TABLE.stem:
        return recorded(TABLE)
    return stepped(seed) if name == STEPPED else synthetic(int(name), seed)


def played(rival: str, name: str, runs: int, seed: int) -> Played:
    """Return what decides a session of a rival on one landscape."""
    versions = "" if rival == OURS else rivals.EVERY[rival].version
    return Played(rival, versions, name, runs, seed, _fingerprint(name, seed))


@cache
def _fingerprint(name: str, seed: int) -> str:
    bench = Bench(landscape(name, seed), 10, _noise(seed))
    rng = random.Random(f"fingerprint/{seed}")  # noqa: S311 - the same for everybody
    while bench.left > 0:
        bench.latency_us({d.parameter: _anywhere(d, rng) for d in bench.space.dimensions})
    truths = [bench.landscape.gain(settings) for _, settings in bench.seen]
    return kept.fingerprint([*(latency_us for latency_us, _ in bench.seen), *truths])


def _anywhere(dimension: Dimension, rng: random.Random) -> str:
    return dimension.at(rng.random()) if dimension.steps else rng.choice(dimension.singles)


def _noise(seed: int) -> random.Random:
    return random.Random(f"runs/{seed}")  # noqa: S311 - the same noise for everybody


def outcome(job: Played) -> Outcome:
    """Return the true gains of what a rival recommends on one landscape; what does not run counts as −∞."""
    land, rival = landscape(job.landscape, job.seed), job.rival
    bench, began_s = Bench(land, job.runs, _noise(job.seed)), time.process_time()
    # Two processes share two cores: threads inside them would only wait for each other.
    with warnings.catch_warnings(), threadpool_limits(limits=1), joblib.parallel_config(backend="sequential"):
        warnings.simplefilter("ignore")
        found = ours(bench, job.seed) if rival == OURS else (rivals.EVERY[rival].recommend(bench, job.seed),)
    assert bench.made < job.runs + HANG_RUNS, f"{rival} made {bench.made} of {job.runs}"  # noqa: S101 - the comparison's own law
    gains = tuple(land.gain(one) if land.fate(one) is Fate.RUNS else -math.inf for one in found)
    return Outcome(gains, time.process_time() - began_s)


def outcomes(jobs: Sequence[Played], path: Path | None) -> dict[Played, Outcome]:
    """Return the outcomes of all jobs; those of libraries are written to the file as they come."""
    found: dict[Played, Outcome] = {}
    with ProcessPoolExecutor(2) as pool:
        running = {pool.submit(outcome, job): job for job in jobs}
        for done in as_completed(running):
            job = running[done]
            found[job] = done.result()
            if path and job.versions:
                kept.append(path, job, found[job])
            _say(job, found[job], len(jobs) - len(found))
    return found


def _say(job: Played, found: Outcome, left: int) -> None:
    gain = math.exp(found.gains[0])
    print(
        f"{job.landscape}: {job.rival}, seed {job.seed}: {gain:.2f} ({seconds([found])} s); {left} left",
        file=sys.stderr,
    )


def worst_decile(values: Sequence[float]) -> float:
    """Return the value below which a tenth lies; of fewer than ten values the worst."""
    return sorted(values)[int(0.1 * len(values))]


def counted(seeds: int) -> str:
    """Return a number of seeds in words."""
    return f"{seeds} seed{'' if seeds == 1 else 's'}"


def cell(values: Sequence[float], seeds: int) -> str:
    """Return median and worst decile of gains, as times the defaults, and how many they are where not all seeds are there."""
    if not values:
        return "–"
    of = "" if len(values) == seeds else f", {counted(len(values))}"
    return f"{math.exp(statistics.median(values)):.2f} ({math.exp(worst_decile(values)):.2f}{of})"


def seconds(found: Sequence[Outcome]) -> str:
    """Return the median CPU time of sessions, and of how many it is where not all say it."""
    said = [each.cpu_s for each in found if each.cpu_s is not None]
    of = "" if len(said) == len(found) else f" ({counted(len(said))})"
    return f"{statistics.median(said):.1f}{of}" if said else "–"


@dataclass(frozen=True)
class Comparison:
    """What was compared: the rivals beside ours, the number of runs and of seeds, and every outcome."""

    rivals: tuple[str, ...]
    runs: int
    seeds: int
    found: Mapping[Played, Outcome]

    def outcomes(self, rival: str, name: str) -> list[Outcome]:
        """Return the outcomes of a rival on the landscapes of one name."""
        jobs = (played(rival, name, self.runs, seed) for seed in range(self.seeds))
        return [self.found[job] for job in jobs if job in self.found]

    def row(self, name: str) -> str:
        """Return the row of one landscape."""
        mine = self.outcomes(OURS, name)
        cells = [cell([each.gains[which] for each in mine], self.seeds) for which in (0, 1)]
        cells += [cell([each.gains[0] for each in self.outcomes(rival, name)], self.seeds) for rival in self.rivals]
        best = statistics.median(landscape(name, seed).best for seed in range(self.seeds))
        return f"| {_title(name)} | {' | '.join(cells)} | {math.exp(best):.2f} |"

    def duel(self, name: str) -> str:
        """Return the row of what ours recommends over what each rival does, seed by seed: median with 95 % interval."""
        cells = [self.over(self.outcomes(OURS, name), self.outcomes(rival, name)) for rival in self.rivals]
        return f"| {_title(name)} | {' | '.join(cells)} |"

    def over(self, mine: Sequence[Outcome], other: Sequence[Outcome]) -> str:
        """Return what one's outcomes are over the other's, in a cell; those of both begin with the same seeds. What does not run is worth nothing."""
        if not other:
            return "–"
        found = median_interval([a.gains[0] - b.gains[0] for a, b in zip(mine, other, strict=False)])
        low, middle, high = (math.exp(each) for each in (found.low, found.value, found.high))
        return f"{middle:.2f} ({low:.2f} to {high:.2f})"

    def costs(self) -> str:
        """Return the row of CPU seconds: the medians at the largest number of parameters and on the table."""
        cells = [self._cost(OURS), "", *map(self._cost, self.rivals)]
        return f"| CPU s: {SIZES[-1]} parameters / recorded | {' | '.join(cells)} | |"

    def _cost(self, rival: str) -> str:
        return " / ".join(seconds(self.outcomes(rival, name)) for name in (str(SIZES[-1]), TABLE.stem))


def _names() -> tuple[str, ...]:
    return (*map(str, SIZES), STEPPED, TABLE.stem)


def _title(name: str) -> str:
    if name == STEPPED:
        return f"{landscapes.STEPPED} parameters in steps"
    return f"{name} parameters" if name.isdigit() else "recorded kernel stack"


def compare(
    runs: int,
    seeds: int,
    only: Sequence[str],
    *,
    complete: bool,
    path: Path | None,
    names: Sequence[str] = (),
) -> Comparison:
    """Return the comparison on these landscapes, on all where none is named.

    Ours and random search are computed anew, the libraries are taken as they are kept or, when wanted, completed.
    """
    named = [name for name in rivals.versioned() if not only or name in only]
    present = {OURS, *rivals.present()}
    known = kept.read(path) if path else {}
    every = [
        played(rival, name, runs, seed)
        for seed in range(seeds)
        for name in names or _names()
        for rival in (*named, OURS)
    ]
    missing = [job for job in every if job not in known and job.rival in present and (complete or not job.versions)]
    found = known | outcomes(missing, path)
    taking_part = tuple(rival for rival in named if any(job.rival == rival and job in found for job in every))
    return Comparison(taking_part, runs, seeds, found)


def section(runs: int = RUNS, seeds: int = SEEDS, only: Sequence[str] = (), *, complete: bool = False) -> str:
    """Return the section of the benchmark page; the short form keeps nothing."""
    quick = (runs, seeds) == QUICK
    found = compare(runs, seeds, only, complete=complete or quick, path=None if quick else KEPT)
    asked = ["--runs", str(runs), "--seeds", str(seeds), *(["--only", *only] if only else [])]
    table = recorded(TABLE)
    missing = ", ".join(name for name in rivals.EVERY if name not in found.rivals and (not only or name in only))
    return "\n".join(
        [
            "## Searches on landscapes whose truth is known\n",
            f"True gain of what each one recommends after {runs} runs, times the defaults: median over {seeds} seeds (worst decile).",
            f"Ours pays for calibration, baseline, choice and proof out of the same runs; a hang costs rivals {HANG_RUNS} runs, and ours what it waits.",
            "The last row is the computing of a whole session, in the median. Everybody has the same landscapes and the same noise, seed",
            "by seed. Ours and random search were computed with this page; the libraries' sessions are kept in `benchmarks/data/search-gains.csv`.",
            "Where fewer seeds say their seconds, the others were computed with the library's costliest function compiled, by code that is not",
            "part of this repository: without their lines in that file, `--complete` computes them by the library itself.",
            f"Not compared: {missing or 'none of those asked for'}.\n",
            f"| landscape | {OURS} | {FOUND} | {' | '.join(found.rivals)} | the best there is |",
            f"|---|{'---|' * (len(found.rivals) + 3)}",
            *(found.row(name) for name in _names()),
            found.costs(),
            "\nOurs over each rival, seed by seed: median with its 95 % interval. The recording tells",
            f"{len(table.groups)} groups of its {len(table.runs)} configurations apart; the {len(table.groups[-1])} best are one (`benchmarks/alike.py`), and nobody is better for choosing the luckiest of them.\n",
            f"| landscape | {' | '.join(f'over {rival}' for rival in found.rivals)} |",
            f"|{'---|' * (len(found.rivals) + 1)}",
            *(found.duel(name) for name in _names()),
            f"\n`.venv/bin/python benchmarks/search.py {'--quick' if quick else shlex.join(asked)}`\n",
        ]
    )


def beside(name: str, runs: int, seeds: int, only: Sequence[str], *, complete: bool = False) -> str:
    """Return the comparison on one landscape alone: a row for each who takes part."""
    found = compare(runs, seeds, only, complete=complete, path=KEPT, names=(name,))
    mine = found.outcomes(OURS, name)
    lines = [
        f"### {_title(name)}, {runs} runs\n",
        f"True gain of what each one recommends, times the defaults, {counted(seeds)}: median (worst decile).\n",
        "| | gain | ours over it, seed by seed | CPU s |",
        "|---|---|---|---|",
        f"| {OURS} | {cell([each.gains[0] for each in mine], seeds)} | | {seconds(mine)} |",
    ]
    for rival in found.rivals:
        other = found.outcomes(rival, name)
        cells = (cell([each.gains[0] for each in other], seeds), found.over(mine, other), seconds(other))
        lines.append(f"| {rival} | {' | '.join(cells)} |")
    asked = ["--landscape", name, "--runs", str(runs), "--seeds", str(seeds), *(["--only", *only] if only else [])]
    return "\n".join([*lines, f"\n`.venv/bin/python benchmarks/search.py {shlex.join(asked)}`\n"])


def main() -> None:
    """Print the section that the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK[0]} runs, {QUICK[1]} seeds, the cheap rivals: shows that it works"
    )
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--only", nargs="*", default=(), help="these rivals beside ours")
    parser.add_argument("--complete", action="store_true", help="compute what is missing of the libraries: hours")
    parser.add_argument("--landscape", choices=_names(), help="this one alone: a row for each who takes part")
    given = parser.parse_args()
    if given.complete and (absent := rivals.absent()):
        print(f"not installed here, so not completed: {', '.join(absent)}", file=sys.stderr)
    if given.landscape:
        print(beside(given.landscape, given.runs, given.seeds, given.only, complete=given.complete))
        return
    asked = (*QUICK, QUICK_RIVALS) if given.quick else (given.runs, given.seeds, given.only)
    print(section(*asked, complete=given.complete))


if __name__ == "__main__":
    main()
