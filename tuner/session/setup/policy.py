"""The numbers by which a session decides and that more than one of its phases goes by; how a budget is shared stands in `budget_shares`."""

from __future__ import annotations

from typing import Final

# More blocks than a session of 10 minutes has time for: the budget decides how many are judged.
MOST_BLOCKS: Final = 200
# With fewer blocks the interval of a gain is Student's, which supposes normal noise (see `statistics.gain`).
ENOUGH_BLOCKS: Final = 6
# A percentile with fewer observations beyond it moves with single messages: its own error is above 10 % of its rank.
LEAST_BEYOND: Final = 100
# Observations are promised by the mean rate of earlier runs; the rate of those that judge may be lower.
SURPLUS: Final = 1.2
# A setting that is shown to contribute less than this is not worth its place in the shortest profile.
AS_GOOD: Final = 0.01
# Logarithms of ratios. A profile that was found is recommended before a known one when it is probably better by more than the
# margin: there is no reason to leave what a vendor ships and tests for less.
MARGIN: Final = 0.01
WORTH_LEAVING: Final = 0.9
# A known profile that was not shown to be better than the baseline takes the place of a found one that was where it is better by the
# margin with this probability.
LIKELY: Final = 0.5
# What was not shown to be better than the baseline is recommended only when it is so with this probability. With the 0.9 of
# above, too many sessions in which nothing matters recommend something (the row `nothing` of `benchmarks/advice.py`).
SURELY_BETTER: Final = 0.975
# What may be expected to be lost for the sake of fewer settings.
NEGLIGIBLE: Final = 0.005
# What may be expected to be lost of a single setting that leaves, counting only the cases in which it is missed.
LITTLE: Final = 0.01
