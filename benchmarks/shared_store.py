"""A store that many sessions share, when things go wrong: what is lost, what counts twice, and who may go on.

Simulated sessions write into a PostgreSQL server of this benchmark's own. Each fault comes N times, at a random moment:

- the server is killed in a session (SIGQUIT, as a crash) and started again;
- the process of a session is killed (SIGKILL), and another goes on with it;
- two processes want to go on with one session at once.

Then eight sessions write at once, into a file and into the server.

    .venv/bin/python benchmarks/shared_store.py [N]
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))
import postgres  # noqa: E402 - it is beside the tests
from sessions import PLAN, polling_helps, tune  # noqa: E402 - the same

from tuner.errors import Busy  # noqa: E402 - behind the tests' folder
from tuner.records import Run, State, Trial  # noqa: E402 - the same
from tuner.results import Results  # noqa: E402 - the same
from tuner.runs.simulated import SimulatedHost  # noqa: E402 - the same
from tuner.session.judgement import judge  # noqa: E402 - the same
from tuner.session.measuring.progress import Silent  # noqa: E402 - the same
from tuner.session.setup.plan import Plan  # noqa: E402 - the same
from tuner.store import Store  # noqa: E402 - the same

TIMES: Final = 20
AT_ONCE: Final = 8
_RUN_S: Final = 0.05
"""How long a simulated run takes here, so that there is a session to disturb."""


class Reporter(Silent):
    """A watcher who says each run that a user was shown, and what the session had to say."""

    def __init__(self, run_s: float = _RUN_S) -> None:
        self.shown: list[Run] = []
        self.notes: list[str] = []
        self._run_s = run_s

    def measured(self, trial: Trial, run: Run) -> None:  # noqa: D102
        self.shown.append(run)
        print(f"run {run.number} {run.started_at} {run.wall_s} of {trial.number}", flush=True) if _CHILD else None
        time.sleep(self._run_s)

    def note(self, line: str) -> None:  # noqa: D102
        self.notes.append(line)


@dataclass
class Counts:
    """What a fault did, over all times."""

    name: str
    times: int = 0
    verdicts: int = 0
    shown: int = 0
    lost: int = 0
    twice: int = 0
    said: int = 0
    other_answers: int = 0
    waited_s: list[float] = field(default_factory=list)

    def row(self) -> str:
        """Return the row of the table."""
        most = f"{max(self.waited_s):.1f} s" if self.waited_s else "–"
        figures = (self.times, self.verdicts, self.shown, self.lost, self.twice, self.said, self.other_answers, most)
        return f"| {self.name} | " + " | ".join(map(str, figures)) + " |"

    def add(self, store: Store, session: str, shown: list[Run]) -> None:
        """Count what became of a session of which these runs were shown."""
        row, runs = store.session(session), store.runs(session)
        known = {(run.number, run.started_at, run.wall_s) for run in runs}
        places = [(run.trial, run.block, run.workload, run.number) for run in runs]
        self.times += 1
        self.verdicts += row.state is State.DONE
        self.shown += len(shown)
        self.lost += sum((run.number, run.started_at, run.wall_s) not in known for run in shown)
        self.twice += len(places) - len(set(places))
        self.other_answers += not judge(store, row).equal


def plan(seed: int) -> Plan:
    """Return the plan of a session of this seed."""
    return replace(PLAN, optimizer="random", seed=seed, budget_s=30.0)


def restarted(server: postgres.Server, rng: random.Random, counts: Counts, folder: Path) -> None:
    """Let the server crash in a session and come back."""
    url, reporter = server.schema(), Reporter()
    results = Results(folder, url)
    going = threading.Thread(
        target=tune, args=(results, SimulatedHost(polling_helps), plan(counts.times)), kwargs={"progress": reporter}
    )
    going.start()
    while going.is_alive() and not reporter.shown:
        time.sleep(0.01)
    time.sleep(rng.uniform(0.0, 2.0))
    server.stop()
    away_s = rng.uniform(0.2, 3.0)
    time.sleep(away_s)
    server.start()
    going.join()
    counts.waited_s.append(away_s)
    counts.said += any("was lost" in line for line in reporter.notes)
    store = Store(url, write=False)
    counts.add(store, store.ids()[0], reporter.shown)


def killed(server: postgres.Server, rng: random.Random, counts: Counts, folder: Path) -> None:
    """Kill the process of a session, let two others want to go on with it at once, and one do so."""
    url = server.schema()
    command = [sys.executable, __file__, "--session", url, str(folder), str(counts.times)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        said = child.stdout or sys.stdin
        shown = [said.readline()]
        time.sleep(rng.uniform(0.1, 2.0))
        child.kill()
        shown += said.readlines()
    began_s = time.monotonic()
    store = Store(url)
    session = store.ids()[0]
    stored = {f"run {run.number} {run.started_at} {run.wall_s} of {run.trial}\n" for run in store.runs(session)}
    counts.lost += sum(line not in stored for line in shown if line.endswith("\n"))
    _once_free(store, session)
    counts.waited_s.append(time.monotonic() - began_s)
    counts.said += _second_is_refused(url, session)
    reporter = Reporter(0.0)
    host = SimulatedHost(polling_helps)
    tune(Results(folder, url), host, plan(counts.times), session, reporter)
    counts.add(store, session, reporter.shown)
    counts.shown += len(shown)


def _once_free(store: Store, session: str) -> None:
    """Return when nobody holds a session: the server notices a killed process by its connection."""
    for _ in range(100):
        try:
            with store.writing(session):
                return
        except Busy:
            time.sleep(0.05)


def _second_is_refused(url: str, session: str) -> bool:
    with Store(url).writing(session):
        try:
            with Store(url).writing(session):
                return False
        except Busy as reason:
            return "is under way" in reason.message


def at_once(url: Callable[[int], Results]) -> str:
    """Return what eight sessions at once did: seconds, runs a second, and runs that were lost."""
    reporters = {seed: Reporter(0.0) for seed in range(AT_ONCE)}
    threads = [
        threading.Thread(
            target=tune, args=(url(seed), SimulatedHost(polling_helps), plan(seed)), kwargs={"progress": each}
        )
        for seed, each in reporters.items()
    ]
    began_s = time.monotonic()
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    took_s = time.monotonic() - began_s
    store = Store(url(0).url, write=False)
    stored = {(run.started_at, run.wall_s, run.number) for row in store.sessions() for run in store.runs(row.id)}
    shown = [run for each in reporters.values() for run in each.shown]
    lost = sum((run.started_at, run.wall_s, run.number) not in stored for run in shown)
    counted = sum(len(store.runs(row.id)) for row in store.sessions())
    return f"{took_s:.1f} | {len(shown)} | {counted} | {lost} | {len(shown) / took_s:.0f}"


def main(times: int) -> None:
    """Print the counts."""
    rng = random.Random(1)  # noqa: S311 - moments are no secret
    with postgres.server() as server, tempfile.TemporaryDirectory() as folder:
        print(
            "| fault | times | verdicts | runs shown | lost | counted twice | said so | other answers | longest wait |"
        )
        print("|---|---|---|---|---|---|---|---|---|", flush=True)
        for name, fault in (("server crashed and came back", restarted), ("session killed, another went on", killed)):
            counts = Counts(name)
            for _ in range(times):
                fault(server, rng, counts, Path(folder))
            print(counts.row(), flush=True)
        shared = server.schema()
        print(f"\n| {AT_ONCE} sessions at once into | seconds | runs shown | runs stored | lost | runs a second |")
        print("|---|---|---|---|---|---|")
        print(f"| a file | {at_once(lambda _: Results(Path(folder) / 'file'))} |")
        print(f"| a server | {at_once(lambda seed: Results(Path(folder) / str(seed), shared))} |")


_CHILD: Final = sys.argv[1:2] == ["--session"]

if __name__ == "__main__":
    if _CHILD:
        _, _, to, where, number = sys.argv
        tune(Results(Path(where), to), SimulatedHost(polling_helps), plan(int(number)), progress=Reporter())
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else TIMES)
