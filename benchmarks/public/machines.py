"""How our rule of decision does on real machines: the repeated samples of TUNA, each configuration on ten of them.

The samples are those of https://github.com/uw-mad-dash/TUNA at 083ea35 (MIT), put into one file: a line for each sample,
with place, system, workload, run of their tuner, number of the configuration in that run, worker, performance. Nothing of
them is part of this project. There are no blocks in them: what the samples of one machine have in common is all that a
ratio can take out.

Every configuration that was measured on all machines is the baseline in turn, and the rest of its run the candidates. The
truth is the median over all machines, of which a decision sees some.
"""

from __future__ import annotations

import csv
import math
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tuner.judging.statistics import as_claimed, gain

MACHINES = 10
CHOOSING = 3
"""Machines whose samples choose; the others judge."""

LOWER_IS_BETTER = frozenset({"nginx"})
CRASHED = 1e6
"""What TUNA writes for a configuration of nginx that failed."""

LogValues = Mapping[int, float]
"""Log performance by machine, higher is better."""


class Rule(Enum):
    """How a candidate is chosen and what is claimed of it."""

    ONE_SAMPLE = "the best by one sample each"
    MEDIAN = f"the best by the median of {CHOOSING} machines"
    OURS = f"ours: chosen on {CHOOSING} machines, judged on the other {MACHINES - CHOOSING}"


@dataclass(frozen=True)
class Decision:
    """What was claimed of a choice, None where nothing was, and what is true of it: log ratios to the baseline."""

    claimed: float | None
    truth: float

    @property
    def wrong(self) -> bool:
        """Whether an improvement was claimed of what is none."""
        return self.claimed is not None and self.truth <= 0.0


@dataclass(frozen=True)
class Contest:
    """Configurations of one run of TUNA's tuner that every machine measured, and their baseline."""

    baseline: LogValues
    candidates: tuple[LogValues, ...]

    def decided(self, rule: Rule, rng: random.Random) -> Decision:
        """Return what a rule decides from samples of machines drawn at random."""
        order = rng.sample(range(MACHINES), MACHINES)
        match rule:
            case Rule.ONE_SAMPLE:
                return self._one_sample(rng)
            case Rule.MEDIAN:
                chosen = self._best(order[:CHOOSING])
                return self._claim(chosen, self._ratio(chosen, order[:CHOOSING]))
            case Rule.OURS:
                chosen = self._best(order[:CHOOSING])
                found = gain([chosen[at] - self.baseline[at] for at in order[CHOOSING:]])
                return self._claim(chosen, math.log(as_claimed(found).ratio) if found.low > 1.0 else 0.0)

    def _one_sample(self, rng: random.Random) -> Decision:
        seen = [(each[rng.randrange(MACHINES)], each) for each in self.candidates]
        value, chosen = max(seen, key=lambda pair: pair[0])
        return self._claim(chosen, value - self.baseline[rng.randrange(MACHINES)])

    def _best(self, machines: Sequence[int]) -> LogValues:
        return max(self.candidates, key=lambda each: self._ratio(each, machines))

    def _ratio(self, candidate: LogValues, machines: Sequence[int]) -> float:
        return statistics.median(candidate[at] - self.baseline[at] for at in machines)

    def _claim(self, chosen: LogValues, claimed: float) -> Decision:
        truth = statistics.median(chosen.values()) - statistics.median(self.baseline.values())
        return Decision(claimed if claimed > 0.0 else None, truth)


def contests(path: Path) -> dict[str, list[Contest]]:
    """Return the contests of a file of samples, by system and workload."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    runs: dict[tuple[str, str], dict[str, dict[int, float]]] = {}
    for row in rows:
        performance = float(row["performance"])
        if performance <= 0.0 or (row["system"] in LOWER_IS_BETTER and performance >= CRASHED):
            continue
        sign = -1.0 if row["system"] in LOWER_IS_BETTER else 1.0
        configurations = runs.setdefault((f"{row['system']} {row['workload']}", row["run"]), {})
        values = configurations.setdefault(row["configuration"], {})
        values.setdefault(int(row["worker"]), sign * math.log(performance))
    found: dict[str, list[Contest]] = {}
    for (name, _), configurations in runs.items():
        found.setdefault(name, []).extend(_contests(list(configurations.values())))
    return found


def _contests(configurations: Sequence[LogValues]) -> Iterator[Contest]:
    whole = [values for values in configurations if len(values) == MACHINES]
    for index, baseline in enumerate(whole):
        yield Contest(baseline, tuple(whole[:index] + whole[index + 1 :]))


def decisions(found: Sequence[Contest], rule: Rule, seed: int) -> list[Decision]:
    """Return what a rule decides in each contest."""
    rng = random.Random(f"machines/{rule.name}/{seed}")  # noqa: S311 - the same draws for everybody
    return [contest.decided(rule, rng) for contest in found]
