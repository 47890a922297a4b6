"""What the stack counted over all runs of a session, and which settings that points at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from tuner.errors import Finding
from tuner.records import Run
from tuner.stacks.counters import Counts, findings


def totals(runs: Iterable[Run]) -> Mapping[str, Mapping[str, int]]:
    """Return what the stack counted, by end and name; empty where it wrote no counters."""
    found: dict[str, Counter[str]] = {}
    for run in runs:
        ends: Mapping[str, Mapping[str, int]] = run.evidence.get("counters", {})
        for end, values in ends.items():
            found.setdefault(end, Counter()).update(values)
    return {end: dict(values) for end, values in found.items()}


def pointed_at(counted: Mapping[str, Mapping[str, int]], stack: str) -> tuple[Finding, ...]:
    """Return the settings of a stack at which its totals point."""
    return tuple(one for end, values in counted.items() for one in findings(Counts(values), end, stack))
