"""A host whose truth is known: whole sessions run on it in simulated time, with the noise of real runs.

The latency of a run is the true one times, all of it log-normal or worse,

    between-run noise   Student's t with 4 degrees of freedom, scaled to the wanted spread, of the median and of p99 apart
    drift               AR(1) from run to run, common to everything that is measured
    hiccups             now and then a run whose median is up to a third, and whose p99 up to 2.7 times, too high

p99.9 has noise of its own beside that of the median, and no part in the other figures.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tuner import stacks
from tuner.hosts.host import Command
from tuner.hosts.pair import on_one
from tuner.hosts.simulated import Machine, Words
from tuner.hosts.telemetry import Counters
from tuner.judging.objective import objective
from tuner.records import Kind, Run, State, StoredSession, Trial
from tuner.results import Results
from tuner.runs.run import Rig
from tuner.runs.simulated import BANNER, report, serving
from tuner.runs.workload import Workload
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.progress import Progress, Silent
from tuner.session.setup.plan import Contender, Plan
from tuner.session.tuning import Tuning, carry_out
from tuner.store import Store

Latency = Callable[[Mapping[str, str]], float]
# The true latency of the baseline, how many times that its p99.9 is, and how long a run takes (1 s of test, and what
# starting it costs).
BASE_US = 36.0
TAIL = 6.0
RUN_S = 1.25
TAIL_DEGREES = 4
TAIL_SD = 0.2
PLAN = Plan(
    kind=Kind.TUNE,
    stack="kernel",
    preloads=("/usr/lib/libtuner_kernel.so",),
    program="/usr/bin/sockperf",
    objective=objective("latency"),
    workloads=(Workload(),),
    baseline=Contender("default", {}),
    known=(Contender("default", {}), Contender("buffers", {"XLIO_TCP_SEND_BUFFER_SIZE": "2097152"})),
    start=None,
    fixed={},
    space="",
    optimizer="random",
    seed=1,
    budget_s=180.0,
    blocks=40,
    fast_start=True,
)


@dataclass(frozen=True)
class Noise:
    """Spreads are standard deviations of log latencies from run to run; `hiccups` is the share of runs that have one."""

    p50: float = 0.05
    p99: float = 0.15
    drift: float = 0.03
    memory: float = 0.9
    hiccups: float = 0.03


def usual_tail(_environment: Mapping[str, str]) -> float:
    """Return how many times the median a run's p99.9 truly is where no setting changes that."""
    return TAIL


@dataclass
class NoisyHost(Machine):
    """`latency` gives the true median in µs from a run's environment; every run lasts `RUN_S` of simulated time.

    `tail` gives how many times the median p99.9 truly is, and `banner` is what the stack's library says.
    """

    latency: Latency
    noise: Noise
    rng: random.Random
    runs: int = 0
    drift: float = field(default=0.0)
    tail: Latency = usual_tail
    banner: str = BANNER
    tail_rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Draw the noise of p99.9 apart, so that it changes no other figure."""
        self.tail_rng = random.Random(f"tail/{self.rng.getstate()[1][0]}")  # noqa: S311 - noise is no secret

    def speak(self, command: Command) -> Words:
        """Return what one end of a run would print."""
        return serving(command, self.banner) if command.argv[1] == "server" else self.client(command)

    def client(self, command: Command) -> Words:
        """Return what a client would print under a command's environment."""
        self.runs += 1
        median_us = self.latency(command.environment) * math.exp(self._common() + self._tailed(self.noise.p50))
        beyond = math.exp(self._tailed(math.sqrt(max(0.0, self.noise.p99**2 - self.noise.p50**2))))
        if self.rng.random() < self.noise.hiccups:
            median_us, beyond = median_us * math.exp(self.rng.uniform(0, 0.3)), beyond * math.exp(self.rng.random())
        tail = self.tail(command.environment) * self.tail_rng.lognormvariate(0.0, TAIL_SD)
        return Words(report(median_us, max(1.2, 3.0 * beyond), p999=tail), self.banner)

    def lasted_s(self) -> float:
        """Return how long every run lasts, in simulated seconds."""
        return RUN_S

    def counters(self, cpus: Sequence[int]) -> Counters:
        """Return counters of a host that nobody disturbs."""
        return Counters(self.now(), self.now(), busy_s=self.now(), idle_s=self.now(), steal_s=0.0)

    def now(self) -> float:
        """Return the simulated time."""
        return RUN_S * self.runs

    def _common(self) -> float:
        fresh = self.rng.gauss(0.0, self.noise.drift * math.sqrt(1 - self.noise.memory**2))
        self.drift = self.noise.memory * self.drift + fresh
        return self.drift

    def _tailed(self, sd: float) -> float:
        """Return a draw of Student's t, scaled to this standard deviation."""
        squares = self.rng.gammavariate(TAIL_DEGREES / 2, 2.0)
        scale = math.sqrt((TAIL_DEGREES - 2) / TAIL_DEGREES)
        return sd * scale * self.rng.gauss(0.0, 1.0) / math.sqrt(squares / TAIL_DEGREES)


class Memory(Store):
    """A store without a disk: a simulated session is thrown away."""

    def __init__(self) -> None:
        """Open nothing."""

    def add_session(self, session: str, plan: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Forget it."""

    def close_session(self, session: str, state: State, spent_s: float, verdict: Mapping[str, Any] | None) -> None:
        """Forget it."""

    def replan(self, session: str, plan: Mapping[str, Any]) -> None:
        """Forget it: the session goes on with the new plan."""

    def add_trial(self, session: str, trial: Trial) -> None:
        """Forget it: the ledger knows."""

    def add_run(self, session: str, run: Run, spent_s: float) -> None:
        """Forget it: the ledger knows."""

    def amend_run(self, session: str, run: Run) -> None:
        """Forget it: the ledger knows."""

    def one_by_one(self, session: str, most: int | None = None) -> Iterator[Run]:
        """Return nothing."""
        return iter(())

    def sessions(self) -> tuple[StoredSession, ...]:
        """Return nothing."""
        return ()

    def trials(self, session: str, first: int = 0) -> tuple[Trial, ...]:
        """Return nothing: every session starts empty."""
        return ()

    def runs(self, session: str, first: int = 0) -> tuple[Run, ...]:
        """Return nothing: every session starts empty."""
        return ()


def session(
    folder: Path, latency: Latency, noise: Noise, name: str, budget_s: float, optimizer: str = PLAN.optimizer
) -> dict[str, Any]:
    """Return the answer of a whole session of `PLAN` on a host of this truth and noise; `name` seeds its chances."""
    plan = replace(PLAN, budget_s=budget_s, optimizer=optimizer)
    return carried_out(folder, NoisyHost(latency, noise, chances(name)), plan, name)


def chances(name: str) -> random.Random:
    """Return the chances of the session of a name."""
    return random.Random(name)  # noqa: S311 - noise is no secret


def carried_out(folder: Path, host: NoisyHost, plan: Plan, name: str, watch: Progress | None = None) -> dict[str, Any]:
    """Return the answer of a whole session on a host, whose chances seed it too; its files are in `folder`."""
    plan = replace(plan, seed=host.rng.randrange(2**31))
    rig = Rig(
        on_one(host),
        stacks.named(plan.stack),
        tuple(map(Path, plan.preloads)),
        plan.program,
        os_sockets=plan.os_sockets,
        programs=plan.programs,
    )
    clock = Clock(plan.budget_s, 0.0, 0.0, host.now)
    return carry_out(Tuning(Memory(), Results(folder), rig, watch or Silent()), plan, session_id(name), clock).to_dict()


def session_id(name: str) -> str:
    """Return the id of the session of a name, which its folder has too and which therefore has no slash."""
    return f"simulated-{name.replace('/', '-')}"
