"""Programs that end when this process does, however it ends: a process beside it starts and ends them (`reaper.py`).

There is one reaper for each process, from its first program to its end. It runs with an environment of its own, so that nothing that is
preloaded for programs or for this process touches it. Its text comes from the loader of its module (`get_source`), because on another
host this package is not in files.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TextIO

from tuner import temporary
from tuner.errors import TunerError, limit_of

_PROGRAM: Final = "tuner.hosts.reaper"
_ANSWER_LIMIT_S: Final = 20.0
"""After so long without an answer there is none: starting a program takes milliseconds."""
_LEAVE_LIMIT_S: Final = 1.0
_LOST: Final = (-signal.SIGKILL, 0.0)
"""The end of a program of which the reaper cannot say it any more."""


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off handlers that may raise (Ctrl-C) until the block is over, so that no started process is lost to them.

    The signals are not blocked, because a child inherits what is blocked and then could not be interrupted itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python runs handlers in the main thread only
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    put_off = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in put_off:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in put_off.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)


@dataclass(slots=True)
class Used:
    """What the programs that have ended used: seconds of CPU, and how often one of them was preempted.

    The kernel counts them for their reaper, not for this process (getrusage(2), RUSAGE_CHILDREN).
    """

    cpu_s: float = 0.0
    preemptions: int = 0

    def add(self, cpu_s: float, preemptions: int) -> None:
        """Count one more program."""
        self.cpu_s += cpu_s
        self.preemptions += preemptions


_used: Final = Used()


def used() -> Used:
    """Return what the programs used that have ended and were asked how."""
    return _used


@dataclass(slots=True)
class Kept:
    """A program that was started: the leader of a session of its own. `ends` is the descriptor on which its end is told."""

    pid: int
    birth: int
    ends: int
    reaper: _Reaper
    end: tuple[int, float] | None = None
    telling: threading.Lock = field(default_factory=threading.Lock)
    """Held by who takes the end from `ends` and closes it: whoever did it again would close what has its number by then."""

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens where it has ended."""
        if self.end is None:
            self.reaper.tell({"signal": int(number), "pid": self.pid})

    def kill_group(self) -> None:
        """Kill it and its group; nothing happens where it has ended."""
        if self.end is None and not self.reaper.tell({"kill": self.pid}):
            self._kill_orphan()

    def ended(self, limit_s: float | None = None) -> tuple[int, float] | None:
        """Return its exit status and CPU seconds, waiting for its end; None where it has not ended within the limit.

        What is left of its group has ended then too.
        """
        if self.end is None and self._told(limit_s):
            with self.telling:
                self._hear()
        return self.end

    def _hear(self) -> None:
        if self.end is not None:
            return
        said = os.read(self.ends, 256).split()
        os.close(self.ends)
        if not said:
            self._kill_orphan()
        self.end = (int(said[0]), float(said[1])) if said else _LOST
        if said:
            _used.add(float(said[1]), int(said[2]))

    def reap(self) -> tuple[int, float]:
        """Return its exit status and CPU seconds, waiting for its end."""
        return self.ended() or _LOST

    def _told(self, limit_s: float | None) -> bool:
        source = select.poll()
        source.register(self.ends, select.POLLIN)
        return bool(source.poll(None if limit_s is None else limit_s * 1000))

    def _kill_orphan(self) -> None:
        """Kill what a reaper left that was killed itself, unless its number is another's by now."""
        if self.birth and temporary.birth(self.pid) == self.birth:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


@dataclass(slots=True)
class _Reaper:
    """The reaper and our end of the connection to it."""

    popen: subprocess.Popen[bytes]
    connection: socket.socket
    owner: int = field(default_factory=os.getpid)
    turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def serves(self) -> bool:
        """Return whether it lives and is this process's: a fork has none."""
        return self.owner == os.getpid() and self.connection.fileno() >= 0 and self.popen.poll() is None

    def tell(self, request: Mapping[str, object]) -> bool:
        """Send a request that has no answer; return whether there is somebody to hear it."""
        try:
            with self.turn:
                self.connection.sendall(_line(request), socket.MSG_NOSIGNAL)
        except OSError:
            return False
        return True

    def start(self, request: Mapping[str, object], streams: Sequence[int]) -> int:
        """Return the number of a program that was started.

        Raises:
            ConnectionError: the reaper is gone.
            OSError: why there is no such program.

        """
        with self.turn:
            self._send(_line(request), streams)
            answer = self._answer()
        if "errno" in answer:
            raise OSError(answer["errno"], os.strerror(answer["errno"]))
        return answer["pid"]

    def hand(self, request: Mapping[str, object], streams: Sequence[int]) -> None:
        """Send a request that has no answer, with descriptors; raise `OSError` where there is nobody to hear it."""
        with self.turn:
            self._send(_line(request), streams)

    def _send(self, line: bytes, streams: Sequence[int]) -> None:
        sent = socket.send_fds(self.connection, [line], list(streams), socket.MSG_NOSIGNAL)
        self.connection.sendall(line[sent:], socket.MSG_NOSIGNAL)

    def _answer(self) -> dict[str, int]:
        heard, deadline = b"", time.monotonic() + _ANSWER_LIMIT_S
        while not heard.endswith(b"\n"):
            self.connection.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                more = self.connection.recv(4096)
            except OSError:  # also that the time is over
                more = b""
            finally:
                self.connection.settimeout(None)
            if not more:
                self.connection.close()  # where it lives after all, this is its end, and that of what it started
                raise ConnectionResetError("the process that starts programs does not answer")
            heard += more
        found: dict[str, int] = json.loads(heard)
        return found

    def leave(self) -> None:
        """Let it end, if it is this process's; also where it was stopped."""
        if self.owner == os.getpid():
            self.tell({"leave": True})
            self.popen.send_signal(signal.SIGCONT)
        if self.turn.acquire(timeout=_LEAVE_LIMIT_S):  # not below who still writes: the number would be the next file's
            self.connection.close()
            self.turn.release()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(_LEAVE_LIMIT_S)


_reapers: Final[list[_Reaper]] = []
_making: Final = threading.Lock()


def start(argv: Sequence[str], streams: tuple[int, int, int], folder: Path, environment: Mapping[str, str]) -> Kept:
    """Start a program in a session of its own; `streams` are descriptors for its standard input, output and error.

    Raises:
        TunerError: it cannot be started.

    """
    request = {
        "start": list(map(_text, argv)),
        "folder": _text(str(folder)),
        "environment": {_text(name): _text(value) for name, value in environment.items()},
    }
    try:
        with uninterrupted():
            return _started(request, streams, again=True)
    except OSError as reason:
        raise TunerError(
            f"{argv[0]} cannot be started: {reason.strerror or reason}", advice=limit_of(reason)
        ) from reason


@contextlib.contextmanager
def last_words(text: str, stream: TextIO) -> Iterator[None]:
    """Have a text said on a stream where this process ends inside the block without a word: killed, for want of memory too, or by native code."""
    with contextlib.suppress(OSError, ValueError), uninterrupted():  # a stream without a number, or nobody to say it
        _reaper().hand({"last_words": _text(text)}, [stream.fileno()])
    try:
        yield
    finally:
        for reaper in _reapers:
            reaper.tell({"last_words": ""})


def _started(request: Mapping[str, object], streams: tuple[int, int, int], *, again: bool) -> Kept:
    reader, writer = os.pipe()
    try:
        reaper = _reaper()
        pid = reaper.start(request, (*streams, writer))
    except ConnectionError:  # somebody has killed it
        os.close(reader)
        if not again:
            raise
        return _started(request, streams, again=False)
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    return Kept(pid, temporary.birth(pid), reader, reaper)


def _reaper() -> _Reaper:
    with _making:
        if not _reapers or not _reapers[-1].serves:
            _leave()
            _reapers[:] = [_made()]
        return _reapers[-1]


def _made() -> _Reaper:
    temporary.sweep()  # what was left where the reaper of a killed process was killed too
    mine, theirs = socket.socketpair()
    with theirs:
        sweeping = [str(each) for each in [vars(temporary).get("__file__")] if each]
        words = [_PROGRAM, str(theirs.fileno()), *sweeping, *([tempfile.gettempdir()] if sweeping else [])]
        popen = subprocess.Popen(  # noqa: S603 - this interpreter with a text of this package
            [sys.executable, "-I", "-S", "-", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    if popen.stdin is not None:
        with popen.stdin as program, contextlib.suppress(BrokenPipeError):
            program.write(_source())
    return _Reaper(popen, mine)


def _source() -> bytes:
    spec = find_spec(_PROGRAM)
    text: str | None = spec.loader.get_source(_PROGRAM) if spec and spec.loader else None  # type: ignore[attr-defined] # of all loaders
    if text is None:
        raise TunerError(f"{_PROGRAM} is not there", advice="install this package again")
    return text.encode()


@atexit.register
def _leave() -> None:
    for reaper in _reapers:
        reaper.leave()


def _line(request: Mapping[str, object]) -> bytes:
    return json.dumps(request).encode() + b"\n"


def _text(word: str) -> str:
    """Return the bytes of a word, as the file system knows it, as text of Latin-1."""
    return os.fsencode(word).decode("latin-1")
