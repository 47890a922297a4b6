"""What a benchmark is: what starts the ends of a run is written here, and what they print is read here.

A benchmark is a module of these names that starts no process and opens no file; `tuner.runs.chosen` says which one measures a
workload. Who reads its numbers asks its metrics which way is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol

from tuner.errors import Finding, TunerError
from tuner.measurement import Measurement
from tuner.runs.metric import Metric
from tuner.runs.recipe import BOTH_ENDS
from tuner.runs.workload import Workload

if TYPE_CHECKING:  # who asks what a benchmark is called, or completes an option, starts nothing on hosts
    from tuner.hosts.host import ProcessResult
    from tuner.hosts.pair import Place


class ParseError(TunerError):
    """What a benchmark printed is no complete result; the message is the reason, in its own words where it gave one."""


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


@dataclass(frozen=True, slots=True)
class Ends:
    """The arguments of everything that a run starts, and how its servers show that they are ready.

    The first word of each is the path of a program. `before` come before the server and `warm_up` before the client; both
    end by themselves. `files` lie in the folder of each end, name to text. `under_stack` are the ends that run under the
    stack's library and must show it. `wanted` are small files that an end leaves and that are read, `log` a large one of the
    client's. `folder_mark` stands in arguments for the folder of the end. `ports` are those that stand in its words, where
    nothing but the run knows them.
    """

    client: tuple[str, ...]
    servers: tuple[tuple[str, ...], ...] = ()
    before: tuple[tuple[str, ...], ...] = ()
    warm_up: tuple[tuple[str, ...], ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    ready: str = ""
    ready_count: int = 1
    ready_place: Place | None = None
    ready_file: str = ""
    under_stack: frozenset[str] = BOTH_ENDS
    wanted: tuple[str, ...] = ()
    log: str = ""
    folder_mark: str = ""
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """What a run gave that came to its end: its processes, the files that were wanted, and the log where one was asked for."""

    client: ProcessResult
    servers: tuple[ProcessResult, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict)
    log: BinaryIO | None = None


class Benchmark(Protocol):
    """What measures a workload."""

    @property
    def name(self) -> str:
        """Its name: as sentences name it, and the key under which stored plans have the path of its program."""
        ...

    @property
    def install(self) -> str:
        """How to get its programs, for who has not got them."""
        ...

    def metrics(self, workload: Workload) -> tuple[Metric, ...]:
        """Return what it can report, in the order in which tables show it."""
        ...

    def programs(self, workload: Workload, named: str) -> dict[str, tuple[str, ...]]:
        """Return the programs that its runs start at each end, the main one first; `named` is what the user calls our own."""
        ...

    @property
    def questions(self) -> tuple[tuple[str, ...], ...]:
        """The arguments with which the program says its version, and the options of its client and of its server; none where nobody knows them."""
        ...

    def features(self, version_text: str, client_help: str, server_help: str) -> Features:
        """Return what the answers to the questions say; raise `MissingTool` for another program."""
        ...

    def unsupported(self, workload: Workload, able: Features) -> list[Finding]:
        """Return what a workload asks that the installed program cannot do."""
        ...

    def ends(
        self,
        workload: Workload,
        paths: Mapping[str, Mapping[str, str]],
        ports: Sequence[int],
        playback: str = "",
        *,
        full_log: bool = False,
    ) -> Ends:
        """Return what a run starts; `paths` are those of `programs`, by the end and by what it calls them.

        `playback` is the text of the workload's playback. With `full_log` the client writes down all that it observes,
        where it can.
        """
        ...

    def playback_time_s(self, text: str) -> float:
        """Return the seconds that a playback lasts; raise `UsageError` with the lines that are none of its form."""
        ...

    def measured(self, heard: Heard, workload: Workload) -> Measurement:
        """Return what a run reported; raise `ParseError` where that is no complete result."""
        ...

    def versions(self, output: str) -> list[str]:
        """Return the versions of the program that its output names."""
        ...

    def ports(self, argv: Sequence[str], files: Mapping[str, str], given: Sequence[int]) -> list[str]:
        """Return the ports that a command and its files name, where the run was `given` these."""
        ...

    def without_ports(self, argv: Sequence[str], given: Sequence[int]) -> list[str]:
        """Return a command with `PORT` for its ports, which differ from run to run."""
        ...

    def file_without_ports(self, text: str, given: Sequence[int]) -> str:
        """Return the text of a file of a run with `PORT` for its ports."""
        ...
