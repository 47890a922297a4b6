"""Does `tuner history` find where a profile became worse, and nothing where it did not?

Series of 40 simulated sessions, a day apart, each a whole comparison of a profile with its baseline by the noise of
`simulation.py`. In half of the series the profile is truly 5 % worse from one session on.

    .venv/bin/python benchmarks/history.py [SERIES [SECONDS]]
    .venv/bin/python benchmarks/history.py ideal [SECONDS]
"""

from __future__ import annotations

import math
import random
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import decisions
import numpy as np
import simulation

from tuner.records import Kind, State, StoredSession
from tuner.session.history import GAIN, Wanted, history
from tuner.session.setup.plan import Contender, Plan

SERIES: Final = 100
SESSIONS: Final = 40
STEP: Final = 0.95
NEAR: Final = 2
# The change is not in the first or last weeks: a level needs some sessions to be seen.
EDGE: Final = 6
TRULY: Final = 1.5
SETTINGS: Final = {"XLIO_RX_POLL": "-1"}
PLAN: Final = replace(simulation.PLAN, kind=Kind.COMPARE, known=(Contender("poll", SETTINGS),), budget_s=60.0)
FIRST: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Kept(simulation.Memory):
    """A store of sessions that only have their answers."""

    def __init__(self, rows: tuple[StoredSession, ...]) -> None:
        """Hold these sessions."""
        self.rows = rows
        self.where = "memory"

    def readable(self) -> tuple[tuple[StoredSession, ...], tuple[()]]:
        """Return all sessions, oldest first."""
        return self.rows, ()

    def is_mine(self, session: StoredSession) -> bool:
        """Return that every session is of this host."""
        return bool(session)


def session(folder: Path, series: str, at: int, step_at: int | None, budget_s: float = PLAN.budget_s) -> StoredSession:
    """Return one session of a series, as stored: from `step_at` on the profile is worse, and the kernel is another one."""
    after = step_at is not None and at >= step_at
    gain = TRULY * (STEP if after else 1.0)

    def latency(environment: Mapping[str, str]) -> float:
        return simulation.BASE_US / (gain if "XLIO_RX_POLL" in environment else 1.0)

    name = f"history/{series}/{at}"
    plan = replace(PLAN, budget_s=budget_s)
    host = simulation.NoisyHost(latency, simulation.Noise(), simulation.chances(name))
    answer = simulation.carried_out(folder, host, plan, name)
    facts = {"hostname": "host", "system": "Linux 6.14.2" if after else "Linux 6.12.9"}
    created = (FIRST + timedelta(days=at)).isoformat()
    return stored(answer, plan, facts, created)


def stored(answer: Mapping[str, Any], plan: Plan, facts: Mapping[str, Any], created: str) -> StoredSession:
    """Return a finished session."""
    return StoredSession(
        str(answer["session"]), created, State.DONE, plan.budget_s, plan.to_dict(), facts, answer, "host"
    )


@dataclass(frozen=True)
class Found:
    """The change points of one series, by the numbers of their sessions, and where the true one is."""

    step_at: int | None
    by_gain: tuple[int, ...]
    by_latency: tuple[int, ...]


def series(seed: int, budget_s: float = PLAN.budget_s, *, stepped: bool) -> Found:
    """Return what is found in a series, by the gain and by the profile's own latency."""
    rng = random.Random(f"step/{seed}")  # noqa: S311 - where a change is, is no secret
    step_at = rng.randrange(EDGE, SESSIONS - EDGE) if stepped else None
    with tempfile.TemporaryDirectory() as folder:
        rows = tuple(session(Path(folder), f"{stepped}/{seed}", at, step_at, budget_s) for at in range(SESSIONS))
    return Found(step_at, changes(rows, GAIN), changes(rows, "latency_p50_us"))


def changes(rows: tuple[StoredSession, ...], metric: str) -> tuple[int, ...]:
    """Return the numbers of the sessions at which a metric changed."""
    ids = [row.id for row in rows]
    found = history(Kept(rows), Wanted(SETTINGS, metric=metric))
    return tuple(ids.index(each.session) for each in found.changes)


def near(step_at: int | None, found: tuple[int, ...]) -> bool:
    """Return whether the true change was found within `NEAR` sessions, and no other one."""
    return step_at is not None and len(found) == 1 and abs(found[0] - step_at) <= NEAR


def ideal(budget_s: float = PLAN.budget_s, size: int = 400) -> str:
    """Return how often somebody finds the step who knows that there is one, or even how large it is and what was before.

    Both have the sessions' gains alone, with the spread that they have here, and the likelihood of normal noise.
    """
    rng = np.random.default_rng(5)
    with tempfile.TemporaryDirectory() as folder:
        rows = [session(Path(folder), "ideal", at, None, budget_s) for at in range(100)]
    gains = np.log([row.verdict["gain"]["ratio"] / TRULY for row in rows if row.verdict])
    spread, step = float(gains.std(ddof=1)), math.log(STEP)
    places, knows_one, knows_all = np.arange(1, SESSIONS), 0, 0
    after = np.arange(SESSIONS) >= places[:, None]
    for _ in range(size):
        at = int(rng.integers(EDGE, SESSIONS - EDGE))
        values = rng.normal(0.0, spread, SESSIONS) + step * (np.arange(SESSIONS) >= at)
        means = (after * values).sum(1) / after.sum(1) - (~after * values).sum(1) / (~after).sum(1)
        best = places[np.argmax(np.abs(means) * np.sqrt(after.sum(1) * (~after).sum(1)))]
        knows_one += abs(int(best) - at) <= NEAR
        knows_all += abs(int(places[np.argmin(((values - step * after) ** 2).sum(1))]) - at) <= NEAR
    return (
        f"gains of sessions of {budget_s:g} s spread by {100 * spread:.1f} %: who knows that there is one step finds it within {NEAR} sessions in "
        f"{100 * knows_one / size:.0f} %, who knows its size and the level before, too, in {100 * knows_all / size:.0f} %"
    )


def section(count: int = SERIES, budget_s: float = PLAN.budget_s) -> str:
    """Return the section of the benchmark page."""
    rows = []
    for stepped in (True, False):
        found = [series(seed, budget_s, stepped=stepped) for seed in range(1, count + 1)]
        for metric, of in (("gain", "by_gain"), ("latency_p50_us", "by_latency")):
            told = [(one.step_at, getattr(one, of)) for one in found]
            right = sum(near(step_at, places) if stepped else not places for step_at, places in told)
            what = f"a step of {100 * (1 - STEP):.0f} %" if stepped else "none"
            rows.append(f"| {what} | {metric} | {decisions.share(right, count)} |")
    return "\n".join(
        [
            "## Change points\n",
            f"{count} series of {SESSIONS} simulated comparisons of {budget_s:g} s a row, with the noise of the decisions above. Right is one",
            f"change point within {NEAR} sessions of the true one, or none where there is none.\n",
            "| truth | metric | right |",
            "|---|---|---|",
            *rows,
            "\n`.venv/bin/python benchmarks/history.py`\n",
        ]
    )


def main() -> None:
    """Print the section, or what is possible at all."""
    if sys.argv[1:2] == ["ideal"]:
        print(ideal(float(sys.argv[2]) if sys.argv[2:] else PLAN.budget_s))
        return
    given = dict(zip(("series", "seconds"), sys.argv[1:], strict=False))
    print(section(int(given.get("series", SERIES)), float(given.get("seconds", PLAN.budget_s))))


if __name__ == "__main__":
    main()
