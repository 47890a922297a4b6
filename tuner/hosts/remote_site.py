"""A run's place on another host: its folder and the programs in it, as far as the agent has told of them.

Times are this machine's: when a site was entered, and how old it is; a clock of the other host is never compared with one here.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
import zlib
from base64 import b64decode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, BinaryIO, Final, Protocol, Self, TypeVar

from tuner.errors import HostLost, TunerError
from tuner.hosts import received
from tuner.hosts.host import Command, ProcessResult
from tuner.hosts.local import check_names
from tuner.hosts.wire import CHUNK_BYTES, plain

T = TypeVar("T")
LOG_BYTES: Final = 1 << 32
"""The largest file of a run that is fetched; who reads it has a limit of his own."""
_STREAM_BYTES: Final = 1 << 21


class Asked(Protocol):
    """The host of a site as the site sees it: whom it asks, and who tells it what the agent says of its programs."""

    @property
    def name(self) -> str:
        """Return what the host is called."""

    def check(self) -> None:
        """Raise `HostLost` where nothing can be asked any more."""

    def ask(self, what: str, details: Mapping[str, object]) -> Any:
        """Return the answer to a question; raise `HostLost` where there is none."""

    def tell(self, what: str, details: Mapping[str, object]) -> None:
        """Ask for something of which no answer is wanted."""

    def answer(self, kind: type[T], what: str, details: Mapping[str, object]) -> T:
        """Return the answer to a question as a record of `kind`."""

    def entered(self, site: RemoteSite) -> int:
        """Return the number by which the agent will know a site."""

    def left(self, number: int) -> None:
        """Forget a site, of which nothing more is heard."""


class RemoteProcess:
    """A program that runs on another host, as far as it has been heard of."""

    def __init__(self, site: RemoteSite, number: int, limit_s: float) -> None:
        self._site = site
        self._number = number
        self._heads = {"stdout": bytearray(), "stderr": bytearray()}
        self._ended: ProcessResult | None = None
        self.limit_s = limit_s
        self.stopped = False

    def take(self, message: Mapping[str, Any]) -> None:
        """Note what the agent says of it; raise `ValueError` for what is none of that."""
        if "said" in message:
            self._heads[message["stream"]] += b64decode(message["said"], validate=True)[:_STREAM_BYTES]
        if "ended" in message:
            self._ended = received.record(ProcessResult, message["ended"])

    @property
    def silent(self) -> bool:
        """Return whether it has ended and all that it wrote is here."""
        return self._ended is not None

    def printed(self, sign: str) -> int:
        """Return how often the beginnings of its standard output and standard error hold `sign`."""
        return sum(head.count(sign.encode()) for head in self._heads.values())

    def said(self) -> str:
        """Return the last that it wrote."""
        return str(self._site.ask("said", {"process": self._number}))

    def look(self) -> None:
        """Let the agent note what its sockets are now."""
        self._site.tell("look", {"process": self._number})

    def weigh(self) -> None:
        """Let the agent note how much memory it has held so far."""
        self._site.tell("weigh", {"process": self._number})

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._site.tell("signal", {"process": self._number, "number": int(number)})

    def kill_group(self) -> None:
        """Kill it and what it started."""
        self._site.tell("kill_group", {"process": self._number})

    def result(self) -> ProcessResult:
        """Return how it ended, waiting for its end; raise `HostLost` where that cannot be known any more."""
        while self._ended is None:
            self._site.wait()
        return replace(self._ended, timed_out=self.stopped or self._ended.timed_out)


class RemoteSite:
    """A folder on another host and the processes in it. It is made when its first program is started."""

    def __init__(self, host: Asked, files: Mapping[str, str]) -> None:
        self._host = host
        self._files = files
        self._processes: dict[int, RemoteProcess] = {}
        self._entered_s = time.monotonic()
        self._bell = -1
        self._ringing = threading.Lock()
        self._number = 0
        self.started_at = ""

    def __enter__(self) -> Self:
        """Refuse what no folder could hold."""
        check_names(self._files)
        self._entered_s, self.started_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="milliseconds")
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._number = self._host.entered(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """Let the agent end what still runs and take the folder away; where there is none any more, its guardian does it."""
        self._host.left(self._number)
        with self._ringing:  # who rings late would write to whatever has the number by then
            bell, self._bell = self._bell, -1
        os.close(bell)

    def ring(self, message: Mapping[str, Any] | None) -> None:
        """Note what is said of a process, None where the connection is lost; called by the thread that listens."""
        if message is not None and (process := self._processes.get(message["process"])):
            process.take(message)
        with self._ringing:
            if self._bell >= 0:
                os.eventfd_write(self._bell, 1)

    def fileno(self) -> int:
        """Return a descriptor that can be read when there is something to hear."""
        return self._bell

    def hear(self) -> None:
        """Go on, since what has been said is noted as it comes; raise `HostLost` where nothing more will come."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        self._host.check()

    def wait(self) -> None:
        """Wait until something is heard; raise `HostLost` where nothing will be."""
        self._host.check()
        os.set_blocking(self._bell, True)
        try:
            os.eventfd_read(self._bell)
        finally:
            os.set_blocking(self._bell, False)
        self._host.check()

    def age_s(self) -> float:
        """Return the seconds since the site was entered."""
        return time.monotonic() - self._entered_s

    def ask(self, what: str, details: Mapping[str, object]) -> Any:
        """Return an answer that concerns this site."""
        return self._host.ask(what, {"site": self._number, **details})

    def tell(self, what: str, details: Mapping[str, object]) -> None:
        """Ask the agent to do something with this site."""
        self._host.tell(what, {"site": self._number, **details})

    def start(self, command: Command, limit_s: float) -> RemoteProcess:
        """Start a program in the folder."""
        number = len(self._processes) + 1
        process = self._processes[number] = RemoteProcess(self, number, limit_s)
        try:
            self.ask(
                "start", {"process": number, "files": dict(self._files), "command": plain(command), "limit_s": limit_s}
            )
        except OSError as reason:
            raise HostLost(f"{self._host.name}: no run can be started there: {reason.strerror}") from reason
        return process

    def written(self, names: Sequence[str]) -> dict[str, str]:
        """Return the wanted files that are there, the first part of long ones."""
        return self._host.answer(dict[str, str], "written", {"site": self._number, "names": list(names)})

    def opened(self, name: str) -> BinaryIO | None:
        """Return a copy of a file of the folder, None where there is none."""
        copy: BinaryIO | None = None
        offset = 0
        while (part := self.ask("chunk", {"name": name, "offset": offset})) is not None:
            copy = copy or tempfile.TemporaryFile()  # noqa: SIM115 - whoever asked for it closes it
            data = unpacked(part)
            copy.write(data)
            offset += len(data)
            if not data or offset >= LOG_BYTES:
                copy.seek(0)
                break
        return copy


def unpacked(part: object) -> bytes:
    """Return the bytes of a compressed part; raise `TunerError` for what is none, or too large for one."""
    packed = zlib.decompressobj()
    try:
        data = packed.decompress(b64decode(str(part), validate=True), CHUNK_BYTES)
    except (ValueError, zlib.error) as reason:
        raise TunerError(f"a part of a file of another host makes no sense: {reason}") from reason
    if not packed.eof:
        raise TunerError("a part of a file of another host is too large or not whole")
    return data
