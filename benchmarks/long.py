"""Where does the time of a long session go, and what does a search over the load find?

One tuning that is long enough for 200 trials and more, and one for the highest rate that holds a limit, on the kernel stack.

    .venv/bin/python benchmarks/long.py [BUDGET] [BUDGET OF THE SEARCH OVER THE LOAD]
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from tuning import answer

BUDGET, LOAD_BUDGET = "15m", "4m"
SLO = "max rate where p99 < 2ms"
HEADERS = (
    "session",
    "verdict",
    "gain",
    "trials",
    "runs of sockperf",
    "wall s",
    "inside runs",
    "between two runs, mean",
    "settings, each with its own gain",
)


def row(title: str, found: dict[str, Any]) -> str:
    """Return the Markdown row of a session."""
    gain, time = found["gain"], found["time"]
    kept = (found["minimised"] or {"kept": []})["kept"]
    between_ms = 1000 * (time["wall_s"] - time["runs_s"]) / found["runs"]
    cells = [
        f"`{title}`",
        found["verdict"],
        _gain(gain),
        str(sum(found["trials"].values())),
        str(found["runs"]),
        f"{time['wall_s']:.1f} of {time['budget_s']:g}",
        f"{100 * time['runs_s'] / time['wall_s']:.1f} %",
        f"{between_ms:.0f} ms",
        "<br>".join(f"{each['name']}={each['value']}: {_gain(each['gain'])}" for each in kept) or "not minimised",
    ]
    return f"| {' | '.join(cells)} |"


def _gain(found: dict[str, Any] | None) -> str:
    return f"{found['ratio']:.2f} ({found['low']:.2f} to {found['high']:.2f})" if found else "–"


def _rates(held: dict[str, Any]) -> str:
    """Return what the search over the load held, in words."""
    against = f"{_rate(held['winner'])} by the winner against " if held["verdict"] == "improved" else ""
    return f"The search over the load\nheld, in messages a second, {against}{_rate(held['baseline'])} by the baseline."


def _rate(profile: dict[str, Any]) -> str:
    found = profile["metrics"].get("held_rate_mps")
    return f"{found['value']:,.0f} ({found['low']:,.0f} to {found['high']:,.0f})" if found else "nothing"


def section(budget: str = BUDGET, load_budget: str = LOAD_BUDGET) -> str:
    """Return the section of the benchmark page."""
    with tempfile.TemporaryDirectory() as folder:
        found = answer(folder, "tune", "latency", "--budget", budget, "--seed", "1")
        print(f"tune latency: {found['verdict']} {found['why']}", file=sys.stderr)
        held = answer(folder, "tune", "--objective", SLO, "--budget", load_budget, "--seed", "1")
        print(f"{SLO}: {held['verdict']} {held['why']}", file=sys.stderr)
    return "\n".join(
        [
            "## Long sessions\n",
            f"One session each on the kernel stack. Gains are times as good, with 95 % intervals. {_rates(held)}\n",
            f"| {' | '.join(HEADERS)} |",
            f"|{'---|' * len(HEADERS)}",
            row(f"tuner tune latency --budget {budget}", found),
            row(f"tuner tune --objective '{SLO}' --budget {load_budget}", held),
            "\n`.venv/bin/python benchmarks/long.py`\n",
        ]
    )


if __name__ == "__main__":
    print(section(*sys.argv[1:3]))
