"""What does a kill cost? Sessions are killed outright, or the power is cut under their store, at random moments of all phases.

Most sessions are simulated, so that the answer follows from the seed alone and what a kill changed would be seen; others measure
the tests' stand-in for sockperf by real processes, on a host that says of each run that it took a second and that all was calm, so that
their answer follows from the seed too; and some measure the real one, whose answers are not the same twice. A kill is for the program alone or for its whole
process group. A power cut is a copy of the results folder at one instant, the log with a torn end. Then it is looked whether every run
that was reported is stored, whether the session goes on to the answer that it has without a kill, what still lives, for how
long, and what is left in the folder for temporary files once the session has gone on.

    .venv/bin/python benchmarks/kills.py [MOMENTS] [SEED] [--real] [--only KIND] [--kept FILE]

With `--real` every session is one of the real sockperf: about 35 s a moment, and nothing else should run meanwhile. `--only` makes
those of the moments that are of one kind: simulated, stand-in, real sockperf. `--kept` keeps each finding in a file, a line
each, as it is made: what was ended goes on with the moments that the file has not.
"""

from __future__ import annotations

import argparse
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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from tuner import api
from tuner.hosts.host import Host
from tuner.hosts.local import LocalHost, LocalSite
from tuner.hosts.telemetry import Counters, Telemetry
from tuner.records import Run, Trial
from tuner.results import Results
from tuner.runs.simulated import SimulatedHost
from tuner.session.measuring.progress import Silent
from tuner.session.setup.request import Search, Setup, Task
from tuner.session.setup.resumption import Named
from tuner.session.workspace import Workspace
from tuner.store import Store

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import fake

MOMENTS: Final = 200
GONE_WITHIN_S: Final = 3.0
SIMULATED, STAND_IN, REAL = "simulated", "stand-in", "real sockperf"
BUDGET_S: Final = {SIMULATED: 40.0, STAND_IN: 40.0, REAL: 12.0}
KINDS: Final = (SIMULATED, SIMULATED, SIMULATED, STAND_IN) * 4 + (SIMULATED, SIMULATED, SIMULATED, REAL)
KILL, GROUP, POWER = "kill", "kill of the group", "power cut"
HOWS: Final = (KILL, GROUP, POWER)
SEEDS: Final = 5
BY_TIME: Final = 0.2
NEAR: Final = 1.05
LIMIT_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Found:
    """What one kill did. `told` are runs that were reported, `lost` those of them that are not stored, `changed` runs that going on altered.

    `twice` is by how many the runs that the answer counts differ from those that are stored.
    """

    kind: str
    how: str
    at_s: float
    phase: str
    told: int
    lost: int
    changed: int
    same: bool
    compared: bool
    left: int
    gone_s: float
    folders: int
    twice: int = 0

    @property
    def good(self) -> bool:
        """Return whether nothing was lost, left, changed or counted twice."""
        return self.same and not (self.lost or self.changed or self.left or self.folders or self.twice)


class Telling(Silent):
    """Reports each run, once it is stored, and counts them."""

    def __init__(self) -> None:
        self.runs = 0

    def measured(self, trial: Trial, run: Run) -> None:
        """Say its number and its phase."""
        self.runs += 1
        print(json.dumps([run.number, run.phase]), flush=True)

    def now(self) -> float:
        """Return the time, which goes on by a second a run."""
        return float(self.runs)


class EvenSite(LocalSite):
    """A folder of this machine in which everything takes a second, as far as it says."""

    def age_s(self) -> float:
        """Return the second."""
        return 1.0


class EvenHost(LocalHost):
    """This machine, which says nothing of what else happens on it, and that each run takes a second."""

    def site(self, files: Mapping[str, str]) -> LocalSite:
        """Return a place to start processes in."""
        return EvenSite(self, files)

    def counters(self, cpus: Sequence[int]) -> Counters:
        """Return counters that say nothing but the time."""
        return Counters(time.monotonic(), 0.0)

    def sample(self, cpus: Sequence[int], span_s: float) -> Telemetry:
        """Return that nothing happens."""
        return Telemetry(span_s)


class Repeatable:
    """A simulated host on which a run's result follows from the seed and its number in the session, whoever makes it."""

    def __init__(self, seed: int, before: int) -> None:
        self.seed, self.before = seed, before
        self.host = SimulatedHost(self.latency_us, noise=0.0, wall_s=1.0)

    def latency_us(self, environment: Mapping[str, str]) -> float:
        """Return a median that busy polling makes a third better, with noise."""
        number = self.before + len(self.host.runs)
        noise = random.Random(f"{self.seed}/{number}").lognormvariate(0.0, 0.03)  # noqa: S311 - no secret
        return noise * (24.0 if int(environment.get("XLIO_RX_POLL", "0")) < 0 else 36.0)

    def now(self) -> float:
        """Return the time, which goes on by a second a run."""
        return float(len(self.host.runs))


def session(folder: Path, kind: str, seed: int, *, resume: bool) -> None:
    """Carry a session out, or go on with it, telling each run and then the answer: what is killed."""
    results, watcher = folder / "results", Telling()
    host: Host
    if kind == SIMULATED:
        made = Repeatable(seed, len(stored(results)) if resume else 0)
        host, now = made.host, made.now
    elif kind == STAND_IN:
        host, now = EvenHost(turns=folder), watcher.now
    else:
        host, now = LocalHost(turns=folder), time.monotonic
    at = Workspace(results, host=host, watch=lambda _: nullcontext(watcher), now=now)
    program = str(folder / "sockperf") if kind == STAND_IN else "sockperf"
    if resume:
        answer = api.resume(named=Named(program), at=at)
    else:
        task = Task(objective="latency", seed=seed)
        search = Search(optimizer="random")
        setup = Setup(program)
        answer = api.tune("latency", budget_s=BUDGET_S[kind], task=task, search=search, setup=setup, at=at)
    whole = answer.to_dict()
    print(json.dumps({"answer": {name: whole[name] for name in ("verdict", "gain", "runs")}}), flush=True)


def agree(answer: Mapping[str, Any], wanted: Mapping[str, Any], kind: str) -> bool:
    """Return whether two answers are the same: verdicts, and gains that may be equal. A block that a kill cut off is made again.

    The stand-in's runs have no noise, so that the intervals of its gains have no width: they may be `NEAR`. The real sockperf on a busy host
    answers otherwise twice: that there is a verdict is all that must hold.
    """
    if "failed" in answer or kind == REAL:
        return "failed" not in answer
    mine, theirs = answer["gain"], wanted["gain"]
    near = NEAR if kind == STAND_IN else 1.0
    overlap = not (mine and theirs) or (mine["low"] <= theirs["high"] * near and theirs["low"] <= mine["high"] * near)
    return bool(answer["verdict"] == wanted["verdict"]) and overlap


def stored(results: Path) -> dict[int, str]:
    """Return the stored runs by their numbers; all columns, as text."""
    if not Results(results).database.is_file():
        return {}
    store = Store.reading(Results(results))
    return {run.number: repr(replace(run, evidence={})) for each in store.ids() for run in store.runs(each)}


def started(folder: Path, kind: str, seed: int, *, resume: bool = False) -> subprocess.Popen[str]:
    """Start a session in a process of its own, with a folder of its own for temporary files."""
    (folder / "tmp").mkdir(exist_ok=True)
    words = [sys.executable, __file__, "--session", str(folder), kind, str(seed), str(int(resume))]
    environment = {**os.environ, "TMPDIR": str(folder / "tmp"), "OPENBLAS_NUM_THREADS": "1"}
    errors = (folder / "errors").open("a")
    with errors:
        return subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, start_new_session=True
        )


def finished(folder: Path, kind: str, seed: int, *, resume: bool) -> dict[str, Any]:
    """Return what a session answers that is carried out to its end."""
    with started(folder, kind, seed, resume=resume) as process:
        out, _ = process.communicate(timeout=LIMIT_S)
    lines = [json.loads(line) for line in out.splitlines()]
    if process.returncode or not lines or "answer" not in lines[-1]:
        return {"failed": (folder / "errors").read_text(encoding="utf-8")[-2000:]}
    found: dict[str, Any] = lines[-1]["answer"]
    return found


def living(folder: Path) -> list[int]:
    """Return the processes that have to do with a folder: by their words, their environment or their current folder."""
    found, sign = [], str(folder).encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                about = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                if sign in about or str(entry.joinpath("cwd").readlink()).startswith(str(folder)):
                    found.append(int(entry.name))
    return found


def gone(folder: Path) -> tuple[int, float]:
    """Return how many processes live on after three seconds, and how long the last one lived."""
    began = time.monotonic()
    while time.monotonic() - began < GONE_WITHIN_S:
        if not living(folder):
            return 0, time.monotonic() - began
        time.sleep(0.005)
    left = living(folder)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(left), GONE_WITHIN_S


def cut(folder: Path, rng: random.Random) -> None:
    """Copy the results as they are at this instant to `folder/cut`; the end of the log may be torn, and what only memory holds is gone."""
    results = folder / "results"
    if not results.exists():
        return
    shutil.copytree(results, folder / "cut", ignore=shutil.ignore_patterns("*-shm"))
    log = folder / "cut" / "tuner.db-wal"
    if log.exists() and rng.random() < 0.5:
        with log.open("ab") as file:
            file.write(rng.randbytes(rng.randrange(1, 9000)))


def killed(folder: Path, kind: str, seed: int, how: str, rng: random.Random) -> tuple[float, list[Any], int, float]:
    """Start a session and kill it at a random moment; return when, what it had told, what lived on and how long."""
    with started(folder, kind, seed) as process:
        began = time.monotonic()
        lines = list(awaited(process, kind, rng))
        at_s = time.monotonic() - began
        if how == POWER:
            process.send_signal(signal.SIGSTOP)
            cut(folder, rng)
        with suppress(ProcessLookupError):  # it came to its end before
            (os.killpg if how == GROUP else os.kill)(process.pid, signal.SIGKILL)
        left, gone_s = gone(folder)
        lines += process.stdout or []
    told = [json.loads(line) for line in lines if line.endswith("]\n")]
    if how == POWER:
        shutil.rmtree(folder / "results", ignore_errors=True)
        with suppress(FileNotFoundError):
            (folder / "cut").rename(folder / "results")
    return at_s, told, left, gone_s


def awaited(process: subprocess.Popen[str], kind: str, rng: random.Random) -> Iterator[str]:
    """Wait until a random moment, often counted from a run that is reported, and yield the lines that were read meanwhile."""
    if rng.random() < BY_TIME:
        with suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0.0, LASTS_S[kind]))
        return
    for _ in range(rng.randrange(RUNS[kind])):
        if line := process.stdout.readline() if process.stdout else "":
            yield line
    time.sleep(rng.uniform(0.0, LASTS_S[kind] / RUNS[kind]))


LASTS_S: Final[dict[str, float]] = {}
RUNS: Final[dict[str, int]] = {}
"""What a session of each kind takes, and how many runs it has, learned from the ones that nobody kills."""
_UNKILLED: Final[dict[tuple[str, int], dict[str, Any]]] = {}


def unkilled(kind: str, seed: int) -> dict[str, Any]:
    """Return what a session answers that nobody kills."""
    if (kind, seed) not in _UNKILLED:
        with tempfile.TemporaryDirectory(prefix="tuner-kills-") as name:
            fake.install(Path(name), noise=0.0, slow_s=0.1)
            began = time.monotonic()
            _UNKILLED[kind, seed] = finished(Path(name), kind, seed, resume=False)
            LASTS_S.setdefault(kind, time.monotonic() - began)
            RUNS.setdefault(kind, len(stored(Path(name) / "results")))
    return _UNKILLED[kind, seed]


def moment(number: int, start: int, kinds: tuple[str, ...] = KINDS) -> Found:
    """Return what the kill with a number did."""
    rng = random.Random(f"{start}/{number}")  # noqa: S311 - no secret
    kind, how, seed = (
        kinds[number % len(kinds)],
        rng.choice(HOWS),
        rng.randrange(1 if kinds[number % len(kinds)] == REAL else SEEDS),
    )
    wanted = unkilled(kind, seed)
    with tempfile.TemporaryDirectory(prefix="tuner-kills-") as name:
        folder = Path(name)
        fake.install(folder, noise=0.0, slow_s=0.1)
        at_s, told, left, gone_s = killed(folder, kind, seed, how, rng)
        kept = stored(folder / "results") if sound(folder) else {}
        answer = finished(folder, kind, seed, resume=bool(Results(folder / "results").listed()))
        after = stored(folder / "results")
        same = agree(answer, wanted, kind)
        if not same:
            print(
                f"moment {number}: {kind}, {how}, seed {seed}, {len(kept)} runs: {wanted} became {answer}",
                file=sys.stderr,
            )
        return Found(
            kind,
            how,
            at_s,
            told[-1][1] if told else "before the first run",
            len(told),
            len({number for number, _ in told} - kept.keys()),
            sum(after.get(number) != text for number, text in kept.items()),
            same,
            kind != REAL,
            left,
            gone_s,
            sum(1 for _ in (folder / "tmp").iterdir()),
            abs(answer.get("runs", len(after)) - len(after)),
        )


def sound(folder: Path) -> bool:
    """Return whether there is a database; raise where it is damaged."""
    path = Results(folder / "results").database
    if not path.is_file():
        return False
    with closing(sqlite3.connect(path)) as database:
        if database.execute("pragma integrity_check").fetchone() != ("ok",):
            raise ValueError(f"{path} is damaged")
        return bool(database.execute("select 1 from sqlite_master where name = 'runs'").fetchone())


def section(found: list[Found]) -> str:
    """Return the section of the page."""
    rows = [_row(kind, [each for each in found if each.kind == kind]) for kind in dict.fromkeys(KINDS)]
    phases = sorted({each.phase for each in found})
    head = (
        "| sessions | moments | reported runs | of them lost | stored runs changed | counted twice | answers compared | other than without a kill "
        "| processes after 3 s | longest until the last is gone | temporary folders left |\n|---|---|---|---|---|---|---|---|---|---|---|"
    )
    return "\n".join([head, *filter(None, rows), "", f"Killed in the phases: {', '.join(phases)}."])


def _row(kind: str, found: list[Found]) -> str:
    if not found:
        return ""
    sums = [sum(getattr(each, name) for each in found) for name in ("told", "lost", "changed", "twice")]
    compared, others = sum(each.compared for each in found), sum(not each.same for each in found)
    left, folders = sum(each.left for each in found), sum(each.folders for each in found)
    longest_s = max(each.gone_s for each in found)
    told = " | ".join(map(str, sums))
    return f"| {kind} | {len(found)} | {told} | {compared} | {others} | {left} | {longest_s:.2f} s | {folders} |"


def numbers(moments: int, kinds: tuple[str, ...], only: str = "") -> set[int]:
    """Return the numbers of so many moments, or of those of them that are of `only` a kind."""
    return {number for number in range(moments) if only in {"", kinds[number % len(kinds)]}}


def measured(
    moments: int = MOMENTS, start: int = 1, kinds: tuple[str, ...] = KINDS, kept: Path | None = None, only: str = ""
) -> list[Found]:
    """Return what so many kills did, or those of them that are of `only` a kind; those that `kept` has are not made again."""
    if shutil.which("sockperf") is None:
        kinds = tuple(kind for kind in kinds if kind != REAL)
    found, wanted = read(kept) if kept else {}, numbers(moments, kinds, only)
    with suppress(KeyboardInterrupt):  # what was measured is told
        for number in sorted(wanted - found.keys()):
            found[number] = moment(number, start, kinds)
            bad = sum(not each.good for each in found.values())
            print(f"moment {number} of {moments}, {bad} bad; {found[number]}", file=sys.stderr)
            if kept:
                with kept.open("a", encoding="utf-8") as file:
                    file.write(line(number, found[number]))
    return [found[number] for number in sorted(found.keys() & wanted)]


def line(number: int, found: Found) -> str:
    """Return a finding as a line of a file."""
    return json.dumps({"number": number, **asdict(found)}) + "\n"


def read(kept: Path) -> dict[int, Found]:
    """Return the findings that a file has, by the numbers of their moments; none where there is no file."""
    if not kept.exists():
        return {}
    rows = map(json.loads, kept.read_text(encoding="utf-8").splitlines())
    return {row.pop("number"): Found(**row) for row in rows}


def main() -> None:
    """Carry out what is to be killed, or kill."""
    if sys.argv[1:2] == ["--session"]:
        folder, kind, seed, resume = sys.argv[2:]
        session(Path(folder), kind, int(seed), resume=bool(int(resume)))
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("moments", type=int, nargs="?", default=MOMENTS)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--only", choices=dict.fromkeys(KINDS), default="")
    parser.add_argument("--kept", type=Path, metavar="FILE")
    asked = parser.parse_args()
    if asked.real and shutil.which("sockperf") is None:
        sys.exit("sockperf is not installed here")
    before = len(read(asked.kept)) if asked.kept else 0
    kinds = (REAL,) if asked.real else KINDS
    found = measured(asked.moments, asked.seed, kinds, asked.kept, asked.only)
    print(section(found))
    if before:
        print(f"\n{before} of these moments were made by earlier starts of this command, which were ended.")
    sys.exit(len(found) < len(numbers(asked.moments, kinds, asked.only)) or any(not each.good for each in found))


if __name__ == "__main__":
    main()
