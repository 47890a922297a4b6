"""Where runs happen, as plain records and one small protocol; `tuner.hosts.local` is the first place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Protocol

from tuner.hosts.telemetry import Counters

PORT_TAKEN: Final = "Address already in use"
"""The C library's words for EADDRINUSE: another process took the port after it was found free."""
PORT_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Command:
    """One process to start: its arguments, its whole environment (nothing is inherited) and the CPUs it may use.

    `cpus` is a list such as `1` or `2-3`; empty leaves the choice to the kernel.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    cpus: str = ""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A server, a client, and what they need.

    The client starts when the server's standard output holds `ready` `ready_count` times. `files` are written
    (name to text) into a fresh folder, in which both processes are started. `time_limit_s` is the client's. `wanted` are
    small text files that the processes may leave there, `log` names a large one that the client writes; empty for none.
    """

    server: Command
    client: Command
    ready: str
    time_limit_s: float
    ready_count: int = 1
    ready_limit_s: float = 10.0
    files: Mapping[str, str] = field(default_factory=dict)
    wanted: tuple[str, ...] = ()
    watch_sockets: bool = False
    log: str = ""


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """How a process ended: negative exit statuses are signals, `cpu_s` is its user and system time in seconds.

    `links` are the texts of its sockets' links in `/proc/PID/fd`, where somebody looked.
    """

    exit_status: int
    stdout: str
    stderr: str
    cpu_s: float
    timed_out: bool = False
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunOutput:
    """What a run gave. `failure` says why it could not be carried through; None says nothing of the result's worth.

    `client` is None when it was never started. `started_at` is an ISO time in UTC, `wall_s` covers everything
    from the first process to the last. `written` are the files that were wanted and are there, name to text. `log` is
    the large one, open for reading and to be closed by who asked for it (its folder is gone), None where there is none.
    """

    server: ProcessResult
    client: ProcessResult | None
    started_at: str
    wall_s: float
    failure: str | None = None
    written: Mapping[str, str] = field(default_factory=dict)
    log: BinaryIO | None = None

    @property
    def timed_out(self) -> bool:
        """Return whether a time limit ended the run: the client's, or that for the server to become ready."""
        return self.client.timed_out if self.client is not None else self.server.timed_out

    @property
    def port_taken(self) -> bool:
        """Return whether the server found its port in use, so that another port may help."""
        return self.client is None and PORT_TAKEN in self.server.stdout + self.server.stderr


class Host(Protocol):
    """A machine on which runs happen."""

    def run(self, plan: RunPlan) -> RunOutput:
        """Return what the run gave, with no process left behind, whatever happens."""
        ...

    def output_of(self, command: Command, time_limit_s: float = 10.0) -> ProcessResult:
        """Return what one short program did, such as `sockperf --version`.

        Raises:
            MissingTool: there is no such program.

        """
        ...

    def free_ports(self, count: int, protocol: str, address: str) -> tuple[int, ...]:
        """Return `count` different ports of `address` on which nobody listens; `protocol` is `tcp` or `udp`."""
        ...

    def counters(self, cpus: Sequence[int]) -> Counters:
        """Return the machine's counters now, those of CPUs for `cpus` (all when empty). Cheap, and never raises."""
        ...


def run_on_free_ports(
    host: Host,
    plan_for: Callable[[tuple[int, ...]], RunPlan],
    count: int,
    protocol: str,
    address: str,
) -> tuple[RunPlan, RunOutput]:
    """Return the plan for free ports and its output, tried again while somebody else takes the ports first."""
    attempt = 1
    while True:
        plan = plan_for(host.free_ports(count, protocol, address))
        output = host.run(plan)
        if not output.port_taken or attempt == PORT_ATTEMPTS:
            return plan, output
        attempt += 1
