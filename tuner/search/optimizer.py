"""What an optimizer is, and what it is told.

The caller owns the loop, the measuring and the storing. An optimizer owns nothing but what it was told, so
resuming a session is telling its outcomes again, in the order in which they came.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

Repair = Callable[[dict[str, str]], dict[str, str] | None]
"""Makes a candidate runnable (the repaired settings) or turns it down (None). Must be a pure function."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one trial gave.

    `gain` is the natural logarithm of the ratio to the baseline, higher is better; None when the trial failed or
    broke a constraint. `variance` is the squared standard error of `gain`, None when it is not known.
    `prior` marks what an earlier session found: it shapes what is asked, but its settings count as not tried yet.
    `block` numbers the block it was measured in, None when it is not known: gains of one block share their baseline's noise.
    Raises `ValueError` for numbers that are not finite, because no model survives them.

    >>> tuner.Outcome({"XLIO_RX_POLL": "-1"}, gain=float("nan"))
    Traceback (most recent call last):
    ValueError: a gain must be finite, but is nan; a failed trial has the gain None
    """

    settings: Mapping[str, str]
    gain: float | None
    variance: float | None = None
    prior: bool = False
    block: int | None = None

    def __post_init__(self) -> None:
        if self.gain is not None and not math.isfinite(self.gain):
            raise ValueError(f"a gain must be finite, but is {self.gain}; a failed trial has the gain None")
        if self.variance is not None and not (math.isfinite(self.variance) and self.variance >= 0):
            raise ValueError(f"a variance must be finite and not negative, but is {self.variance}")


class Optimizer(Protocol):
    """Proposes settings and learns what they gave.

    `ask` is a function of the seed and of what was told and asked before: the same history gives the same answer.
    It answers with settings that neither were told nor are waiting for an outcome, as long as the space has any
    (those told as prior may be asked);
    after that with the best told ones, because another measurement of these is worth most.
    Asking again before telling gives another proposal, so that several can share a block.

    >>> class Once:
    ...     def tell(self, outcome):
    ...         print(outcome.gain)
    ...     def ask(self):
    ...         return {"XLIO_RX_POLL": "-1"}
    >>> mine: tuner.Optimizer = Once()
    >>> mine.tell(tuner.Outcome(mine.ask(), gain=0.1))
    0.1
    """

    def tell(self, outcome: Outcome) -> None:
        """Learn an outcome, of a proposal or of any other settings."""
        ...

    def ask(self) -> dict[str, str]:
        """Return the settings to try next; raise `UsageError` when no candidate at all is runnable."""
        ...
