"""A machine, as everybody sees it who wants to know something of one or start something there.

`tuner.hosts.local` is this machine, `tuner.hosts.simulated` one that does not exist; `tests/test_hosts_conformance.py`
holds the laws that all of them keep. `tuner.hosts.pair` puts a server on one and a client on another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self

from tuner.catalogue.room import Room
from tuner.hosts.cpus import Topology
from tuner.hosts.facts import Facts
from tuner.hosts.links import Network, Route
from tuner.hosts.telemetry import Counters, Telemetry


@dataclass(frozen=True, slots=True)
class Command:
    """One process to start: its arguments, its whole environment (nothing is inherited) and the CPUs it may use.

    `cpus` is a list such as `1` or `2-3`; empty leaves the choice to the kernel. `folder_mark` is what stands in its
    arguments for the path of the folder in which it is started; empty for nothing.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    cpus: str = ""
    folder_mark: str = ""

    def argv_in(self, folder: str) -> tuple[str, ...]:
        """Return the arguments of the command when it is started in a folder."""
        mark = self.folder_mark
        return tuple(word.replace(mark, folder) for word in self.argv) if mark else self.argv


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """How a process ended: negative exit statuses are signals, `cpu_s` is its user and system time in seconds.

    `links` are the texts of its sockets' links in `/proc/PID/fd`, where somebody looked, and `memory_mb` is the memory, in
    10^6 bytes, that it held at most when it was weighed. `lived_s` is how long it lived, `migrations` how often its threads had been
    moved to another CPU when it was weighed.
    """

    exit_status: int
    stdout: str
    stderr: str
    cpu_s: float
    timed_out: bool = False
    links: tuple[str, ...] = ()
    memory_mb: float | None = None
    lived_s: float = 0.0
    migrations: int | None = None


class Process(Protocol):
    """A program that was started at a site. `limit_s` is its time limit.

    Who finds that it takes too long sets `stopped`, and the result says that it timed out.
    """

    limit_s: float
    stopped: bool

    @property
    def silent(self) -> bool:
        """Return whether it has ended and all that it wrote is here."""
        ...

    def printed(self, sign: str) -> int:
        """Return how often the beginnings of its standard output and standard error hold `sign`."""
        ...

    def said(self) -> str:
        """Return the last that it wrote, for a reason in its own words."""
        ...

    def look(self) -> None:
        """Note what its sockets are now; the last look that saw any counts."""
        ...

    def weigh(self) -> None:
        """Note how much memory it has held so far."""
        ...

    def signal(self, number: Signals) -> None:
        """Send it a signal; nothing happens where it has ended."""
        ...

    def kill_group(self) -> None:
        """Kill it and what it started, at once."""
        ...

    def result(self) -> ProcessResult:
        """Return how it ended, waiting for its end."""
        ...


class Site(Protocol):
    """A fresh folder on a host and the processes started in it; both are gone when the site is left."""

    started_at: str
    """When the site was entered: an ISO time in UTC."""

    def __enter__(self) -> Self:
        """Make the folder."""
        ...

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """End what still runs and take the folder away."""
        ...

    def fileno(self) -> int:
        """Return a descriptor that can be read when there is something to hear."""
        ...

    def hear(self) -> None:
        """Take what the processes have written and how they ended, without waiting."""
        ...

    def age_s(self) -> float:
        """Return the seconds since the site was entered; also after it was left."""
        ...

    def start(self, command: Command, limit_s: float) -> Process:
        """Start a program that ends within its limit, whatever happens to this process.

        Raises:
            UsageError: a name or value cannot stand in an environment.
            MissingTool: there is no such program.

        """
        ...

    def written(self, names: Sequence[str]) -> dict[str, str]:
        """Return which of these small text files are in the folder, name to text: the first part of long ones."""
        ...

    def opened(self, name: str) -> BinaryIO | None:
        """Return a large file of the folder, None where there is none. It outlives its folder while it is open.

        Raises:
            TunerError: the disk is full, so that the file is not whole.

        """
        ...


HERE: Final = "this machine"
"""The name of the machine that this program runs on."""


class Turn(Protocol):
    """The turn to measure on a machine."""

    def say(self, what: str) -> None:
        """Let those who come second know what is done meanwhile."""
        ...


class Host(Protocol):
    """A machine: every question about it is asked here."""

    @property
    def name(self) -> str:
        """Return what the machine is called where several take part."""
        ...

    def brought(self, path: Path) -> Path:
        """Return where the machine has a file of this package, which is sent there and goes with the connection.

        Raises:
            MissingTool: its programs could not load it.

        """
        ...

    def reconnect(self) -> None:
        """Reach the machine again where it was lost.

        Raises:
            TunerError: it cannot be reached.

        """
        ...

    def listening(self, protocol: str, address: str) -> AbstractContextManager[int]:
        """Return what listens on a free port of an address while it is entered, and sends back what comes.

        Raises:
            OSError: on entering it, where it cannot be listened there.

        """
        ...

    def unreached(self, protocol: str, address: str, port: int) -> str | None:
        """Return why nothing comes back from a port where another host listens, None where it does."""
        ...

    def turn(self, what: str) -> AbstractContextManager[Turn | None]:
        """Return what holds the machine's turn to measure while it is entered; `what` is told those who come second.

        Raises:
            Taken: on entering it, where somebody else measures.

        """
        ...

    def site(self, files: Mapping[str, str]) -> Site:
        """Return a place to start processes in; its folder will hold `files`, name to text.

        Raises:
            UsageError: on entering it, for a name that is not that of a file in the folder.

        """
        ...

    def output_of(self, command: Command, time_limit_s: float = 10.0) -> ProcessResult:
        """Return what one short program did, such as one that says its version.

        Raises:
            MissingTool: there is no such program.

        """
        ...

    def said_on_terminal(self, command: Command, time_limit_s: float = 10.0) -> str:
        """Return what one short program says where its output is a terminal; some libraries then say more."""
        ...

    def free_ports(self, count: int, protocol: str, address: str) -> tuple[int, ...]:
        """Return `count` different ports of `address` on which nobody listens; `protocol` is `tcp` or `udp`.

        Raises:
            UsageError: the address is not one of this host.

        """
        ...

    def refusal(self, protocol: str, address: str, port: int) -> str | None:
        """Return why nobody can listen on a port of `address` now, in the system's words; None where it is free."""
        ...

    def counters(self, cpus: Sequence[int]) -> Counters:
        """Return the machine's counters now, those of CPUs for `cpus` (all when empty). Cheap, and never raises."""
        ...

    def sample(self, cpus: Sequence[int], span_s: float) -> Telemetry:
        """Return what happens on CPUs (all when empty) from now on for so many seconds, and wait for it."""
        ...

    def topology(self) -> Topology:
        """Return the CPUs that may be used."""
        ...

    def facts(self) -> Facts:
        """Return what the machine is; what it does not say is None."""
        ...

    def room(self) -> Room:
        """Return the memory that the machine has to give."""
        ...

    def network(self) -> Network:
        """Return the machine's network devices, and which machine it is."""
        ...

    def route(self, address: str) -> Route | None:
        """Return how packets from the machine to an address leave it, None where they cannot."""
        ...

    def has_card(self) -> bool:
        """Return whether there is a device that XLIO or VMA could use."""
        ...

    def machine(self) -> str:
        """Return the architecture of its programs, as the kernel names it: `x86_64`, `aarch64`, …."""
        ...

    def which(self, program: str) -> str | None:
        """Return the absolute path of a program as its user would find it, None where there is none."""
        ...

    def read(self, path: Path, most_bytes: int) -> bytes:
        """Return the first `most_bytes` of a regular file.

        Raises:
            OSError: it cannot be read, or is no regular file.

        """
        ...


def has_file(host: Host, path: Path) -> bool:
    """Return whether there is a regular file at `path`, whoever may read it."""
    try:
        host.read(path, 1)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def printed(host: Host, *argv: str) -> str:
    """Return what a short program of the system printed on both streams; raise `MissingTool` when it is not there."""
    result = host.output_of(Command(argv, {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}))
    return f"{result.stdout}\n{result.stderr}"
