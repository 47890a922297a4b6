"""The live view: a few lines under what was said before, drawn again when a run starts or ends, and at no other time.

Nothing is drawn by a clock, because whoever draws while a run is under way takes CPU time from what is measured. Not
`rich.live`: it takes a line that the terminal has wrapped since (the window was made narrower) for one row, and leaves
the rest of it behind.
"""

from __future__ import annotations

import contextlib
import math
import signal
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from rich.cells import cell_len
from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from tuner.cli.screen.outlet import Outlet
from tuner.cli.screen.output import wrapped
from tuner.cli.screen.terminal import Terminal, drawn
from tuner.cli.screen.view import View, failure, lines, settings_of, spoken_best
from tuner.judging.statistics import Gain
from tuner.records import Role, Run, Status, Trial
from tuner.terminal_text import safe

_STYLES: Final = {"best": "green", "failed": "red", "stopping": "yellow"}
_ERASE_LINE: Final = (ControlType.ERASE_IN_LINE, 2)


class Live:
    """What was noted, and under it the view."""

    def __init__(self, terminal: Terminal, budget_s: float, *, verbose: bool = False) -> None:
        self._outlet = Outlet(self._draw)
        self._verbose = verbose
        self._size = terminal.size
        self._view = View(budget_s, left_s=budget_s)
        self._drawn: list[str] = []
        self._console = Console(
            file=drawn(terminal.stream),
            force_terminal=True,
            color_system="standard" if terminal.colours else None,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGWINCH, lambda _number, _frame: self._outlet.say(""))
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """Leave the view as it is, without what was under way, and a gap under it."""
        signal.signal(signal.SIGWINCH, self._before)
        self._show(ended=True)
        with contextlib.suppress(OSError):
            self._console.print()

    def phase(self, name: str, seconds_left: float) -> None:
        """Show which phase starts."""
        self._show(phase=name, phase_s=seconds_left)

    def measuring(self, trial: Trial, block: int, seconds_left: float) -> None:
        """Show what is measured now."""
        self._show(now=f"{trial.profile}, block {block + 1}", left_s=seconds_left)

    def measured(self, trial: Trial, run: Run) -> None:
        """Count it, and show what failed; it is drawn with what comes next."""
        bad = run.status is not Status.OK
        failures = (*self._view.failures, failure(trial, run)) if bad else self._view.failures
        self._view = replace(
            self._view, runs=self._view.runs + 1, failed=self._view.failed + bad, failures=failures[-2:]
        )

    def compared(self, trial: Trial, log_gain: float | None) -> None:
        """Add a bar for it."""
        if trial.role is not Role.BASELINE:
            self._view = replace(self._view, gains=(*self._view.gains, log_gain))

    def best(self, trial: Trial, gain: Gain) -> None:
        """Show the leader with its interval as the search sees it."""
        self._view = replace(self._view, best=spoken_best(trial, gain), settings=settings_of(trial))
        self._show()

    def note(self, text: str) -> None:
        """Say it above the view."""
        self._outlet.say(text.rstrip())

    def statistic(self, text: str) -> None:
        """Say it only to whoever asked for statistics."""
        if self._verbose:
            self.note(text)

    def urgent(self, text: str) -> None:
        """Show it in the view as well, as long as the session takes to end."""
        self._view = replace(self._view, stopping="after the current run and a short confirmation; Ctrl-C again: now")
        self.note(text)

    def _show(self, **changes: str | float | bool) -> None:
        self._view = replace(self._view, **changes)  # type: ignore[arg-type] # names and types are View's
        self._outlet.say("")

    def _draw(self, text: str) -> None:
        """Write a text, if any, and the view under it again."""
        width, height = self._size()
        self._console.size = (width, height)
        frame = lines(self._view, width - 1)[: max(1, height - 1)]
        with self._console:  # one write, so that no half of it is ever seen
            self._erase(width)
            if text:
                self._console.print(Text(wrapped(safe(text), width - 1)), overflow="fold")
            for label, line in frame:
                style = "bold" if label == self._view.phase else _STYLES.get(label, "")
                self._console.print(Text(safe(line), style=style), no_wrap=True, overflow="ellipsis", crop=True)
        self._drawn = [line for _, line in frame]

    def _erase(self, width: int) -> None:
        """Erase the last frame by the rows it has now, and the row under it, where a terminal echoes ^C."""
        rows = sum(max(1, math.ceil(cell_len(line) / width)) for line in self._drawn)
        up = [(ControlType.CURSOR_UP, 1), _ERASE_LINE] * rows
        self._console.control(Control(ControlType.CARRIAGE_RETURN, _ERASE_LINE, *up))
