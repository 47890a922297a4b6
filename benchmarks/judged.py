"""Whether a session's stored answer is what its stored runs say: simulated sessions of all kinds, judged again.

Each session is carried out on a simulated host into a database, the database is opened anew, and the answer is computed
from it alone. The sessions go through kinds, objectives, hosts (calm, disturbed, with profiles that hang, with a baseline
that dies) and endings (whole budget, Ctrl-C, killed and resumed). 200 take some minutes; nothing is measured.

    .venv/bin/python benchmarks/judged.py [SESSIONS]
"""

from __future__ import annotations

import math
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tuner import stacks
from tuner.errors import BaselineFailed
from tuner.hosts.pair import on_one
from tuner.judging.objective import objective
from tuner.records import Kind
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.runs.simulated import Latency, SimulatedHost, stopping
from tuner.session.answer.answers import decision
from tuner.session.judgement import Judgement, judge
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.progress import Silent
from tuner.session.phases.early import end_early
from tuner.session.phases.prior import with_prior_sessions
from tuner.session.setup.plan import Contender, Plan
from tuner.session.setup.request import UNLIMITED_S
from tuner.session.tuning import Tuning, begin, carry_out
from tuner.store import Store

SESSIONS: Final = 200
KINDS: Final = (Kind.TUNE, Kind.TUNE, Kind.COMPARE, Kind.MINIMISE, Kind.MEASURE, Kind.CALIBRATE)
OBJECTIVES: Final = ("latency", "tail", "throughput", "balanced", "max rate where p99 < 200us")
ENDINGS: Final = ("whole", "whole", "stopped", "resumed", "warm")
BUDGETS_S: Final = (60.0, 120.0, 240.0)
LONG: Final = Contender(
    "long", {"XLIO_RX_POLL": "-1", "XLIO_TCP_NODELAY": "1", "XLIO_SELECT_POLL": "-1", "XLIO_TCP_QUICKACK": "1"}
)


@dataclass(frozen=True)
class Case:
    """One session: what it is asked, on what host, and how it ends."""

    number: int
    plan: Plan
    host: SimulatedHost
    ending: str


def case(number: int) -> Case:
    """Return the case of a number; the same for the same number."""
    rng = random.Random(f"judged/{number}")  # noqa: S311 - chances of a simulation are no secret
    goal = objective(rng.choice(OBJECTIVES))
    kind = KINDS[number % len(KINDS)]
    budget_s = rng.choice(BUDGETS_S) * (3.0 if goal.limits else 1.0)
    plan = Plan(
        kind=kind,
        stack="kernel",
        preloads=("/usr/lib/libtuner_kernel.so",),
        program="/usr/bin/sockperf",
        objective=goal,
        workloads=goal.workloads,
        baseline=Contender("default", {}),
        known=(LONG, Contender("default", {}), Contender("buffers", {"XLIO_TCP_SEND_BUFFER_SIZE": "2097152"})),
        start="long",
        fixed={},
        space="",
        optimizer=rng.choice(("random", "grid")),
        seed=number,
        budget_s=UNLIMITED_S if kind in {Kind.MEASURE, Kind.CALIBRATE} else budget_s,
        blocks=rng.choice((4, 12, 40)),
        fast_start=True,
        adaptable=kind is Kind.TUNE,
    )
    return Case(number, plan, _host(rng), rng.choice(ENDINGS))


def _host(rng: random.Random) -> SimulatedHost:
    """Return a host that is calm or not, on which polling helps, something hangs, nothing matters, or nothing runs."""
    latency = rng.choice((polling_helps, polling_helps, some_hang, nothing_helps, _dying(rng.randrange(20, 60))))
    spoiled = rng.choice((0.0, 0.0, 0.1, 0.5))
    struck = {run for run in range(1, 1000) if rng.random() < spoiled}
    host = SimulatedHost(latency, noise=rng.choice((0.01, 0.05, 0.2)), rng=random.Random(rng.random()))  # noqa: S311
    host.wall_s = 1.0
    host.steal = lambda run: 0.2 if run in struck else 0.0
    host.capacity_mps = lambda environment: 40_000.0 if "XLIO_RX_POLL" in environment else 10_000.0
    return host


def polling_helps(environment: Mapping[str, str]) -> float:
    """Return a latency, in µs, that busy polling makes better."""
    polls = int(environment.get("XLIO_RX_POLL", "0"))
    return 9.0 if polls < 0 else 36.0 / (1 + math.log10(1 + polls) / 4)


def some_hang(environment: Mapping[str, str]) -> float:
    """Return the same, but profiles with larger buffers do not answer."""
    return math.inf if "XLIO_TCP_SEND_BUFFER_SIZE" in environment else polling_helps(environment)


def nothing_helps(_environment: Mapping[str, str]) -> float:
    """Return the same latency, in µs, whatever is set."""
    return 36.0


def _dying(after: int) -> Latency:
    """Return a latency that becomes infinite for all profiles after some runs."""
    made = iter(range(10**6))
    return lambda environment: polling_helps(environment) if next(made) < after else math.inf


def session(folder: Path, one: Case) -> str:
    """Carry out a session into the database of a folder; return its id."""
    store = Store(Results(folder).url)
    plan = one.plan
    if one.ending == "warm" and plan.kind is Kind.TUNE:
        _carried_out(store, folder, one, plan, begin(store, plan, {"cpu_model": "simulated"}))
        plan = with_prior_sessions(store, replace(plan, warm_start=(), seed=plan.seed + 1), {"cpu_model": "simulated"})
    made = begin(store, plan, {"cpu_model": "simulated"})
    latency = one.host.latency
    if one.ending == "resumed":
        one.host.latency = stopping(one.host, len(one.host.runs) + 15, latency)
        with suppress(KeyboardInterrupt):
            _carried_out(store, folder, one, plan, made)
        one.host.latency = latency
        plan = Plan.from_dict(store.session(made).plan)
    _carried_out(store, folder, one, plan, made)
    return made


def _carried_out(store: Store, folder: Path, one: Case, plan: Plan, made: str) -> None:
    host = one.host
    clock = Clock(plan.budget_s, store.session(made).spent_s, float(len(host.runs)), lambda: float(len(host.runs)))
    rig = Rig(on_one(host), stacks.named(plan.stack), tuple(map(Path, plan.preloads)), plan.program)
    if one.ending == "stopped":
        host.latency = _asked_to_end(host, plan, clock, len(host.runs) + 10 + 7 * (one.number % 13))
    with suppress(BaselineFailed):
        carry_out(Tuning(store, Results(folder), rig, Silent()), plan, made, clock)


def _asked_to_end(host: SimulatedHost, plan: Plan, clock: Clock, run: int) -> Latency:
    latency = host.latency

    def asks(environment: Mapping[str, str]) -> float:
        if len(host.runs) == run:
            end_early(plan, clock)
        return latency(environment)

    return asks


def judged(number: int) -> tuple[Kind, Judgement]:
    """Carry out the session of a number and judge it again from its database."""
    one = case(number)
    with tempfile.TemporaryDirectory() as folder:
        made = session(Path(folder), one)
        store = Store.reading(Results(Path(folder)))
        return one.plan.kind, judge(store, store.session(made))


def main() -> None:
    """Print, for each kind, how many sessions there were, what they decided, and how many stored answers are the computed."""
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else SESSIONS
    counted: dict[Kind, Counter[str]] = {}
    for number in range(sessions):
        kind, found = judged(number)
        counts = counted.setdefault(kind, Counter())
        counts.update(["sessions", *(["equal"] if found.equal else []), decision(found.answer) or "measured"])
        for each in found.differences:
            print(f"session {number} ({kind}): {each}", file=sys.stderr)
    for kind, counts in sorted(counted.items()):
        rest = ", ".join(
            f"{word} {count}" for word, count in sorted(counts.items()) if word not in {"sessions", "equal"}
        )
        print(f"{kind:10} {counts['equal']} of {counts['sessions']} equal ({rest})")
    equal, whole = (sum(counts[word] for counts in counted.values()) for word in ("equal", "sessions"))
    print(f"{equal} of {whole} stored answers are what their runs say")
    sys.exit(0 if equal == whole else 1)


if __name__ == "__main__":
    main()
