"""Many pairs of hosts that measure blocks at once: one interface to submit a block, to wait for what ends, and to cancel.

A block (the baseline and its candidates) stays inside one pair, and pairs are never compared with each other. What carries a
block to its pair is a `Carrier`: a thread per pair in this process (`Threads`), or tasks of a Dask cluster (`clustered.py`). Whatever
carries it, it counts once: the store gives each pair a lease with a number that grows, and closes a block in one transaction
with its runs, under a lease that still holds.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Protocol

from tuner.errors import HostLost, HostRefused, TunerError
from tuner.records import Lease, Phase, Role, Run, Trial
from tuner.runs.block import Step, Watch, measure
from tuner.runs.run import Rig
from tuner.runs.workload import Workload
from tuner.session.measuring.losses import PATIENCE_S, PAUSE_S, unreached
from tuner.session.setup.readback import Readback

PAIR: Final = "pair"
"""The part of a run's evidence that says on which pair it was made, nothing where there is one only."""
READ_BACK: Final = "read_back"
LOOK_S: Final = 0.25
"""How often somebody who waits looks whether the session is to end."""
END_S: Final = 30.0
"""How long is waited at the end for the runs in flight."""


@dataclass(frozen=True, slots=True)
class Job:
    """A block that one pair measures: what, in which order, and for how long something new may start, in seconds."""

    lease: Lease
    steps: tuple[Step, ...]
    within_s: float


@dataclass(frozen=True, slots=True)
class Done:
    """A block came to its end."""

    job: Job
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """A pair was lost in a block, of which nothing counts."""

    job: Job
    why: str


@dataclass(frozen=True, slots=True)
class Reached:
    """A pair that was lost can measure again."""

    pair: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A pair that was lost stays lost."""

    pair: str
    reason: TunerError


@dataclass(frozen=True, slots=True)
class Said:
    """Something that the user should know of what carries the blocks."""

    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A block could not be measured for a reason that is no loss: it ends the session."""

    reason: BaseException


Event = Done | Lost | Reached | Gone | Said | Failed


class Carrier(Protocol):
    """What carries blocks to pairs and their runs back. It keeps nothing that is not here after `close`."""

    def submit(self, job: Job) -> None:
        """Begin a block on the pair of its lease, which measures nothing else."""

    def wait(self, most_s: float) -> Event | None:
        """Return what happened next, None where nothing did for so many seconds."""

    def cancel(self) -> None:
        """Let the blocks that are under way end after their run in flight."""

    def close(self) -> None:
        """Cancel, and return when nothing runs any more, or soon."""


def carried(rig: Rig, job: Job, cancelled: Callable[[], bool], readback: Readback) -> tuple[Run, ...]:
    """Return the runs of a block, measured here and now; raise `HostLost` where a host is lost in it."""
    ends_s = time.monotonic() + job.within_s

    def goes_on() -> bool:
        return not cancelled() and time.monotonic() < ends_s

    def turn(step: Step) -> Step | None:
        return step if goes_on() else None

    settings = {step.trial: step.settings for step in job.steps}
    found = []
    for run in measure(rig, [partial(turn, step) for step in job.steps], Watch(lambda _: None, goes_on)):
        differs = readback.differences(rig, Trial(run.trial, "", Role.CANDIDATE, settings[run.trial]))
        found.append(replace(run, evidence={**run.evidence, READ_BACK: differs}) if differs else run)
    return tuple(found)


class Threads:
    """A thread per pair in this process: the hosts are reached from here."""

    def __init__(self, rigs: Mapping[str, Rig]) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._jobs: dict[str, queue.SimpleQueue[tuple[Job, int] | None]] = {name: queue.SimpleQueue() for name in rigs}
        self._cancelled = 0
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(name, rig), daemon=True, name=f"tuner-pair-{name}")
            for name, rig in rigs.items()
        ]
        for each in self._threads:
            each.start()

    def submit(self, job: Job) -> None:
        """Begin a block."""
        self._jobs[job.lease.pair].put((job, self._cancelled))

    def wait(self, most_s: float) -> Event | None:
        """Return what happened next."""
        try:
            return self._events.get(timeout=most_s)
        except queue.Empty:
            return None

    def cancel(self) -> None:
        """Let what is under way end after its run in flight: all that was submitted until now."""
        self._cancelled += 1

    def close(self) -> None:
        """End the threads, after their runs in flight."""
        self._over.set()
        for jobs in self._jobs.values():
            jobs.put(None)
        until_s = time.monotonic() + END_S
        for each in self._threads:
            each.join(max(0.0, until_s - time.monotonic()))

    def _work(self, name: str, rig: Rig) -> None:
        readback = Readback()
        while (asked := self._jobs[name].get()) is not None:
            job, before = asked
            try:
                self._events.put(Done(job, carried(rig, job, partial(self._is_cancelled, before), readback)))
            except HostLost as reason:
                self._events.put(Lost(job, reason.message))
                self._events.put(self._recovered(name, rig))
            except BaseException as reason:  # noqa: BLE001 - it is raised where somebody waits
                self._events.put(Failed(reason))

    def _is_cancelled(self, before: int) -> bool:
        """Return whether a block is to end that was submitted after so many cancels."""
        return self._over.is_set() or self._cancelled != before

    def _recovered(self, name: str, rig: Rig) -> Event:
        """Try to reach the hosts of a pair again, and return whether that went well."""
        until_s = time.monotonic() + PATIENCE_S
        while (reason := unreached(rig.pair)) is not None:
            if isinstance(reason, HostRefused) or time.monotonic() + PAUSE_S > until_s or self._over.wait(PAUSE_S):
                return Gone(name, reason)
        return Reached(name)


@dataclass(frozen=True, slots=True)
class Seat:
    """Where one workload runs on a pair: the server's address, and the CPUs of both ends."""

    address: str
    server_cpus: str
    client_cpus: str

    @staticmethod
    def of(workload: Workload) -> Seat:
        """Return where a workload is."""
        return Seat(workload.address, workload.server_cpus, workload.client_cpus)

    def seated(self, workload: Workload) -> Workload:
        """Return a workload at this place."""
        return replace(workload, address=self.address, server_cpus=self.server_cpus, client_cpus=self.client_cpus)


@dataclass(frozen=True, slots=True)
class Asked:
    """A block that is to be measured, wherever: its number, what for, by whom, and what its runs say beside."""

    block: int
    phase: Phase
    trials: tuple[Trial, ...]
    said: Mapping[str, int]


@dataclass
class Pairs:
    """Which pairs there are, what each of them measures now, and what waits for one."""

    carrier: Carrier
    seats: Mapping[str, Sequence[Seat]]
    """Where each workload runs, by the names of the pairs."""
    free: list[str] = field(init=False)
    under_way: dict[str, tuple[Asked, Job]] = field(default_factory=dict)
    waiting: deque[Asked] = field(default_factory=deque)
    """Blocks whose pair was lost, to be measured again by the next that is free."""
    recovering: set[str] = field(default_factory=set)
    losses: Counter[str] = field(default_factory=Counter)
    """How often each pair was lost since a block of it went well."""
    gone: dict[str, TunerError] = field(default_factory=dict)
    void: set[str] = field(default_factory=set)
    """Pairs whose block does not count, because this process was stopped meanwhile."""
    measured: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How many blocks each pair has measured of each trial, and how many it measures now."""
    next_block: int = 0
    next_series: int = 0

    def __post_init__(self) -> None:
        """All pairs are free."""
        self.free = list(self.seats)

    @property
    def busy(self) -> bool:
        """Whether a block is under way, or waits for a pair that may come."""
        return bool(self.under_way or (self.waiting and (self.free or self.recovering)))

    @property
    def alive(self) -> bool:
        """Whether a pair measures or could."""
        return bool(self.under_way or self.free)

    def pending(self, phase: Phase) -> int:
        """Return how many blocks of a phase are not over."""
        asked = [*(asked for asked, _ in self.under_way.values()), *self.waiting]
        return sum(each.phase is phase for each in asked)

    def is_pending(self, trial: Trial) -> bool:
        """Return whether a trial is in a block that is not over."""
        asked = [*(asked for asked, _ in self.under_way.values()), *self.waiting]
        return any(trial in each.trials for each in asked)

    def begin(self, pair: str, asked: Asked, job: Job) -> None:
        """Submit a block to a free pair."""
        self.free.remove(pair)
        self.under_way[pair] = asked, job
        self.measured.update((pair, trial.number) for trial in asked.trials)
        self.carrier.submit(job)

    def ended(self, pair: str) -> Asked:
        """Return what a pair was to measure, which it does no longer."""
        return self.under_way.pop(pair)[0]

    def rarest_first(self, trials: Iterable[Trial]) -> list[Trial]:
        """Return trials, those first that the next pair has measured least: a promising one earns more pairs before more blocks."""
        pair = self.free[0] if self.free else ""
        return sorted(trials, key=lambda trial: self.measured[pair, trial.number])


def pair_of(run: Run) -> str:
    """Return the name of the pair that made a run, empty where there is one only."""
    return str(run.evidence.get(PAIR, ""))
