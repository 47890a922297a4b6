"""Another machine as a host, by its agent (`tuner.hosts.agent`): what is asked here is done there, by the same code.

Nothing but whole lists of arguments and whole environments goes over the connection, so that both arrive exactly. Where programs
run there is in `tuner.hosts.remote_site`.

Where the connection is lost (it was cut, the agent was killed or stopped), every question raises `HostLost` with the host's name
until `reconnect`; what the agent had started ends within `guardian.SILENCE_S` and about a second.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from tuner.catalogue.room import Room
from tuner.errors import Finding, HostLost, MissingTool, TunerError, UsageError
from tuner.exclusive import Holder, Taken
from tuner.hosts import foreign, received
from tuner.hosts.connection import Connection, NotStarted
from tuner.hosts.cpus import Topology
from tuner.hosts.facts import Facts
from tuner.hosts.host import Command, ProcessResult
from tuner.hosts.links import Network, Route
from tuner.hosts.reach import TRY_S
from tuner.hosts.remote_site import RemoteSite, unpacked
from tuner.hosts.telemetry import Counters, Telemetry
from tuner.hosts.wire import CHUNK_BYTES, plain

T = TypeVar("T")
_NOTHING: Final[Mapping[str, object]] = {}
_ERRORS: Final[Mapping[str, type[TunerError]]] = {"UsageError": UsageError, "MissingTool": MissingTool}


@dataclass(frozen=True, slots=True)
class Way:
    """How a host is reached: its name, and the command that runs there what is put behind its arguments as one more.

    `explain` makes an error of a connection that did not come about.
    """

    name: str
    argv: tuple[str, ...]
    explain: Callable[[str, NotStarted], TunerError]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RemoteTurn:
    """The turn to measure on another machine."""

    host: RemoteHost

    def say(self, what: str) -> None:
        """Let those who come second know what is done meanwhile."""
        self.host.tell("say_turn", {"what": what})


@dataclass(frozen=True, slots=True)
class _Taken:
    holder: Holder | None = None


class RemoteHost:
    """A machine that is reached over a connection, which is made at once."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._token = secrets.token_hex(8)
        self._sites: dict[int, RemoteSite] = {}
        self._entered = 0
        self._turn = threading.Lock()
        self._brought: dict[Path, Path] = {}
        self._turn_of: str | None = None
        self._connection = self._connected()

    @property
    def name(self) -> str:
        """Return what the host is called."""
        return self._way.name

    @contextmanager
    def listening(self, protocol: str, address: str) -> Iterator[int]:
        """Listen there on a free port of an address; raise `OSError` where that cannot be."""
        try:
            yield self.answer(int, "listen", {"protocol": protocol, "address": address})
        finally:
            self.tell("listen_no_more", {})

    def unreached(self, protocol: str, address: str, port: int) -> str | None:
        """Return why nothing comes back to that host from a port where another one listens."""
        return _text(self.ask("unreached", {"protocol": protocol, "address": address, "port": port}, TRY_S))

    @contextmanager
    def turn(self, what: str) -> Iterator[RemoteTurn]:
        """Hold the machine's turn to measure; raise `Taken` where somebody else has it."""
        self._take_turn(what)
        self._turn_of = what
        try:
            yield RemoteTurn(self)
        finally:
            self._turn_of = None
            self.tell("leave_turn", {})

    def _take_turn(self, what: str) -> None:
        if taken := self.answer(_Taken, "take_turn", {"what": what}).holder:
            raise Taken(taken)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """Let the agent go, with all that it started."""
        self._connection.close()

    def _connected(self) -> Connection:
        try:
            connection = Connection(self._way.argv, self._way.environment, self._token)
        except NotStarted as reason:
            raise self._way.explain(self.name, reason) from reason
        except OSError as reason:
            raise MissingTool(f"{self._way.argv[0]} cannot be started: {reason.strerror}") from reason
        except ValueError as reason:
            raise HostLost(f"{self.name}: what answers there is no agent: {reason}") from reason
        connection.hear, connection.on_loss = self._heard, self._lost
        return connection

    def reconnect(self) -> None:
        """Make a new connection where it was lost, with what was brought to the host before; the old agent is ended.

        Raises:
            TunerError: it cannot be reached.

        """
        if not self._connection.lost:
            return
        self._connection.close()
        self._connection = self._connected()
        brought, self._brought = self._brought, {}
        for path in brought:
            self.brought(path)
        if self._turn_of is not None:
            try:
                self._take_turn(self._turn_of)
            except Taken as taken:
                raise HostLost(f"{self.name}: {taken.holder} has begun to measure there meanwhile") from taken

    def check(self) -> None:
        """Raise `HostLost` where nothing can be asked any more."""
        if self._connection.lost:
            raise HostLost(f"{self.name}: {self._connection.lost}", advice=_RECONNECTS)

    def ask(self, what: str, details: Mapping[str, object], takes_s: float = 0.0) -> Any:
        """Return the answer to a question.

        Raises:
            HostLost: there is none.
            UsageError, MissingTool, TunerError, OSError: as the same question raises them on this machine.

        """
        self.check()
        try:
            message = self._connection.ask(what, details, takes_s)
        except HostLost as reason:
            raise HostLost(f"{self.name}: {reason.message}", advice=_RECONNECTS) from reason
        if "failed" in message:
            raise self._failure(message["failed"])
        return message.get("is")

    def tell(self, what: str, details: Mapping[str, object]) -> None:
        """Ask for something of which no answer is wanted."""
        self._connection.tell(what, details)

    def _failure(self, said: object) -> Exception:
        try:
            found = received.record(_Failed, said)
        except ValueError as reason:
            return TunerError(f"{self.name}: its answer makes no sense: {reason}")
        if found.kind == "OSError":
            return OSError(found.errno or 0, found.message)
        kind = _ERRORS.get(found.kind, TunerError)
        return kind(f"{self.name}: {found.message}", findings=found.findings, advice=found.advice)

    def answer(self, kind: type[T], what: str, details: Mapping[str, object] = _NOTHING, takes_s: float = 0.0) -> T:
        """Return the answer to a question as a record of `kind`; raise as `ask`, and `TunerError` where it is none."""
        try:
            return received.record(kind, self.ask(what, details, takes_s))
        except ValueError as reason:
            raise TunerError(f"{self.name}: its answer makes no sense: {reason}") from reason

    def entered(self, site: RemoteSite) -> int:
        """Return the number by which the agent will know a site."""
        with self._turn:
            self._entered += 1
            self._sites[self._entered] = site
            return self._entered

    def left(self, number: int) -> None:
        """Forget a site, of which nothing more is heard."""
        with self._turn:
            self._sites.pop(number, None)
        self.tell("leave", {"site": number})

    def _heard(self, message: Mapping[str, Any]) -> None:
        with self._turn:
            if site := self._sites.get(message["site"]):
                site.ring(message)

    def _lost(self) -> None:
        with self._turn:
            for site in self._sites.values():
                site.ring(None)

    def site(self, files: Mapping[str, str]) -> RemoteSite:
        """Return a place to start processes in; its folder will hold `files`, name to text."""
        return RemoteSite(self, files)

    def brought(self, path: Path) -> Path:
        """Return where a library of this machine is there; it is sent, and goes when the connection is closed.

        Raise `MissingTool` where programs there could not load it.
        """
        if path not in self._brought:
            data = path.read_bytes()
            if why := foreign.unfit(data, self.machine(), self._connection.hello["c_library"]):
                raise MissingTool(f"{self.name}: {path.name} cannot be loaded there: {why}", advice=_OWN_BUILD)
            told = {"name": path.name, "checksum": hashlib.sha256(data).hexdigest()}
            self._brought[path] = Path(self.answer(str, "bring", {**told, "data": b64encode(data).decode("ascii")}))
        return self._brought[path]

    def output_of(self, command: Command, time_limit_s: float = 10.0) -> ProcessResult:
        """Return what one short program did."""
        return self.answer(
            ProcessResult, "output_of", {"command": plain(command), "limit_s": time_limit_s}, time_limit_s
        )

    def said_on_terminal(self, command: Command, time_limit_s: float = 10.0) -> str:
        """Return what one short program says where its output is a terminal."""
        return self.answer(str, "said_on_terminal", {"command": plain(command), "limit_s": time_limit_s}, time_limit_s)

    def free_ports(self, count: int, protocol: str, address: str) -> tuple[int, ...]:
        """Return `count` different ports of `address` on which nobody listens there."""
        asked = {"count": count, "protocol": protocol, "address": address}
        return self.answer(tuple[int, ...], "free_ports", asked)

    def refusal(self, protocol: str, address: str, port: int) -> str | None:
        """Return why nobody can listen on a port of `address` there, None where it is free."""
        return _text(self.ask("refusal", {"protocol": protocol, "address": address, "port": port}))

    def counters(self, cpus: Sequence[int]) -> Counters:
        """Return the machine's counters now."""
        return self.answer(Counters, "counters", {"cpus": list(cpus)})

    def sample(self, cpus: Sequence[int], span_s: float) -> Telemetry:
        """Return what happens there from now on for so many seconds."""
        return self.answer(Telemetry, "sample", {"cpus": list(cpus), "span_s": span_s}, span_s)

    def topology(self) -> Topology:
        """Return the CPUs that may be used there."""
        return self.answer(Topology, "topology")

    def facts(self) -> Facts:
        """Return what the machine is."""
        return self.answer(Facts, "facts")

    def room(self) -> Room:
        """Return the memory that the machine has to give."""
        return self.answer(Room, "room")

    def network(self) -> Network:
        """Return the machine's network devices."""
        return self.answer(Network, "network")

    def route(self, address: str) -> Route | None:
        """Return how packets from there to an address leave, None where they cannot."""
        return self.answer(_Route, "route", {"address": address}).route

    def has_card(self) -> bool:
        """Return whether there is a device that XLIO or VMA could use."""
        return self.answer(bool, "has_card")

    def machine(self) -> str:
        """Return the architecture of its programs."""
        return self.answer(str, "machine")

    def which(self, program: str) -> str | None:
        """Return the absolute path of a program there, None where there is none."""
        return _text(self.ask("which", {"program": program}))

    def read(self, path: Path, most_bytes: int) -> bytes:
        """Return the first `most_bytes` of a file there."""
        data = bytearray()
        while len(data) < most_bytes:
            wanted = min(CHUNK_BYTES, most_bytes - len(data))
            try:
                part = unpacked(self.ask("read", {"path": str(path), "offset": len(data), "most_bytes": wanted}))
            except OSError as reason:
                raise OSError(reason.errno, reason.strerror, str(path)) from reason
            data += part
            if len(part) < wanted:
                break
        return bytes(data)


_OWN_BUILD: Final = (
    "run tuner on a machine of that kind, such as that host itself; --no-fast-start does without libtuner_faststart.so"
)
_RECONNECTS: Final = "see whether it can be reached; `tuner sessions resume` goes on with a session"


@dataclass(frozen=True, slots=True)
class _Route:
    route: Route | None


@dataclass(frozen=True, slots=True)
class _Failed:
    kind: str
    message: str
    errno: int | None = None
    findings: tuple[Finding, ...] = ()
    advice: str = ""


def _text(said: object) -> str | None:
    return None if said is None else str(said)
