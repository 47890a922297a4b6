"""What do searches recommend for the same number of runs, and what is it truly worth?

Synthetic landscapes of 8, 16 and 30 parameters: logarithmic ranges, special values, choices; a third of them dead, some
that matter only together, regions that crash. A run's noise is log-normal (sd 3 %), with a drift that is common to
neighbouring runs (AR(1), sd 2.7 %) and hiccups (5 % of the runs, 15 to 60 % slower). Every rival gets the same number of
runs, the defaults known to it, and recommends what its users take: the best single run. Ours pays for its baseline runs
and for measuring its finalists again out of the same number, and recommends the defaults where nothing beat them.

Ours here is the proposals of `--optimizer skopt` in blocks of three with the baseline; there is no racing. The long form
takes hours, most of them inside `gp_minimize`; `--quick` takes minutes and shows that everything runs, not who wins.

    .venv/bin/python benchmarks/search.py [--quick | RUNS SEEDS]
"""

from __future__ import annotations

import itertools
import math
import random
import statistics
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships none

from tuner.search.dimension import Dimension, Scale
from tuner.search.optimizer import Outcome, make
from tuner.search.space import SearchSpace

SIZES = (8, 16, 30)
RUNS, SEEDS = 60, 30
QUICK = (20, 3)
NOISE, DRIFT, MEMORY = 0.03, 0.027, 0.9
HICCUPS, HICCUP = 0.05, (0.15, 0.60)
CONTENDERS, FINALISTS, CONFIRM_SHARE = 3, 3, 0.35
DEFAULT_US = 36.0
CRASHED_US = 10 * DEFAULT_US
IN_RANGE = "range"
Settings = Mapping[str, str]


@dataclass(frozen=True)
class Landscape:
    """A stack whose truth is known. `best` is the highest gain of all settings that run."""

    space: SearchSpace
    weights: Mapping[str, float]
    goals: Mapping[str, float]
    favourites: Mapping[str, str]
    pairs: tuple[tuple[str, str, float], ...]
    cliffs: tuple[tuple[str, str], ...]

    def crashes(self, settings: Settings) -> bool:
        """Return whether settings fall off a cliff: one parameter far out while another has a certain value."""
        return any(self._far(settings, far) and settings.get(with_, "0") == "1" for far, with_ in self.cliffs)

    def gain(self, settings: Settings) -> float:
        """Return the true gain over the defaults: the natural logarithm of how many times better."""
        return self._worth(settings) - self._worth({})

    @property
    def best(self) -> float:
        """The gain where every parameter is as good as it can be."""
        whole = sum(self.weights.values()) + sum(weight for _, _, weight in self.pairs)
        return whole - self._worth({})

    def _worth(self, settings: Settings) -> float:
        fit = {d.parameter: self._fit(d, settings) for d in self.space.dimensions}
        alone = sum(weight * fit[name] for name, weight in self.weights.items())
        return alone + sum(weight * fit[a] * fit[b] for a, b, weight in self.pairs)

    def _fit(self, dimension: Dimension, settings: Settings) -> float:
        """Return from 0 to 1 how good the value of one parameter is."""
        text = settings.get(dimension.parameter, self.space.defaults[dimension.parameter])
        if text in dimension.singles:
            return 1.0 if text == self.favourites.get(dimension.parameter) else 0.2
        away = dimension.position(int(text)) - self.goals[dimension.parameter]
        return math.exp(-(away**2) / 0.08)

    def _far(self, settings: Settings, name: str) -> bool:
        dimension = next(d for d in self.space.dimensions if d.parameter == name)
        text = settings.get(name, self.space.defaults[name])
        return text not in dimension.singles and dimension.position(int(text)) > 0.75


def landscape(size: int, seed: int) -> Landscape:
    """Return a landscape of this many parameters: half ranges, half choices, every third one dead."""
    rng = random.Random(f"landscape/{size}/{seed}")  # noqa: S311 - the same landscape for everybody
    dimensions = [_dimension(number, rng) for number in range(size)]
    names = [d.parameter for d in dimensions]
    alive = [name for number, name in enumerate(names) if number % 3 != 2]
    ranges = [d.parameter for d in dimensions if d.steps]
    yes_no = [d.parameter for d in dimensions if d.values == ("0", "1")]
    share = 1.2 / len(alive)
    weights = {name: share * rng.lognormvariate(0.0, 0.8) for name in alive}
    together = list(itertools.pairwise(rng.sample(alive, max(2, len(alive) // 3))))
    goals = {name: rng.uniform(0.1, 0.7) for name in names}
    cliffs = tuple(zip(rng.sample(ranges, 2), rng.sample(yes_no, 2), strict=True))
    guards = {with_ for _, with_ in cliffs}
    favourites = {d.parameter: "0" if d.parameter in guards else rng.choice(d.singles) for d in dimensions if d.singles}
    for dimension in dimensions:  # a special value beside a range is the favourite only now and then
        if dimension.steps and dimension.special and rng.random() < 0.6:
            favourites.pop(dimension.parameter)
    defaults = {d.parameter: "0" if "0" in d.singles else str(d.low) for d in dimensions}
    space = SearchSpace("kernel", tuple(dimensions), defaults=defaults)
    return Landscape(space, weights, goals, favourites, tuple((a, b, share) for a, b in together), cliffs)


def _dimension(number: int, rng: random.Random) -> Dimension:
    name = f"P{number:02}"
    match number % 4:
        case 0:
            return Dimension(name, Scale.LOG, 1, 10 ** rng.randint(3, 7), special=("-1", "0"))
        case 1:
            return Dimension(name, Scale.CHOICE, values=("0", "1"))
        case 2:
            return Dimension(name, Scale.LOG, 64, 64 << rng.randint(4, 12), power_of_two=True)
        case _:
            return Dimension(name, Scale.CHOICE, values=("0", "1", "2") if rng.random() < 0.5 else ("0", "1"))


@dataclass
class Bench:
    """Makes noisy runs on a landscape and counts them."""

    landscape: Landscape
    runs: int
    rng: random.Random
    made: int = 0
    drift: float = 0.0
    seen: list[tuple[float, Settings]] = field(default_factory=list)

    @property
    def left(self) -> int:
        """The runs that are left."""
        return self.runs - self.made

    def latency_us(self, settings: Settings) -> float | None:
        """Return what one run measures, None where it crashes."""
        self.made += 1
        self.drift = MEMORY * self.drift + self.rng.gauss(0, DRIFT * math.sqrt(1 - MEMORY**2))
        if self.landscape.crashes(settings):
            return None
        hiccup = self.rng.uniform(*HICCUP) if self.rng.random() < HICCUPS else 0.0
        log = -self.landscape.gain(settings) + self.drift + self.rng.gauss(0, NOISE)
        found = DEFAULT_US * math.exp(log) * (1 + hiccup)
        self.seen.append((found, dict(settings)))
        return found

    def block(self, contenders: list[dict[str, str]]) -> list[float | None]:
        """Return the measured gains of the contenders over the defaults, all in one block in random order."""
        order = self.rng.sample(range(len(contenders) + 1), len(contenders) + 1)
        every: list[dict[str, str]] = [*contenders, {}]
        made = {number: self.latency_us(every[number]) for number in order}
        base = made[len(contenders)] or DEFAULT_US
        latencies = [made[number] for number in range(len(contenders))]
        return [None if latency is None else math.log(base / latency) for latency in latencies]

    def luckiest(self) -> Settings:
        """Return the settings of the best single run."""
        return min(self.seen, key=lambda pair: pair[0])[1]


def ours(bench: Bench, seed: int) -> Settings:
    """Return what blocks, the noise-aware model and a confirmation recommend."""
    optimizer = make("skopt", bench.landscape.space, seed, lambda settings: settings)
    optimizer.tell(Outcome({}, 0.0, 0.0))
    variance = 2 * NOISE**2
    found: list[tuple[float, dict[str, str]]] = []
    confirming = int(CONFIRM_SHARE * bench.runs)
    while bench.left >= confirming + CONTENDERS + 1:
        asked = [optimizer.ask() for _ in range(CONTENDERS)]
        for settings, gain in zip(asked, bench.block(asked), strict=True):
            optimizer.tell(Outcome(settings, gain, None if gain is None else variance))
            found += [] if gain is None else [(gain, settings)]
    return confirmed(bench, [settings for _, settings in sorted(found, key=lambda pair: -pair[0])[:FINALISTS]])


def confirmed(bench: Bench, finalists: list[dict[str, str]]) -> Settings:
    """Return the finalist with the best mean gain in fresh blocks, the defaults where none is better."""
    blocks = [bench.block(finalists) for _ in range(bench.left // (len(finalists) + 1))]
    means = [statistics.fmean(gain or 0.0 for gain in gains) for gains in zip(*blocks, strict=True)]
    return max([(0.0, {}), *zip(means, finalists, strict=True)], key=lambda pair: pair[0])[1]


def at_random(bench: Bench, seed: int) -> Settings:
    """Return the best single run of random search."""
    optimizer = make("random", bench.landscape.space, seed, lambda settings: settings)
    bench.latency_us({})
    while bench.left:
        bench.latency_us(optimizer.ask())
    return bench.luckiest()


def gp_minimize(bench: Bench, seed: int) -> Settings:
    """Return the best single run of scikit-optimize's own function, as most people would call it."""
    from skopt import gp_minimize as minimize
    from skopt.space import Categorical, Integer

    dimensions = bench.landscape.space.dimensions
    parts: list[Any] = []
    for d in dimensions:
        parts += [Categorical([*d.singles, *([IN_RANGE] if d.steps else [])])] if d.singles else []
        parts += [Integer(d.low, d.high, prior="log-uniform")] if d.steps else []

    def cost(point: list[Any]) -> float:
        found = bench.latency_us(_settings(dimensions, iter(point)))
        return CRASHED_US if found is None else found

    bench.latency_us({})
    minimize(cost, parts, n_calls=bench.left, n_initial_points=10, random_state=seed)
    return bench.luckiest()


def _settings(dimensions: tuple[Dimension, ...], values: Iterator[Any]) -> dict[str, str]:
    settings = {}
    for d in dimensions:
        single = str(next(values)) if d.singles else IN_RANGE
        number = int(next(values)) if d.steps else 0
        settings[d.parameter] = single if single != IN_RANGE else d.at(d.position(number))
    return settings


def optuna_tpe(bench: Bench, seed: int) -> Settings:
    """Return the best single run of Optuna's default sampler, as its tutorial calls it."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    dimensions = bench.landscape.space.dimensions

    def cost(trial: optuna.Trial) -> float:
        found = bench.latency_us(_settings(dimensions, _suggested(trial, dimensions)))
        if found is None:
            raise optuna.TrialPruned
        return found

    bench.latency_us({})
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(cost, n_trials=bench.left)
    return bench.luckiest()


def _suggested(trial: Any, dimensions: tuple[Dimension, ...]) -> Iterator[Any]:
    for d in dimensions:
        if d.singles:
            yield trial.suggest_categorical(f"{d.parameter}/single", [*d.singles, *([IN_RANGE] if d.steps else [])])
        if d.steps:
            yield trial.suggest_int(d.parameter, d.low, d.high, log=True)


RIVALS: dict[str, Callable[[Bench, int], Settings]] = {
    "ours": ours,
    "random": at_random,
    "skopt.gp_minimize": gp_minimize,
    "Optuna TPE": optuna_tpe,
}


def true_gain(job: tuple[str, int, int, int]) -> float:
    """Return the true gain of what a rival recommends on one landscape; a crashing recommendation counts as −∞."""
    rival, size, runs, seed = job
    land = landscape(size, seed)
    bench = Bench(land, runs, random.Random(f"runs/{seed}"))  # noqa: S311 - the same noise for everybody
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore")
        found = RIVALS[rival](bench, seed)
    assert bench.made <= runs, f"{rival} made {bench.made} runs of {runs}"  # noqa: S101 - the comparison's own law
    return -math.inf if land.crashes(found) else land.gain(found)


def worst_decile(values: list[float]) -> float:
    """Return the value below which a tenth lies; of fewer than ten values the worst."""
    return sorted(values)[int(0.1 * len(values))]


def rows(runs: int, seeds: int) -> Iterator[str]:
    """Yield a Markdown row for each size of landscape."""
    with ProcessPoolExecutor() as pool:
        for size in SIZES:
            jobs = [(rival, size, runs, seed) for rival in RIVALS for seed in range(seeds)]
            found = list(pool.map(true_gain, jobs))
            columns = [found[start : start + seeds] for start in range(0, len(found), seeds)]
            print(f"{size} parameters done", file=sys.stderr)
            cells = [f"{math.exp(statistics.median(c)):.2f} ({math.exp(worst_decile(c)):.2f})" for c in columns]
            best = statistics.median(landscape(size, seed).best for seed in range(seeds))
            yield f"| {size} | {' | '.join(cells)} | {math.exp(best):.2f} |"


def section(runs: int = RUNS, seeds: int = SEEDS) -> str:
    """Return the section of the benchmark page."""
    command = "--quick" if (runs, seeds) == QUICK else f"{runs} {seeds}"
    return "\n".join(
        [
            "## Searches on synthetic landscapes\n",
            f"True gain of what each one recommends after {runs} runs, times the defaults: median over {seeds} landscapes",
            "(worst decile). Ours pays for its baseline and its confirmation out of the same runs.\n",
            f"| parameters | {' | '.join(RIVALS)} | the best there is |",
            f"|---|{'---|' * (len(RIVALS) + 1)}",
            *rows(runs, seeds),
            f"\n`.venv/bin/python benchmarks/search.py {command}`\n",
        ]
    )


if __name__ == "__main__":
    chosen = QUICK if sys.argv[1:] == ["--quick"] else tuple(map(int, sys.argv[1:])) or (RUNS, SEEDS)
    print(section(*chosen))
