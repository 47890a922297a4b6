"""Quarantine: the blocks that the host spoiled. Their runs are kept, and say nothing of any profile.

Which blocks these are follows from the stored telemetry alone, so that a resumed session knows the same ones. The
measured values play no part in it: who leaves out what looks odd finds what he hopes for. The whole block goes, the
baseline's runs with the contenders', so that no profile loses just its own bad runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tuner.hosts.telemetry import spoiled
from tuner.records import Run

# On a host that is disturbed more often than this, disturbance is what it is like: to leave out still more would
# describe a machine that the user does not have, and would eat the budget.
MOST_QUARANTINED: Final = 0.2


def reasons(run: Run) -> tuple[str, ...]:
    """Return why the host spoiled a run, empty when it did not or does not say."""
    return spoiled(run.evidence.get("telemetry", {}))


def quarantined(disturbed_blocks: Iterable[int]) -> frozenset[int]:
    """Return the blocks that do not count: the disturbed ones, up to a fifth of those measured so far and at least one.

    Where more than half of the blocks before were disturbed, measuring again would meet the same, and none is left out.
    """
    out: set[int] = set()
    for before, block in enumerate(sorted(disturbed_blocks)):
        if len(out) < max(1, int(MOST_QUARANTINED * (block + 1))) and 2 * before <= block:
            out.add(block)
    return frozenset(out)


def calm(disturbed_blocks: int, blocks: int) -> bool:
    """Return whether the host was quiet enough: what it spoiled could all be left out."""
    return disturbed_blocks <= max(1, int(MOST_QUARANTINED * blocks))
