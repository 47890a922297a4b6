"""Who calls a session from Python: told of its progress as events, and kept from losing it to Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import FrameType

from tuner.interruption import AtOnce
from tuner.judging.statistics import Gain
from tuner.records import Kind, Phase, Run, Trial
from tuner.session.measuring.progress import Progress
from tuner.session.workspace import Ongoing, Watch


class What(StrEnum):
    """What an event tells.

    >>> told = []
    >>> answer = tuner.measure("latency", runs=2, progress=told.append)
    >>> told[0].what is tuner.What.SESSION, told[0].text == answer.session
    (True, True)
    """

    SESSION = "session"
    """A session begins, or is gone on with; the text is its id."""
    PHASE = "phase"
    """A phase starts; the text is its name."""
    MEASURING = "measuring"
    """A run of `trial` starts."""
    MEASURED = "measured"
    """`run` of `trial` ended and is stored."""
    BEST = "best"
    """`trial` leads, by `gain`, which is not confirmed."""
    NOTE = "note"
    """Something to know, in words."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a session.

    >>> told = []
    >>> answer = tuner.measure("latency", runs=2, progress=told.append)
    >>> [each.text for each in told if each.what is tuner.What.MEASURED]
    ['latency: ok', 'latency: ok']
    """

    what: What
    text: str
    """The event in words."""
    seconds_left: float | None = None
    """What is left of the session, or of the phase that starts; None where it is not known."""
    trial: Trial | None = None
    run: Run | None = None
    gain: Gain | None = None


Callback = Callable[[Event], None]
"""Called in the session's own thread, between runs: it should not take long. What it raises ends the session as an interruption does."""


@dataclass(frozen=True, slots=True)
class _Told:
    """A watcher that makes an event of everything."""

    tell: Callback

    def phase(self, name: Phase | Kind, seconds_left: float) -> None:
        self.tell(Event(What.PHASE, name.value, seconds_left))

    def measuring(self, trial: Trial, block: int, seconds_left: float) -> None:
        self.tell(Event(What.MEASURING, f"{trial.profile}, block {block}", seconds_left, trial))

    def measured(self, trial: Trial, run: Run) -> None:
        self.tell(Event(What.MEASURED, f"{trial.profile}: {run.reason or run.status}", None, trial, run))

    def compared(self, trial: Trial, log_gain: float | None) -> None:
        """Leave it out: a block's ratio is noise to who does not do statistics."""

    def best(self, trial: Trial, gain: Gain) -> None:
        self.tell(Event(What.BEST, f"{trial.profile} leads with {gain.ratio:.2f}", None, trial, gain=gain))

    def note(self, text: str) -> None:
        self.tell(Event(What.NOTE, text))

    def statistic(self, text: str) -> None:
        """Leave it out, as above."""


def watched_by(tell: Callback) -> Watch:
    """Return what lets `tell` know of a session, beside keeping it from Ctrl-C."""

    @contextmanager
    def watch(session: Ongoing) -> Iterator[Progress]:
        tell(Event(What.SESSION, session.id))
        with ending_early(session):
            yield _Told(tell)

    return watch


def kept(watch: Watch) -> Watch:
    """Return a watch that does what `watch` does, and keeps the session from Ctrl-C."""

    @contextmanager
    def both(session: Ongoing) -> Iterator[Progress]:
        with ending_early(session), watch(session) as progress:
            yield progress

    return both


@contextmanager
def ending_early(session: Ongoing) -> Iterator[None]:
    """Let the first Ctrl-C end the session with an answer of what it has, and the second raise `KeyboardInterrupt`.

    Only in the main thread, and where nobody else handles the signal: it is given back afterwards.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def first(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, AtOnce())
        session.end_early()

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
