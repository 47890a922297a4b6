"""Does a session of 60 s find what is there, keep to its budget, and write a profile that holds up afterwards?

`tuner tune latency --budget 60s --seed N` for N = 1…10 on the kernel stack, and after each a fresh `tuner compare` of the
defaults with what it wrote.

    .venv/bin/python benchmarks/tuning.py [SESSIONS] [BUDGET]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SESSIONS = 10
BUDGET = "60s"
AGAIN = "20s"
TUNER = str(Path(sys.executable).parent / "tuner")


def answer(folder: str, *arguments: str) -> dict[str, Any]:
    """Return the JSON that one command printed, whatever its verdict."""
    command = [TUNER, *arguments, "--json", "--results", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return dict(json.loads(done.stdout))


def session(folder: str, seed: int, budget: str) -> dict[str, Any]:
    """Return what one session found, and what a comparison afterwards made of its profile."""
    found = answer(folder, "tune", "latency", "--budget", budget, "--seed", str(seed))
    path = (found.get("winner") or {}).get("path")
    again = answer(folder, "compare", "default", path, "--budget", AGAIN) if path else {}
    print(f"seed {seed}: {found.get('verdict')} {found.get('why')}; again: {again.get('gain')}", file=sys.stderr)
    return {"seed": seed, **found, "again": again.get("gain")}


def row(found: dict[str, Any]) -> str:
    """Return the Markdown row of a session."""
    times = (
        found["baseline"]["metrics"]["latency_p50_us"]["value"] / found["winner"]["metrics"]["latency_p50_us"]["value"]
    )
    gain, again, time = found["gain"], found["again"], found["time"]
    cells = [
        str(found["seed"]),
        found["verdict"],
        f"{times:.1f}",
        f"{gain['ratio']:.1f} ({gain['low']:.1f} to {gain['high']:.1f})" if gain else "–",
        f"{again['ratio']:.1f} ({again['low']:.1f} to {again['high']:.1f})" if again else "–",
        f"{time['wall_s']:.1f}",
        f"{100 * time['runs_s'] / time['wall_s']:.0f} %",
        str(found["runs"]),
        " ".join(f"{name}={value}" for name, value in found["winner"]["settings"].items()),
    ]
    return f"| {' | '.join(cells)} |"


def section(sessions: int = SESSIONS, budget: str = BUDGET) -> str:
    """Return the section of the benchmark page."""
    with tempfile.TemporaryDirectory() as folder:
        found = [session(folder, seed, budget) for seed in range(1, sessions + 1)]
    improved = sum(one["verdict"] == "improved" for one in found)
    share = statistics.median(one["time"]["runs_s"] / one["time"]["wall_s"] for one in found)
    return "\n".join(
        [
            "## Sessions on the kernel stack\n",
            f"`tuner tune latency --budget {budget} --seed N`, TCP ping-pong, 64 bytes, server and client on different cores; then",
            f"`tuner compare default best.toml --budget {AGAIN}`. {improved} of {sessions} improved; in the median {100 * share:.0f} % of a",
            "session was spent inside runs. Gains are times as good, with 95 % intervals.\n",
            "| seed | verdict | median latency, times lower | gain | measured again | wall s | inside runs | runs | settings |",
            "|---|---|---|---|---|---|---|---|---|",
            *map(row, found),
            "\n`.venv/bin/python benchmarks/tuning.py`\n",
        ]
    )


if __name__ == "__main__":
    print(section(int(sys.argv[1]) if len(sys.argv) > 1 else SESSIONS, sys.argv[2] if len(sys.argv) > 2 else BUDGET))
