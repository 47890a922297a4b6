"""A metric of a benchmark: its name, its unit, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a run that can be judged. `short` ones stand in tables that have room for a few only.

    `higher_is_better` is None where nobody said which way is better: such a metric is told and not judged.
    """

    name: str
    unit: str
    higher_is_better: bool | None = False
    short: bool = False
