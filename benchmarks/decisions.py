"""Are the claims of a session true? Whole sessions on a simulated host, whose truth is known, count how often they are.

In an A/A session nothing matters and every claim is false. In the others one setting is better by 2, 5 or 10 %: how
often is that found, how often does the interval cover the true gain, and how much too high is what is reported?

    .venv/bin/python benchmarks/decisions.py [--quick] [--p50 0.05] [--p99 0.15] [--budget 180]
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import simulation
from scipy.stats import binomtest

SESSIONS = 200
QUICK = 60
BUDGET_S = 180.0
GAINS = (1.0, 1.02, 1.05, 1.10)
# The setting that matters: half of what random search proposes has it.
SETTING = ("XLIO_TCP_QUICKACK", "1")
HEADERS = (
    "true gain of one setting",
    "judged profile has it",
    "claimed, truly",
    "claimed, falsely",
    "interval covers the truth",
    "overclaim, all sessions",
    "overclaim, where claimed",
)


@dataclass(frozen=True)
class Decision:
    """One session: what it said of the profile that it judged, and the truth of that profile."""

    claimed: bool
    truth: float
    ratio: float
    low: float
    high: float

    @property
    def covered(self) -> bool:
        """Return whether the interval holds the truth."""
        return self.low <= self.truth <= self.high

    @property
    def overclaim(self) -> float:
        """Return by what share the reported gain is above the true one."""
        return self.ratio / self.truth - 1.0


def true_gain(settings: Mapping[str, str], gain: float) -> float:
    """Return how many times better a profile truly is than the baseline."""
    return gain if settings.get(SETTING[0]) == SETTING[1] else 1.0


def decide(seed: int, gain: float, noise: simulation.Noise, budget_s: float) -> Decision | None:
    """Return what one session decided where the setting is worth `gain`, None where it could judge nothing."""
    with tempfile.TemporaryDirectory() as folder:
        answer = simulation.session(
            Path(folder), lambda env: simulation.BASE_US / true_gain(env, gain), noise, f"{gain}/{seed}", budget_s
        )
    judged = [row for row in answer["finalists"] if row["gain"]]
    if not judged:
        return None
    found = judged[0]["gain"]
    truth = true_gain(judged[0]["settings"], gain)
    return Decision(answer["verdict"] == "improved", truth, found["ratio"], found["low"], found["high"])


def decisions(gain: float, sessions: int, noise: simulation.Noise, budget_s: float) -> list[Decision]:
    """Return what so many sessions decided."""
    with ProcessPoolExecutor(2) as pool:
        seeds = range(1, sessions + 1)
        found = list(pool.map(partial(decide, gain=gain, noise=noise, budget_s=budget_s), seeds))
    return [one for one in found if one is not None]


def share(count: int, total: int) -> str:
    """Return a count with its share and the exact 95 % binomial interval (Clopper & Pearson 1934)."""
    if not total:
        return "–"
    low, high = binomtest(count, total).proportion_ci()
    return f"{count} of {total} ({100 * low:.1f} to {100 * high:.1f} %)"


def mean(values: Sequence[float]) -> str:
    """Return the mean in percent with its standard error."""
    if not values:
        return "–"
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"{100 * statistics.fmean(values):+.2f} % ± {100 * error:.2f}"


def row(gain: float, found: Sequence[Decision]) -> str:
    """Return the Markdown row of the sessions with one true gain."""
    claims = [one for one in found if one.claimed]
    cells = [
        f"{100 * (gain - 1):.0f} %",
        share(sum(one.truth > 1.0 for one in found), len(found)),
        share(sum(one.truth > 1.0 for one in claims), len(found)),
        share(sum(one.truth <= 1.0 for one in claims), len(found)),
        share(sum(one.covered for one in found), len(found)),
        mean([one.overclaim for one in found]),
        mean([one.overclaim for one in claims]),
    ]
    return f"| {' | '.join(cells)} |"


def section(sessions: int = SESSIONS, noise: simulation.Noise | None = None, budget_s: float = BUDGET_S) -> str:
    """Return the section of the benchmark page."""
    noise = noise or simulation.Noise()
    return "\n".join(
        [
            "## Decisions\n",
            f"{sessions} whole simulated sessions of {budget_s:g} s a row, random search, run noise {100 * noise.p50:g} % of the median and",
            f"{100 * noise.p99:g} % of p99 with heavy tails, AR(1) drift of {100 * noise.drift:g} %, hiccups in {100 * noise.hiccups:g} % of runs",
            "(`benchmarks/simulation.py`). Counts with exact binomial 95 % intervals; means with standard errors.\n",
            f"| {' | '.join(HEADERS)} |",
            "|---|---|---|---|---|---|---|",
            *(row(gain, decisions(gain, sessions, noise, budget_s)) for gain in GAINS),
            "\n`.venv/bin/python benchmarks/decisions.py`\n",
        ]
    )


def main() -> None:
    """Print the section that the options ask for."""
    default = simulation.Noise()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} sessions a row instead of {SESSIONS}")
    parser.add_argument("--p50", type=float, default=default.p50)
    parser.add_argument("--p99", type=float, default=default.p99)
    parser.add_argument("--budget", type=float, default=BUDGET_S)
    given = parser.parse_args()
    noise = simulation.Noise(p50=given.p50, p99=given.p99)
    print(section(QUICK if given.quick else SESSIONS, noise, given.budget))


if __name__ == "__main__":
    main()
