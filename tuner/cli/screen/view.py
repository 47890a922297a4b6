"""What the live view of a session shows, as lines of text: no terminal, no clock, no colour."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tuner.figures import shown
from tuner.judging.statistics import Gain
from tuner.records import Run, Trial

LABEL: Final = 11
MOST_FAILURES: Final = 2
_LEVELS: Final = "▁▂▃▄▅▆▇█"
_FAILED: Final = "×"
# Budgets from here on are no budgets: such a session ends by its number of runs.
_ENDLESS_S: Final = 1e8


@dataclass(frozen=True, slots=True)
class View:
    """What is known of a session under way. Times are in seconds, gains are log ratios to the baseline, None: failed.

    `ended` is whether the view stays as it is.
    """

    budget_s: float
    phase: str = "begin"
    phase_s: float = 0.0
    left_s: float = 0.0
    runs: int = 0
    failed: int = 0
    best: str = ""
    settings: str = ""
    now: str = ""
    gains: tuple[float | None, ...] = ()
    failures: tuple[str, ...] = ()
    stopping: str = ""
    ended: bool = False


def lines(view: View, width: int) -> list[tuple[str, str]]:
    """Return the lines of a view, each with what it is about, none longer than `width` characters; at most eight."""
    return [(label, _cut(f"{label:<{LABEL}}{text}", width)) for label, text in _rows(view, width) if text]


def _rows(view: View, width: int) -> Iterator[tuple[str, str]]:
    yield "measured" if view.ended else view.phase, _progress(view)
    yield "best", view.best
    yield "", view.settings
    yield "trials", sparkline(view.gains, width - LABEL)
    yield "now", "" if view.ended else view.now
    for at, text in enumerate(view.failures[-MOST_FAILURES:]):
        yield "" if at else "failed", text
    yield "stopping", "" if view.ended else view.stopping


def _progress(view: View) -> str:
    counted = f"{view.runs} run{'s' * (view.runs != 1)}" + (f", {view.failed} failed" if view.failed else "")
    if view.ended or view.budget_s > _ENDLESS_S:
        return counted
    return f"{view.left_s:.0f} s of {view.budget_s:.0f} s left, {counted}, this phase up to {view.phase_s:.0f} s"


def sparkline(gains: Sequence[float | None], width: int) -> str:
    """Return a bar for each of the latest gains, from the lowest to the highest of them, and the range in words."""
    scale = _scale([gain for gain in gains if gain is not None])
    latest = gains[-max(0, width - len(scale) - 2) :]
    known = [gain for gain in latest if gain is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    bars = "".join(_FAILED if gain is None else _LEVELS[_level(gain, low, high)] for gain in latest)
    return f"{bars}  {scale}" if bars and scale else bars


def _scale(known: Sequence[float]) -> str:
    return f"{shown(math.exp(min(known)))}–{shown(math.exp(max(known)))}×" if known else ""


def _level(gain: float, low: float, high: float) -> int:
    part = (gain - low) / (high - low) if high > low else 0.5
    return min(len(_LEVELS) - 1, int(part * len(_LEVELS)))


def _cut(text: str, width: int) -> str:
    plain = " ".join(text.splitlines())
    return plain if len(plain) <= width else plain[: max(0, width - 1)] + "…"


def spoken_best(trial: Trial, gain: Gain) -> str:
    """Return the leader in words: not confirmed, so provisional, with a tilde and with what it rests on."""
    several = f"95 % CI {shown(gain.low)}–{shown(gain.high)}, n = {gain.blocks} blocks"
    return f"{trial.profile} ~{gain.ratio:.2f}× (provisional, {several if gain.blocks > 1 else 'n = 1 block'})"


def failure(trial: Trial, run: Run) -> str:
    """Return which run failed, and why in its own words."""
    return f"{trial.profile}: {run.status}: {run.reason}"


def settings_of(trial: Trial) -> str:
    """Return a trial's settings in one line."""
    return " ".join(f"{name}={value}" for name, value in trial.settings.items())
