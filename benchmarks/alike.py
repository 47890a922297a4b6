"""Which configurations of a recording cannot be told apart, so that nobody is called better for being luckier.

The highest of many medians of a few noisy runs is the luckiest of the best, not the best. So neighbours by their median are
joined, the most alike first, for as long as the Kruskal-Wallis test of all configurations that would be joined shows
no difference among them (Kruskal & Wallis 1952). Nothing is supposed of how runs are distributed.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from scipy.stats import kruskal

Levels = tuple[str, ...]

SHOWN: Final = 0.05
"""Chance of a difference as large where there is none, below which a difference counts as shown."""


def alike(runs: Mapping[Levels, Sequence[float]]) -> list[list[Levels]]:
    """Return groups of configurations, lowest first, whose runs show no difference inside a group; each is in one."""
    groups = [[levels] for levels in sorted(runs, key=lambda levels: statistics.median(runs[levels]))]
    while len(groups) > 1:
        chances = [_chance([runs[levels] for levels in a + b]) for a, b in pairwise(groups)]
        at = max(range(len(chances)), key=chances.__getitem__)
        if chances[at] < SHOWN:
            break
        groups[at : at + 2] = [groups[at] + groups[at + 1]]
    return groups


def _chance(samples: Sequence[Sequence[float]]) -> float:
    """Return the chance of differences as large among samples of one distribution."""
    if len({value for sample in samples for value in sample}) == 1:
        return 1.0  # the test ranks, and there is nothing to rank
    return float(kruskal(*samples).pvalue)
