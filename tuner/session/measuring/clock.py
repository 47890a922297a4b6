"""The budget of a session: what it has spent, what is left, and what still fits."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tuner.errors import UsageError

_SPAN: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>s|m|h|)")
_SECONDS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """Return the seconds of a time span such as `90s`, `10m`, `1h` or `90`; raise `UsageError` for other text."""
    match = _SPAN.fullmatch(text.strip())
    if match is None or float(match["number"]) <= 0:
        raise UsageError(f"budget {text!r} is no time span", advice="write for example 90s, 10m or 1h")
    return float(match["number"]) * _SECONDS[match["unit"]]


@dataclass(slots=True)
class EarlyEnd:
    """When the user wants the session to end, None as long as nobody asked, and the only share that then still gets time.

    `at_s` is in seconds of the session's wall time.
    """

    at_s: float | None = None
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall time against a budget. `before_s` is what earlier attempts at the same session had used."""

    budget_s: float
    before_s: float
    started: float
    now: Callable[[], float] = time.monotonic
    early: EarlyEnd = field(default_factory=EarlyEnd)

    @staticmethod
    def start(budget_s: float, before_s: float = 0.0) -> Clock:
        """Return a clock that starts now."""
        return Clock(budget_s, before_s, time.monotonic())

    def spent_s(self) -> float:
        """Return the wall time used so far, in seconds, earlier attempts included."""
        return self.before_s + self.now() - self.started

    def fits(self, cost_s: float, share: float = 1.0) -> bool:
        """Return whether something that takes `cost_s` ends within `share` of the budget."""
        return self.spent_s() + cost_s <= self._ends_s(share)

    def left_s(self, share: float = 1.0) -> float:
        """Return the seconds left of `share` of the budget, never below zero."""
        return max(0.0, self._ends_s(share) - self.spent_s())

    @property
    def hurried(self) -> bool:
        """Whether the session was asked to end before its budget does."""
        return self.early.at_s is not None

    def keep(self, share: float) -> None:
        """Name what still gets time once the session is asked to end: only what has this very share of the budget."""
        self.early.share = share

    def end_in(self, seconds_left: float) -> None:
        """Let nothing start that ends later than this."""
        self.early.at_s = self.spent_s() + seconds_left

    def _ends_s(self, share: float) -> float:
        whole_s = share * self.budget_s
        if self.early.at_s is None:
            return whole_s
        return min(whole_s, self.early.at_s) if share == self.early.share else 0.0
