"""The units of a recipe's metrics: free words, but for times, with which is calculated.

`requests/s` is whatever its recipe means by it. A unit of time is another matter: histograms, limits such as `p99_ms < 2ms` and
numbers that a program prints with a unit of their own rest on it. So what is meant as one must be written as one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Final

from tuner.errors import Finding, error
from tuner.runs.recipe import WALL, OwnMetric, Source, unit_in_name
from tuner.runs.recipe_text import TIME_UNITS

_WORDS: Final = {
    "ns": ("nsec", "nsecs", "nanos", "nanosecond", "nanoseconds"),
    "us": ("usec", "usecs", "µsec", "micros", "microsecond", "microseconds"),
    "ms": ("msec", "msecs", "millis", "millisecond", "milliseconds"),
    "s": ("sec", "secs", "second", "seconds"),
    "min": ("mins", "minute", "minutes"),
    "h": ("hr", "hrs", "hour", "hours"),
}
"""What people write for units of time."""
_MEANT: Final = {word: unit for unit, words in _WORDS.items() for word in (unit, *words)}
_LONG: Final = tuple(word for word in _MEANT if len(word) > 4)  # noqa: PLR2004 - of shorter ones other words are a letter away
_ALIKE: Final = 0.85
_TWICE: Final = re.compile(r"([^\W\d])\1")


def problems(metrics: Sequence[OwnMetric], source: str) -> Iterator[Finding]:
    """Yield what is wrong with the units of metrics, each with its place."""
    for metric in metrics:
        if wrong := _problem(metric):
            yield error(f"{source}: metrics.{metric.name}.unit", *wrong)


def _problem(metric: OwnMetric) -> tuple[str, str] | None:
    """Return what is wrong with a metric's unit and what to write, None where nothing is."""
    unit, named = metric.unit, unit_in_name(metric.name)
    if metric.source == Source.WALL and unit not in {"", WALL.unit}:
        return f"{unit!r}: a wall time is in {WALL.unit}", "leave the unit out"
    if unit in TIME_UNITS:
        other = named and TIME_UNITS[named] != TIME_UNITS[unit]
        return (f"{unit!r} is not the unit that the metric's name says", f"write {named}") if other else None
    if meant := _meant(unit):
        return f"{unit!r} is no unit of time that is known", f"write {meant}; known: {', '.join(TIME_UNITS)}"
    return None


def _meant(unit: str) -> str | None:
    """Return the unit of time that a word is likely to mean, None where it is none."""
    word = unit.casefold()
    if found := _MEANT.get(word) or _MEANT.get(_TWICE.sub(r"\1", word)):
        return found
    near = difflib.get_close_matches(word, _LONG, n=1, cutoff=_ALIKE)
    return _MEANT[near[0]] if near else None
