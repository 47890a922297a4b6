"""Blocks as tasks of a Dask cluster, whose workers are near the pairs: the other carrier beside threads.

A task is text in JSON and so is its result; both are held against the types of the records, here and there. (What Dask itself sends
is pickled: who can reach its scheduler runs what he likes on its workers, so it belongs behind TLS or into a closed network.)
The worker looks programs and libraries up and reaches the hosts by its own ssh, as a session does that is gone on with. A task
whose worker dies is begun again by the scheduler on another one; the block is closed by the coordinator, and so once.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from tuner import json_text
from tuner.errors import HostLost, TunerError, error
from tuner.hosts import ssh
from tuner.hosts.host import Host
from tuner.hosts.local import LocalHost
from tuner.hosts.pair import Pair
from tuner.judging import slo
from tuner.judging.objective import Objective
from tuner.records import Lease, Run
from tuner.runs import workload
from tuner.runs.block import RateSearch, Step
from tuner.runs.rate_search import Start
from tuner.runs.run import Rig
from tuner.runs.time_limits import TimeLimits, Took
from tuner.session.measuring.losses import PATIENCE_S, PAUSE_S, unreached
from tuner.session.measuring.pairs import Done, Event, Failed, Job, Lost, Reached, Said, carried
from tuner.session.measuring.scheduler import CLOSE_S, CONNECT_S, RESOURCE, SCHEDULER, WORKER, Scheduler, asked, workers
from tuner.session.setup import prepare, resumption
from tuner.session.setup.plan import Plan
from tuner.session.setup.readback import Readback
from tuner.session.setup.resumption import Named
from tuner.store import columns

ASK_S: Final = 1.0
"""How often it is asked for its workers."""
HANG_S: Final = 30.0
"""After so long without a word to the scheduler a worker counts as gone, and its block as lost; it says something every few seconds."""
RESULT_BYTES: Final = 1 << 28
IDLE_S: Final = 120.0
"""So long after a block began a worker keeps its connections to the pair: longer than any block of runs takes."""
MOST_SENSELESS: Final = 3
_LOSSES: Final = frozenset({"KilledWorker", "FutureCancelledError", "CancelledError"})
"""What Dask calls it when those died that had a task, by name: nothing of it is loaded here."""


@dataclass(frozen=True, slots=True)
class There:
    """What a worker needs to know of a pair: its hosts as their options name them, and what is measured there."""

    server: str
    client: str
    plan: Plan
    named: Named = field(default_factory=Named)

    def to_dict(self) -> Mapping[str, object]:
        """Return JSON-ready values."""
        named = {"program": self.named.program, "lib": str(self.named.lib) if self.named.lib else None}
        preload = [str(path) for path in self.named.preload]
        return {"server": self.server, "client": self.client, "plan": self.plan.to_dict(), "preload": preload, **named}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> There:
        """Return what `to_dict` wrote."""
        lib = Path(data["lib"]) if data["lib"] else None
        named = Named(data["program"], lib, tuple(map(Path, data["preload"])))
        return There(data["server"], data["client"], Plan.from_dict(data["plan"]), named)


# What follows runs on a worker.


@dataclass(slots=True)
class At:
    """A pair as this worker reaches it, and for which plan."""

    rig: Rig
    goal: Objective
    connections: ExitStack = field(default_factory=ExitStack)
    readback: Readback = field(default_factory=Readback)
    turn: threading.Lock = field(default_factory=threading.Lock)
    """One block at a time, whatever a scheduler sends."""
    idle: threading.Timer | None = None
    """What ends its connections when it measures nothing more."""


REACHED: Final[dict[str, At]] = {}
"""By the text that names the pair and its plan; connections end a while after the last block (`IDLE_S`), or with the session."""
_TURN: Final = threading.Lock()
"""Who looks for a pair, and reaches it where nobody has."""


def measured(there: str, job: str) -> str:
    """Return the runs of a block as text, or why there are none; both arguments are text in JSON."""
    try:
        with _TURN:
            at = REACHED.get(there) or REACHED.setdefault(there, reached(There.from_dict(json_text.parsed(there))))
        with at.turn:
            _rest(at, there)
            if lost := unreached(at.rig.pair):
                return json.dumps({"lost": lost.message})
            runs = carried(at.rig, job_of(json_text.parsed(job), at.goal), lambda: False, at.readback)
    except HostLost as reason:
        return json.dumps({"lost": reason.message})
    except TunerError as reason:
        findings = list(map(str, reason.findings))
        return json.dumps({"failed": reason.message, "advice": reason.advice, "findings": findings})
    return json.dumps({"runs": list(map(row_of, runs))})


def forget(there: str) -> None:
    """End the connections to a pair, where there are any."""
    with _TURN:
        at = REACHED.pop(there, None)
    if at is not None:
        with at.turn:
            if at.idle is not None:
                at.idle.cancel()
            at.connections.close()


def let_go(pairs: Sequence[str]) -> None:
    """Begin to end the connections to these pairs; return at once, because a worker has one thread for all that is asked of it."""
    threading.Thread(target=_forget_all, args=(pairs,), daemon=True).start()


def _forget_all(pairs: Sequence[str]) -> None:
    for there in pairs:
        forget(there)


def _rest(at: At, there: str) -> None:
    """End the connections to a pair a while after its last block, which began now: whoever asked for it may be gone."""
    if at.idle is not None:
        at.idle.cancel()
    at.idle = threading.Timer(IDLE_S, forget, [there])
    at.idle.daemon = True
    at.idle.start()


def reached(there: There) -> At:
    """Return what a worker measures with: programs and libraries are looked up there, as for a session that is gone on with."""
    with ExitStack() as opened:
        server = _host(there.server, opened)
        pair = Pair(server, server if there.client == there.server else _host(there.client, opened))
        # The recipe is the user's own, who named it where the session began.
        named = replace(there.named, recipe=there.plan.workloads[0].recipe)
        plan, _ = resumption.on_hosts(there.plan, (), named, pair)
        return At(prepare.rig(plan, pair), plan.objective, opened.pop_all())


def _host(name: str, opened: ExitStack) -> Host:
    target = ssh.target(name, RESOURCE)
    return LocalHost() if target is None else opened.enter_context(ssh.reached(target, os.environ))


def job_of(data: Mapping[str, Any], goal: Objective) -> Job:
    """Return the job that `job_text` wrote; raise `KeyError`, `TypeError`, `ValueError` or `UsageError` for anything else."""
    return Job(Lease(**data["lease"]), tuple(_step(row, goal) for row in data["steps"]), float(data["within_s"]))


def _step(row: Mapping[str, Any], goal: Objective) -> Step:
    search = row["search"]
    return Step(
        trial=int(row["trial"]),
        settings={str(name): str(value) for name, value in row["settings"].items()},
        workload=workload.from_dict(row["workload"]),
        index=int(row["index"]),
        needed=tuple(map(str, row["needed"])),
        full_log=bool(row["full_log"]),
        search=_search(search, goal) if search else None,
        limits=TimeLimits(Took(**row["limits"]["usual"]), Took(**row["limits"]["room"]), int(row["limits"]["runs"])),
    )


def _search(row: Mapping[str, Any], goal: Objective) -> RateSearch:
    holds = partial(slo.holds, goal.limits)
    return RateSearch(int(row["number"]), Start(**row["start"]), float(row["tail_share"]), holds)


def row_of(run: Run) -> Mapping[str, object]:
    """Return a run as the columns of a store hold it: JSON in texts, which are held against their shapes where they are read."""
    row = {each.name: getattr(run, each.name) for each in fields(run)}
    found = run.measurement.to_dict() if run.measurement else None
    return row | {"measurement": json.dumps(found), "evidence": json.dumps(run.evidence)}


# What follows runs where the session does.


def job_text(job: Job) -> str:
    """Return a job as the text of a task."""
    return json.dumps({"lease": asdict(job.lease), "steps": list(map(_of_step, job.steps)), "within_s": job.within_s})


def _of_step(step: Step) -> Mapping[str, object]:
    search = step.search
    return {
        "trial": step.trial,
        "settings": dict(step.settings),
        "workload": step.workload.to_dict(),
        "index": step.index,
        "needed": list(step.needed),
        "full_log": step.full_log,
        "search": search and {"number": search.number, "start": asdict(search.start), "tail_share": search.tail_share},
        "limits": asdict(step.limits),
    }


def event_of(job: Job, text: str) -> Event:
    """Return what the result of a task says; a text that no worker of this release sends ends the session."""
    if len(text) > RESULT_BYTES:
        return _senseless(job, f"it is longer than {RESULT_BYTES} bytes")
    try:
        data = json_text.parsed(text)
        if "lost" in data:
            return Lost(job, str(data["lost"]))
        if "failed" in data:
            findings = [error("", str(each)) for each in data["findings"]]
            message = f"pair {job.lease.pair}: {data['failed']}"
            return Failed(TunerError(message, findings=findings, advice=str(data["advice"])))
        rows = [columns.run_of("", row) for row in data["runs"]]
    except (ValueError, KeyError, TypeError, AttributeError) as reason:
        return _senseless(job, f"{type(reason).__name__}: {reason}")
    wrong = [str(each) for row in rows if isinstance(row, list) for each in row]
    if wrong:
        return _senseless(job, "; ".join(wrong[:MOST_SENSELESS]))
    return Done(job, tuple(row for row in rows if isinstance(row, Run)))


def _senseless(job: Job, why: str) -> Event:
    return Failed(TunerError(f"what a worker answered for pair {job.lease.pair} makes no sense: {why}"))


class Clustered:
    """The tasks of one session on a cluster: one at a time for each pair."""

    def __init__(self, scheduler: Scheduler, session: str, pairs: Mapping[str, There]) -> None:
        self._client = scheduler.client
        self._address = scheduler.address
        self._session = session
        self._there = {name: json.dumps(each.to_dict()) for name, each in pairs.items()}
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._tasks: dict[str, tuple[Job, Any]] = {}
        self._workers = self._found = frozenset(workers(scheduler.client))
        self._heard: dict[str, tuple[float, float]] = {}
        """What each worker's last word is by the scheduler's clock, and since when it is, by the one here: clocks are not compared."""
        self._answered_s = time.monotonic()
        self._silent_since_s: float | None = None
        self._held: list[Event] = []
        """Pairs that will be reached when the scheduler and a worker are there again."""
        self._over = threading.Event()
        threading.Thread(target=self._ask, daemon=True, name="tuner-scheduler").start()

    def submit(self, job: Job) -> None:
        """Begin a block on any worker that is free."""
        pair = job.lease.pair
        key = f"tuner-{self._session}-{pair}-{job.lease.fence}"
        options = {"key": key, "resources": {RESOURCE: 1}, "retries": 0, "pure": False}
        if hung := self._heard.keys() - self._found:
            options["workers"] = sorted(self._heard.keys() - hung)  # Dask takes one that hangs for one that is free
        future = self._client.submit(measured, self._there[pair], job_text(job), **options)
        self._tasks[pair] = job, future
        future.add_done_callback(partial(self._ended, job))

    def wait(self, most_s: float) -> Event | None:
        """Return what happened next."""
        self._look()
        try:
            event = self._events.get(timeout=most_s)
        except queue.Empty:
            return None
        if isinstance(event, Reached) and self._silent_since_s is not None:
            self._held.append(event)  # nobody is there who could measure on it
            return None
        if isinstance(event, Lost):
            again = threading.Timer(PAUSE_S, self._events.put, [Reached(event.job.lease.pair)])
            again.daemon = True
            again.start()
        return event

    def cancel(self) -> None:
        """Do nothing: a block that is under way on a worker comes to its end, which is seconds away."""

    def close(self) -> None:
        """Forget what is under way: what a worker still measures of it counts nowhere."""
        self._over.set()
        with suppress(Exception):  # workers that are gone have no connections, and the others end them by themselves
            for _, future in self._tasks.values():
                future.cancel()
            asked(self._client, sorted(self._found), let_go, CLOSE_S, list(self._there.values()))

    def _ended(self, job: Job, future: Any) -> None:
        """Note how a task ended; called by a thread of the client."""
        if self._tasks.get(job.lease.pair, (None,))[0] is not job:
            return
        if future.status == "finished":
            try:
                self._events.put(event_of(job, future.result(timeout=CONNECT_S)))
            except Exception as reason:  # noqa: BLE001 - the worker went away with its result
                self._events.put(Lost(job, f"its result did not arrive: {type(reason).__name__}: {reason}"))
        elif future.status == "error":
            self._events.put(_of_error(job, future.exception(timeout=CONNECT_S)))
        else:
            self._events.put(Lost(job, f"the scheduler {self._address} does not know its task any more"))

    def _ask(self) -> None:
        """Ask the scheduler for its workers again and again, in a thread of its own: one that hangs must hold nobody up."""
        while not self._over.wait(ASK_S):
            with suppress(Exception):  # no answer: how long there is none is what counts
                self._found = self._alive(workers(self._client))
                self._answered_s = time.monotonic()
                self._give_up(self._heard.keys() - self._found)

    def _alive(self, said: Mapping[str, float]) -> frozenset[str]:
        """Return the workers of whom the scheduler has heard lately."""
        now_s = time.monotonic()
        before = self._heard
        self._heard = {
            name: before[name] if name in before and before[name][0] == at else (at, now_s) for name, at in said.items()
        }
        return frozenset(name for name, (_, since_s) in self._heard.items() if now_s - since_s < HANG_S)

    def _give_up(self, hung: AbstractSet[str]) -> None:
        """Call the blocks lost that workers have who hang, each once."""
        if not hung or not self._tasks:
            return
        given = self._client.processing(workers=sorted(hung))
        theirs = {str(key): name for name, keys in given.items() for key in keys}
        for pair, (job, future) in list(self._tasks.items()):
            if name := theirs.get(future.key):
                del self._tasks[pair]
                future.cancel()
                self._events.put(Lost(job, f"the worker {name} has said nothing for {HANG_S:.0f} s"))

    def _answers(self) -> bool:
        """Return whether the scheduler is there."""
        return self._client.status == "running" and time.monotonic() - self._answered_s < CONNECT_S

    def _look(self) -> None:
        """Note whether the scheduler and the workers are still there."""
        now_s, found = time.monotonic(), self._found if self._answers() else frozenset()
        if found and len(found) < len(self._workers):
            self._say(
                f"{len(self._workers) - len(found)} of {len(self._workers)} workers of the scheduler {self._address} went away: "
                "what they measured is measured again by the others"
            )
        if found:
            self._workers, self._silent_since_s = found, None
            while self._held:
                self._events.put(self._held.pop())
        elif self._silent_since_s is None:
            self._silent_since_s = now_s
            self._say(f"{self._missing()}; waiting for it, up to {PATIENCE_S:.0f} s")
        elif now_s - self._silent_since_s > PATIENCE_S:
            self._silent_since_s = now_s
            self._events.put(Failed(HostLost(self._missing(), advice=self._mend())))

    def _missing(self) -> str:
        what = "has no worker any more" if self._answers() else "does not answer any more"
        return f"the scheduler {self._address} {what}"

    def _mend(self) -> str:
        command = WORKER.format(address=self._address) if self._answers() else SCHEDULER
        return f"start one: {command}; `tuner sessions resume` goes on"

    def _say(self, text: str) -> None:
        self._events.put(Said(text))


def _of_error(job: Job, reason: BaseException | None) -> Event:
    """Return what an exception of a task is: a worker that died too often is a loss, everything else ends the session."""
    if type(reason).__name__ in _LOSSES:
        return Lost(job, f"workers died in its block: {reason}")
    return Failed(TunerError(f"a worker could not measure on pair {job.lease.pair}: {type(reason).__name__}: {reason}"))
