"""A benchmark of another package: a recipe, and where regular expressions cannot read its numbers, what does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tuner import plugins
from tuner.plugins import Group
from tuner.runs.benchmark import Heard
from tuner.runs.recipe import Recipe

Read = Callable[[Heard], Mapping[str, float | Sequence[float]]]
"""Reads what a run printed and left: its metrics by name, several values for one of samples; it raises `ValueError` where there is none."""


@dataclass(frozen=True, slots=True)
class OwnBenchmark:
    """What the entry point of a benchmark is. Metrics of the recipe that are `in = "reader"` are those that `read` returns.

    >>> from tuner.runs.recipe import End
    >>> tuner.OwnBenchmark(tuner.Recipe("sleep", End(("sleep", "{seconds}")), metrics=())).read is None
    True
    """

    recipe: Recipe
    read: Read | None = None


def numbers(recipe: Recipe, heard: Heard) -> dict[str, list[float]]:
    """Return what the reader of a recipe found, by metric; nothing where it has none.

    Raise `UsageError` where the package of the reader is not installed or its reader fails, `ValueError` where it says that
    there is no result.
    """
    if not recipe.reader:
        return {}
    plugin = plugins.find(Group.BENCHMARKS, recipe.reader)
    if plugin is None:
        raise ValueError(f"the package of the benchmark {recipe.reader} is not installed")
    found = plugin.load()
    if not isinstance(found, OwnBenchmark) or found.read is None:
        raise plugin.broken("reads nothing")
    try:
        return {name: _values(value) for name, value in found.read(heard).items()}
    except ValueError:
        raise
    except Exception as reason:  # whatever a stranger's reader does wrong is said of its package
        raise plugin.failed("failed to read a run", reason) from reason


def _values(value: float | Sequence[float]) -> list[float]:
    """Return values as floats; raise `ValueError` for one that no metric can have."""
    found = [float(each) for each in value] if isinstance(value, Sequence) else [float(value)]
    if not found or not all(0.0 <= each < math.inf for each in found):
        raise ValueError(f"the reader found {value!r}, which is no number of 0 or more")
    return found
