"""What a user sees while a session runs: one live line on a terminal, plain lines elsewhere. All on stderr."""

from __future__ import annotations

from typing import Final, TextIO

from tuner.cli.output import wrapped
from tuner.measure.statistics import Gain
from tuner.store import RunRow, TrialRow

_WIDTH: Final = 79


class Lines:
    """Plain lines: one for a phase, one for a run that failed, one when the best changes."""

    width = 0  # unlimited

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._best = ""

    def phase(self, name: str, seconds_left: float) -> None:
        """Say which phase starts."""
        self.line(f"{name}: up to {seconds_left:.0f} s")

    def measuring(self, trial: TrialRow, block: int, seconds_left: float) -> None:
        """Say nothing: a line a run is too much for a log."""

    def measured(self, trial: TrialRow, run: RunRow) -> None:
        """Say what failed."""
        if run.status != "ok":
            self.line(f"  {trial.profile}: {run.status}: {run.reason} {_settings(trial)}")

    def best(self, trial: TrialRow, gain: Gain) -> None:
        """Say when another trial leads."""
        if trial.profile != self._best:
            self.line(f"  best so far: {spoken_best(trial, gain)} {_settings(trial)}")
        self._best = trial.profile

    def note(self, text: str) -> None:
        """Say it."""
        self.line(text)

    def line(self, text: str) -> None:
        """Write one line, and never raise: a session does not end because nobody reads."""
        try:
            print(wrapped(text.rstrip(), self.width), file=self._stream, flush=True)
        except OSError:
            return


class Live(Lines):
    """The same lines, and under them one that is written over: what is measured, the best so far, the time left."""

    def __init__(self, stream: TextIO, width: int) -> None:
        super().__init__(stream)
        self.width = width
        self._phase = ""
        self._leader = ""
        self._runs = 0

    def phase(self, name: str, seconds_left: float) -> None:
        """Say which phase starts."""
        self._phase = name
        super().phase(name, seconds_left)

    def measuring(self, trial: TrialRow, block: int, seconds_left: float) -> None:
        """Show what is measured now."""
        now = f"{self._phase}  {seconds_left:.0f} s left  run {self._runs + 1}  block {block + 1}"
        self._over("  ".join(part for part in (now, self._leader, trial.profile) if part))

    def measured(self, trial: TrialRow, run: RunRow) -> None:
        """Count it, and say what failed."""
        self._runs += 1
        super().measured(trial, run)

    def best(self, trial: TrialRow, gain: Gain) -> None:
        """Keep the leader for the live line."""
        self._leader = f"best {spoken_best(trial, gain)}"
        super().best(trial, gain)

    def line(self, text: str) -> None:
        """Write one line above the live one."""
        self._over("")
        super().line(text)

    def _over(self, text: str) -> None:
        try:
            print(f"\r{text[: self.width - 1]:<{self.width - 1}}\r", end="", file=self._stream, flush=True)
        except OSError:
            return


def watcher(stream: TextIO) -> Lines:
    """Return a live view when `stream` is a terminal, plain lines otherwise."""
    if not stream.isatty():
        return Lines(stream)
    import shutil

    return Live(stream, shutil.get_terminal_size((_WIDTH + 1, 24)).columns)


def spoken_best(trial: TrialRow, gain: Gain) -> str:
    """Return the leader in words: unconfirmed, so with a tilde."""
    return f"{trial.profile} ~{gain.ratio:.2f}×"


def _settings(trial: TrialRow) -> str:
    return " ".join(f"{name}={value}" for name, value in trial.settings.items())
