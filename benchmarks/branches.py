"""Which branches of the package do the tests reach? By coverage.py (the group `reliability`), also in the processes that they start.

    .venv/bin/python benchmarks/branches.py [TEST …]     twice as long as the tests; all of them where none is named

The table has the parts of the package, and below it every module of which less than 95 % is reached, with the lines that are not:
what cannot run on this machine (another system, hardware that is not here) is among them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
WANTED_PERCENT: Final = 95.0
LIMIT_S: Final = 4 * 3600.0
MOST_LINES: Final = 12
CONFIG: Final = """[run]
branch = true
parallel = true
source = {root}/tuner
data_file = {folder}/data
patch = subprocess
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


def section(modules: Mapping[str, Reached]) -> str:
    """Return the section of the page."""
    head = "| part of the package | statements and branches | reached |\n|---|---|---|"
    rows = [f"| {name} | {each.there:,} | {each.percent:.1f} % |" for name, each in parts(modules).items()]
    gaps = [
        f"- {path}: {each.percent:.0f} %, not the lines {', '.join(map(str, each.missing[:MOST_LINES]))}"
        + (" …" if len(each.missing) > MOST_LINES else "")
        for path, each in sorted(modules.items(), key=lambda item: item[1].percent)
        if each.percent < WANTED_PERCENT
    ]
    return "\n".join([head, *rows, "", f"Less than {WANTED_PERCENT:.0f} %:" if gaps else "No gaps.", "", *gaps])


def measured(tests: Sequence[str]) -> tuple[str, dict[str, Reached]]:
    """Run tests and return pytest's last line and what they reached; raise `SystemExit` where coverage.py cannot say."""
    with tempfile.TemporaryDirectory(prefix="tuner-branches-") as name:
        config = Path(name) / "config"
        config.write_text(CONFIG.format(root=ROOT, folder=name), encoding="utf-8")
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "COVERAGE_CORE": "ctrace"}
        words = [sys.executable, "-m", "coverage"]
        run = [
            *words,
            "run",
            f"--rcfile={config}",
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--timeout=600",
            *tests,
        ]
        done = subprocess.run(
            run,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_S,
            check=False,
        )
        for last in (["combine", "-q"], ["json", "-q", "-o", f"{name}/json"]):
            ended = subprocess.run(
                [*words, *last, f"--rcfile={config}"], cwd=ROOT, capture_output=True, text=True, check=False
            )
            if ended.returncode:
                raise SystemExit(f"{done.stdout[-2000:]}{ended.stdout}{ended.stderr}")
        report = json.loads((Path(name) / "json").read_text(encoding="utf-8"))
    return (done.stdout.rstrip().splitlines() or ["nothing"])[-1], found(report)


def main(tests: Sequence[str]) -> int:
    """Measure and print."""
    said, modules = measured(tests or ["tests"])
    print(section(modules))
    print(f"\nThe tests: {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
