"""What a session tells whoever watches it. The session speaks facts; the watcher chooses words and colours."""

from __future__ import annotations

from typing import Protocol

from tuner.judging.statistics import Gain
from tuner.records import Kind, Phase, Run, Trial


class Progress(Protocol):
    """Somebody who watches a session. No method may raise or take long.

    >>> class Runs(tuner.Silent):
    ...     def measured(self, trial, run):
    ...         print(trial.profile, run.status.value)
    >>> answer = tuner.measure("latency", runs=2, at=tuner.Workspace(watch=lambda _: nullcontext(Runs())))
    latency ok
    latency ok
    """

    def phase(self, name: Phase | Kind, seconds_left: float) -> None:
        """A phase starts and may take this long."""

    def measuring(self, trial: Trial, block: int, seconds_left: float) -> None:
        """A run of this trial starts; the session has this long left."""

    def measured(self, trial: Trial, run: Run) -> None:
        """A run of this trial ended and is stored."""

    def compared(self, trial: Trial, log_gain: float | None) -> None:
        """A block ended in which a trial had this log ratio to the baseline, None where it failed."""

    def best(self, trial: Trial, gain: Gain) -> None:
        """The best trial so far and its gain as the search sees it: not confirmed."""

    def note(self, text: str) -> None:
        """Something the user should know."""

    def statistic(self, text: str) -> None:
        """Something a statistician would ask."""


class Silent:
    """A watcher who says nothing.

    >>> quiet = tuner.Workspace(watch=lambda _: nullcontext(tuner.Silent()))
    >>> answer = tuner.measure("latency", runs=2, at=quiet)
    """

    def phase(self, name: Phase | Kind, seconds_left: float) -> None:
        """Ignore it."""

    def measuring(self, trial: Trial, block: int, seconds_left: float) -> None:
        """Ignore it."""

    def measured(self, trial: Trial, run: Run) -> None:
        """Ignore it."""

    def compared(self, trial: Trial, log_gain: float | None) -> None:
        """Ignore it."""

    def best(self, trial: Trial, gain: Gain) -> None:
        """Ignore it."""

    def note(self, text: str) -> None:
        """Ignore it."""

    def statistic(self, text: str) -> None:
        """Ignore it."""
