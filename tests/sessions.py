"""Whole sessions on the simulated host: a plan, truths about the host, and what carries the plan out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import simulation

from tuner import stacks
from tuner.hosts.pair import on_one
from tuner.judging.objective import objective
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.runs.simulated import SimulatedHost
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.progress import Progress, Silent
from tuner.session.setup.plan import Contender, Plan
from tuner.session.tuning import Tuning, begin, carry_out
from tuner.store import Store

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


def polling_helps(environment: Mapping[str, str]) -> float:
    """Return a latency, in µs, that busy polling makes up to twelve times as good."""
    polls = int(environment.get("XLIO_RX_POLL", "0"))
    return 3.0 if polls < 0 else 36.0 / (1 + math.log10(1 + polls))


def nothing_helps(_environment: Mapping[str, str]) -> float:
    """Return the same latency, in µs, whatever is set."""
    return 36.0


def tune(
    folder: Path,
    host: SimulatedHost,
    plan: Plan = PLAN,
    session: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Carry out a plan on a simulated host, in simulated time, and return its answer as JSON; `session` is gone on with."""
    host.wall_s = 1.0
    store = Store(Results(folder).url)
    rig = Rig(
        on_one(host),
        stacks.named(plan.stack),
        tuple(map(Path, plan.preloads)),
        plan.program,
        os_sockets=plan.os_sockets,
    )
    session = session or begin(store, plan, {"doubts": []})
    clock = Clock(plan.budget_s, store.session(session).spent_s, Ticking(host)(), Ticking(host))
    return carry_out(Tuning(store, Results(folder), rig, progress or Silent()), plan, session, clock).to_dict()
