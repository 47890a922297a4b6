"""Tables of a report, as text."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tuner.figures import profile_rows
from tuner.judging.metrics import short
from tuner.records import Run, Status, Trial

MOST_NAMES: Final = 20
"""Of profiles in one cell."""


def phase_table(runs: Sequence[Run]) -> str:
    """Return, as Markdown, how many runs each phase made, how they ended, and the seconds they took."""
    headers, rows = phase_rows(runs)
    return markdown(headers, rows) if rows else "No runs.\n"


def phase_rows(runs: Sequence[Run]) -> tuple[list[str], list[list[str]]]:
    """Return headers and one row a phase: its runs, how many were ok, its blocks, the seconds they took."""
    if not runs:
        return [], []
    grouped: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        grouped[run.phase].append(run)
    rows = [[*map(str, (phase, *_totals(made)))] for phase, made in grouped.items()]
    return ["phase", "runs", "ok", "blocks", "seconds in runs"], rows


def _totals(runs: Sequence[Run]) -> tuple[int, int, int, float]:
    ok = sum(run.status is Status.OK for run in runs)
    return len(runs), ok, len({run.block for run in runs}), round(math.fsum(run.wall_s for run in runs), 1)


def failure_table(trials: Sequence[Trial], runs: Sequence[Run]) -> str:
    """Return, as Markdown, the failures grouped by status and reason with the profiles concerned, or nothing."""
    headers, rows = failure_rows(trials, runs)
    return markdown(headers, rows) if rows else ""


def failure_rows(trials: Sequence[Trial], runs: Sequence[Run]) -> tuple[list[str], list[list[str]]]:
    """Return headers and one row a status and reason: how many runs ended so, and of which profiles."""
    names = {trial.number: trial.profile for trial in trials}
    rows = [(run.status, run.reason, names[run.trial]) for run in runs if run.status is not Status.OK]
    rows += [(Status.INVALID, trial.invalid, trial.profile) for trial in trials if trial.invalid]
    if not rows:
        return [], []
    grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
    for status, reason, profile in rows:
        grouped[status, reason].append(profile)
    told = [[str(status), reason, str(len(of)), _names(of)] for (status, reason), of in sorted(grouped.items())]
    return ["status", "reason", "runs", "profiles"], told


def _names(profiles: Iterable[str]) -> str:
    names = sorted(set(profiles))
    more = [f"and {len(names) - MOST_NAMES:,} more"] if len(names) > MOST_NAMES else []
    return ", ".join([*names[:MOST_NAMES], *more])


def profile_table(described: Sequence[Mapping[str, Any]]) -> str:
    """Return, as Markdown, one row a profile: each metric's median, interval and count of runs."""
    return markdown(*profile_rows(described, short(name for row in described for name in row["metrics"])))


def markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; cells are escaped, because profiles and output are not ours."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join(f"| {' | '.join(map(escaped, line))} |\n" for line in lines)


def escaped(cell: str) -> str:
    """Return text on one line in which no mark of Markdown or HTML means anything."""
    text = " ".join(cell.split())
    for mark in ("\\", "|", "<", ">", "`", "*", "[", "]"):
        text = text.replace(mark, "\\" + mark)
    return text
