"""What is to be written, one after the other: a signal's handler may come with more in the middle of writing."""

from __future__ import annotations

from collections.abc import Callable


class Outlet:
    """Texts on their way to the screen, by a `write` that puts one of them there.

    It never raises: a session does not end because nobody reads.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._waiting: list[str] = []
        self._writing = False

    def say(self, text: str) -> None:
        """Write a text; said from a signal's handler, it is left to the call that the signal came into."""
        self._waiting.append(text)
        if self._writing:
            return
        self._writing = True
        try:
            while self._waiting:
                self._write(self._waiting.pop(0))
        except OSError:
            self._waiting.clear()
        finally:
            self._writing = False
