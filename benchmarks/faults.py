"""What becomes of a session between hosts of a lab when something breaks, again and again: one command that prints the counts.

    .venv/bin/python benchmarks/faults.py [--times 20] [--only FAULT]… [--budget 25s] [--seed 0] [--jobs 1]

Each time a comparison is started between the two hosts of a lab; where what breaks is the server of its store or its Dask cluster, with
that store, or on two pairs by that cluster. At a random moment after a few runs one thing breaks (`breaking.py` says what). What
then counts: that a message names what was lost with the cause, that the session goes on by itself or by `tuner sessions resume` to its verdict,
that every stored run is still there and none is there twice, that no block was left out, and that no process and no file of ours is left at either
end or here within 10 s.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import dask_programs
import sqlalchemy as sa
from breaking import CAUSES, ON_A_CLUSTER, ON_A_SERVER, STRIKES, Far, Scene, below, everyone

from tuner.errors import TunerError
from tuner.hosts.lab import control
from tuner.hosts.lab.shape import Shape
from tuner.hosts.lab.state import State as LabState
from tuner.records import State
from tuner.results import Results
from tuner.store import Store

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import postgres

TUNER: Final = Path(sys.executable).parent / "tuner"
CLEAN_S: Final = 10.0
"""The seconds after which nothing may be left."""
OUTAGE_S: Final = 10.0
"""How long a fault lasts that passes by itself: longer than either end waits for a word of the other."""
PROFILE: Final = "nvme_bf3"
"""Which sleeps as the default does: where one that polls shares its CPUs, too few messages arrive to judge anything."""
RESUMES: Final = 3
WORKERS: Final = 2
_PATIENCE_S: Final = 90.0
_LOOK_S: Final = 0.2
_RUNS: Final = sa.text("select number, phase, block, trial, workload, status, started_at from runs order by number")


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
    server: postgres.Server | None = None
    """The server of the store, None for one in the folder."""
    url: str = ""
    cluster: dask_programs.DaskPrograms | None = None
    """What carries the blocks of all pairs of the lab, None for one pair without it."""

    def __post_init__(self) -> None:
        """Have the store in the folder where no other is named."""
        self.url = self.url or Results(self.folder / "results").url

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

    def hosts(self) -> dict[str, Far]:
        """Return the hosts as they are now, by their names."""
        now = control.found(self.lab.folder).state or self.state
        return {name: Far(name, known.pid) for name, known in now.hosts.items()}

    def whole(self) -> bool:
        """Return whether all hosts are there and let others in."""
        hosts = self.hosts()
        return len(hosts) == len(self.state.shape.hosts) and all(far.listener() for far in hosts.values())

    def named(self) -> str:
        """Return by which words a message names what may be lost."""
        if self.server is not None:
            return str(self.server.folder)
        return self.cluster.address if self.cluster else f"-1.{self.state.shape.name}"

    def where(self) -> list[str]:
        """Return the options that name the hosts, what carries blocks to them, and the store."""
        server, client, *_ = (f"ssh://{host.name}" for host in self.state.shape.hosts)
        if self.cluster is None:
            ends = ["--server", server, "--client", client]
        else:
            ends = ["--pairs", str(self._pairs()), "--cluster", self.cluster.address]
        return [*ends, *(["--store", self.url] if self.server else [])]

    def _pairs(self) -> Path:
        path, hosts = self.folder / "pairs.toml", [f'"ssh://{host.name}"' for host in self.state.shape.hosts]
        rows = zip(hosts[::2], hosts[1::2], strict=True)
        texts = [f"[pairs.p{at}]\nserver = {server}\nclient = {client}\n" for at, (server, client) in enumerate(rows)]
        path.write_text("".join(texts), encoding="utf-8")
        return path

    def begun(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command, whose words go into files."""
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("ab") as err:
            argv = [str(TUNER), *words, "--json"]
            return subprocess.Popen(argv, cwd=self.folder, env=self.environment, stdout=out, stderr=err)

    def said(self) -> str:
        """Return what it said so far."""
        return (self.folder / "err").read_text(encoding="utf-8", errors="replace")

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the stored runs, none where the store is not there yet."""
        try:
            with Store(self.url, write=False).engine.connect() as connection:
                return [tuple(row) for row in connection.execute(_RUNS)]
        except (TunerError, sa.exc.SQLAlchemyError):
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

    def left(self, before: Mapping[str, set[str]]) -> tuple[list[str], list[str]]:
        """Return the processes and the files that are left: at all hosts, and here."""
        mark, others = str(self.folder), self.cluster.running if self.cluster else set()
        mine = [(pid, words) for pid, words in everyone() if mark in words or mark in _environment(pid)]
        processes = [f"here: {words}" for pid, words in mine if pid not in others]
        found = []
        for name, far in self.hosts().items():
            keep = far.listener()
            processes += [f"{name}: {words}" for pid, words in far.processes().items() if pid != keep]
            found += [f"{name}: {path}" for path in sorted(far.files() - before.get(name, set()))]
        here = [path for name in ("tmp", "cache", "run") for path in below(self.folder / name)]
        return processes, found + [f"here: {path.relative_to(self.folder)}" for path in here if not _kept(path)]


def _kept(path: Path) -> bool:
    """Return whether something is meant to stay here: what was read of catalogues, and folders without anything in them."""
    return path.suffix == ".json" or (path.is_dir() and path.name in {"tuner", "ssh"})


def _environment(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def tried(one: Try, name: str, chance: random.Random) -> Outcome:
    """Return what comes of one fault at a random moment of a session."""
    before = {name: far.files() for name, far in one.hosts().items()}
    process = one.begun(*one.command, *one.where())
    wanted = chance.randint(1, one.latest)
    _wait(lambda: len(one.rows()) >= wanted or process.poll() is not None, _PATIENCE_S)
    time.sleep(chance.uniform(0.0, 1.4))
    kept, said = one.rows(), len(one.said())
    if process.poll() is not None:
        return Outcome(words=f"it ended before anything broke: {one.said()}")
    struck = chance.choice(sorted(one.hosts().values(), key=lambda far: far.name))
    undo = STRIKES[name](Scene(struck, process.pid, one.server, one.cluster))
    _wait(lambda: process.poll() is not None, OUTAGE_S)
    undo()
    _ended(process)
    outcome = Outcome(words=one.said()[said:])
    _resume(one, outcome)
    _count(one, outcome, kept)
    _await_clean(one, outcome, before)
    outcome.clear = _is_clear(one, outcome, CAUSES.get(name))
    return outcome


def _wait(condition: Callable[[], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_S)
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
        _wait(one.whole, CLEAN_S)
        outcome.resumed += 1
        said = len(one.said())
        _ended(one.begun("sessions", "resume", "latest", *one.where()))
        outcome.verdict = one.verdict()
        outcome.words += one.said()[said:]


def _count(one: Try, outcome: Outcome, kept: Sequence[tuple[Any, ...]]) -> None:
    rows = one.rows()
    blocks = {row[2] for row in rows}
    # The last block of every pair may be one that the budget did not let come to its end.
    left_out = max(0, max(blocks, default=-1) + 1 - len(blocks) - (len(one.hosts()) // 2 - 1))
    outcome.lost = left_out + len(set(kept) - set(rows)) + sum(row[0] != at for at, row in enumerate(rows))
    places = [row[1:5] for row in rows if row[5] == "ok"]
    outcome.twice = len(places) - len(set(places))


def _await_clean(one: Try, outcome: Outcome, before: Mapping[str, set[str]]) -> None:
    began = time.monotonic()
    while True:
        outcome.processes, outcome.files = one.left(before)
        outcome.clean_s = time.monotonic() - began
        if outcome.clean_s > CLEAN_S or not (outcome.processes or outcome.files):
            return
        time.sleep(_LOOK_S)


def _is_clear(one: Try, outcome: Outcome, causes: Sequence[str] | None) -> bool:
    """Return whether a line of what was said names what was lost with the cause, and no word is for programmers.

    Nothing need be said by what was killed (it has no causes), and where the fault did not disturb any run.
    """
    wrong = any(sign in outcome.words for sign in ("Traceback", "bug of tuner"))
    servers = one.server or one.cluster
    unharmed = not servers and not outcome.resumed and all(row[5] == "ok" for row in one.rows())
    lines = [line for line in outcome.words.splitlines() if one.named() in line]
    said = any(cause in line for line in lines for cause in causes or ())
    return not wrong and (causes is None or unharmed or said)


@contextlib.contextmanager
def lab(pairs: int) -> Iterator[control.Found]:
    """Yield a lab of its own."""
    with tempfile.TemporaryDirectory(prefix="tuner-faults-") as folder:
        made = control.up(Path(folder), Shape("faults", pairs=pairs))
        try:
            yield made
        finally:
            control.down(made)


@contextlib.contextmanager
def prepared(name: str, folder: Path, budget: str) -> Iterator[Try]:
    """Yield a session that has what a fault strikes: a lab, and a server of its store or a cluster where these are struck."""
    with ExitStack() as stack:
        there = stack.enter_context(lab(WORKERS if name in ON_A_CLUSTER else 1))
        one = Try(there, folder, ("compare", "default", PROFILE, "--budget", budget))
        if name in ON_A_SERVER:
            one.server = stack.enter_context(postgres.server())
            one.url = one.server.database()
        if name in ON_A_CLUSTER:
            one.cluster = _cluster(folder, one.environment)
            stack.callback(one.cluster.end)
            _started(one.cluster)
        yield one


def _cluster(folder: Path, environment: Mapping[str, str]) -> dask_programs.DaskPrograms:
    (folder / "dask").mkdir()
    return dask_programs.on_this_machine(folder / "dask", environment)


def _started(cluster: dask_programs.DaskPrograms) -> None:
    cluster.start_scheduler()
    for _ in range(WORKERS):
        cluster.start_worker()
    cluster.await_workers(WORKERS)


def once(name: str, turn: int, budget: str, seed: int) -> Outcome:
    """Return what came of a fault in a lab of its own; where it was not as it should be, the folder is kept and named."""
    folder = Path(tempfile.mkdtemp(prefix="tf-"))
    chance = random.Random(f"{seed} {name} {turn}")  # noqa: S311 - moments to strike at
    with prepared(name, folder, budget) as one:
        outcome = tried(one, name, chance)
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
    parser.add_argument("--only", action="append", choices=list(STRIKES))
    parser.add_argument("--budget", default="25s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="labs at once: what is measured is then worth nothing")
    asked = parser.parse_args()
    titles = ["fault", "clear message", "went on alone", "verdict", "runs lost", "counted twice"]
    titles += ["processes left", "files left", "last one gone after, s"]
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}", flush=True)
    every: list[Outcome] = []
    for name in asked.only or STRIKES:
        outcomes = several(name, asked)
        every += outcomes
        print(_line(name, outcomes), flush=True)
    return 0 if all(each.good for each in every) else 1


if __name__ == "__main__":
    sys.exit(main())
