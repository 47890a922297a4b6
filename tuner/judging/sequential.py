"""Comparisons that end as soon as they are decided: an interval that holds however often it is looked at.

Whoever looks after each block and stops at the first interval without 1 finds in every third comparison a difference
that is not there. So each look is made at a stricter level, the same at each (Pocock 1977, Biometrika 64:191), chosen
so that all looks together err as rarely as one look of a fixed plan. The interval of a look is then one of the repeated
confidence intervals of Jennison & Turnbull (1989, J. R. Stat. Soc. B 51:305): all of them hold the truth at once in 95 of
100 comparisons, whenever and for whatever reason one ends.

The intervals are those of Wilcoxon's signed ranks, whose joint distribution along a comparison is the same for every
symmetric noise. So the levels are right for heavy tails too, and are found by following it: `benchmarks/until_decided.py
--levels` counts, in 400,000 comparisons without a difference, how rarely the least p-value of all looks is below them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from tuner.judging.statistics import CONFIDENCE, Gain, gain, signed_rank

LOOK_LEVELS: Final[Mapping[int, float]] = {
    8: 0.0312,
    12: 0.0234,
    15: 0.0170,
    18: 0.0156,
    20: 0.0150,
    22: 0.0136,
    25: 0.0122,
    28: 0.0110,
    30: 0.0104,
    35: 0.0094,
    40: 0.0085,
    50: 0.0078,
    75: 0.0063,
    100: 0.0054,
    150: 0.0046,
    200: 0.0041,
}
"""The error of a single look (two-sided), by the most blocks after which there is one."""


def level(most_blocks: int) -> float:
    """Return the error that each look may have of a comparison with at most so many blocks."""
    return next((found for most, found in LOOK_LEVELS.items() if most_blocks <= most), min(LOOK_LEVELS.values()))


def fewest_blocks(most_blocks: int) -> int:
    """Return after how many blocks a look can decide at all: all must say the same, which has a chance of 2^(1−n)."""
    return 1 + math.ceil(-math.log2(level(most_blocks)))


def looked_at(log_ratios: Sequence[float], most_blocks: int) -> Gain:
    """Return the gain with the interval that holds at every look of a comparison with at most so many blocks."""
    return replace(gain(log_ratios, confidence=1 - level(most_blocks)), confidence=CONFIDENCE)


def decided(log_ratios: Sequence[float], most_blocks: int, alike: float) -> bool:
    """Return whether the interval of these blocks leaves 1 out, or lies within `alike`, a log ratio, around it."""
    above, below = side(log_ratios, most_blocks, -alike), side(log_ratios, most_blocks, alike)
    return side(log_ratios, most_blocks) != 0 or above > 0 > below


def side(log_ratios: Sequence[float], most_blocks: int, of: float = 0.0) -> int:
    """Return on which side of a log ratio the interval of these blocks lies: 1 above, −1 below, 0 where it holds it."""
    return signed_rank(log_ratios, of, 1 - level(most_blocks))
