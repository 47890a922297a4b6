"""The highest load that holds: a search over the offered rate, short runs first and long ones last.

Pure: from the probes made so far follows the next one, or the answer. So a load search is its probes and nothing else.

1. Short runs of a second bracket the rate by factors of `STRIDE` and halve that on a log scale, until its ends are within `COARSE`.
2. Long runs then start from the rate that held, step by `STEP` until one holds and one does not, and end when these two
   are within `FINE`. Only long runs make the answer.

A search that begins at a rate known from before (`Start.known`) has nothing to bracket and makes long runs only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LEAST_MPS: Final = 100
"""Fewer messages a second are no load: a second of them has too few observations to judge anything."""
MOST_MPS: Final = 20_000_000
FIRST_MPS: Final = 20_000
"""Where a search begins that knows nothing."""
STRIDE: Final = 4.0
COARSE: Final = 1.25
STEP: Final = 1.1
FINE: Final = 1.05
MOST_PROBES: Final = 24
"""More are not made: limits that hold now and then have no highest rate, and the best that held is taken."""
SHORT_S: Final = 1


@dataclass(frozen=True, slots=True)
class Probe:
    """One run of a load search: the offered rate, whether it was a long run, and whether it held every limit."""

    offered_mps: int
    long: bool
    held: bool


@dataclass(frozen=True, slots=True)
class Start:
    """Where a load search begins; `known` when earlier searches of the same profile ended near there."""

    rate_mps: int = FIRST_MPS
    known: bool = False


@dataclass(frozen=True, slots=True)
class Next:
    """The probe that a load search needs next."""

    offered_mps: int
    long: bool


def first(start: Start) -> Next:
    """Return the first probe of a search."""
    return Next(_inside(start.rate_mps), long=start.known)


def following(probes: Sequence[Probe], start: Start) -> Next | None:
    """Return the next probe, None when the search is over (its `answer` is then known)."""
    if len(probes) >= MOST_PROBES:
        return None
    if not probes:
        return first(start)
    long = [probe for probe in probes if probe.long]
    return _finely(long) if long else _coarsely(probes)


def _coarsely(probes: Sequence[Probe]) -> Next | None:
    low, high = _bracket(probes)
    if low is None:
        return _lower(high or LEAST_MPS, STRIDE, long=False)
    if high is None:
        return _higher(low, STRIDE, long=False)
    if high / low > COARSE:
        return Next(_between(low, high), long=False)
    return Next(low, long=True)


def _finely(probes: Sequence[Probe]) -> Next | None:
    low, high = _bracket(probes)
    if low is None:
        return _lower(high or LEAST_MPS, _stride(probes), long=True)
    if high is None:
        return _higher(low, _stride(probes), long=True)
    return Next(_between(low, high), long=True) if high / low > FINE and high - low > 1 else None


def _stride(probes: Sequence[Probe]) -> float:
    """Return by which factor long runs go on in one direction: the further the first guess was off, the larger."""
    return min(STRIDE, STEP ** len(probes))


def _bracket(probes: Sequence[Probe]) -> tuple[int | None, int | None]:
    """Return the highest rate that held below the lowest that did not, and the latter; None for one that is not known."""
    high = min((probe.offered_mps for probe in probes if not probe.held), default=None)
    held = [probe.offered_mps for probe in probes if probe.held and (high is None or probe.offered_mps < high)]
    return max(held, default=None), high


def _lower(rate_mps: int, factor: float, *, long: bool) -> Next | None:
    return Next(_inside(rate_mps / factor), long) if rate_mps > LEAST_MPS else None


def _higher(rate_mps: int, factor: float, *, long: bool) -> Next | None:
    if rate_mps < MOST_MPS:
        return Next(_inside(rate_mps * factor), long)
    return None if long else Next(rate_mps, long=True)


def _between(low: int, high: int) -> int:
    return round(math.sqrt(low * high))


def _inside(rate_mps: float) -> int:
    return round(min(max(rate_mps, LEAST_MPS), MOST_MPS))


def answer(probes: Sequence[Probe]) -> int:
    """Return the place among the probes of a finished search of the one that is its answer, -1 when no load held.

    That is the long run at the highest rate below the lowest one at which a long run did not hold.
    """
    low, _ = _bracket([probe for probe in probes if probe.long])
    if low is None:
        return -1
    return next(at for at, probe in enumerate(probes) if probe.long and probe.held and probe.offered_mps == low)


def long_run_s(rate_mps: int, reply_every: int, tail_share: float, asked_s: int) -> int:
    """Return the seconds of a long run: enough for 100 observations beyond the limited percentile, from 2 s to 10 s.

    `tail_share` is the share of observations beyond that percentile; `asked_s`, what the user wants at least, comes first.
    """
    observed_a_second = rate_mps / reply_every
    needed_s = 100 / (tail_share * observed_a_second) + 0.45 if tail_share > 0 else 0.0
    return max(asked_s, min(10, max(2, math.ceil(needed_s))))
