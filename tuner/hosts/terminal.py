"""What a program says to a terminal and to nothing else: some libraries keep their warnings for people."""

from __future__ import annotations

import contextlib
import os
import pty
import selectors
import time
from typing import Final

from tuner.hosts.processes import started_on
from tuner.terminal_text import plain

_MOST_BYTES: Final = 1 << 20


def said(argv: list[str], time_limit_s: float) -> str:
    """Return what a short program prints where stdout and stderr are a terminal, without control sequences.

    `argv` is the whole command with its launchers, which give the program its environment and its limit.
    """
    reader, writer = pty.openpty()
    try:
        with started_on(writer, argv):
            os.close(writer)
            return _text(_read(reader, time_limit_s))
    finally:
        os.close(reader)


def _read(reader: int, time_limit_s: float) -> bytes:
    """Collect what comes until every writer is gone or the time is over."""
    found, deadline = bytearray(), time.monotonic() + time_limit_s
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        while len(found) < _MOST_BYTES and selector.select(max(0.0, deadline - time.monotonic())):
            data = b""
            with contextlib.suppress(OSError):  # how Linux says that the last writer has closed a terminal
                data = os.read(reader, 1 << 16)
            if not data:
                break
            found += data
    return bytes(found)


def _text(data: bytes) -> str:
    return plain(data.decode("utf-8", errors="replace")).replace("\r\n", "\n")
