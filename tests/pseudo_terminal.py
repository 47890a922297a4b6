"""A terminal for tests: a program runs on its other side, and pyte says what a person would see."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import command_line
import pyte

PATIENCE_S: Final = 60.0
_CTRL_C: Final = b"\x03"


class PseudoTerminal:
    """`tuner` with its three streams on a terminal of some size.

    `raw` is every byte it wrote, `screens` what stood on the screen after each piece that it wrote.
    """

    def __init__(
        self, arguments: Sequence[str], folder: Path, size: tuple[int, int], environ: Mapping[str, str] | None = None
    ) -> None:
        self.columns, self.rows = size
        self.screen = pyte.HistoryScreen(self.columns, self.rows, history=10_000)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.screens: list[list[str]] = []
        self._here, there = os.openpty()
        self._tell_size()
        usual = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *command_line.STARTED, *arguments],
            cwd=folder,
            stdin=there,
            stdout=there,
            stderr=there,
            env=usual | dict(environ or {}),
        )
        os.close(there)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._here)

    def ctrl_c(self) -> None:
        """Type it: the terminal makes a signal of it."""
        os.write(self._here, _CTRL_C)

    def resize(self, columns: int) -> None:
        """Make the window so wide; a line that does not fit is cut, as xterm does."""
        self.columns = columns
        self._tell_size()
        self.screen.resize(self.rows, columns)

    def until(self, seen: Callable[[], bool]) -> None:
        """Read until something is so."""
        end = time.monotonic() + PATIENCE_S
        while not seen():
            assert time.monotonic() < end, f"it did not happen in time:\n{self.text()}"
            assert self._read(), f"it ended too early:\n{self.text()}"

    def ended(self) -> int:
        """Read to the end and return the exit status."""
        end = time.monotonic() + PATIENCE_S
        while self._read():
            assert time.monotonic() < end, f"it did not end in time:\n{self.text()}"
        return self._process.wait(timeout=PATIENCE_S)

    def lines(self) -> list[str]:
        """Return everything that is to be seen by scrolling back."""
        return everything(self.screen)

    def text(self) -> str:
        """Return `lines` as one text."""
        return "\n".join(self.lines())

    def _read(self) -> bool:
        ready, _, _ = select.select([self._here], [], [], 0.2)
        if not ready:
            return True
        try:
            data = os.read(self._here, 1 << 16)
        except OSError:  # how Linux says that the other side is closed
            return False
        self.raw += data
        self._stream.feed(data)
        self.screens.append(rows(self.screen))
        return bool(data)

    def _tell_size(self) -> None:
        fcntl.ioctl(self._here, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))


def rows(screen: pyte.Screen) -> list[str]:
    """Return the lines on a screen, without the blanks behind them."""
    return [line.rstrip() for line in screen.display]


def everything(screen: pyte.HistoryScreen) -> list[str]:
    """Return the lines that have left a screen at its top, and those on it."""
    above = ["".join(row[at].data for at in range(screen.columns)).rstrip() for row in screen.history.top]
    return [*above, *rows(screen)]
