"""Stacks whose truth is known: synthetic ones of any size, and the kernel stack as a table of recorded runs.

Synthetic: logarithmic ranges, special values, choices; a third of the parameters dead, some that matter only together,
two regions that crash and one that hangs. The noise of a run is log-normal (sd 3 %) with hiccups (5 % of the runs, 15 to
60 % slower).

Stepped: nineteen parameters whose effects do not add up. Every gain is a step: a value helps from a threshold on or inside a
window, and is as good anywhere beyond; some steps need one or two other parameters on their good side, and the first of those
costs something while it is alone. A wall costs much and still runs; as in the synthetic ones, there are regions that crash or
hang. The noise is the same.

Recorded: every configuration of a grid of levels, measured several times on the real kernel stack. A run is one of the
recorded ones, as its ratio to the baseline runs around it. Two of the settings are never reached by what was measured
(`UNREACHED`), so configurations that differ in nothing else are one, of 18 runs. The truth of a configuration is the median
log ratio of its runs and of those that the recording cannot tell from it (`alike.py`): the best of 48 medians would only be
the luckiest. What a whole round of the recording had in common stays common: neighbouring runs of a search are of one round.
"""

from __future__ import annotations

import csv
import itertools
import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache, cached_property
from pathlib import Path
from typing import Protocol

from alike import alike

from tuner.search.dimension import Dimension, Scale
from tuner.search.space import SearchSpace

NOISE = 0.03
HICCUPS, HICCUP = 0.05, (0.15, 0.60)
FAR = 0.75
STEPPED, HIGHEST = 19, 0.8
"""The parameters of a stepped landscape, and its highest true gain (natural logarithm)."""

WALL = 0.5
AROUND = 2
"""Blocks before and after a recorded run whose baseline runs, with its own block's, it is compared with."""

NOT_LEVELS = ("round", "block", "role", "status", "wall_s")
UNREACHED = frozenset({"XLIO_SELECT_POLL", "XLIO_TCP_NODELAY"})
"""TCP ping-pong by `recvfrom` selects nothing, and sockperf asks for no delay by itself."""
METRIC = "latency_p50_us"
Settings = Mapping[str, str]


class Fate(Enum):
    """What becomes of a run."""

    RUNS = auto()
    CRASHES = auto()
    HANGS = auto()


class Landscape(Protocol):
    """A stack whose truth is known."""

    @property
    def space(self) -> SearchSpace:
        """What can be searched."""
        ...

    @property
    def best(self) -> float:
        """The highest true gain of all settings that run."""
        ...

    def fate(self, settings: Settings) -> Fate:
        """Return what becomes of every run under settings."""
        ...

    def gain(self, settings: Settings) -> float:
        """Return the true gain over the defaults: the natural logarithm of how many times better."""
        ...

    def measured(self, settings: Settings, rng: random.Random, turn: int) -> float:
        """Return the gain that one run shows, with its own noise but without drift; `turn` numbers a stretch of time."""
        ...


def _noisy(gain: float, rng: random.Random) -> float:
    """Return a gain with the noise of a run, now and then with a hiccup."""
    hiccup = rng.uniform(*HICCUP) if rng.random() < HICCUPS else 0.0
    return gain + rng.gauss(0, NOISE) - math.log1p(hiccup)


@dataclass(frozen=True)
class Cliff:
    """What happens where one parameter is far out while another one is "1"."""

    far: str
    guard: str
    fate: Fate


@dataclass(frozen=True)
class Synthetic:
    """A landscape by formula: bumps along ranges, favourites among single values, pairs that add to each other."""

    space: SearchSpace
    weights: Mapping[str, float]
    goals: Mapping[str, float]
    favourites: Mapping[str, str]
    pairs: tuple[tuple[str, str, float], ...]
    cliffs: tuple[Cliff, ...]

    @property
    def best(self) -> float:
        """The gain where every parameter is as good as it can be."""
        whole = sum(self.weights.values()) + sum(weight for _, _, weight in self.pairs)
        return whole - self._worth({})

    def fate(self, settings: Settings) -> Fate:
        """Return what the first cliff that settings fall off does to them."""
        fallen = (c.fate for c in self.cliffs if self._far(settings, c.far) and settings.get(c.guard, "0") == "1")
        return next(fallen, Fate.RUNS)

    def gain(self, settings: Settings) -> float:
        """Return the true gain over the defaults."""
        return self._worth(settings) - self._worth({})

    def measured(self, settings: Settings, rng: random.Random, turn: int) -> float:
        """Return the true gain with noise, now and then with a hiccup."""
        return _noisy(self.gain(settings), rng)

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
        return text not in dimension.singles and dimension.position(int(text)) > FAR


def synthetic(size: int, seed: int) -> Synthetic:
    """Return a landscape of this many parameters: half ranges, half choices, every third one dead."""
    rng = random.Random(f"landscape/{size}/{seed}")  # noqa: S311 - the same landscape for everybody
    dimensions = [_dimension(number, rng) for number in range(size)]
    names = [d.parameter for d in dimensions]
    alive = [name for number, name in enumerate(names) if number % 3 != 2]
    share = 1.2 / len(alive)
    weights = {name: share * rng.lognormvariate(0.0, 0.8) for name in alive}
    together = list(itertools.pairwise(rng.sample(alive, max(2, len(alive) // 3))))
    goals = {name: rng.uniform(0.1, 0.7) for name in names}
    cliffs = _cliffs(dimensions, rng)
    favourites = _favourites(dimensions, {c.guard for c in cliffs if c.fate is Fate.CRASHES}, rng)
    defaults = {d.parameter: "0" if "0" in d.singles else str(d.low) for d in dimensions}
    space = SearchSpace("kernel", tuple(dimensions), defaults=defaults)
    return Synthetic(space, weights, goals, favourites, tuple((a, b, share) for a, b in together), cliffs)


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


def _cliffs(dimensions: Sequence[Dimension], rng: random.Random) -> tuple[Cliff, ...]:
    ranges = [d.parameter for d in dimensions if d.steps]
    yes_no = [d.parameter for d in dimensions if d.values == ("0", "1")]
    crashing = zip(rng.sample(ranges, 2), rng.sample(yes_no, 2), strict=True)
    apart = random.Random(rng.getstate()[1][0])  # noqa: S311 - the rest of the landscape is as it was without this cliff
    hanging = Cliff(apart.choice(ranges), apart.choice(yes_no), Fate.HANGS)
    return (hanging, *(Cliff(far, guard, Fate.CRASHES) for far, guard in crashing))


def _favourites(dimensions: Sequence[Dimension], guards: set[str], rng: random.Random) -> dict[str, str]:
    found = {d.parameter: "0" if d.parameter in guards else rng.choice(d.singles) for d in dimensions if d.singles}
    for dimension in dimensions:  # a special value beside a range is the favourite only now and then
        if dimension.steps and dimension.special and rng.random() < 0.6:
            found.pop(dimension.parameter)
    return found


@dataclass(frozen=True)
class Condition:
    """What one parameter must be for a step: one of the single values, or from `low` to `high` of the range."""

    dimension: Dimension
    singles: frozenset[str]
    low: float = 0.0
    high: float = 0.0

    def holds(self, settings: Settings, defaults: Settings) -> bool:
        """Return whether settings meet this condition."""
        text = settings.get(self.dimension.parameter, defaults[self.dimension.parameter])
        if text in self.dimension.singles:
            return text in self.singles
        return self.low <= self.dimension.position(int(text)) <= self.high


@dataclass(frozen=True)
class Step:
    """A change of the gain where all conditions hold, and nothing where one does not."""

    worth: float
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Stepped:
    """A landscape of steps: flat but for thresholds, some of which only work together."""

    space: SearchSpace
    steps: tuple[Step, ...]
    walls: tuple[Step, ...]
    failures: Mapping[Fate, tuple[Condition, ...]]

    @property
    def best(self) -> float:
        """The gain where every step is taken and no wall is met: none of the steps excludes another one."""
        return sum(step.worth for step in self.steps)

    def fate(self, settings: Settings) -> Fate:
        """Return what becomes of every run under settings."""
        fallen = (fate for fate, conditions in self.failures.items() if self._all_hold(conditions, settings))
        return next(fallen, Fate.RUNS)

    def gain(self, settings: Settings) -> float:
        """Return the true gain over the defaults, which meet no condition."""
        return sum(step.worth for step in (*self.steps, *self.walls) if self._all_hold(step.conditions, settings))

    def measured(self, settings: Settings, rng: random.Random, turn: int) -> float:
        """Return the true gain with noise."""
        return _noisy(self.gain(settings), rng)

    def _all_hold(self, conditions: Sequence[Condition], settings: Settings) -> bool:
        return all(condition.holds(settings, self.space.defaults) for condition in conditions)


def stepped(seed: int) -> Stepped:
    """Return a landscape of nineteen parameters: three steps of one parameter, two of two, two of three; six are dead."""
    rng = random.Random(f"stepped/{seed}")  # noqa: S311 - the same landscape for everybody
    dimensions = [_dimension(number, rng) for number in range(STEPPED)]
    defaults = {d.parameter: "0" if "0" in d.singles else str(d.low) for d in dimensions}
    guards = rng.sample(
        [d for d in dimensions if d.values == ("0", "1")], 3
    )  # they help nothing, so that the best runs
    others = rng.sample([d for d in dimensions if d not in guards], STEPPED - len(guards))
    conditions = iter([_good_side(d, rng) for d in others])
    groups = [tuple(itertools.islice(conditions, size)) for size in (1, 1, 1, 2, 2, 3, 3)]
    far = [Condition(d, frozenset(), FAR, 1.0) for d in rng.sample([d for d in dimensions if d.steps], 3)]
    guarded = [(a, Condition(d, frozenset({"1"}))) for a, d in zip(far, guards, strict=True)]
    failures = {Fate.CRASHES: guarded[1], Fate.HANGS: guarded[2]}
    space = SearchSpace("kernel", tuple(dimensions), defaults=defaults)
    return Stepped(space, _steps(groups, rng), (Step(-WALL, guarded[0]),), failures)


def _good_side(dimension: Dimension, rng: random.Random) -> Condition:
    """Return where a parameter helps: one of its other choices; beyond a threshold ("for ever" too); inside a window."""
    if not dimension.steps:
        return Condition(dimension, frozenset({rng.choice(dimension.values[1:])}))
    if rng.random() < 0.6:
        return Condition(dimension, frozenset({"-1"}), rng.uniform(0.35, 0.75), 1.0)
    low = rng.uniform(0.2, 0.6)
    return Condition(dimension, frozenset(), low, low + 0.3)


def _steps(groups: Sequence[tuple[Condition, ...]], rng: random.Random) -> tuple[Step, ...]:
    """Return a step for each group, the more for more conditions, and what the first condition of several costs alone."""
    raw = [Step((1 + len(group)) * rng.lognormvariate(0.0, 0.4), group) for group in groups]
    raw += [Step(-step.worth / 4, step.conditions[:1]) for step in raw if len(step.conditions) > 1]
    scale = HIGHEST / sum(step.worth for step in raw)
    return tuple(Step(scale * step.worth, step.conditions) for step in raw)


@dataclass(frozen=True)
class Recorded:
    """A landscape that was measured: the gains of the recorded runs by their levels, a tuple for each round.

    Configurations that differ only in what the workload never reaches are one.
    """

    space: SearchSpace
    runs: Mapping[tuple[str, ...], tuple[tuple[float | None, ...], ...]]

    @property
    def best(self) -> float:
        """The highest true gain of a configuration that always ran."""
        able = (levels for levels, found in self.runs.items() if not _failed(found))
        return max(self._truths[levels] for levels in able) - self._plain

    def fate(self, settings: Settings) -> Fate:
        """Return whether any recorded run failed."""
        return Fate.CRASHES if _failed(self.runs[self._levels(settings)]) else Fate.RUNS

    def gain(self, settings: Settings) -> float:
        """Return the true gain over the defaults: medians of all runs that cannot be told from those of each."""
        return self._truths[self._levels(settings)] - self._plain

    @cached_property
    def groups(self) -> list[list[tuple[str, ...]]]:
        """Configurations that the recording cannot tell apart, the worst first."""
        return alike({levels: _ran(rounds) for levels, rounds in self.runs.items()})

    @cached_property
    def _truths(self) -> dict[tuple[str, ...], float]:
        pooled = [(group, [gain for levels in group for gain in _ran(self.runs[levels])]) for group in self.groups]
        return {levels: statistics.median(gains) for group, gains in pooled for levels in group}

    @property
    def _plain(self) -> float:
        return self._truths[self._levels({})]

    def measured(self, settings: Settings, rng: random.Random, turn: int) -> float:
        """Return the gain of one recorded run, of the round that `turn` says."""
        rounds = self.runs[self._levels(settings)]
        return rng.choice([gain for gain in rounds[turn % len(rounds)] if gain is not None])

    def _levels(self, settings: Settings) -> tuple[str, ...]:
        """Return the configuration of the table that is nearest: a value that it does not have is the default."""
        wanted = ((d, settings.get(d.parameter, "")) for d in self.space.dimensions if d.parameter not in UNREACHED)
        return tuple(d.nearest(text) or self.space.defaults[d.parameter] for d, text in wanted)


def _ran(rounds: Sequence[Sequence[float | None]]) -> list[float]:
    return [gain for gains in rounds for gain in gains if gain is not None]


def _failed(rounds: Sequence[Sequence[float | None]]) -> bool:
    return any(gain is None for gains in rounds for gain in gains)


@cache
def recorded(path: Path) -> Recorded:
    """Return the landscape of a table that `record_table.py` wrote: one for all seeds, whose groups are found once."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in NOT_LEVELS and not name.startswith(("latency_", "rate_"))]
    baseline = next(row for row in rows if row["role"] == "baseline")
    columns = {name: sorted({row[name] for row in rows}) for name in names}
    values = {name: tuple(dict.fromkeys((baseline[name], *column))) for name, column in columns.items()}
    dimensions = tuple(Dimension(name, Scale.CHOICE, values=each) for name, each in values.items())
    space = SearchSpace("kernel", dimensions, defaults={name: baseline[name] for name in names})
    return Recorded(space, _by_levels(rows, [name for name in names if name not in UNREACHED]))


def _by_levels(
    rows: Sequence[Mapping[str, str]], names: Sequence[str]
) -> dict[tuple[str, ...], tuple[tuple[float | None, ...], ...]]:
    """Return the gains of all runs, those of the baseline among them, by configuration and round."""
    reference = _reference(rows)
    found: dict[tuple[str, ...], dict[str, list[float | None]]] = {}
    for row in rows:
        rounds = found.setdefault(tuple(row[name] for name in names), {})
        rounds.setdefault(row["round"], []).append(_gain(row, reference))
    return {levels: tuple(map(tuple, rounds.values())) for levels, rounds in found.items()}


def _reference(rows: Sequence[Mapping[str, str]]) -> dict[int, float]:
    """Return for each block the median log latency of the baseline runs around it."""
    found = {int(row["block"]): float(row[METRIC]) for row in rows if row["role"] == "baseline" and row[METRIC]}
    blocks = sorted({int(row["block"]) for row in rows})
    near = {block: [found[b] for b in range(block - AROUND, block + AROUND + 1) if b in found] for block in blocks}
    return {block: math.log(statistics.median(values)) for block, values in near.items()}


def _gain(row: Mapping[str, str], reference: Mapping[int, float]) -> float | None:
    return reference[int(row["block"])] - math.log(float(row[METRIC])) if row["status"] == "ok" else None
