"""Whole sessions on the simulated host: a plan, truths about the host, and what carries the plan out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import simulation

from tuner import stacks
from tuner.hosts.host import Host
from tuner.hosts.pair import on_one
from tuner.judging.objective import objective
from tuner.profiles import library
from tuner.profiles.library import Shelf
from tuner.profiles.profile import Place
from tuner.records import Run, Trial
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.runs.simulated import SimulatedHost
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.progress import Progress, Silent
from tuner.session.setup.plan import Contender, Plan
from tuner.session.tuning import Tuning, begin, carry_out
from tuner.store import Store

PROFILES = Path(__file__).parents[1] / "profiles"
DEFAULT = Contender("default", {})
LATENCY = Contender("latency", {"XLIO_RX_POLL": "-1", "XLIO_TCP_NODELAY": "1"})
PLAN = replace(
    simulation.PLAN,
    known=(LATENCY, DEFAULT, Contender("nginx", {"XLIO_TCP_SEND_BUFFER_SIZE": "2097152"})),
    start="latency",
    budget_s=60.0,
    blocks=8,
)
# The highest rate at which p99 stays below a limit.
GOAL = objective("max rate where p99 < 200us")
SLO = replace(PLAN, objective=GOAL, workloads=GOAL.workloads, budget_s=200.0, blocks=6)


class Ticking:
    """A clock that goes on by one second a run, so that a session of 60 s makes about 60 runs."""

    def __init__(self, host: SimulatedHost) -> None:
        self.host = host

    def __call__(self) -> float:
        return float(len(self.host.runs))


class Elapsed(Silent):
    """A watcher who adds up what the runs take: the clock of a session."""

    def __init__(self) -> None:
        self.spent_s = 0.0

    def measured(self, trial: Trial, run: Run) -> None:
        """Add it."""
        self.spent_s += run.wall_s

    def now(self) -> float:
        """Return the seconds that all runs took together."""
        return self.spent_s


def polling_helps(environment: Mapping[str, str]) -> float:
    """Return a latency, in µs, that busy polling makes up to twelve times as good."""
    polls = int(environment.get("XLIO_RX_POLL", "0"))
    return 3.0 if polls < 0 else 36.0 / (1 + math.log10(1 + polls))


def nothing_helps(_environment: Mapping[str, str]) -> float:
    """Return the same latency, in µs, whatever is set."""
    return 36.0


def tune(
    folder: Path | Results,
    host: SimulatedHost,
    plan: Plan = PLAN,
    session: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Carry out a plan on a simulated host, in simulated time, and return its answer as JSON; `session` is gone on with."""
    host.wall_s = 1.0
    return carried_out(folder, host, plan, session, progress or Silent(), Ticking(host))


def tune_by_what_runs_take(folder: Path, host: SimulatedHost, plan: Plan) -> dict[str, Any]:
    """Carry out a plan as `tune` does, on a clock that goes on by what each run took, time-outs included."""
    elapsed = Elapsed()
    return carried_out(folder, host, plan, None, elapsed, elapsed.now)


def carried_out(
    folder: Path | Results,
    host: Host,
    plan: Plan,
    session: str | None,
    progress: Progress,
    now: Callable[[], float],
) -> dict[str, Any]:
    """Return the answer of a plan that is carried out on a simulated host, as JSON; `now` is its clock."""
    results = folder if isinstance(folder, Results) else Results(folder)
    store = Store(results.url)
    rig = Rig(
        on_one(host),
        stacks.named(plan.stack),
        tuple(map(Path, plan.preloads)),
        plan.program,
        os_sockets=plan.os_sockets,
        programs=plan.programs,
    )
    session = session or begin(store, plan, {"doubts": []})
    clock = Clock(plan.budget_s, store.session(session).spent_s, now(), now)
    store.tell(progress.note)
    with store.writing(session):
        return carry_out(Tuning(store, results, rig, progress), plan, session, clock).to_dict()


def xlio_plan(release: str, goal: str, **changes: Any) -> Plan:
    """Return the plan of a tuning of XLIO with its presets."""
    shelves = [Shelf(Place.DIRECTORY, PROFILES)]
    known = [library.load(f"xlio/{item.name}", None, shelves) for item in library.listing(shelves, "xlio")]
    whole = objective(goal)
    plan = replace(
        PLAN,
        stack="xlio",
        preloads=("/opt/libxlio.so",),
        objective=whole,
        workloads=whole.workloads,
        known=(Contender("default", {}), *(Contender(each.name, dict(each.settings)) for each in known)),
        start=None,
        release=release,
        os_sockets=True,
    )
    return replace(plan, **changes)


def xlio_host(release: str, latency_us: Any = None) -> SimulatedHost:
    """Return a host on which a stand-in of a release is loaded."""
    banner = f" XLIO INFO   : XLIO_VERSION: {release}-1 Release\n"
    return SimulatedHost(latency_us or (lambda _: 36.0), banner=lambda _: banner)
