"""Do the settings of an emitted profile earn their place? Whole tunings on a simulated host, whose truth is known.

Polling makes everything several times as good, acknowledging at once 10 % better on top, and nothing else matters. What
a tuning emits is read as its user reads it: each setting with its own gain and interval.

    .venv/bin/python benchmarks/settings.py [--quick]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import simulation
from decisions import share

SESSIONS = 50
QUICK = 10
CASES = ((180.0, 4.0), (180.0, 1.5), (300.0, 4.0), (300.0, 1.5))
"""Budgets in seconds, and how many times better polling makes things."""
POLLING_FROM = 100
SMALLER = 1.1
"""What the second setting is worth."""
MATTER = {"XLIO_RX_POLL", "XLIO_TCP_QUICKACK"}
HEADERS = (
    "budget",
    "polling is worth",
    "improved",
    "minimised",
    "emitted settings",
    "interval above 1",
    "interval holds 1",
    "not judged",
    "truly worthless",
    "has the smaller gain too",
)


@dataclass(frozen=True)
class Emitted:
    """What a tuning emitted: its verdict, whether it minimised, and each setting with its interval's lower end."""

    improved: bool
    minimised: bool
    lows: Mapping[str, float | None]
    could_have: bool


def latency_us(environment: Mapping[str, str], polling: float) -> float:
    """Return the true median latency under an environment."""
    polls = int(environment.get("XLIO_RX_POLL", "0"))
    gain = polling if polls == -1 or polls >= POLLING_FROM else 1.0
    return simulation.BASE_US / (gain * (SMALLER if environment.get("XLIO_TCP_QUICKACK") == "1" else 1.0))


def emit(seed: int, budget_s: float, polling: float) -> Emitted:
    """Return what one tuning emitted."""
    with tempfile.TemporaryDirectory() as folder:
        truth = partial(latency_us, polling=polling)
        answer = simulation.session(Path(folder), truth, simulation.Noise(), f"settings/{seed}", budget_s, "skopt")
    minimised: dict[str, Any] = answer["minimised"] or {"kept": [], "dropped": []}
    lows = {row["name"]: row["gain"]["low"] if row["gain"] else None for row in minimised["kept"]}
    had = {row["name"] for row in (*minimised["kept"], *minimised["dropped"])}
    return Emitted(answer["verdict"] == "improved", bool(answer["minimised"]), lows, had >= MATTER)


def row(budget_s: float, polling: float, sessions: int) -> str:
    """Return the Markdown row of the sessions with one budget and one truth."""
    with ProcessPoolExecutor(2) as pool:
        every = list(pool.map(partial(emit, budget_s=budget_s, polling=polling), range(sessions)))
    found = [one for one in every if one.minimised]
    lows = [low for one in found for low in one.lows.values()]
    could = [one for one in found if one.could_have]
    cells = [
        f"{budget_s:g} s",
        f"{polling:g} times",
        f"{sum(one.improved for one in every)} of {sessions}",
        f"{len(found)}",
        f"{len(lows)}",
        share(sum(low is not None and low > 1.0 for low in lows), len(lows)),
        share(sum(low is not None and low <= 1.0 for low in lows), len(lows)),
        share(sum(low is None for low in lows), len(lows)),
        share(sum(name not in MATTER for one in found for name in one.lows), len(lows)),
        f"{sum(one.lows.keys() >= MATTER for one in could)} of {len(could)}",
    ]
    return f"| {' | '.join(cells)} |"


def section(sessions: int = SESSIONS) -> str:
    """Return the section of the benchmark page."""
    return "\n".join(
        [
            "## Emitted settings\n",
            f"{sessions} simulated tunings a row with the noise of the decisions above; `XLIO_RX_POLL` from {POLLING_FROM} on makes everything so",
            f"many times as good, `XLIO_TCP_QUICKACK=1` {SMALLER:g} times on top, nothing else matters. Settings of the profiles that were",
            "minimised, each with its own 95 % interval. Counts with exact binomial 95 % intervals.\n",
            f"| {' | '.join(HEADERS)} |",
            f"|{'---|' * len(HEADERS)}",
            *(row(budget_s, polling, sessions) for budget_s, polling in CASES),
            "\n`.venv/bin/python benchmarks/settings.py`\n",
        ]
    )


def main() -> None:
    """Print the section that the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} sessions a row instead of {SESSIONS}")
    print(section(QUICK if parser.parse_args().quick else SESSIONS))


if __name__ == "__main__":
    main()
