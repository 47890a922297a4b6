"""A session on one host while that fails: errors of the disk, jumps of the clock, limits, folders taken away; one command that prints the counts.

    .venv/bin/python benchmarks/host_faults.py [--only WORD]…

Each fault strikes one `tuner measure` of simulated programs. What counts: that it ends with an answer, or with words that say what is the matter;
that every run that it counted is stored, and the store whole; that `sessions resume` comes to an answer once the fault is over; and that nothing is left in the folder for
temporary files, at the latest once another session has begun.
`faulty.c` is preloaded into the session's process and into none that it starts.
"""

from __future__ import annotations

import argparse
import errno
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import fake

RUNS: Final = 8
PATIENCE_S: Final = 60.0
UNFORESEEN: Final = ("bug in tuner", "Traceback", "Exception ignored")
_RESULTS: Final = "results"
_BEFORE_RUNS: Final = 60
"""After so many writes to the store a session of this length is in the middle."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What strikes: the variables of `faulty.c`, limits of the process, or what is done to its folder after the first run."""

    variables: Mapping[str, str] = field(default_factory=dict)
    limits: Sequence[tuple[int, int]] = ()
    strike: Callable[[Path], object] | None = None
    over: Callable[[Path], object] | None = None
    """Done before the session is gone on with, where it takes more than not to strike again."""


def _broken(call: str, part: str, number: int, after: int = 0) -> Fault:
    return Fault({"BROKEN": f"{call}:{part}:{number}:{after}"})


def _of_disks() -> Iterator[tuple[str, Fault]]:
    for number in (errno.EIO, errno.ENOSPC, errno.EROFS):
        for call in ("write", "sync", "read"):
            for after in (0, _BEFORE_RUNS, _BEFORE_RUNS + 20):
                yield f"store: {call} {errno.errorcode[number]} after {after}", _broken(call, "tuner.db", number, after)
    for part in ("summary.md", ".tuner-", "tuner-run", "/lock"):
        for call in ("open", "read", "write", "sync", "rename", "mkdir", "unlink"):
            yield f"{part}: {call} EIO", _broken(call, part, errno.EIO)


def _of_hosts() -> Iterator[tuple[str, Fault]]:
    for after_s, by_s in ((3, 86_400), (3, -3600), (0, 2_000_000_000), (3, -1_500_000_000)):
        yield f"clock: {by_s:+} s after {after_s} s", Fault({"JUMP": f"{after_s}:{by_s}"})
    for number in (8, 12, 16, 20, 24, 32, 64):
        yield f"descriptors: {number}", Fault(limits=[(resource.RLIMIT_NOFILE, number)])
    for kilobytes in (1, 64, 200, 400):
        yield f"file size: {kilobytes} KB", Fault(limits=[(resource.RLIMIT_FSIZE, kilobytes << 10)])
    for megabytes in (200, 300, 400, 450, 500, 550):
        yield f"memory: {megabytes} MB", Fault(limits=[(resource.RLIMIT_AS, megabytes << 20)])
    yield "results removed", Fault(strike=lambda folder: shutil.rmtree(folder / _RESULTS))
    yield "results moved", Fault(strike=_moved, over=_moved_back)
    yield (
        "temporary folder removed",
        Fault(strike=_without_temporary, over=lambda folder: (folder / "tmp").mkdir(exist_ok=True)),
    )
    yield "benchmark removed", Fault(strike=lambda folder: (folder / "sockperf").rename(folder / "away"), over=_back)


def _without_temporary(folder: Path) -> None:
    (folder / "tmp").rename(folder / "tmp-away")


def _moved(folder: Path) -> None:
    (folder / _RESULTS).rename(folder / "moved")


def _moved_back(folder: Path) -> None:
    shutil.rmtree(folder / _RESULTS, ignore_errors=True)  # the summary was written where they had been
    (folder / "moved").rename(folder / _RESULTS)


def _back(folder: Path) -> None:
    (folder / "away").rename(folder / "sockperf")


FAULTS: Final[Mapping[str, Fault]] = dict([*_of_disks(), *_of_hosts()])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one fault."""

    status: int
    said: str
    stored: int = 0
    whole: bool = True
    resumed: bool = True
    left: tuple[str, ...] = ()

    def problems(self) -> Iterator[str]:
        """Yield what is not as it should be."""
        if self.status not in {0, 1}:
            yield f"exit status {self.status}"
        if self.status and "error: " not in self.said:
            yield "no reason"
        yield from (f"says {word!r}" for word in UNFORESEEN if word in self.said)
        yield from [] if self.whole else ["the store is damaged"]
        yield from [] if self.resumed else ["cannot be gone on with"]
        yield from (f"left {each}" for each in self.left)


def built(folder: Path) -> Path:
    """Return the library that makes a host fail, compiled into a folder."""
    library = folder / "faulty.so"
    source = Path(__file__).with_name("faulty.c")
    subprocess.run(
        [shutil.which("cc") or "cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True, timeout=60
    )
    return library


def struck(fault: Fault, library: Path, folder: Path) -> Outcome:
    """Return what came of one session in a folder."""
    (folder / "tmp").mkdir()
    fake.install(folder, slow_s=0.05)
    process = _begun(folder, ["measure", "latency", "--runs", str(RUNS)], fault, library)
    if fault.strike:
        _wait_for_runs(folder, process)
        fault.strike(folder)
    try:
        said = process.communicate(timeout=PATIENCE_S)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return Outcome(-1, process.communicate()[0])
    stored, whole, states = _store(folder)
    if fault.over:
        fault.over(folder)
    resumed = process.returncode == 0 or not states or _resumed(folder, library)
    if _left(folder):  # what could not be removed while the disk failed is for the next one
        _begun(folder, ["measure", "latency", "--runs", "2"], Fault(), library).communicate(timeout=PATIENCE_S)
    return Outcome(process.returncode, said, stored, whole, resumed, _left(folder))


def _left(folder: Path) -> tuple[str, ...]:
    return tuple(each.name for each in (folder / "tmp").iterdir() if each.name.startswith("tuner-"))


def _begun(folder: Path, words: Sequence[str], fault: Fault, library: Path) -> subprocess.Popen[str]:
    def limited() -> None:
        for limit, value in fault.limits:
            resource.setrlimit(limit, (value, value))

    variables = {**fault.variables, **({"LD_PRELOAD": str(library)} if fault.variables else {})}
    places = {"TMPDIR": str(folder / "tmp"), "TUNER_LOCKS": str(folder)}
    argv = [sys.executable, "-m", "tuner", *words, "--sockperf", str(folder / "sockperf"), "--results", _RESULTS]
    return subprocess.Popen(
        argv,
        cwd=folder,
        env={**os.environ, **places, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=limited if fault.limits else None,  # noqa: PLW1509 - there are no threads here
    )


def _resumed(folder: Path, library: Path) -> bool:
    process = _begun(folder, ["sessions", "resume"], Fault(), library)
    process.communicate(timeout=PATIENCE_S)
    return process.returncode == 0


def _wait_for_runs(folder: Path, process: subprocess.Popen[str]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < until_s and _store(folder)[0] < 1:
        time.sleep(0.05)


def _store(folder: Path) -> tuple[int, bool, list[str]]:
    """Return how many runs a store holds, whether it is whole, and the states of its sessions."""
    for place in (folder / _RESULTS / "tuner.db", folder / "moved" / "tuner.db"):
        try:
            with closing(sqlite3.connect(f"file:{place}?mode=ro", uri=True)) as database:
                (runs,) = database.execute("select count(*) from runs").fetchone()
                (answer,) = database.execute("pragma integrity_check").fetchone()
                return runs, answer == "ok", [state for (state,) in database.execute("select state from sessions")]
        except sqlite3.OperationalError:
            continue
    return 0, True, []


def table(names: Sequence[str], *, say: bool = False) -> tuple[str, int]:
    """Return what came of faults as a Markdown table, and of how many something was not as it should be."""
    wrong, rows = 0, ["| fault | exit status | runs stored | not as it should be |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as made:
        library = built(Path(made))
        for number, name in enumerate(names):
            folder = Path(made, str(number))
            folder.mkdir()
            outcome = struck(FAULTS[name], library, folder)
            problems = "; ".join(outcome.problems())
            wrong += bool(problems)
            rows.append(f"| {name} | {outcome.status} | {outcome.stored} | {problems} |")
            if say or problems:
                print(f"## {name}: {problems}\n{outcome.said[-1500:]}", file=sys.stderr, flush=True)
    return "\n".join([*rows, "", f"faults injected: {len(names)}; not as it should be: {wrong}"]), wrong


def main() -> int:
    """Print the table of the faults that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", default=[], help="faults whose names hold this word")
    parser.add_argument("--say", action="store_true", help="print what each session said")
    asked = parser.parse_args()
    text, wrong = table([name for name in FAULTS if all(word in name for word in asked.only)], say=asked.say)
    print(text)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
