"""What the search saw of a trial, less what only the baseline's bad luck made of it.

One run of the baseline in a hiccup makes a whole block of profiles look good. So a level of the baseline that is further
from the median of the blocks before than its runs are from each other counts as being just so far away (Huber's
clipping). Only the search looks through these glasses: what confirms is compared as it was measured.
"""

from __future__ import annotations

import statistics
from functools import lru_cache
from itertools import islice
from typing import Final

from tuner.judging.statistics import pooled_sd
from tuner.records import Phase
from tuner.session.measuring.gains import Gains

LEVELS: Final = 5
"""Blocks before with whose median a level is compared, and how few of them are enough."""
FEWEST_LEVELS: Final = 2

USUAL: Final = 2.0
"""How far a level may be from that median, in standard deviations of one block's gain as the calibration shows it."""


def gain_in(gains: Gains, trial: int, block: int) -> float | None:
    """Return the log ratio of a trial to the baseline in a block, None unless both were measured whole in peace.

    Where the trial clearly breaks a guard there, it is what the search makes of that.
    """
    found = gains.in_block(trial, block)
    return None if found is None else gains.guarding.scored(found - luck(gains, block), trial, block)


def seen(gains: Gains, trial: int) -> list[float]:
    """Return the log ratios of a trial to the baseline in the blocks of the search."""
    blocks = sorted({run.block for run in gains.ledger.runs_of(trial) if run.phase == Phase.SEARCH})
    found = (gain_in(gains, trial, block) for block in blocks)
    return [gain for gain in found if gain is not None]


def luck(gains: Gains, block: int) -> float:
    """Return by how much all log ratios of a block are too high, as the baseline's level before it shows."""
    here = gains.level(block)
    pair = gains.pair(block)
    earlier = (each for each in reversed(range(block)) if gains.pair(each) == pair)
    levels = (level for each in earlier if (level := gains.level(each)) is not None)
    before = list(islice(levels, LEVELS))
    if here is None or len(before) < FEWEST_LEVELS:
        return 0.0
    away = statistics.median(before) - here
    usual = _usual(tuple(gains.over_itself()))
    return away - max(-usual, min(usual, away))


# Remembered, because it is the same for all blocks after the calibration.
@lru_cache(maxsize=1 << 6)
def _usual(over_itself: tuple[float, ...]) -> float:
    return USUAL * pooled_sd((), over_itself)
