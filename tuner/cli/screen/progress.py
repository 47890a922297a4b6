"""What a user sees while a session runs: a view that is redrawn on a terminal, plain lines elsewhere. All on stderr."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self, TextIO

from tuner.cli.screen.outlet import Outlet
from tuner.cli.screen.output import wrapped
from tuner.cli.screen.terminal import Terminal
from tuner.cli.screen.view import failure, settings_of, spoken_best
from tuner.judging.statistics import Gain
from tuner.records import Run, Status, Trial
from tuner.session.measuring.progress import Progress


class Watch(Progress, Protocol):
    """Who shows a session to a person, from its beginning to its end."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """End, whatever ended the session."""

    def urgent(self, text: str) -> None:
        """Say what a signal's handler has to say, which may come in the middle of writing."""


class Lines:
    """Plain lines: one for a phase, one for a run that failed, one when the best changes."""

    def __init__(self, stream: TextIO, found: Terminal | None = None, *, verbose: bool = False) -> None:
        self._stream = stream
        self._verbose = verbose
        self._terminal = found
        self._best, self._blocks = "", 0
        self._outlet = Outlet(self._write)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """End the view; plain lines need no end."""

    def phase(self, name: str, seconds_left: float) -> None:
        """Say which phase starts."""
        self.note(f"{name}: up to {seconds_left:.0f} s")

    def measuring(self, trial: Trial, block: int, seconds_left: float) -> None:
        """Say nothing: a line a run is too much for a log."""

    def measured(self, trial: Trial, run: Run) -> None:
        """Say what failed."""
        if run.status is not Status.OK:
            self.note(f"  {failure(trial, run)} {settings_of(trial)}")

    def compared(self, trial: Trial, log_gain: float | None) -> None:
        """Say nothing: `best` says what matters of it."""

    def best(self, trial: Trial, gain: Gain) -> None:
        """Say when another trial leads, and when twice as many blocks say so."""
        if trial.profile != self._best or gain.blocks >= 2 * self._blocks:
            self.note(f"  best so far: {spoken_best(trial, gain)} {settings_of(trial)}")
            self._best, self._blocks = trial.profile, gain.blocks

    def note(self, text: str) -> None:
        """Say it."""
        self._outlet.say(text.rstrip())

    def statistic(self, text: str) -> None:
        """Say it only to whoever asked for statistics."""
        if self._verbose:
            self.note(text)

    def urgent(self, text: str) -> None:
        """Say it."""
        self.note(text)

    def _write(self, text: str) -> None:
        width = self._terminal.size()[0] if self._terminal else 0
        print(wrapped(text, width), file=self._stream, flush=True)
