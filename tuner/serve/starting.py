"""Sessions that are started and stopped from a page, by a process beside the server that does nothing else.

The server has a low priority, which whatever it starts would have too; and it is what strangers can talk to. So what starts
sessions is its parent, which knows three requests (`start`, `stop`, `state`) and checks each of them again. One session
at a time; where the server ends, a session that it started ends too, with all its runs kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final

from tuner.catalogue import facts
from tuner.errors import TunerError, UsageError
from tuner.hosts import keeping
from tuner.hosts.keeping import Kept
from tuner.results import Results

OBJECTIVES: Final = ("latency", "tail", "throughput", "balanced")
LEAST_S, MOST_S = 15, 7200
MOST_BYTES: Final = 65536
MOST_SAID: Final = 4000
_PROFILE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", re.ASCII)
_SESSION: Final = re.compile(r"^session (\S{1,128})$", re.MULTILINE)
_ENDS_S: Final = (0.3, 5.0, 5.0, 5.0)
"""How long to wait after asking it to end: the second time it stops at once, unless it was not listening yet."""
_ITS_END_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Wish:
    """A tuning that somebody asks for on a page."""

    stack: str
    profile: str
    objective: str
    budget_s: int

    def argv(self, results: Results) -> list[str]:
        """Return the command that carries it out; the store's URL is in the environment, because it may hold a password."""
        asked = ["--stack", self.stack, "--objective", self.objective, "--budget", f"{self.budget_s}s", "--no-wait"]
        return [sys.executable, "-m", "tuner", "tune", self.profile, *asked, "--results", str(results.folder)]


def wish(told: Mapping[str, str]) -> Wish:
    """Return what a form asks for; raise `UsageError` saying all that is wrong with it."""
    wrong = []
    stacks = [each.name for each in facts.every()]
    if told.get("stack") not in stacks:
        wrong.append(f"the stack must be one of {', '.join(stacks)}")
    if not _PROFILE.fullmatch(told.get("profile", "")):
        wrong.append("the profile must be a name: letters, digits, - and _, no path")
    if told.get("objective") not in OBJECTIVES:
        wrong.append(f"the objective must be one of {', '.join(OBJECTIVES)}")
    budget = told.get("budget_s", "")
    if not (
        budget.isascii() and budget.isdigit() and len(budget) <= len(str(MOST_S)) and LEAST_S <= int(budget) <= MOST_S
    ):
        wrong.append(f"the budget must be {LEAST_S} to {MOST_S} s")
    if wrong:
        raise UsageError("; ".join(wrong), advice="go back and mend it")
    return Wish(told["stack"], told["profile"], told["objective"], int(budget))


@dataclass(frozen=True, slots=True)
class Started:
    """What became of the latest session that was started here."""

    words: str = ""
    """The command; empty where none was started."""
    session: str = ""
    """Its id, empty while it has none."""
    running: bool = False
    status: int | None = None
    stops: int = 0
    """How often it was asked to end."""
    said: str = ""
    """The end of what it said."""


@dataclass(slots=True)
class Asking:
    """The server's end of the connection to who starts sessions."""

    connection: socket.socket
    parent: int = field(default_factory=os.getppid)
    stopping: socket.socket | None = None
    """Another one, over which can only be asked to stop: for who stands before the server."""
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_orphan(self) -> bool:
        """Return whether who starts sessions is gone, and the server is to end too."""
        return os.getppid() != self.parent

    def start(self, wanted: Wish) -> Started:
        """Start a tuning; raise `UsageError` saying why it is not."""
        return self._ask({"start": asdict(wanted)})

    def stop(self, session: str) -> Started:
        """Let a session end that was started here; asked twice, it ends at once. Raise `UsageError` for another one."""
        return self._ask({"stop": session})

    def state(self) -> Started:
        """Return what became of the latest one."""
        return self._ask({"state": True})

    def _ask(self, request: Mapping[str, object]) -> Started:
        with self._turn:
            self.connection.sendall(json.dumps(request).encode() + b"\n")
            answer = _line(self.connection)
        if answer is None:
            raise TunerError("what starts sessions is gone", advice="begin the server again")
        if "refused" in answer:
            raise UsageError(str(answer["refused"]))
        return Started(**answer)


@dataclass(slots=True)
class Starter:
    """The parent's end: it starts one session at a time."""

    results: Results
    environment: Mapping[str, str]
    folder: Path
    """Where sessions are started: where the server was."""
    started: Started = field(default_factory=Started)
    _program: Kept | None = None
    _said: IO[bytes] | None = None
    _turn: threading.RLock = field(default_factory=threading.RLock)

    def serve(self, connection: socket.socket) -> None:
        """Answer until the server ends; then end what was started."""
        with contextlib.suppress(OSError):
            while (request := _line(connection)) is not None:
                connection.sendall(json.dumps(self.answer(request)).encode() + b"\n")
        self.end()

    def serve_stops(self, connection: socket.socket) -> None:
        """Answer, beside `serve`, to who can only ask to stop, until he is gone."""
        with contextlib.suppress(OSError):
            while (request := _line(connection)) is not None:
                only = {"stop": str(request.get("stop", ""))}
                connection.sendall(json.dumps(self.answer(only)).encode() + b"\n")

    def answer(self, request: Mapping[str, Any]) -> dict[str, object]:
        """Return the answer to one request."""
        with self._turn:
            try:
                match request:
                    case {"start": dict(told)}:
                        self._start(wish({str(name): str(value) for name, value in told.items()}))
                    case {"stop": str(session)}:
                        self._stop(session)
                return asdict(self._now())
            except TunerError as reason:
                return {"refused": reason.message}

    def end(self) -> None:
        """End what was started: asked twice, as by Ctrl-C, it stops where it is and keeps its runs."""
        for wait_s in _ENDS_S:
            if self._program and self._now().running:
                self._program.signal(signal.SIGINT)
                self._program.ended(wait_s)
        if self._program:
            self._program.kill_group()
            self._program.reap()
        self._now()
        self._forget_words()

    def _start(self, wanted: Wish) -> None:
        if self._now().running:
            raise UsageError("a session that was started here is under way: one at a time")
        self._forget_words()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - it is read for as long as the server runs
        nowhere = os.open(os.devnull, os.O_RDWR)
        try:
            streams = (nowhere, nowhere, self._said.fileno())
            self._program = keeping.start(wanted.argv(self.results), streams, self.folder, self.environment)
        finally:
            os.close(nowhere)
        words = " ".join(["tuner", *wanted.argv(self.results)[3:]])
        self.started = Started(words, running=True)

    def _stop(self, session: str) -> None:
        now = self._now()
        if not now.running or not self._program or session != now.session:
            raise UsageError("that session was not started here, or has ended: Ctrl-C in its terminal stops it")
        self._program.signal(signal.SIGINT)
        self.started = replace(now, stops=now.stops + 1)

    def _forget_words(self) -> None:
        said, self._said = self._said, None
        if said:
            said.close()

    def _now(self) -> Started:
        """Return what is known of the latest session now."""
        ended = self._program.ended(0.0) if self._program else None
        if self._said is None:
            return self.started
        found = _SESSION.search(_text(self._said, 0))
        self.started = replace(
            self.started,
            session=found[1] if found else "",
            running=bool(self._program) and ended is None,
            status=ended[0] if ended else None,
            said=_text(self._said, -MOST_SAID),
        )
        return self.started


def _text(file: IO[bytes], begin: int) -> str:
    """Return so much of a file, from its beginning or, before 0, from its end."""
    at = begin if begin >= 0 else max(0, os.fstat(file.fileno()).st_size + begin)
    return os.pread(file.fileno(), MOST_SAID, at).decode(errors="replace")


def _line(connection: socket.socket) -> Mapping[str, Any] | None:
    """Return the next message, None at the end or for what is none."""
    heard = b""
    while not heard.endswith(b"\n") and len(heard) < MOST_BYTES:
        more = connection.recv(MOST_BYTES)
        if not more:
            return None
        heard += more
    try:
        found = json.loads(heard)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def with_starter(
    results: Results, environment: Mapping[str, str], folder: Path, serve: Callable[[Asking], None]
) -> int:
    """Carry out `serve` in a process of its own, and start sessions for it in `folder` meanwhile, until that has ended.

    Return the status that it ended with, 0 where it was asked to end; raise `TunerError` where something else ended it.
    """
    (mine, theirs), (mine_too, stopping) = socket.socketpair(), socket.socketpair()
    server = os.fork()
    if server == 0:
        mine.close()
        mine_too.close()
        os.setpgid(0, 0)  # so that Ctrl-C in a terminal comes to it once
        serve(Asking(theirs, stopping=stopping))
        return 0
    theirs.close()
    stopping.close()
    with mine, mine_too, _signals_go_to(server) as told:
        url = {"TUNER_STORE": results.store} if results.store else {}
        starter = Starter(results, {**environment, **url}, folder)
        threading.Thread(target=starter.serve_stops, args=(mine_too,), daemon=True).start()
        starter.serve(mine)
        _, ended = os.waitpid(server, 0)
    return 0 if told else _status(ended)


def _status(ended: int) -> int:
    """Return the exit status of a process that nobody asked to end; raise `TunerError` where a signal ended it."""
    status = os.waitstatus_to_exitcode(ended)
    if status < 0:
        raise TunerError(f"{signal.Signals(-status).name} ended the server", advice="begin it again")
    return status


@contextlib.contextmanager
def _signals_go_to(server: int) -> Iterator[list[int]]:
    """Pass on to the server what would end this process, which ends with it; give the signals that were.

    These are handlers, because what is ignored would be ignored by what is started, too.
    """
    passed_on: list[int] = []

    def pass_on(number: int, _: object) -> None:
        passed_on.append(number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(server, number)
        signal.setitimer(signal.ITIMER_REAL, _ITS_END_S)

    def end(_number: int, _: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server, signal.SIGKILL)  # it has nothing to lose, and may have no time where nothing is idle

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in (*numbers, signal.SIGALRM)}
    signal.signal(signal.SIGALRM, end)
    for number in numbers:
        signal.signal(number, pass_on)
    try:
        yield passed_on
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)
