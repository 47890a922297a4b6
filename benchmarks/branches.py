"""Which branches of the package do the tests reach? By coverage.py (the group `reliability`), also in the processes that they start.

    .venv/bin/python benchmarks/branches.py [TEST …] [--kept FOLDER] [--seconds N] [--workers N] [--cases N]     twice as long as the tests

All files are played where none is named, some at a time; those with tests that are marked as long or that want the machine alone come last. `--kept` keeps what each reached in a folder, as long as package and tests are the same: what was
ended goes on with the files that it has not. After so many `--seconds` no further file is begun, and what was not played is told:
what the others reach is reached all the same. `--cases` plays the first few cases of each test only.

The table has the parts of the package, and below it every module of which less than 95 % is reached, with the lines that are not, and
with the reason where `data/unreached.toml` has one. What it says of modules that run where coverage.py does not see (a Python without its
site packages, a process with an environment of its own, another host) holds for the whole of them: the last row leaves them out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import few_cases

ROOT: Final = Path(__file__).parents[1]
UNREACHED: Final = Path(__file__).parent / "data" / "unreached.toml"
WANTED_PERCENT: Final = 95.0
LIMIT_S: Final = 4 * 3600.0
MOST_LINES: Final = 12
AT_ONCE: Final = 8
WORKERS: Final = 2
DEAR: Final = ("mark.long", "mark.serial", "compile_library")
CONFIG: Final = """[run]
branch = true
parallel = true
source = {root}/tuner
data_file = {folder}/data
patch = subprocess, fork, _exit, execv
disable_warnings = no-data-collected,module-not-measured,couldnt-parse
"""


@dataclass(frozen=True, slots=True)
class Reached:
    """How many statements and branches there are, how many of them were reached, and the first lines that were not."""

    there: int
    reached: int
    missing: tuple[int, ...] = ()

    @property
    def percent(self) -> float:
        """Return the share that was reached; all of nothing."""
        return 100.0 * self.reached / self.there if self.there else 100.0


def found(report: Mapping[str, Any]) -> dict[str, Reached]:
    """Return what coverage.py's JSON says of each module, by its path in the package."""
    modules = {}
    for path, said in report["files"].items():
        sums = said["summary"]
        there = sums["num_statements"] + sums["num_branches"]
        reached = sums["covered_lines"] + sums["covered_branches"]
        modules[path.partition("tuner/")[2]] = Reached(there, reached, tuple(said["missing_lines"]))
    return modules


def parts(modules: Mapping[str, Reached]) -> dict[str, Reached]:
    """Return the sums of the folders of the package, and of all."""
    names = sorted({path.partition("/")[0] if "/" in path else "the rest" for path in modules})
    mine = {
        name: [
            each for path, each in modules.items() if (path.partition("/")[0] if "/" in path else "the rest") == name
        ]
        for name in names
    }
    return {name: _summed(each) for name, each in {**mine, "all": list(modules.values())}.items()}


def _summed(each: Sequence[Reached]) -> Reached:
    return Reached(sum(one.there for one in each), sum(one.reached for one in each))


def reasons() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return why modules run where coverage.py does not see, and why parts of others cannot run here, by their paths in the package."""
    said = tomllib.loads(UNREACHED.read_text(encoding="utf-8"))
    return said["unseen"], said["elsewhere"]


def section(modules: Mapping[str, Reached], unseen: Mapping[str, str], elsewhere: Mapping[str, str]) -> str:
    """Return the section of the page."""
    head = "| part of the package | statements and branches | reached |\n|---|---|---|"
    seen = _summed([each for path, each in modules.items() if path not in unseen])
    every = {**parts(modules), "all that coverage.py sees": seen}
    rows = [f"| {name} | {each.there:,} | {each.percent:.1f} % |" for name, each in every.items()]
    gaps = [
        _gap(path, each, {**elsewhere, **unseen}.get(path, ""))
        for path, each in sorted(modules.items(), key=lambda item: item[1].percent)
        if each.percent < WANTED_PERCENT
    ]
    return "\n".join([head, *rows, "", f"Less than {WANTED_PERCENT:.0f} %:" if gaps else "No gaps.", "", *gaps])


def _gap(path: str, here: Reached, reason: str) -> str:
    lines = ", ".join(map(str, here.missing[:MOST_LINES])) + (" …" if len(here.missing) > MOST_LINES else "")
    return f"- {path}: {here.percent:.0f} %, not the lines {lines}" + (f". {reason}" if reason else "")


def words_of(*command: str) -> list[str]:
    """Return the words of a command of coverage.py."""
    return [sys.executable, "-m", "coverage", *command]


def config(folder: Path) -> Path:
    """Write what coverage.py is to do, with its data in a folder, and return where."""
    path = folder / "config"
    path.write_text(CONFIG.format(root=ROOT, folder=folder), encoding="utf-8")
    return path


def played(tests: Sequence[str], kept: Path, workers: int, cases: int) -> None:
    """Run the tests of some files; what they reached stands in `kept` once all came to their end, and pytest's last line with the first."""
    few = ["-p", f"benchmarks.{few_cases.__name__}"] if cases else []
    pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *few, "--timeout=600", "-n", str(workers), *tests]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "COVERAGE_CORE": "ctrace", few_cases.CASES: str(cases)}
    with tempfile.TemporaryDirectory(prefix="tuner-branches-") as name:
        said = f"--rcfile={config(Path(name))}"
        run = words_of("run", said, *pytest)
        done = subprocess.run(
            run, cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace", timeout=LIMIT_S, check=False
        )  # fmt: skip
        ended = subprocess.run(words_of("combine", "-q", said), cwd=ROOT, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise SystemExit(f"{done.stdout[-2000:]}{ended.stdout}{ended.stderr}")
        shutil.copy(Path(name) / "data", kept / data_of(tests[0]))
    last = (done.stdout.rstrip().splitlines() or ["nothing"])[-1]
    for test in tests:
        said_of(test, kept).write_text(last if test is tests[0] else "", encoding="utf-8")


def data_of(test: str) -> str:
    """Return the name of the file with what the tests of a file, and of those played with it, reached."""
    return f"{test.replace('/', '-')}.data"


def said_of(test: str, kept: Path) -> Path:
    """Return the file that says that the tests of a file were played."""
    return kept / f"{test.replace('/', '-')}.txt"


def reached(kept: Path) -> dict[str, Reached]:
    """Return what all tests that were played reached together."""
    with tempfile.TemporaryDirectory(prefix="tuner-branches-") as name:
        said = f"--rcfile={config(Path(name))}"
        data = [str(path) for path in sorted(kept.glob("*.data"))]
        report = f"{name}/report"
        for last in (["combine", "-q", "--keep", said, *data], ["json", "-q", "-o", report, said]):
            subprocess.run(words_of(*last), cwd=ROOT, capture_output=True, check=True)
        return found(json.loads(Path(report).read_text(encoding="utf-8")))


def outcomes(tests: Sequence[str], kept: Path) -> Counter[str]:
    """Return how many tests passed, failed and were skipped, of all files."""
    counts: Counter[str] = Counter()
    for test in tests:
        last = said_of(test, kept).read_text(encoding="utf-8")
        counts.update(
            {what: int(number) for number, what in re.findall(r"(\d+) (passed|failed|errors?|skipped)", last)}
        )
    return counts


def state() -> str:
    """Return a short name of the package and its tests as they are; a changed line gives another one."""
    files = sorted(path for part in ("tuner", "tests") for path in (ROOT / part).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


@contextmanager
def keeping(asked: Path | None) -> Iterator[Path]:
    """Yield the folder for what tests reach; what is kept of another state of the package is removed."""
    with tempfile.TemporaryDirectory(prefix="tuner-branches-") as name:
        kept = (asked or Path(name)).absolute() / state()
        kept.mkdir(parents=True, exist_ok=True)
        for other in set(kept.parent.iterdir()) - {kept}:
            shutil.rmtree(other)
        yield kept


def missing(tests: Sequence[str], kept: Path) -> list[str]:
    """Return the files of tests that were not played yet."""
    return [test for test in tests if not said_of(test, kept).exists()]


def cheap_first(tests: Sequence[str]) -> list[str]:
    """Return files of tests in the order in which they are played: those whose tests take long reach little that others do not."""
    texts = {test: (ROOT / test).read_text(encoding="utf-8") for test in tests}
    return sorted(tests, key=lambda test: sum(mark in texts[test] for mark in DEAR))


def played_within(tests: Sequence[str], kept: Path, seconds: float, workers: int, cases: int) -> None:
    """Play files of tests, some at a time; none is begun after so many seconds."""
    until_s = time.monotonic() + seconds
    for first in range(0, len(tests), AT_ONCE):
        if time.monotonic() > until_s:
            return
        some = tests[first : first + AT_ONCE]
        print(f"{first} of {len(tests)} files; now {', '.join(some)}", file=sys.stderr, flush=True)
        played(some, kept, workers, cases)


def main() -> int:
    """Measure what is asked for, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tests", nargs="*", metavar="TEST")
    parser.add_argument("--kept", type=Path, metavar="FOLDER")
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--workers", type=int, default=WORKERS, metavar="N")
    parser.add_argument(
        "--cases", type=int, default=0, metavar="N", help="of each test, the first so many; all without"
    )
    asked = parser.parse_args()
    every = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").glob("test_*.py"))
    tests = asked.tests or cheap_first(every)
    with keeping(asked.kept) as kept:
        played_within(missing(tests, kept), kept, asked.seconds, asked.workers, asked.cases)
        left = missing(tests, kept)
        done = [test for test in tests if test not in left]
        print(section(reached(kept), *reasons()))
        counts = ", ".join(f"{what}: {count}" for what, count in outcomes(done, kept).items())
    print(f"\nThe tests of {len(done)} of {len(tests)} files, slowed down by being watched: {counts}.")
    if left:
        print(f"\nNot played: {', '.join(map(name_of, left))}.")
    return 0


def name_of(test: str) -> str:
    """Return a file of tests without its folder."""
    return test.removeprefix("tests/")


if __name__ == "__main__":
    sys.exit(main())
