"""Waiting for a calm host before a block, as long as somebody has allowed in all; the budget does not run meanwhile.

How long was waited is told by the next run's evidence, so that an answer and a resumed session know it from the store.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tuner.hosts import calm
from tuner.hosts.telemetry import Telemetry
from tuner.records import Run
from tuner.session.measuring.clock import Clock
from tuner.session.measuring.progress import Progress

WAITED: Final = "waited_s"
"""The part of a run's evidence that says how long its block was held back."""


@dataclass(slots=True)
class Patience:
    """How long a session may still wait for a calm host, in seconds; nothing where nobody asked it to."""

    left_s: float = 0.0
    untold_s: float = 0.0
    """What was waited and no run carries yet."""

    def wait(self, sample: Callable[[], Sequence[Telemetry]], clock: Clock, progress: Progress) -> None:
        """Return once the host is calm, the time is used up, or the session is asked to end; `sample` takes a moment."""
        began, waited_s = clock.now(), 0.0
        while self.left_s > 0.0 and not clock.hurried and not calm.is_calm(found := sample()):
            if not waited_s:
                progress.note(f"waiting for a calm host, up to {self.left_s:.0f} s: {calm.disturbances(found)}")
            took_s = min(self.left_s, math.fsum(each.wall_s for each in found))
            self.left_s, waited_s = self.left_s - took_s, waited_s + took_s
        clock.hold(clock.now() - began)
        self.untold_s += waited_s
        if waited_s:
            progress.note(_ended(waited_s, calm_now=self.left_s > 0.0 and not clock.hurried))

    def taken(self) -> float:
        """Return what was waited since this was asked last, in seconds."""
        taken_s, self.untold_s = self.untold_s, 0.0
        return taken_s


def _ended(waited_s: float, *, calm_now: bool) -> str:
    if calm_now:
        return f"the host is calm after {waited_s:.0f} s: measuring goes on"
    return f"waited {waited_s:.0f} s for a calm host: measuring goes on though it is disturbed"


def waited_s(runs: Iterable[Run]) -> float:
    """Return how long the blocks of these runs were held back altogether, in seconds."""
    return math.fsum(run.evidence.get(WAITED, 0.0) for run in runs)
