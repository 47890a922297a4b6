"""What do cheap commands cost, compared with the least that any typer program costs?

Each command and `python -c "import typer"` in turn, so that what disturbs the machine disturbs all of them.

    .venv/bin/python benchmarks/start_up.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
TUNER = str(Path(sys.executable).parent / "tuner")
COMMANDS = {
    'python -c "import typer"': [sys.executable, "-c", "import typer"],
    "tuner --help": [TUNER, "--help"],
    "tuner params show XLIO_RX_POLL": [TUNER, "params", "show", "XLIO_RX_POLL"],
    "tuner profiles list": [TUNER, "profiles", "list"],
    "tuner": [TUNER],
    "tuner tune lat<TAB>": ["env", "_TUNER_COMPLETE=complete_bash", "COMP_WORDS=tuner tune lat", "COMP_CWORD=2", TUNER],
    "tuner params show XLIO_RX<TAB>": [
        *("env", "_TUNER_COMPLETE=complete_bash", "COMP_WORDS=tuner params show XLIO_RX", "COMP_CWORD=3", TUNER)
    ],
}


def wall_s(command: list[str]) -> float:
    """Return the wall time of one command, in seconds."""
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def section(rounds: int = ROUNDS) -> str:
    """Return the section of the benchmark page."""
    made = [{name: wall_s(command) for name, command in COMMANDS.items()} for _ in range(rounds + 1)][1:]
    least = next(iter(COMMANDS))
    rows = []
    for name in COMMANDS:
        ratios = [one[name] / one[least] for one in made]
        walls = [1000 * one[name] for one in made]
        rows.append(f"| `{name}` | {statistics.median(walls):.0f} ms | {statistics.median(ratios):.2f} |")
    return "\n".join(
        [
            "## Start-up\n",
            f"Medians of {rounds} rounds; the ratio is taken inside each round.\n",
            "| command | wall time | times `import typer` |",
            "|---|---|---|",
            *rows,
            "\n`.venv/bin/python benchmarks/start_up.py`\n",
        ]
    )


if __name__ == "__main__":
    print(section(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
