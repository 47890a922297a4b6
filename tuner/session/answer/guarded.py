"""What was shown of the guards: whether a profile keeps each of them, by the pessimistic end of its interval.

All must be kept, so each is judged at the whole confidence: a profile that breaks any of them passes all with at most
the error of one (an intersection–union test, Berger 1982).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tuner.errors import Finding, doubt
from tuner.figures import shown
from tuner.judging.guards import Guard
from tuner.judging.power import FEWEST_BLOCKS
from tuner.judging.statistics import Gain, gain
from tuner.records import Phase, Trial
from tuner.session.measuring.evidence import Evidence


class Keeping(StrEnum):
    """What was shown of a guard."""

    KEPT = "kept"
    BROKEN = "not kept"
    UNCLEAR = "not shown to be kept"


@dataclass(frozen=True, slots=True)
class Guarded:
    """One guard and the profile that was held against it."""

    guard: str
    keeping: Keeping
    value: float | None
    """What the guard limits, in the unit of its limit; None where too few blocks measured it."""
    low: float | None
    high: float | None
    blocks: int
    sentence: str


def guarded(evidence: Evidence, trial: Trial, phase: Phase) -> tuple[Guarded, ...]:
    """Return what a phase's blocks show of each guard."""
    found = ((guard, evidence.guarding.excesses(guard, trial.number, {phase})) for guard in evidence.plan.guards)
    return tuple(_guarded(guard, excesses) for guard, excesses in found)


def guarded_where_judged(evidence: Evidence, trial: Trial) -> tuple[Guarded, ...]:
    """Return what is shown of each guard by the confirmation, for a profile that it had not by minimising."""
    confirmed = Phase.CONFIRM in evidence.ledger.phases_of(trial.number)
    return guarded(evidence, trial, Phase.CONFIRM if confirmed else Phase.MINIMISE)


def failing(found: Sequence[Guarded]) -> list[Guarded]:
    """Return the guards that are not shown to be kept."""
    return [each for each in found if each.keeping is not Keeping.KEPT]


def refusal(profile: str, failed: Sequence[Guarded], otherwise: str) -> str:
    """Return the verdict on a profile that may not be recommended; `otherwise` is what it was found to be."""
    told = "; ".join(f"guard {each.sentence} by {profile}" for each in failed)
    return f"{told}. Without the guard: {otherwise}"


def doubts(failed: Sequence[Guarded]) -> Iterator[Finding]:
    """Yield what to do about guards of which nothing was shown."""
    for each in failed:
        if each.keeping is Keeping.UNCLEAR:
            yield doubt(f"guard {each.sentence}", "a longer --budget measures it more closely; or choose a wider limit")


def left_out(evidence: Evidence) -> Iterator[Finding]:
    """Yield how many profiles of the search break a guard, which is why they could not win."""
    searched = [each for each in evidence.ledger.trials[1:] if Phase.SEARCH in evidence.ledger.phases_of(each.number)]
    broken = [trial for trial in searched if evidence.guarding.breaks(trial.number, {Phase.SEARCH})]
    if broken:
        guards = " and ".join(map(str, evidence.plan.guards))
        what = f"{len(broken)} of {len(searched)} profiles of the search break {guards} and were left out"
        yield doubt(what, f"the first is {broken[0].profile}; a wider limit may allow a faster profile")


def _guarded(guard: Guard, excesses: Sequence[float]) -> Guarded:
    if len(excesses) < FEWEST_BLOCKS:
        why = f"{guard} is {Keeping.UNCLEAR} (measured in {len(excesses)} blocks)"
        return Guarded(str(guard), Keeping.UNCLEAR, None, None, None, len(excesses), why)
    found, keeping = gain(excesses), _keeping(gain(excesses))
    value, one, other = (guard.value(math.log(ratio)) for ratio in (found.ratio, found.low, found.high))
    low, high = min(one, other), max(one, other)
    interval = f"95 % CI {shown(low)}–{shown(high)}, n = {found.blocks} blocks"
    said = f"{guard} is {keeping} ({_figure(guard, value)}, {interval})"
    return Guarded(str(guard), keeping, value, low, high, found.blocks, said)


def _keeping(excess: Gain) -> Keeping:
    if excess.high < 1.0:
        return Keeping.KEPT
    return Keeping.BROKEN if excess.low > 1.0 else Keeping.UNCLEAR


def _figure(guard: Guard, value: float) -> str:
    return f"{shown(value)}{'×' if guard.relative else ' ' + guard.unit}".rstrip()
