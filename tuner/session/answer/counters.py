"""What the stack counted over all runs of a session, and which settings that points at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from tuner.records import Run
from tuner.stacks.counters import Counts, findings


def found_in(runs: Iterable[Run], stack: str) -> dict[str, Any]:
    """Return `counters` and `findings` of an answer, by end; empty where the stack wrote no counters."""
    totals: dict[str, Counter[str]] = {}
    for run in runs:
        ends: Mapping[str, Mapping[str, int]] = run.evidence.get("counters", {})
        for end, values in ends.items():
            totals.setdefault(end, Counter()).update(values)
    if not totals:
        return {}
    found = [asdict(one) for end, values in totals.items() for one in findings(Counts(values), end, stack)]
    return {"counters": {end: dict(values) for end, values in totals.items()}, "findings": found}
