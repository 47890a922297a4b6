"""What do cheap commands cost, compared with the least that any typer program costs?

Each command and `python -c "import typer"` in turn, so that what disturbs the machine disturbs all of them. Beside the
wall time stands the processor time of the command (user and system), which other programs disturb less. A first round is not
counted: in it Python keeps its bytecode and `tuner` its parsed data, as after any first start.

    .venv/bin/python benchmarks/start_up.py [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 15
ROOT = Path(__file__).parents[1]
TUNER = str(Path(sys.executable).parent / "tuner")


@dataclass(frozen=True)
class Case:
    """A command, and how many times the least it may take (None: no limit is set)."""

    name: str
    command: tuple[str, ...]
    most: float | None = None


@dataclass(frozen=True)
class Cost:
    """What one execution took, in seconds."""

    wall_s: float
    cpu_s: float


LEAST = Case('python -c "import typer"', (sys.executable, "-c", "import typer"))
EMPTY = Case('python -c ""', (sys.executable, "-c", ""))
LIBRARY = Case('python -c "import tuner"', (sys.executable, "-c", "import tuner"), 1.3)
CASES = (
    LEAST,
    Case("tuner --help", (TUNER, "--help"), 2.0),
    Case("tuner params show XLIO_RX_POLL", (TUNER, "params", "show", "XLIO_RX_POLL"), 2.0),
    Case("tuner profiles list", (TUNER, "profiles", "list"), 3.0),
    Case("tuner", (TUNER,)),
    Case(
        "tuner tune lat<TAB>",
        ("env", "_TUNER_COMPLETE=complete_bash", "COMP_WORDS=tuner tune lat", "COMP_CWORD=2", TUNER),
    ),
    Case(
        "tuner params show XLIO_RX<TAB>",
        ("env", "_TUNER_COMPLETE=complete_bash", "COMP_WORDS=tuner params show XLIO_RX", "COMP_CWORD=3", TUNER),
    ),
)


def cost(command: tuple[str, ...]) -> Cost:
    """Return what one execution of a command took; raise `CalledProcessError` where it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment, cwd=ROOT)
    _, status, used = os.wait4(child.pid, 0)
    took_s = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return Cost(took_s, used.ru_utime + used.ru_stime)


def section(rounds: int = ROUNDS) -> str:
    """Return the section of the benchmark page."""
    made = [{case: cost(case.command) for case in (*CASES, EMPTY, LIBRARY)} for _ in range(rounds + 1)][1:]

    def cells(case: Case, least: Case, of: Callable[[Cost], float]) -> str:
        took_ms = statistics.median(1000 * of(one[case]) for one in made)
        ratio = statistics.median(of(one[case]) / of(one[least]) for one in made)
        return f"{took_ms:.0f} ms | {ratio:.2f}"

    def row(case: Case, least: Case) -> str:
        wall, cpu = (cells(case, least, of) for of in (lambda one: one.wall_s, lambda one: one.cpu_s))
        return f"| `{case.name}` | {wall} | {cpu} | {case.most or ''} |"

    return "\n".join(
        [
            "## Start-up\n",
            f"Medians of {rounds} rounds; ratios are taken inside each round.\n",
            "| command | wall time | times `import typer` | CPU time | times `import typer` | at most |",
            "|---|---|---|---|---|---|",
            *(row(case, LEAST) for case in CASES),
            "\n`import tuner` against an interpreter that does nothing:\n",
            "| command | wall time | times an empty interpreter | CPU time | times an empty interpreter | at most |",
            "|---|---|---|---|---|---|",
            *(row(case, EMPTY) for case in (EMPTY, LIBRARY)),
            "\n`.venv/bin/python benchmarks/start_up.py`\n",
        ]
    )


if __name__ == "__main__":
    print(section(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
