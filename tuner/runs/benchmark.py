"""What a benchmark is: a program with two ends, whose arguments are written here and whose output is read here.

A benchmark is a module of these names that starts no process and opens no file; `tuner.runs.chosen` names the one
that sessions measure with. Who reads its numbers asks its metrics which way is better.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from tuner.errors import Finding, TunerError
from tuner.measurement import Measurement
from tuner.runs.workload import Workload


class ParseError(TunerError):
    """What a benchmark printed is no complete result; the message is the reason, in its own words where it gave one."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a run that can be judged. `short` ones stand in tables that have room for a few only."""

    name: str
    unit: str
    higher_is_better: bool = False
    short: bool = False


@dataclass(frozen=True, slots=True)
class Features:
    """What an installed benchmark can do: its version, and the options by which it opens a stack's library itself.

    `client_options` and `server_options` are all that its ends take; empty where it does not say.
    """

    version: tuple[int, ...]
    loads: frozenset[str] = frozenset()
    client_options: frozenset[str] = frozenset()
    server_options: frozenset[str] = frozenset()

    @property
    def release(self) -> str:
        """The version as text."""
        return ".".join(map(str, self.version))


class Benchmark(Protocol):
    """A program that measures between a server and a client."""

    @property
    def name(self) -> str:
        """The program's name: as sentences name it, and the key under which stored plans have its path."""
        ...

    @property
    def install(self) -> str:
        """How to get the program, for who has not got it."""
        ...

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What it can report, in the order in which tables show it."""
        ...

    @property
    def questions(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """The arguments with which the program says its version, and the options of its client and of its server."""
        ...

    @property
    def ready(self) -> str:
        """What each thread of the server prints once it listens."""
        ...

    @property
    def log_file(self) -> str:
        """The file in the client's folder to which `full_log` makes it write."""
        ...

    def features(self, version_text: str, client_help: str, server_help: str) -> Features:
        """Return what the answers to the questions say; raise `MissingTool` for another program."""
        ...

    def unsupported(self, workload: Workload, able: Features) -> list[Finding]:
        """Return what a workload asks that the installed program cannot do."""
        ...

    def server_arguments(self, workload: Workload, port: int, receiver: int = 0) -> tuple[str, ...]:
        """Return what follows the program's name for the server, or for one of several receivers (from 0)."""
        ...

    def client_arguments(self, workload: Workload, port: int) -> tuple[str, ...]:
        """Return what follows the program's name for the client."""
        ...

    def full_log(self, workload: Workload) -> tuple[str, ...]:
        """Return the client's further arguments for a log of every message, none where the workload has no such log."""
        ...

    def files(self, workload: Workload, ports: Iterable[int], playback: str = "") -> dict[str, str]:
        """Return the files that the arguments expect in the folder of each end, name to text."""
        ...

    def playback_time_s(self, text: str) -> float:
        """Return the seconds that a playback lasts; raise `UsageError` with the lines that are none of its form."""
        ...

    def parse(self, client_output: str, server_output: str, workload: Workload) -> Measurement:
        """Return what a run reported; raise `ParseError` where it printed no complete result.

        `server_output` is that of all receivers, one after the other.
        """
        ...

    def with_log(self, found: Measurement, log: BinaryIO, workload: Workload) -> Measurement:
        """Return a measurement with what the full log adds to it; raise `ParseError` where that cannot be read."""
        ...

    def versions(self, output: str) -> list[str]:
        """Return the versions of the program that its output names."""
        ...

    def ports(self, argv: Sequence[str], files: Mapping[str, str]) -> list[str]:
        """Return the ports that a command and its files name."""
        ...

    def without_ports(self, argv: Sequence[str]) -> list[str]:
        """Return a command with `PORT` for its ports, which differ from run to run."""
        ...

    def file_without_ports(self, text: str) -> str:
        """Return the text of a file of `files` with `PORT` for its ports."""
        ...
