"""The agent on another host: what is asked of it over its input is asked of a `LocalHost` there, and answered on its output.

It is sent over the connection and needs Python's standard library only (3.9 or later). It has a private folder, in which all
that it starts lives. It ends when its input ends, when nobody says anything for `guardian.SILENCE_S`, and at its deadline; then,
or where it is killed or stopped, its guardian ends everything that it started and removes the folder.

A message asks `{"id": 7, "do": "which", "with": {"program": "sh"}}`; the answer is `{"id": 7, "is": "/bin/sh"}` or
`{"id": 7, "failed": {…}}`, and none where the id is 0. Unasked, it says what processes write and how they end.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import queue
import select
import selectors
import sys
import tempfile
import threading
import time
import zlib
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from signal import SIG_IGN, SIGHUP, SIGINT, SIGPIPE, Signals, signal
from typing import Any, BinaryIO, Final, NoReturn

from tuner.errors import MissingTool, TunerError, UsageError
from tuner.exclusive import Lock, Taken
from tuner.hosts import guardian
from tuner.hosts.host import Command
from tuner.hosts.host import Process as AnyProcess
from tuner.hosts.local import LocalHost, LocalSite
from tuner.hosts.processes import Process
from tuner.hosts.wire import CHUNK_BYTES, Incoming, framed, plain
from tuner.untrusted import opened

GREETING: Final = b"tuner agent speaks\n"
"""What comes before the first message: what a login shell prints by itself stands before it and is passed over."""
_PING: Final = "ping"


@dataclass
class Started:
    """A process of a site, and what of it has been told."""

    process: Process
    told: dict[str, int] = field(default_factory=lambda: {"stdout": 0, "stderr": 0})
    ended: bool = False


@dataclass
class Entered:
    """A site that is in use, and its processes by their numbers."""

    site: LocalSite
    processes: dict[int, Started] = field(default_factory=dict)


class Agent:
    """One agent: its folder, where it answers, and what is under way."""

    def __init__(self, host: LocalHost, folder: Path, say: Callable[[object], None]) -> None:
        self._folder = folder
        self._say = say
        self._host = host
        self._sites: dict[int, Entered] = {}
        self._turn = contextlib.ExitStack()
        self._listening = contextlib.ExitStack()
        self._lock: Lock | None = None
        self._selector = selectors.DefaultSelector()

    def serve(self, asked: queue.SimpleQueue[Mapping[str, Any]], bell: int) -> NoReturn:
        """Answer for ever what is put into the queue, of which `bell` tells by becoming readable."""
        self._selector.register(bell, selectors.EVENT_READ, None)
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._hear(key.data)
                    continue
                os.read(bell, 4096)
                while not asked.empty():
                    self._answer(asked.get())

    def _answer(self, message: Mapping[str, Any]) -> None:
        number = message["id"]
        try:
            found = {"is": plain(self._does()[message["do"]](**message["with"]))}
        except Exception as reason:  # noqa: BLE001 - whatever it is, the other end must hear of it
            found = {"failed": failure(reason)}
        if number:
            self._say({"id": number, **found})

    def _does(self) -> Mapping[str, Callable[..., object]]:
        host = self._host
        return {
            "counters": host.counters,
            "sample": host.sample,
            "topology": host.topology,
            "facts": host.facts,
            "room": host.room,
            "has_card": host.has_card,
            "network": lambda: replace(host.network(), ssh=_reached_at(os.environ.get("SSH_CONNECTION", ""))),
            "route": lambda address: {"route": host.route(address)},
            "machine": host.machine,
            "which": host.which,
            "free_ports": host.free_ports,
            "refusal": host.refusal,
            "read": _part,
            "output_of": lambda command, limit_s: host.output_of(command_of(command), limit_s),
            "said_on_terminal": lambda command, limit_s: host.said_on_terminal(command_of(command), limit_s),
            "listen": lambda protocol, address: self._listening.enter_context(host.listening(protocol, address)),
            "listen_no_more": self._listening.close,
            "unreached": host.unreached,
            "take_turn": self._take_turn,
            "say_turn": lambda what: self._lock.say(what) if self._lock else None,
            "leave_turn": self._turn.close,
            "bring": self._bring,
            "start": self._start,
            "written": lambda site, names: self._sites[site].site.written(names) if site in self._sites else {},
            "chunk": self._chunk,
            "leave": self._leave,
            "said": lambda site, process: self._process(site, process).said(),
            "look": lambda site, process: self._process(site, process).look(),
            "weigh": lambda site, process: self._process(site, process).weigh(),
            "signal": lambda site, process, number: self._process(site, process).signal(Signals(number)),
            "kill_group": lambda site, process: self._process(site, process).kill_group(),
        }

    def _take_turn(self, what: str) -> Mapping[str, object]:
        try:
            self._lock = self._turn.enter_context(self._host.turn(what))
        except Taken as taken:
            return {"holder": taken.holder}
        return {}

    def _process(self, site: int, process: int) -> AnyProcess:
        return self._sites[site].processes[process].process

    def _start(
        self, site: int, process: int, files: Mapping[str, str], command: Mapping[str, Any], limit_s: float
    ) -> None:
        """Start a program in a site, which is entered with its files when its first program is started."""
        if site not in self._sites:
            entered = Entered(self._host.site(files).__enter__())
            self._sites[site] = entered
            self._selector.register(entered.site, selectors.EVENT_READ, site)
        entered = self._sites[site]
        started = entered.site.start(command_of(command), limit_s)
        if not isinstance(started, Process):
            raise TypeError(type(started))
        entered.processes[process] = Started(started)

    def _leave(self, site: int) -> None:
        if entered := self._sites.pop(site, None):
            self._selector.unregister(entered.site)
            entered.site.__exit__(None, None, None)

    def _chunk(self, site: int, name: str, offset: int) -> bytes | None:
        """Return a part of a large file, compressed, empty at its end; None where there is none."""
        file = self._sites[site].site.opened(name) if site in self._sites else None
        if file is None:
            return None
        return _packed(file, offset, CHUNK_BYTES)

    def _bring(self, name: str, checksum: str, data: str) -> str:
        """Write a file into a folder that bears its checksum; return its path."""
        found = b64decode(data)
        if hashlib.sha256(found).hexdigest() != checksum:
            raise TunerError(f"{name} did not arrive as it was sent")
        path = self._folder / "brought" / checksum[:16] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(found)
        path.chmod(0o700)
        return str(path)

    def _hear(self, number: int) -> None:
        """Take what the processes of a site have written, and say what is new of it."""
        entered = self._sites[number]
        entered.site.hear()
        for name, each in entered.processes.items():
            for stream in each.told:
                self._say_beginning(number, name, each, stream)
            if each.process.silent and not each.ended:
                each.ended = True
                self._say({"site": number, "process": name, "ended": plain(each.process.result())})

    def _say_beginning(self, site: int, name: int, each: Started, stream: str) -> None:
        """Say what is new of the beginning of a stream; all of it is told when the program has ended."""
        head = getattr(each.process, stream).head
        said = bytes(head[each.told[stream] :])
        each.told[stream] = len(head)
        if said:
            self._say({"site": site, "process": name, "stream": stream, "said": plain(said)})


def _part(path: str, offset: int, most_bytes: int) -> bytes:
    return _packed(opened(Path(path)), offset, most_bytes)


def _packed(file: BinaryIO, offset: int, most_bytes: int) -> bytes:
    """Return a part of a file, compressed, and close it."""
    with file:
        file.seek(offset)
        return zlib.compress(file.read(most_bytes), 1)


def command_of(told: Mapping[str, Any]) -> Command:
    """Return the command that a message tells of."""
    return Command(tuple(told["argv"]), told["environment"], told["cpus"], told["folder_mark"])


def failure(reason: Exception) -> dict[str, object]:
    """Return what went wrong, for the other end to raise."""
    if isinstance(reason, OSError):
        return {"kind": "OSError", "errno": reason.errno, "message": reason.strerror or str(reason)}
    if not isinstance(reason, TunerError):
        return {"kind": "TunerError", "message": f"{type(reason).__name__}: {reason}"}
    kind = next((each.__name__ for each in (UsageError, MissingTool) if isinstance(reason, each)), "TunerError")
    findings = plain(reason.findings)
    return {"kind": kind, "message": reason.message, "findings": findings, "advice": reason.advice}


def main(token: str, deadline_s: float) -> NoReturn:
    """Serve until the other end, the time or a guardian ends it."""
    deadline = time.monotonic() + deadline_s
    for number in (SIGINT, SIGHUP, SIGPIPE):
        signal(number, SIG_IGN)
    place = Path(tempfile.gettempdir())
    guardian.swept_stale(place)
    folder = guardian.taken(place / f"tuner-{token}")
    tempfile.tempdir = str(folder)
    host = _host(os.environ)
    beats = guardian.stands_by(folder, host.turns)
    heard, said = _own_streams()
    asked: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
    bell, ring = os.pipe()
    say = Voice(said)
    threading.Thread(target=_listen, args=(heard, say, _put(asked, ring), beats, deadline, folder), daemon=True).start()
    os.write(said, GREETING)
    say({"hello": {"folder": str(folder), "python": platform.python_version(), "c_library": _c_library()}})
    Agent(host, folder, say).serve(asked, bell)


def _own_streams() -> tuple[int, int]:
    """Return input and output for messages alone: whatever else reads or writes these from now on meets nothing."""
    streams = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    return streams


class Voice:
    """What sends messages, one after the other whoever sends them, until it is silenced."""

    def __init__(self, said: int) -> None:
        self._said = said
        self._turn = threading.Lock()

    def __call__(self, message: object) -> None:
        """Send a message."""
        data = framed(message)
        with self._turn:
            while data:
                data = data[os.write(self._said, data) :]

    def silence(self) -> None:
        """Let nothing more be sent, such as how a program ended that is killed only because this agent ends."""
        self._turn.acquire(timeout=guardian.BEAT_S)


def _put(asked: queue.SimpleQueue[Mapping[str, Any]], ring: int) -> Callable[[Mapping[str, Any]], None]:
    def put(message: Mapping[str, Any]) -> None:
        asked.put(message)
        os.write(ring, b".")

    return put


def _listen(
    heard: int,
    say: Voice,
    put: Callable[[Mapping[str, Any]], None],
    beats: int,
    deadline: float,
    folder: Path,
) -> NoReturn:
    """Take in what is asked, answer at once who asks whether anybody is there, and end the agent when its time is over."""
    try:
        incoming, last = Incoming(), time.monotonic()
        while time.monotonic() < min(deadline, last + guardian.SILENCE_S):
            with contextlib.suppress(BlockingIOError):
                os.write(beats, b".")
            if not select.select([heard], [], [], guardian.BEAT_S)[0]:
                continue
            if not (data := os.read(heard, 1 << 16)):
                break
            last = time.monotonic()
            for message in incoming.fed(data):
                say({_PING: message[_PING]}) if _PING in message else put(message)
    finally:
        say.silence()
        _end(beats, folder)


def _end(beats: int, folder: Path) -> NoReturn:
    """End at once: the guardian does the rest, and where it is gone this process does it."""
    try:
        os.write(beats, b".")
    except BrokenPipeError:
        guardian.sweep(folder)
    except OSError:
        pass
    os._exit(0)


def _host(environment: Mapping[str, str]) -> LocalHost:
    """Return this machine, with the folder of its lock where the environment names one."""
    locks = environment.get("TUNER_LOCKS")
    return LocalHost(turns=Path(locks)) if locks else LocalHost()


def _reached_at(connection: str) -> str | None:
    """Return the address at which ssh reached us (man 1 ssh, SSH_CONNECTION), None where it did not."""
    words = connection.split()
    return words[-2] if len(words) >= 3 else None  # noqa: PLR2004 - the client's address and port, and ours


def _c_library() -> Sequence[str]:
    """Return name and version of the C library, empty texts where it does not say."""
    with contextlib.suppress(ValueError, OSError, AttributeError):
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        return name, version
    return platform.libc_ver(sys.executable)
