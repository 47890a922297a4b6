"""The words of what a profile costs: one sentence a metric, and what a verdict says of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tuner.figures import plain, shown
from tuner.judging.costs import Compared

NOT_MEASURED: Final = "not measured"
MOST_TOLD: Final = 3
"""The costs that a verdict names; the report has all."""
_FAR: Final = 2.0


def name(metric: str) -> str:
    """Return a metric's name without its unit: `p99.9`, `CPU`, `server memory`."""
    return plain(metric).partition(",")[0]


def cpu(found: Compared, mode: str, spinning: int) -> str:
    """Return a difference in CPU time; `spinning` is how many more processes than before use a CPU all the time.

    `mode` is the workload's, empty where the session has but one; so in the others.
    """
    return f"CPU {_values(found, 's')} a run{_under(mode)}{_spins(spinning)}"


def value(found: Compared, unit: str, mode: str) -> str:
    """Return a difference in a rate or in memory, or in a metric of a recipe."""
    return f"{name(found.metric)} {_values(found, unit)}{_under(mode)}"


def latency(found: Compared, mode: str, objective: str, remark: str) -> str:
    """Return a difference in a latency that `objective` does not judge, with what to keep in mind of it."""
    aside = "; ".join(filter(None, (_values(found, "µs"), f"not part of objective {objective}", remark)))
    return f"{name(found.metric)}{_under(mode)} {_times(found.ratio.ratio)} ({aside})"


def _values(found: Compared, unit: str) -> str:
    return f"{f'{shown(found.profile)} {unit}'.rstrip()} instead of {f'{shown(found.baseline)} {unit}'.rstrip()}"


def _under(mode: str) -> str:
    return f" under {mode}" if mode else ""


def _spins(processes: int) -> str:
    if processes <= 0:
        return ""
    return ": one core spins" if processes == 1 else ": two cores spin"


def _times(ratio: float) -> str:
    if ratio >= _FAR:
        return f"{ratio:.1f}× as high"
    return f"{shown(100 * abs(ratio - 1))} % {'higher' if ratio > 1 else 'lower'}"


def few_blocks(blocks: int) -> str:
    """Return that a metric was measured in too few blocks for an interval."""
    return f"measured in {blocks} block{'s' if blocks != 1 else ''} only"


def few_beyond(count: float, needed: int) -> str:
    """Return that too few observations lie beyond a percentile."""
    seen = "1 observation" if round(count) == 1 else f"{count:.0f} observations"
    return f"only {seen} beyond it, {needed} are needed"


def other_number(times: float) -> str:
    """Return that two maxima are those of different numbers of messages."""
    return f"the maximum of {times:.2g}× as many messages"


def summed_up(costs: Sequence[str], unharmed: Sequence[str], unknown: Sequence[str]) -> str:
    """Return what a verdict says: the costs in sentences, else the metrics that show none, and those that nobody compared."""
    more = len(costs) - MOST_TOLD
    told = [*costs[:MOST_TOLD], *([f"{more} more in the report"] if more > 0 else ())]
    if told:
        said = f"Cost: {'; '.join(told)}"
    else:
        said = f"No cost shown in {', '.join(unharmed)}" if unharmed else "Cost: unknown"
    return f"{said}. Not compared: {', '.join(unknown)}" if unknown else said
