"""Processes of this machine that are listened to together and never left behind."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tuner.hosts import descriptors, keeping, resident
from tuner.hosts.host import ProcessResult
from tuner.hosts.keeping import Kept, uninterrupted
from tuner.terminal_text import CONTROL, plain

SEARCH_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KILL_AFTER_S: Final = 1.0
"""The seconds that a program's last words may take after it was killed."""
TERM_TO_KILL_S: Final = 0.25
"""The seconds between TERM and KILL where a program outlives its limit: what ends by TERM ends at once."""
KEPT_BYTES: Final = 1 << 20
"""What is kept of each stream: half from its beginning, where banners stand, half from its end, where results do."""
_ENVIRONMENT: Final = {"PATH": SEARCH_PATH, "LC_ALL": "C"}
_SAID_CHARACTERS: Final = 500
_LOGGED: Final = re.compile(r"\s*[A-Z]{2,12}\s+(?:INFO|DETAILS|DEBUG|FUNC)\s*:")
"""How the libraries that are preloaded begin a line that is no warning."""
_TIMED_OUT: Final = 124
"""The exit status with which `timeout` says that TERM at the limit was enough; after KILL it says 137, as others may."""


class Stream:
    """What a process wrote into one pipe: its beginning and its end, the middle only counted."""

    __slots__ = ("head", "left_out", "tail")

    def __init__(self) -> None:
        self.head, self.tail, self.left_out = bytearray(), bytearray(), 0

    def add(self, data: bytes) -> None:
        """Keep `data`, or count it where there is too much."""
        room = KEPT_BYTES // 2 - len(self.head)
        self.head += data[:room] if room > 0 else b""
        self.tail += data[max(0, room) :]
        if len(self.tail) > KEPT_BYTES:  # cut seldom, because each cut copies
            self._cut()

    def _cut(self) -> None:
        surplus = max(0, len(self.tail) - KEPT_BYTES // 2)
        self.left_out += surplus
        del self.tail[:surplus]

    def text(self) -> str:
        """Return what was kept, with a line about what was not."""
        self._cut()
        gap = f"\n[… {self.left_out} bytes left out …]\n".encode() if self.left_out else b""
        return bytes(self.head + gap + self.tail).decode("utf-8", errors="replace")


@dataclass(slots=True)
class Process:
    """A started program and what it wrote so far."""

    kept: Kept
    pipes: tuple[int, int]
    limit_s: float
    started: float
    stdout: Stream = field(default_factory=Stream)
    stderr: Stream = field(default_factory=Stream)
    streams_open: int = 2
    stopped: bool = False
    ended: float | None = None
    links: tuple[str, ...] = ()
    memory_mb: float | None = None
    migrations: int | None = None

    @property
    def silent(self) -> bool:
        """Return whether both pipes are closed. `timeout` holds them while it lives, so this means: it has ended."""
        return self.streams_open == 0

    def printed(self, sign: str) -> int:
        """Return how often the beginnings of its standard output and standard error hold `sign`."""
        return sum(stream.head.count(sign.encode()) for stream in (self.stdout, self.stderr))

    def look(self) -> None:
        """Note what its sockets are now; the last look that saw any counts."""
        self.links = descriptors.socket_links(self.kept.pid) or self.links

    def weigh(self) -> None:
        """Note how much memory it has held and how often it changed its CPU; where it is gone, what was noted before stays."""
        self.memory_mb = resident.memory_mb(self.kept.pid) or self.memory_mb
        moved = resident.migrations(self.kept.pid)
        self.migrations = self.migrations if moved is None else moved

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to `timeout`, which hands it on to the program."""
        self.kept.signal(number)

    def kill_group(self) -> None:
        """Kill the program and its launchers at once."""
        self.kept.kill_group()

    def reap(self) -> tuple[int, float]:
        """Return exit status and CPU seconds, waiting for its end; nothing of its process group is left then."""
        return self.kept.reap()

    def said(self) -> str:
        """Return the last that it wrote, for a reason in its own words."""
        said = self.stdout.text() + self.stderr.text()
        return last_words(said) or ("it printed nothing of its own" if said.strip() else "it printed nothing")

    def result(self) -> ProcessResult:
        """Return how the process ended, waiting for its end."""
        exit_status, cpu_s = self.reap()
        lived_s = (self.ended or time.monotonic()) - self.started
        timed_out = self.stopped or exit_status == _TIMED_OUT or lived_s >= self.limit_s
        said = self.stdout.text(), self.stderr.text()
        return ProcessResult(exit_status, *said, cpu_s, timed_out, self.links, self.memory_mb, lived_s, self.migrations)


def last_words(text: str) -> str:
    """Return the last lines of an output that are short enough for a reason, whole and without what steers a terminal.

    What a preloaded library logs of itself when all is well is left out: a banner would hide the program's own word.
    """
    kept: list[str] = []
    room = _SAID_CHARACTERS
    lines = (CONTROL.sub("", line.expandtabs()).rstrip() for line in reversed(plain(text).splitlines()))
    for line in (line for line in lines if line and not _LOGGED.match(line)):
        room -= len(line) + 1
        if room < 0 and kept:
            break
        kept.append(line if len(line) <= _SAID_CHARACTERS else f"{line[:_SAID_CHARACTERS]}…")
    return "\n".join(reversed(kept))


class Crew:
    """The processes of one run: started in one folder, listened to together, gone when the run is over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[Process] = []
        self.selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        with uninterrupted():
            self._end()

    def _end(self) -> None:
        for process in self.processes:
            process.kill_group()
        # Only the launcher can be waited for; that the pipes close tells that the program is gone too.
        self.listen_until(lambda: all(process.silent for process in self.processes), KILL_AFTER_S)
        for process in self.processes:
            process.reap()
            for pipe in process.pipes:
                os.close(pipe)
        self.selector.close()

    def start(self, argv: list[str], limit_s: float) -> Process:
        """Start a program and listen to it."""
        with uninterrupted():
            process = self._start(argv, limit_s)
        for pipe, stream in zip(process.pipes, (process.stdout, process.stderr), strict=True):
            os.set_blocking(pipe, False)
            self.selector.register(pipe, selectors.EVENT_READ, (process, stream))
        return process

    def _start(self, argv: list[str], limit_s: float) -> Process:
        started = time.monotonic()
        with contextlib.ExitStack() as unused, contextlib.ExitStack() as theirs:
            given = os.open(os.devnull, os.O_RDONLY)
            theirs.callback(os.close, given)
            ends = [_pipe(unused, theirs) for _ in range(2)]
            streams = given, ends[0][1], ends[1][1]
            kept = keeping.start(argv, streams, self.folder, _ENVIRONMENT)
            unused.pop_all()
        process = Process(kept, (ends[0][0], ends[1][0]), limit_s, started)
        self.processes.append(process)
        return process

    def listen_until(self, done: Callable[[], bool], limit_s: float) -> bool:
        """Collect output until `done` or until the limit; return whether it is done."""
        deadline = time.monotonic() + limit_s
        while not done():
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not self.selector.get_map():
                return False
            self.hear(left_s)
        return True

    def hear(self, limit_s: float) -> None:
        """Take what is there to read, or what comes first within the limit."""
        for key, _ in self.selector.select(limit_s):
            self._read(key)

    def _read(self, key: selectors.SelectorKey) -> None:
        process, stream = key.data
        with contextlib.suppress(BlockingIOError):
            if data := os.read(key.fd, 1 << 16):
                stream.add(data)
                return
            self.selector.unregister(key.fileobj)
            process.streams_open -= 1
            process.ended = time.monotonic()

    def kill(self, process: Process) -> None:
        """End a process that does not end by itself, and take what it wrote last."""
        process.stopped = True
        process.kill_group()
        self.listen_until(lambda: process.silent, KILL_AFTER_S)


def _pipe(unused: contextlib.ExitStack, theirs: contextlib.ExitStack) -> tuple[int, int]:
    """Return both ends of a new pipe, of which the second is the program's."""
    reader, writer = os.pipe()
    unused.callback(os.close, reader)
    theirs.callback(os.close, writer)
    return reader, writer


@contextlib.contextmanager
def started_on(terminal: int, argv: list[str]) -> Iterator[None]:
    """Run a program with the descriptor `terminal` as its output; it is gone when the block is over."""
    given = os.open(os.devnull, os.O_RDONLY)
    try:
        kept = keeping.start(argv, (given, terminal, terminal), Path("/"), _ENVIRONMENT)
    finally:
        os.close(given)
    try:
        yield
    finally:
        kept.kill_group()
        kept.reap()
