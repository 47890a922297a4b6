"""The budget of a session: what it has spent, what is left, and what still fits."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tuner.errors import UsageError
from tuner.records import Phase

_SPAN: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>s|m|h|)")
_SECONDS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str, what: str = "budget") -> float:
    """Return the seconds of a time span such as `90s`, `10m`, `1h` or `90`; raise `UsageError` for other text, naming `what` it is."""
    match = _SPAN.fullmatch(text.strip())
    if match is None or float(match["number"]) <= 0:
        raise UsageError(f"{what} {text!r} is not a duration", advice="write for example 90s, 10m or 1h")
    return float(match["number"]) * _SECONDS[match["unit"]]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended: what an answer says that its runs do not."""

    spent_s: float
    """Its wall time, in seconds, to the millisecond; all attempts together."""
    stopped: bool
    """Whether it was asked to end before its budget did."""


@dataclass(slots=True)
class Clock:
    """Wall time against a budget. Once somebody wants the session to end early, only its confirmation gets time."""

    budget_s: float
    before_s: float
    """The wall time that earlier attempts at the same session had used."""
    started: float
    now: Callable[[], float] = time.monotonic
    ends_early_at_s: float | None = None
    """When the session is to end, in seconds of its wall time; None as long as nobody asked. `end_in` sets it."""
    held_s: float = 0.0
    """The wall time of this attempt that the budget does not pay for: waiting for a calm host, or being stopped (Ctrl-Z)."""
    stood: bool = False
    """Whether the process was stopped since `stood_still` was asked last; a signal's handler sets it."""
    looked_at_s: float | None = None
    """When `stood_still` was asked last."""

    @staticmethod
    def start(budget_s: float, before_s: float = 0.0) -> Clock:
        """Return a clock that starts now."""
        return Clock(budget_s, before_s, time.monotonic())

    def spent_s(self) -> float:
        """Return the wall time used so far, in seconds, earlier attempts included and waiting left out."""
        return self.before_s + self.now() - self.started - self.held_s

    def fits(self, cost_s: float, phase: Phase, share: float = 1.0) -> bool:
        """Return whether something of `phase` that takes `cost_s` ends within `share` of the budget."""
        return self.spent_s() + cost_s <= self._ends_s(phase, share)

    def left_s(self, phase: Phase, share: float = 1.0) -> float:
        """Return the seconds that `phase` has left of `share` of the budget, never below zero."""
        return max(0.0, self._ends_s(phase, share) - self.spent_s())

    @property
    def hurried(self) -> bool:
        """Whether the session was asked to end before its budget does."""
        return self.ends_early_at_s is not None

    def ending(self) -> Ending:
        """Return how a session ends that ends now."""
        return Ending(round(self.spent_s(), 3), self.hurried)

    def hold(self, waited_s: float) -> None:
        """Leave time out of the budget that went by without a measurement, in seconds."""
        self.held_s += waited_s

    def lengthen(self, budget_s: float) -> None:
        """Let the session have a larger budget, in seconds."""
        self.budget_s = budget_s

    def stood_still(self) -> bool:
        """Return whether the process was stopped since this was asked last; what happened since then is left out of the budget."""
        now_s, stood = self.now(), self.stood
        if stood:
            self.hold(now_s - (self.started if self.looked_at_s is None else self.looked_at_s))
        self.stood, self.looked_at_s = False, now_s
        return stood

    def end_in(self, seconds_left: float) -> None:
        """Let nothing start that ends later than this; a signal's handler may call it at any time."""
        self.ends_early_at_s = self.spent_s() + seconds_left

    def _ends_s(self, phase: Phase, share: float) -> float:
        whole_s = share * self.budget_s
        if self.ends_early_at_s is None:
            return whole_s
        return min(whole_s, self.ends_early_at_s) if phase is Phase.CONFIRM else 0.0
