"""A machine that does not exist, beside the real one: its programs say what is made up for them, and nothing takes time.

What benchmarks and tests put on it (`tuner.runs.simulated`) runs through the same `Pair` as real programs.
"""

from __future__ import annotations

import io
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from types import TracebackType
from typing import BinaryIO, Final, Self

from tuner.catalogue.room import Room
from tuner.hosts.cpus import Cpu, Topology
from tuner.hosts.facts import Facts
from tuner.hosts.host import HERE, Command, ProcessResult
from tuner.hosts.links import Link, Network, Route
from tuner.hosts.local import check_names, first_bytes
from tuner.hosts.telemetry import Counters, Telemetry

STARTED_AT: Final = "2026-01-02T03:04:05"


def _nothing() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Words:
    """What one program does. One that `serves` lives until it gets a signal and then prints what `last` returns.

    One that `hangs` is ended by its time limit. `files` are what it leaves in its folder.
    """

    stdout: str = ""
    stderr: str = ""
    cpu_s: float = 0.5
    memory_mb: float | None = None
    serves: bool = False
    hangs: bool = False
    last: Callable[[], str] = _nothing
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class SimulatedProcess:
    """A program that has said all its words, or waits for a signal."""

    words: Words
    limit_s: float
    lived_s: float = 0.0
    stopped: bool = False
    stdout: str = ""
    silent: bool = False

    def printed(self, sign: str) -> int:
        """Return how often its output holds `sign`."""
        return self.stdout.count(sign) + self.words.stderr.count(sign)

    def said(self) -> str:
        """Return what it wrote."""
        return (self.stdout + self.words.stderr).strip() or "it printed nothing"

    def look(self) -> None:
        """See nothing: it has no sockets."""

    def weigh(self) -> None:
        """Weigh nothing: its words say what memory it has."""

    def signal(self, number: Signals) -> None:
        """End it; it prints its last words."""
        if not self.silent:
            self.stdout += self.words.last()
        self.silent = True

    def kill_group(self) -> None:
        """End it without a word."""
        self.silent = True

    def result(self) -> ProcessResult:
        """Return how it ended."""
        late = self.stopped or self.words.hangs
        said, words = (self.stdout, self.words.stderr), self.words
        return ProcessResult(0, *said, words.cpu_s, late, memory_mb=words.memory_mb, lived_s=self.lived_s)


class SimulatedSite:
    """A folder that is nowhere. Its age is what the host says that its last run took."""

    started_at = STARTED_AT

    def __init__(self, host: Machine, names: Mapping[str, str]) -> None:
        self._host = host
        self._names = tuple(names)
        self._files: dict[str, bytes] = {}
        self._quiet: int | None = None

    def __enter__(self) -> Self:
        """Refuse what a real folder would refuse."""
        check_names(self._names)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """Forget everything."""
        if self._quiet is not None:
            os.close(self._quiet)

    def fileno(self) -> int:
        """Return a descriptor that stays silent: everything has been said at once, who waits here waits for the other end."""
        if self._quiet is None:
            self._quiet = os.eventfd(0)
        return self._quiet

    def hear(self) -> None:
        """Hear nothing new."""

    def age_s(self) -> float:
        """Return the seconds that the last run took: up to its limit where its client hung."""
        return self._host.hung_s or self._host.lasted_s()

    def start(self, command: Command, limit_s: float) -> SimulatedProcess:
        """Start a program, which says its words at once."""
        words = self._host.speak(command)
        self._files.update(words.files)
        self._host.hung_s = limit_s if words.hangs else 0.0
        return SimulatedProcess(words, limit_s, self.age_s(), stdout=words.stdout, silent=not words.serves)

    def written(self, names: Sequence[str]) -> dict[str, str]:
        """Return the files that programs have left here."""
        return {name: self._files[name].decode(errors="replace") for name in names if name in self._files}

    def opened(self, name: str) -> BinaryIO | None:
        """Return a file that a program has left here."""
        return io.BytesIO(self._files[name]) if name in self._files else None


@dataclass
class Machine:
    """A quiet machine of two cores whose programs say nothing; a kind of host overrides what it wants to be otherwise.

    `hung_s` is how long the last program hung before its limit ended it, 0 where it did not.
    """

    hung_s: float = field(default=0.0, init=False)

    def speak(self, command: Command) -> Words:
        """Return what a program does."""
        return Words()

    def lasted_s(self) -> float:
        """Return how long the last run took, in seconds."""
        return 0.0

    name = HERE

    def brought(self, path: Path) -> Path:
        """Return the path itself: nobody simulates a disk."""
        return path

    def reconnect(self) -> None:
        """Do nothing: it cannot be lost."""

    def listening(self, protocol: str, address: str) -> AbstractContextManager[int]:
        """Return a port."""
        return nullcontext(20000)

    def unreached(self, protocol: str, address: str, port: int) -> str | None:
        """Return that everything is reached."""
        return None

    def turn(self, what: str) -> AbstractContextManager[None]:
        """Return what holds nothing: nobody takes turns here."""
        return nullcontext()

    def site(self, files: Mapping[str, str]) -> SimulatedSite:
        """Return a place to start programs in."""
        return SimulatedSite(self, files)

    def output_of(self, command: Command, time_limit_s: float = 10.0) -> ProcessResult:
        """Return that every short program ends well and says nothing."""
        return ProcessResult(0, "", "", 0.0)

    def said_on_terminal(self, command: Command, time_limit_s: float = 10.0) -> str:
        """Return what the program says anywhere: nobody looks who listens."""
        said = self.output_of(command, time_limit_s)
        return said.stdout + said.stderr

    def free_ports(self, count: int, protocol: str, address: str) -> tuple[int, ...]:
        """Return ports that nobody uses, because nothing listens here."""
        return tuple(range(20000, 20000 + count))

    def refusal(self, protocol: str, address: str, port: int) -> str | None:
        """Return nothing, because nothing listens here."""
        return None

    def counters(self, cpus: Sequence[int]) -> Counters:
        """Return counters that never grow."""
        return Counters(0.0, 0.0)

    def sample(self, cpus: Sequence[int], span_s: float) -> Telemetry:
        """Return that nothing happens; no time passes."""
        return Telemetry(span_s)

    def topology(self) -> Topology:
        """Return two cores of one package."""
        return Topology((Cpu(0, 0, 0), Cpu(1, 0, 1)))

    def facts(self) -> Facts:
        """Return a name and the two cores, and that nothing else is known."""
        return Facts("simulated", "none", None, 2, *(None,) * 8)

    def room(self) -> Room:
        """Return that there is no limit known."""
        return Room(None, None, None)

    def network(self) -> Network:
        """Return one device with all that it should have."""
        return Network((Link("sim0", ("192.0.2.1/24",), up=True, mtu=1500),))

    def route(self, address: str) -> Route | None:
        """Return that everything is reached directly."""
        return Route("sim0", "192.0.2.1")

    def has_card(self) -> bool:
        """Return that there is no device."""
        return False

    def machine(self) -> str:
        """Return the architecture of this machine, whose files it has."""
        return platform.machine()

    def which(self, program: str) -> str | None:
        """Return where a program is: every one that is named without a folder is there, and so is every path."""
        return program if program.startswith("/") else f"/usr/bin/{program}"

    def read(self, path: Path, most_bytes: int) -> bytes:
        """Return the first `most_bytes` of a file of this machine: nobody simulates a disk."""
        return first_bytes(path, most_bytes)
