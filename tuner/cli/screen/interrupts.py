"""Ctrl-C while a session runs: the first time it ends early, the second time at once. Ctrl-Z and `fg` are told when they are over.

The programs that are measured live in sessions of their own (`hosts/processes.py`), so that the terminal sends its
signal to this process alone and the run in flight can be finished.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Final, Self

from tuner.interruption import AtOnce

# These stop at once: who sends them does not wait for a proof. A terminal that is closed hangs up.
_AT_ONCE: Final = (signal.SIGTERM, signal.SIGHUP)
_stops: Final[list[int]] = []


def watch_stops() -> None:
    """Remember that the process was stopped before its session began: `Interrupts` tells it then."""
    signal.signal(signal.SIGCONT, lambda number, _frame: _stops.append(number))


class Interrupts:
    """What signals mean inside the block: the first SIGINT calls `first`; the second, SIGTERM and SIGHUP stop at once.

    SIGCONT, which ends a stop, calls `continued`.
    """

    def __init__(self, first: Callable[[], None], continued: Callable[[], None]) -> None:
        self._first = first
        self._continued = continued
        self._asked = False
        self._before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGCONT, *_AT_ONCE)}
        before = self._before[signal.SIGINT]
        self._at_once = (
            before if isinstance(before, AtOnce) else AtOnce()
        )  # which then knows of it after the block, too

    def __enter__(self) -> Self:
        signal.signal(signal.SIGINT, self._interrupted)
        signal.signal(signal.SIGCONT, lambda *_: self._continued())
        if _stops:
            _stops.clear()
            self._continued()
        for number in _AT_ONCE:
            if self._before[number] is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, self._at_once)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            self._at_once(number, frame)
            return
        self._asked = True
        self._first()
