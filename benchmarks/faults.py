"""What becomes of a session between two hosts when something breaks, again and again, in a lab.

    .venv/bin/python benchmarks/faults.py [--times 20] [--only FAULT]… [--budget 25s] [--seed 0] [--jobs 1]

Each time a comparison is started between the two hosts of a lab. At a random moment after a few runs one thing breaks: at the
server's host or at the client's, by chance. What then counts: that a message names the host and says what to do, that the
session goes on by itself or by `tuner sessions resume` to its verdict, that every stored run is still there and none is there
twice, and that no process and no file of ours is left at either end or here within 10 s.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tuner.errors import TunerError
from tuner.hosts.lab import control, files
from tuner.hosts.lab.shape import Shape, Side
from tuner.hosts.lab.state import State as LabState
from tuner.hosts.lab.wires import MANAGEMENT
from tuner.records import State

TUNER: Final = Path(sys.executable).parent / "tuner"
CLEAN_S: Final = 10.0
"""The seconds after which nothing may be left."""
OUTAGE_S: Final = 10.0
"""How long a fault lasts that passes by itself: longer than either end waits for a word of the other."""
RESUMES: Final = 3
STAYING: Final = frozenset({"tmp/tuner-measures.lock"})
"""By which sessions of a host take turns; it is empty and stays, because who removes a lock may remove another one's."""
_PATIENCE_S: Final = 90.0
_KEY: Final = "run/lab/host_key"


@dataclass(frozen=True, slots=True)
class Far:
    """A host of the lab as a fault sees it: its name, and its first process, seen from this machine."""

    name: str
    first: int

    @property
    def root(self) -> Path:
        """Return its root directory."""
        return Path(f"/proc/{self.first}/root")

    def processes(self) -> dict[int, str]:
        """Return the processes of the host but its first, number to command line."""
        space = _space(self.first)
        return {pid: words for pid, words in _everyone() if pid != self.first and _space(pid) == space}

    def listener(self) -> int | None:
        """Return the sshd that lets others in."""
        return next((pid for pid, words in self.processes().items() if "[listener]" in words), None)

    def agents(self) -> list[int]:
        """Return the agents: programs of ssh's sessions that are Python, but not those that such a one started."""
        found = {pid: _parent(pid) for pid, words in self.processes().items() if "python" in words.split(" ")[0]}
        return [pid for pid, parent in found.items() if parent not in found and parent != self.first]

    def files(self) -> set[str]:
        """Return the files in the folders that a host has for itself."""
        places = [self.root / each for each in ("tmp", "var/tmp", "dev/shm", "home", "run")]
        return {str(found.relative_to(self.root)) for place in places for found in _below(place)} - STAYING


def _everyone() -> Iterator[tuple[int, str]]:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield int(process.name), (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


def _space(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _below(place: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(place):
        for name in (*folders, *names):
            yield Path(folder, name)


Undo = Callable[[], None]


def _nothing() -> None:
    pass


def _kill(pids: Sequence[int], number: signal.Signals = signal.SIGKILL) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def cut(far: Far, _: int) -> Undo:
    """Let the link that ssh comes by carry nothing for a while; neither end is told."""
    _ip(far, "down")
    return lambda: _ip(far, "up")


def _ip(far: Far, state: str) -> None:
    argv = ["nsenter", f"--net=/proc/{far.first}/ns/net", "ip", "link", "set", MANAGEMENT, state]
    subprocess.run(argv, check=False, capture_output=True, timeout=10)


def sshd_killed(far: Far, _: int) -> Undo:
    """Kill sshd, the connections' processes too; the host starts a new one."""
    _kill([pid for pid, words in far.processes().items() if "sshd" in words])
    return _nothing


def host_deleted(far: Far, _: int) -> Undo:
    """End the host with its namespaces; the lab starts it again."""
    _kill([far.first])
    return _nothing


def agent_killed(far: Far, _: int) -> Undo:
    """Kill the agent."""
    _kill(far.agents())
    return _nothing


def agent_stopped(far: Far, _: int) -> Undo:
    """Stop the agent, and never let it go on."""
    _kill(far.agents(), signal.SIGSTOP)
    return _nothing


def key_changed(far: Far, _: int) -> Undo:
    """Give the host another key, and end its connections; put the old one back later."""
    path = far.root / _KEY
    kept = path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        files.make_key(Path(folder, "other"))
        path.write_bytes(Path(folder, "other").read_bytes())
    sshd_killed(far, 0)

    def undo() -> None:
        with contextlib.suppress(OSError):
            path.write_bytes(kept)
        sshd_killed(far, 0)

    return undo


def disk_full(far: Far, _: int) -> Undo:
    """Fill the host's /tmp for a while."""
    path = far.root / "tmp" / "filled"
    with contextlib.suppress(OSError), path.open("wb") as file:
        while True:
            file.write(bytes(1 << 20))
    return lambda: path.unlink(missing_ok=True)


def controller_killed(_: Far, controller: int) -> Undo:
    """Kill the session itself."""
    _kill([controller])
    return _nothing


FAULTS: Final[Mapping[str, Callable[[Far, int], Undo]]] = {
    "connection cut": cut,
    "sshd killed": sshd_killed,
    "host deleted": host_deleted,
    "agent killed": agent_killed,
    "agent stopped": agent_stopped,
    "host key changed": key_changed,
    "far disk full": disk_full,
    "controller killed": controller_killed,
}


_CONNECTION: Final = (
    "the connection ended",
    "nothing was heard of it",
    "it cannot be reached",
    "it closed the connection",
    "no answer within",
)
CAUSES: Final[Mapping[str, tuple[str, ...]]] = {
    "connection cut": _CONNECTION,
    "sshd killed": (*_CONNECTION, "no sshd listens there"),
    "host deleted": (*_CONNECTION, "no sshd listens there", "no agent could be started"),
    "agent killed": _CONNECTION,
    "agent stopped": _CONNECTION,
    "host key changed": ("its host key is another one than before", *_CONNECTION),
    "far disk full": (
        "no space is left in",
        "No space left on device",
        "its disk is full",
        "no run can be started there",
    ),
}
"""What a message may give as the cause of each fault, beside the host's name."""


@dataclass(slots=True)
class Outcome:
    """What came of one fault. `words` are what the session said; the rest are the counts that must be 0, or true."""

    clear: bool = False
    verdict: str = ""
    resumed: int = 0
    lost: int = 0
    twice: int = 0
    processes: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    clean_s: float = 0.0
    words: str = ""

    @property
    def good(self) -> bool:
        """Return whether it is as it should be."""
        return self.clear and bool(self.verdict) and not (self.lost or self.twice or self.processes or self.files)


@dataclass(slots=True)
class Try:
    """One session in a folder of its own, between the hosts of a lab: the words of a command without them."""

    lab: control.Found
    folder: Path
    command: Sequence[str]
    latest: int = 4
    """After so many runs at most something breaks."""

    @property
    def environment(self) -> dict[str, str]:
        """Return where everything of this session goes, so that what it leaves can be told from others' things."""
        for name in ("tmp", "cache", "state", "run"):
            (self.folder / name).mkdir(exist_ok=True, mode=0o700)
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        places = {"TMPDIR": "tmp", "XDG_CACHE_HOME": "cache", "XDG_STATE_HOME": "state", "XDG_RUNTIME_DIR": "run"}
        here = {name: str(self.folder / place) for name, place in places.items()}
        return {**kept, **here, "TUNER_SSH_CONFIG": str(self.lab.ssh_config), "LC_ALL": "C.UTF-8"}

    @property
    def state(self) -> LabState:
        """Return the lab as it was made."""
        if self.lab.state is None:
            raise TunerError(f"nothing tells what the lab of {self.lab.folder} is")
        return self.lab.state

    def hosts(self) -> dict[Side, Far]:
        """Return the hosts as they are now."""
        now = control.found(self.lab.folder).state or self.state
        sides = {host.name: host.side for host in now.shape.hosts}
        return {sides[name]: Far(name, known.pid) for name, known in now.hosts.items()}

    def ends(self) -> list[str]:
        """Return the options that name both hosts."""
        server, client = self.state.shape.hosts
        return ["--server", f"ssh://{server.name}", "--client", f"ssh://{client.name}"]

    def begun(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command, whose words go into files."""
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("ab") as err:
            argv = [str(TUNER), *words, "--json"]
            return subprocess.Popen(argv, cwd=self.folder, env=self.environment, stdout=out, stderr=err)

    def said(self) -> str:
        """Return what it said so far."""
        return (self.folder / "err").read_text(encoding="utf-8", errors="replace")

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the stored runs."""
        database = self.folder / "results" / "tuner.db"
        try:
            with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as store:
                columns = "number, phase, block, trial, workload, status, started_at"
                return store.execute(f"select {columns} from runs order by number").fetchall()  # noqa: S608 - ours
        except sqlite3.OperationalError:
            return []

    def verdict(self) -> str:
        """Return the verdict of what ended last, empty where there is none: that it failed is none."""
        try:
            answer = json.loads((self.folder / "out").read_text(encoding="utf-8"))
        except ValueError:
            return ""
        found = (
            str(answer.get("verdict", "measured" if "metrics" in answer else "")) if isinstance(answer, dict) else ""
        )
        return "" if found == State.FAILED else found

    def left(self, before: Mapping[Side, set[str]]) -> tuple[list[str], list[str]]:
        """Return the processes and the files that are left: at both hosts, and here."""
        mark = str(self.folder)
        processes = [f"here: {words}" for pid, words in _everyone() if mark in words or mark in _environment(pid)]
        found = []
        for side, far in self.hosts().items():
            keep = far.listener()
            processes += [f"{side}: {words}" for pid, words in far.processes().items() if pid != keep]
            found += [f"{side}: {name}" for name in sorted(far.files() - before.get(side, set()))]
        here = [path for name in ("tmp", "cache", "run") for path in _below(self.folder / name)]
        return processes, found + [f"here: {path.relative_to(self.folder)}" for path in here if not _kept(path)]


def _kept(path: Path) -> bool:
    """Return whether something is meant to stay here: what was read of catalogues, and folders without anything in them."""
    return path.suffix == ".json" or (path.is_dir() and path.name in {"tuner", "ssh"})


def _environment(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def tried(one: Try, fault: Callable[[Far, int], Undo], chance: random.Random) -> Outcome:
    """Return what comes of one fault at a random moment of a session."""
    before = {side: far.files() for side, far in one.hosts().items()}
    process = one.begun(*one.command, *one.ends())
    wanted = chance.randint(1, one.latest)
    _wait(lambda: len(one.rows()) >= wanted or process.poll() is not None, _PATIENCE_S)
    time.sleep(chance.uniform(0.0, 1.4))
    kept, said = one.rows(), len(one.said())
    undo = fault(one.hosts()[chance.choice(list(Side))], process.pid)
    _wait(lambda: process.poll() is not None, OUTAGE_S)
    undo()
    _ended(process)
    outcome = Outcome(words=one.said()[said:])
    _resume(one, outcome)
    _count(one, outcome, kept)
    _await_clean(one, outcome, before)
    name = next(name for name, each in FAULTS.items() if each is fault)
    outcome.clear = _is_clear(outcome, one.rows(), CAUSES.get(name))
    return outcome


def _wait(condition: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _ended(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _resume(one: Try, outcome: Outcome) -> None:
    """Go on with the session until it has a verdict, once the hosts are there again."""
    outcome.verdict = one.verdict()
    while not outcome.verdict and outcome.resumed < RESUMES:
        _wait(lambda: len(one.hosts()) == len(Side) and all(far.listener() for far in one.hosts().values()), CLEAN_S)
        outcome.resumed += 1
        said = len(one.said())
        _ended(one.begun("sessions", "resume", "latest", *one.ends()))
        outcome.verdict = one.verdict()
        outcome.words += one.said()[said:]


def _count(one: Try, outcome: Outcome, kept: Sequence[tuple[Any, ...]]) -> None:
    rows = one.rows()
    outcome.lost = len(set(kept) - set(rows)) + sum(row[0] != at for at, row in enumerate(rows))
    places = [row[1:5] for row in rows if row[5] == "ok"]
    outcome.twice = len(places) - len(set(places))


def _await_clean(one: Try, outcome: Outcome, before: Mapping[Side, set[str]]) -> None:
    began = time.monotonic()
    while True:
        outcome.processes, outcome.files = one.left(before)
        outcome.clean_s = time.monotonic() - began
        if outcome.clean_s > CLEAN_S or not (outcome.processes or outcome.files):
            return
        time.sleep(0.1)


def _is_clear(outcome: Outcome, rows: Sequence[tuple[Any, ...]], causes: Sequence[str] | None) -> bool:
    """Return whether a line of what was said names the host with the cause, and no word is for programmers.

    Nothing need be said by what was killed (it has no causes), and where the fault did not disturb any run.
    """
    wrong = any(sign in outcome.words for sign in ("Traceback", "bug of tuner"))
    unharmed = not outcome.resumed and all(row[5] == "ok" for row in rows)
    lines = [line for line in outcome.words.splitlines() if "-1.faults" in line]
    said = any(cause in line for line in lines for cause in causes or ())
    return not wrong and (causes is None or unharmed or said)


@contextlib.contextmanager
def lab() -> Iterator[control.Found]:
    """Yield a lab of its own."""
    with tempfile.TemporaryDirectory(prefix="tuner-faults-") as folder:
        made = control.up(Path(folder), Shape("faults"))
        try:
            yield made
        finally:
            control.down(made)


def once(name: str, turn: int, budget: str, seed: int) -> Outcome:
    """Return what came of a fault in a lab of its own; where it was not as it should be, the folder is kept and named."""
    with lab() as there:
        folder = Path(tempfile.mkdtemp(prefix="tf-"))
        chance = random.Random(f"{seed} {name} {turn}")  # noqa: S311 - moments to strike at
        command = ("compare", "default", "latency", "--budget", budget)
        outcome = tried(Try(there, folder, command), FAULTS[name], chance)
    if outcome.good:
        shutil.rmtree(folder)
    else:
        print(f"  {name}, {turn}: {outcome} (kept: {folder})", flush=True)
    return outcome


def several(name: str, asked: argparse.Namespace) -> list[Outcome]:
    """Return what came of a fault each time; Ctrl-C begins no further ones."""
    with ThreadPoolExecutor(asked.jobs) as jobs:
        turns = [jobs.submit(once, name, turn, asked.budget, asked.seed) for turn in range(asked.times)]
        try:
            return [turn.result() for turn in turns]
        except KeyboardInterrupt:
            jobs.shutdown(cancel_futures=True)
            raise


def _line(name: str, outcomes: Sequence[Outcome]) -> str:
    total = len(outcomes)
    clear, verdicts = sum(each.clear for each in outcomes), sum(bool(each.verdict) for each in outcomes)
    alone = sum(bool(each.verdict) and not each.resumed for each in outcomes)
    counts = [sum(each.lost for each in outcomes), sum(each.twice for each in outcomes)]
    left = [sum(len(each.processes) for each in outcomes), sum(len(each.files) for each in outcomes)]
    slowest = max((each.clean_s for each in outcomes), default=0.0)
    cells = [f"{clear}/{total}", f"{alone}/{total}", f"{verdicts}/{total}", *counts, *left, f"{slowest:.1f}"]
    return f"| {name} | " + " | ".join(map(str, cells)) + " |"


def main() -> int:
    """Print a table of counts; the exit status is 0 when all are as they should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--only", action="append", choices=list(FAULTS))
    parser.add_argument("--budget", default="25s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="labs at once: what is measured is then worth nothing")
    asked = parser.parse_args()
    titles = ["fault", "clear message", "went on alone", "verdict", "runs lost", "counted twice"]
    titles += ["processes left", "files left", "last one gone after, s"]
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}", flush=True)
    every: list[Outcome] = []
    for name in asked.only or FAULTS:
        outcomes = several(name, asked)
        every += outcomes
        print(_line(name, outcomes), flush=True)
    return 0 if all(each.good for each in every) else 1


if __name__ == "__main__":
    sys.exit(main())
