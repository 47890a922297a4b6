"""Stored sessions as tables of pandas, with units in the names of columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from tuner.records import Run, StoredSession, Trial

# What a frame has in any case: a session without trials or runs has empty columns, not none.
_TRIAL: Final = ("trial", "profile", "role", "settings", "invalid", "runs", "ok", "wall_s")
_RUN: Final = ("run", "trial", "profile", "phase", "block", "workload", "status", "reason", "started_at", "wall_s")
_NO_LETTER: Final = re.compile(r"\W+")
_NO_COLUMNS: Final = ("histogram", "histogram_corrected", "lost_by_receiver", "own", "samples")


def sessions_frame(sessions: Sequence[StoredSession]) -> pd.DataFrame:
    """Return one row a session: what it was for, how it ended, and the gain with its interval where there is one."""
    frame = pd.DataFrame([_session(each) for each in sessions], columns=list(_session(None)))
    return frame.assign(created_at=_times(frame["created_at"]))


def trials_frame(trials: Sequence[Trial], runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row a trial: the profile, its role, its settings, how many of its runs were made and were ok, and the seconds they took."""
    made: dict[int, list[Run]] = {trial.number: [] for trial in trials}
    for run in runs:
        made[run.trial].append(run)
    return pd.DataFrame([_trial(trial, made[trial.number]) for trial in trials], columns=_TRIAL)


def _trial(trial: Trial, runs: Sequence[Run]) -> Mapping[str, Any]:
    return {
        "trial": trial.number,
        "profile": trial.profile,
        "role": trial.role.value,
        "settings": dict(trial.settings),
        "invalid": trial.invalid,
        "runs": len(runs),
        "ok": sum(run.measurement is not None for run in runs),
        "wall_s": sum(run.wall_s for run in runs),
    }


def runs_frame(trials: Sequence[Trial], runs: Sequence[Run], units: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return one row a run: its place in the session, how it ended and why, and every number that it measured.

    `units` are those of a recipe's metrics, by their names.
    """
    names = {trial.number: trial.profile for trial in trials}
    rows = [_run(run, names[run.trial], units or {}) for run in runs]
    frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=_RUN)
    return frame.assign(started_at=_times(frame["started_at"]))


def _times(written: Iterable[str | None]) -> pd.Series[Any]:
    """Return times in UTC to the microsecond: in nanoseconds, pandas ends at 2262, and a clock that is wrong does not."""
    known = [datetime.fromisoformat(each).astimezone(UTC).replace(tzinfo=None) if each else None for each in written]
    return pd.Series(np.array(known, dtype="datetime64[us]")).dt.tz_localize("UTC")


def _run(run: Run, profile: str, units: Mapping[str, str]) -> Mapping[str, Any]:
    return {
        "run": run.number,
        "trial": run.trial,
        "profile": profile,
        "phase": run.phase.value,
        "block": run.block,
        "workload": run.workload,
        "status": run.status.value,
        "reason": run.reason,
        "started_at": run.started_at,
        "wall_s": run.wall_s,
        **(_numbers(run.measurement.to_dict(), units) if run.measurement else {}),
    }


def _numbers(measured: Mapping[str, Any], units: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the columns of a measurement: its numbers, those of a recipe with their units; histograms are none."""
    own = {own_column(name, units.get(name, "")): value for name, value in (measured.get("own") or {}).items()}
    return {name: value for name, value in measured.items() if name not in _NO_COLUMNS} | own


def own_column(metric: str, unit: str) -> str:
    """Return the column of a recipe's metric: its name, its unit where the name does not end in it, and apart from ours.

    >>> own_column("p99_ms", "ms"), own_column("rate.p50", "requests/s"), own_column("wall_s", "s")
    ('p99_ms', 'rate_requests_per_s.p50', 'own_wall_s')
    """
    name, dot, of_samples = metric.partition(".")
    said = _NO_LETTER.sub("_", unit.replace("/", "_per_").replace("%", "percent")).strip("_")
    named = name if not said or name == said or name.endswith(f"_{said}") else f"{name}_{said}"
    return f"{'own_' if named in _RUN else ''}{named}{dot}{of_samples}"


def _session(stored: StoredSession | None) -> Mapping[str, Any]:
    """Return the row of a session; without one, a row that has the names of the columns."""
    answer: Mapping[str, Any] = (stored.verdict if stored else None) or {}
    plan: Mapping[str, Any] = stored.plan if stored else {}
    gain: Mapping[str, Any] = answer.get("gain") or {}
    return {
        "session": stored.id if stored else None,
        "created_at": stored.created_at if stored else None,
        "kind": plan.get("kind"),
        "stack": plan.get("stack"),
        "objective": plan.get("objective"),
        "host": stored.host if stored else None,
        "state": stored.state.value if stored else None,
        "verdict": answer.get("verdict"),
        "ratio": gain.get("ratio"),
        "ratio_low": gain.get("low"),
        "ratio_high": gain.get("high"),
        "blocks": gain.get("blocks"),
        "budget_s": plan.get("budget_s"),
        "spent_s": stored.spent_s if stored else None,
    }
