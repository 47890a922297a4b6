"""Power: which difference so many blocks can detect, and how many blocks a difference needs.

A block's gain spreads by `sd`, the standard deviation of its natural logarithm; differences are log ratios.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Final

from tuner.judging.statistics import CONFIDENCE, POWER, student_quantile

# (z(0.975) + z(0.8))²: so many squared standard errors does a difference need to be found at 95 % and 80 % power.
NORMAL_PAIRS: Final = 7.84
# What a session should be able to detect: if it cannot, it says which budget would.
WORTH_DETECTING: Final = 1.10
FEWEST_BLOCKS: Final = 2
# More blocks than this are days.
MOST_NEEDED: Final = 1 << 20
# A larger ratio than this is never seen.
_MOST_RATIO: Final = 1000


def smallest_difference(sd: float, blocks: int, judged: int = 1) -> float:
    """Return the log ratio that `blocks` blocks find with 80 % power at 95 % confidence, infinite for one block.

    It is what the verdict's own test can do: Student's quantiles, because the verdict does not know `sd`, and
    Bonferroni's correction for `judged` profiles. With many blocks and one profile it is the well-known √(7.84 sd² / n),
    which `normal_difference` gives.
    """
    if blocks <= 1:
        return math.inf
    alpha = (1 - CONFIDENCE) / max(judged, 1)
    quantiles = student_quantile(1 - alpha / 2, blocks - 1) + student_quantile(POWER, blocks - 1)
    return quantiles * sd / math.sqrt(blocks)


def normal_difference(sd: float, blocks: int) -> float:
    """Return the log ratio that `blocks` blocks would find if `sd` were known and one profile judged: n = 7.84 sd²/δ²."""
    return math.sqrt(NORMAL_PAIRS / blocks) * sd if blocks > 0 else math.inf


def blocks_needed(sd: float) -> int:
    """Return how many blocks detect a ratio of `WORTH_DETECTING`."""
    wanted = math.log(WORTH_DETECTING)
    # The negative of a falling figure rises, which is what bisection wants.
    numbers = range(FEWEST_BLOCKS, MOST_NEEDED)
    return FEWEST_BLOCKS + bisect_left(numbers, -wanted, key=lambda count: -smallest_difference(sd, count))


def enough(sd: float, blocks: int) -> bool:
    """Return whether `blocks` blocks detect a ratio of `WORTH_DETECTING`."""
    return blocks > 0 and smallest_difference(sd, blocks) <= math.log(WORTH_DETECTING)


def percent(log_ratio: float) -> float | None:
    """Return a log ratio in percent, None where it is beyond any that is ever seen."""
    return 100 * math.expm1(log_ratio) if log_ratio < math.log(_MOST_RATIO) else None
