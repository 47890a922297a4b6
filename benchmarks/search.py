"""What do searches recommend for the same number of runs, and what is it truly worth?

On synthetic landscapes of 8, 16 and 30 parameters, and on a table of the real kernel stack (`landscapes.py`). What
neighbouring runs have in common drifts (AR(1), sd 2.7 %). Every rival (`rivals.py`) gets the same number of runs, the defaults
known to it, and recommends what its users take: the best single run. A hang costs everybody as many runs as its time-out
would take.

Ours is the session itself on a host whose truth is known: calibration, search, choice and proof, all out of the same runs;
where nothing is proved it recommends the defaults. Beside it stands what the same session had chosen before the proof.

    .venv/bin/python benchmarks/search.py [--quick | --runs 60 --seeds 30] [--only NAME …]

The rivals that are no dependency of the project: `pip install --group rivals`.
"""

from __future__ import annotations

import argparse
import math
import random
import shlex
import statistics
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import rivals
import simulation
from landscapes import Fate, Landscape, recorded, synthetic
from simulated_host import BANNER, SERVER, report
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships none

from tuner.hosts.host import ProcessResult, RunOutput, RunPlan
from tuner.measure.run import Rig
from tuner.objective import objective
from tuner.search.optimizer import make
from tuner.search.space import SearchSpace
from tuner.session.calibrate import calibrate
from tuner.session.clock import Clock
from tuner.session.confirm import confirm
from tuner.session.ledger import Ledger
from tuner.session.progress import Silent
from tuner.session.search import search
from tuner.session.session import Session
from tuner.stacks import stack

SIZES = (8, 16, 30)
RUNS, SEEDS = 60, 30
QUICK = (30, 3)
QUICK_RIVALS = ("random", "Optuna TPE")
DRIFT, MEMORY = 0.027, 0.9
DEFAULT_US = 36.0
HANG_RUNS = 8
"""Runs that a hang costs: a run's time-out is about so many times what a run takes."""

TABLE = Path(__file__).with_name("data") / "kernel-table.csv"
OURS = "ours"
FOUND = "ours, before its proof"
Settings = Mapping[str, str]


@dataclass
class Bench:
    """Makes noisy runs on a landscape and counts them."""

    landscape: Landscape
    runs: int
    rng: random.Random
    made: int = 0
    drift: float = 0.0
    turn: int = 0
    seen: list[tuple[float, Settings]] = field(default_factory=list)

    @property
    def space(self) -> SearchSpace:
        """What can be searched."""
        return self.landscape.space

    @property
    def left(self) -> int:
        """The runs that are left; below zero when the last one hung."""
        return self.runs - self.made

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

    def run(self, plan: RunPlan) -> RunOutput:
        """Return what a run of the bench under the plan's environment would print."""
        before, names = self.now(), self.bench.space.names
        settings = {name: text for name, text in plan.client.environment.items() if name in names}
        found = self.bench.latency_us(settings)
        hung = self.bench.landscape.fate(settings) is Fate.HANGS
        client = ProcessResult(0, "" if found is None else report(found), BANNER, 0.5, timed_out=hung)
        server = ProcessResult(0, SERVER.format(n=1000), BANNER, 0.5)
        return RunOutput(server, client, "2026-01-02T03:04:05", self.now() - before)

    def now(self) -> float:
        """Return the simulated time."""
        return simulation.RUN_S * self.bench.made


def ours(bench: Bench, seed: int) -> tuple[Settings, Settings]:
    """Return what a whole session recommends, and what it had chosen before it was judged."""
    budget_s = simulation.RUN_S * bench.runs
    plan = replace(simulation.PLAN, known=(), optimizer="skopt", seed=seed, budget_s=budget_s, blocks=bench.runs)
    host = BenchHost(bench)
    ledger = Ledger(simulation.Memory(Path()), f"search-{seed}", objective(plan.objective))
    ledger.enter(plan.baseline.profile, plan.baseline.settings, "baseline")
    rig = Rig(host, stack(plan.stack), tuple(map(Path, plan.preloads)), plan.sockperf)
    session = Session(plan, rig, ledger, Clock(budget_s, 0.0, 0.0, host.now), Silent())
    calibrate(session)
    search(session, make(plan.optimizer, bench.space, seed, lambda settings: settings))
    verdict = confirm(session)
    judged = next((dict(trial.settings) for trial, _ in verdict.gains), {})
    return (dict(verdict.winner.settings) if verdict.winner else {}), judged


@cache
def landscape(name: str, seed: int) -> Landscape:
    """Return a landscape by its name: a number of parameters, or the recorded table, which is the same for all seeds."""
    return recorded(TABLE) if name == TABLE.stem else synthetic(int(name), seed)


def true_gains(job: tuple[str, str, int, int]) -> list[float]:
    """Return the true gains of what a rival recommends on one landscape; what does not run counts as −∞."""
    rival, name, runs, seed = job
    land = landscape(name, seed)
    bench = Bench(land, runs, random.Random(f"runs/{seed}"))  # noqa: S311 - the same noise for everybody
    with warnings.catch_warnings(), threadpool_limits(limits=1):  # two processes share two cores
        warnings.simplefilter("ignore")
        found = ours(bench, seed) if rival == OURS else (rivals.EVERY[rival][1](bench, seed),)
    assert bench.made < runs + HANG_RUNS, f"{rival} made {bench.made} runs of {runs}"  # noqa: S101 - the comparison's own law
    return [land.gain(one) if land.fate(one) is Fate.RUNS else -math.inf for one in found]


def worst_decile(values: Sequence[float]) -> float:
    """Return the value below which a tenth lies; of fewer than ten values the worst."""
    return sorted(values)[int(0.1 * len(values))]


def cell(values: Sequence[float]) -> str:
    """Return median and worst decile of gains, as times the defaults."""
    return f"{math.exp(statistics.median(values)):.2f} ({math.exp(worst_decile(values)):.2f})"


def columns(
    pool: ProcessPoolExecutor, taking_part: Sequence[str], name: str, runs: int, seeds: int
) -> dict[str, list[float]]:
    """Return the true gains by column of the table: ours twice, every rival once."""
    found: dict[str, list[float]] = {}
    for rival in taking_part:
        gains = list(pool.map(true_gains, [(rival, name, runs, seed) for seed in range(seeds)]))
        found[rival] = [each[0] for each in gains]
        if rival == OURS:
            found[FOUND] = [each[1] for each in gains]
        print(f"{name}: {rival}: {cell(found[rival])}", file=sys.stderr)
    return found


def rows(taking_part: Sequence[str], runs: int, seeds: int) -> Iterator[str]:
    """Yield the header and a row for each landscape."""
    shown = [OURS, FOUND, *(name for name in taking_part if name != OURS)] if OURS in taking_part else list(taking_part)
    yield f"| landscape | {' | '.join(shown)} | the best there is |"
    yield f"|---|{'---|' * (len(shown) + 1)}"
    with ProcessPoolExecutor(2) as pool:
        for name in (*map(str, SIZES), *([TABLE.stem] if TABLE.exists() else [])):
            found = columns(pool, taking_part, name, runs, seeds)
            best = statistics.median(landscape(name, seed).best for seed in range(seeds))
            title = f"{name} parameters" if name.isdigit() else "recorded kernel stack"
            yield f"| {title} | {' | '.join(cell(found[each]) for each in shown)} | {math.exp(best):.2f} |"


def section(runs: int = RUNS, seeds: int = SEEDS, only: Sequence[str] = ()) -> str:
    """Return the section of the benchmark page."""
    taking_part = [OURS, *(name for name in rivals.present() if not only or name in only)]
    missing = ", ".join(name for name in rivals.absent() if not only or name in only)
    asked = ["--runs", str(runs), "--seeds", str(seeds), *(["--only", *only] if only else [])]
    command = "--quick" if (runs, seeds) == QUICK else shlex.join(asked)
    return "\n".join(
        [
            "## Searches on landscapes whose truth is known\n",
            f"True gain of what each one recommends after {runs} runs, times the defaults: median over {seeds} seeds (worst decile).",
            f"Ours pays for calibration, baseline, choice and proof out of the same runs; a hang costs everybody {HANG_RUNS} runs.",
            f"Not installed here: {missing or 'none of those asked for'}.\n",
            *rows(taking_part, runs, seeds),
            f"\n`.venv/bin/python benchmarks/search.py {command}`\n",
        ]
    )


def main() -> None:
    """Print the section that the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK[0]} runs, {QUICK[1]} seeds, the cheap rivals: shows that it works"
    )
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--only", nargs="*", default=(), help="these rivals beside ours")
    given = parser.parse_args()
    quick = (*QUICK, QUICK_RIVALS)
    print(section(*(quick if given.quick else (given.runs, given.seeds, given.only))))


if __name__ == "__main__":
    main()
