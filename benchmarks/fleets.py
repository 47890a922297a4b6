"""Whether a fleet's verdict names the setting that harms on one class of its hosts: simulated fleets, in simulated time.

Ten pairs, of which two are of another class: slower, noisier, and there one setting harms that helps on the others. Half of the fleets have such
a setting, on the other half every setting does the same everywhere. Counted is how often the verdict names it with these two pairs,
and how often a verdict names anything else. Nothing is measured.

    .venv/bin/python benchmarks/fleets.py [FLEETS [FIRST]]

FIRST is the seed of the first fleet.
"""

from __future__ import annotations

import heapq
import random
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Final

import simulation

from tuner import stacks
from tuner.hosts.pair import on_one
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.session.answer.answers import TuneAnswer
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.pairs import Done, Event, Job, Pairs, Seat, carried
from tuner.session.measuring.progress import Silent
from tuner.session.setup.plan import Contender, PairPlan, Plan
from tuner.session.setup.readback import Readback
from tuner.session.tuning import Tuning, begin, carry_out
from tuner.store import Store

FLEETS: Final = 20
PAIRS: Final = 10
OTHERS: Final = ("p8", "p9")
"""The pairs of the other class."""
BUDGET_S: Final = 90.0
SLOWER: Final = 1.8
NOISE, NOISIER = simulation.Noise(), simulation.Noise(p50=0.10, drift=0.05, hiccups=0.06)
EFFECTS: Final[Mapping[str, tuple[str, float]]] = {
    "XLIO_RX_POLL": ("-1", 0.85),
    "XLIO_TCP_QUICKACK": ("1", 0.90),
    "XLIO_TCP_NODELAY": ("1", 0.94),
}
"""The values that help, and by which factor on the latency."""
HARMFUL: Final = "XLIO_TCP_QUICKACK"
HARM: Final = 1.12
"""What it does to the latency where it harms."""
PLAN: Final = replace(
    simulation.PLAN,
    known=(Contender("all", {name: value for name, (value, _) in EFFECTS.items()}), Contender("default", {})),
    start="all",
    budget_s=BUDGET_S,
    blocks=400,
)


class InTurn:
    """A carrier in simulated time: a block lasts as long as its runs say, and those of many pairs at once."""

    def __init__(self, rigs: Mapping[str, Rig]) -> None:
        self.now_s = 0.0
        self._rigs = rigs
        self._readback = Readback()
        self._ends: list[tuple[float, int, Event]] = []
        self._number = count()

    def submit(self, job: Job) -> None:
        """Make the runs, and let them end when they would."""
        runs = carried(self._rigs[job.lease.pair], job, lambda: False, self._readback)
        ends_s = self.now_s + sum(run.wall_s for run in runs)
        heapq.heappush(self._ends, (ends_s, next(self._number), Done(job, runs)))

    def wait(self, most_s: float) -> Event | None:
        """Return what ends next, at its time."""
        if not self._ends:
            self.now_s += most_s
            return None
        self.now_s, _, event = heapq.heappop(self._ends)
        return event

    def cancel(self) -> None:
        """Let everything end as it would."""

    def close(self) -> None:
        """Forget everything."""
        self._ends.clear()


@dataclass(frozen=True)
class Found:
    """What a verdict named: whether the harmful setting with its pairs, and what else."""

    named: bool
    false: tuple[str, ...]


def latency(slower: float, *, harmed: bool) -> simulation.Latency:
    """Return the true latency of a pair by a run's environment, in µs."""

    def of(environment: Mapping[str, str]) -> float:
        found = simulation.BASE_US * slower
        for name, (value, factor) in EFFECTS.items():
            if environment.get(name) == value:
                found *= HARM if harmed and name == HARMFUL else factor
        return found

    return of


def carried_out(seed: int, *, harms: bool, budget_s: float = BUDGET_S) -> TuneAnswer:
    """Return the answer of a tuning on a fleet."""
    names = [f"p{at}" for at in range(PAIRS)]
    hosts = {
        name: simulation.NoisyHost(
            latency(SLOWER if name in OTHERS else 1.0, harmed=harms and name in OTHERS),
            NOISIER if name in OTHERS else NOISE,
            random.Random(f"{seed}/{name}"),  # noqa: S311 - noise is no secret
        )
        for name in names
    }
    own = PairPlan.of("", PLAN)
    pairs = tuple(replace(own, name=name, kind="old CPU" if name in OTHERS else "new CPU") for name in names)
    plan: Plan = replace(PLAN, seed=seed, budget_s=budget_s, pairs=pairs)
    paths = tuple(map(Path, plan.preloads))
    rigs = {name: Rig(on_one(host), stacks.named(plan.stack), paths, plan.program) for name, host in hosts.items()}
    carrier = InTurn(rigs)
    with tempfile.TemporaryDirectory() as folder:
        results = Results(Path(folder))
        store = Store(results.url)
        many = Pairs(carrier, {name: tuple(map(Seat.of, plan.workloads)) for name in names})
        made = Tuning(store, results, rigs["p0"], Silent(), many)
        clock = Clock(budget_s, 0.0, 0.0, lambda: carrier.now_s)
        answer = carry_out(made, plan, begin(store, plan, {"doubts": []}), clock)
    if not isinstance(answer, TuneAnswer):
        raise TypeError(f"a tuning answered with {type(answer).__name__}")
    return answer


def found(answer: TuneAnswer, *, harms: bool) -> Found:
    """Return what the verdict of a fleet named."""
    rows = answer.on_pairs.exceptions if answer.on_pairs else ()
    right = [row for row in rows if harms and row.name == HARMFUL and row.pairs == OTHERS]
    return Found(
        bool(right) and right[0].sentence in answer.why, tuple(row.sentence for row in rows if row not in right)
    )


def main(fleets: int, first: int) -> int:
    """Print the counts; return 1 where they are not what is promised."""
    named = false = 0
    for seed in range(first, first + fleets):
        for harms in (True, False):
            one = found(carried_out(seed, harms=harms), harms=harms)
            named += one.named
            false += bool(one.false)
            print(
                f"fleet {seed}, {'one setting harms on two pairs' if harms else 'no exception'}: {'named' if one.named else '-'} {'; '.join(one.false)}",
                flush=True,
            )
    print(f"named in {named} of {fleets} fleets; something false in {false} of {2 * fleets} verdicts")
    return int(named < 0.95 * fleets or false > 0.05 * 2 * fleets)


if __name__ == "__main__":
    asked = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*asked, *(FLEETS, 0)[len(asked) :]))
