"""Two hosts in a run: servers on one and a client on the other, which may be the same machine.

Each process has a folder of its own. The servers (one, but for multicast and for clients that need none) are started first
and are ready when they show it; then the client runs, and after it the servers are interrupted, so that they print their
totals. Whatever happens, no process is left behind.
"""

from __future__ import annotations

import selectors
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from tuner.hosts.host import HERE, Command, Host, Process, ProcessResult, Site
from tuner.hosts.processes import KILL_AFTER_S
from tuner.hosts.telemetry import Counters, Telemetry

BEFORE, WARM_UP = "before the server", "warm-up"
"""What a command is that ends before a server begins, or before its client does."""
PORT_TAKEN: Final = "Address already in use"
"""The C library's words for EADDRINUSE: another process took the port after it was found free."""
PORT_ATTEMPTS: Final = 5
STOP_LIMIT_S: Final = 2.0
"""The seconds that an interrupted server has to print its totals; milliseconds are normal."""
HASTY_STOP_S: Final = 0.25
"""The seconds that it has where the run has failed, so that nobody wants its totals."""
LOOK_EVERY_S: Final = 0.2
LOOKS: Final = 5
READY_LOOK_S: Final = 0.01
"""How often a server is looked at that shows by a port or a file that it is ready."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens; `protocol` is `tcp` or `udp`."""

    protocol: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Job:
    """A server, a client, and what they need; `further` are servers beside the first, and `server` is None where none is needed.

    The client starts when each server's output holds `ready` `ready_count` times, when somebody listens at
    `ready_place`, and when `ready_file` is in the server's folder, as far as these are asked for. `files` are written
    (name to text) into the folder of each process. `time_limit_s` is the client's. `wanted` are small text files that
    a server or the client may leave there, `log` names a large one that the client writes; empty for none.

    `before` are commands that end by themselves, one after the other, in the server's folder before it is started (in the
    client's where there is no server); `warm_up` are those that do so in the client's folder before the client. Each of
    them has `before_limit_s`.
    """

    server: Command | None
    client: Command
    ready: str
    time_limit_s: float
    ready_count: int = 1
    ready_limit_s: float = 10.0
    files: Mapping[str, str] = field(default_factory=dict)
    wanted: tuple[str, ...] = ()
    watch_sockets: bool = False
    log: str = ""
    further: tuple[Command, ...] = ()
    ready_place: Place | None = None
    ready_file: str = ""
    before: tuple[Command, ...] = ()
    warm_up: tuple[Command, ...] = ()
    before_limit_s: float = 60.0
    ports: tuple[int, ...] = ()
    """The ports that were found for it, where its words do not tell them."""

    @property
    def servers(self) -> tuple[Command, ...]:
        """Return all servers, the first one first."""
        return (self.server, *self.further) if self.server else ()

    @property
    def server_limit_s(self) -> float:
        """Return the seconds after which the server must be gone, however slowly everything else went."""
        warm_up_s = len(self.warm_up) * (self.before_limit_s + 2 * KILL_AFTER_S)
        return self.ready_limit_s + warm_up_s + self.time_limit_s + 2 * STOP_LIMIT_S + 2 * KILL_AFTER_S


@dataclass(frozen=True, slots=True)
class RunOutput:
    """What a run gave. `failure` says why it could not be carried through; None says nothing of the result's worth.

    `servers` are all of them, the first one first; `client` is None when it was never started. `started_at` is an ISO time
    in UTC, `wall_s` covers everything from the first process to the last, `ready_s` the time until all servers were ready.
    `written` are the files that were wanted and are there, name to text; `further_written` are those of each server beside
    the first. `log` is the large one, open for reading and to be closed by who asked for it (its folder is gone), None where
    there is none.
    """

    servers: tuple[ProcessResult, ...]
    client: ProcessResult | None
    started_at: str
    wall_s: float
    failure: str | None = None
    written: Mapping[str, str] = field(default_factory=dict)
    log: BinaryIO | None = None
    further_written: tuple[Mapping[str, str], ...] = ()
    ready_s: float = 0.0

    @property
    def server(self) -> ProcessResult:
        """Return what the first server gave; raise `IndexError` where none was started."""
        return self.servers[0]

    @property
    def timed_out(self) -> bool:
        """Return whether a time limit ended the run: the client's, or that for the servers to become ready."""
        if self.client is not None:
            return self.client.timed_out
        return any(server.timed_out for server in self.servers)

    @property
    def port_taken(self) -> bool:
        """Return whether a server found its port in use, so that another port may help."""
        return self.client is None and any(PORT_TAKEN in each.stdout + each.stderr for each in self.servers)

    @property
    def struck(self) -> bool:
        """Return whether a process died of SIGINT before it said anything.

        Between its birth and the session of its own it still belongs to the terminal, whose Ctrl-C it gets with us.
        """
        ended = [process for process in (*self.servers, self.client) if process is not None]
        return any(each.exit_status == -signal.SIGINT and not each.stdout + each.stderr for each in ended)


@dataclass(frozen=True, slots=True)
class Pair:
    """The host of the server and the host of the client."""

    server: Host
    client: Host

    @property
    def is_one(self) -> bool:
        """Whether both ends are on one host."""
        return self.server is self.client

    @property
    def is_here(self) -> bool:
        """Whether both ends are on the machine that this program runs on."""
        return self.is_one and self.server.name == HERE

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts, the server's first; one where both ends are on it."""
        return (self.server,) if self.is_one else (self.server, self.client)

    def named(self) -> tuple[tuple[str, Host], ...]:
        """Return the hosts with words for each: which end it has, and its name; no words where there is only this machine."""
        if self.is_here:
            return (("", self.server),)
        if self.is_one:
            return ((f"{self.server.name}: ", self.server),)
        return ((f"server {self.server.name}: ", self.server), (f"client {self.client.name}: ", self.client))

    def carry_out(self, job: Job) -> RunOutput:
        """Return what a job gave, with no process left behind, whatever happens.

        A run that a Ctrl-C of the terminal struck while its processes were being born is made once more.

        Raises:
            UsageError: a name or value of the job cannot stand in an environment or a folder.
            MissingTool: a program is not there.

        """
        output = self._once(job)
        return self._once(job) if output.struck else output

    def carry_out_on_free_ports(
        self, job_for: Callable[[tuple[int, ...]], Job], count: int, protocol: str, address: str
    ) -> tuple[Job, RunOutput]:
        """Return the job for free ports and its output, tried again while somebody else takes the ports first."""
        attempt = 1
        while True:
            job = job_for(self.server.free_ports(count, protocol, address))
            output = self.carry_out(job)
            if not output.port_taken or attempt == PORT_ATTEMPTS:
                return job, output
            attempt += 1

    def counters(self, server_cpus: Sequence[int], client_cpus: Sequence[int]) -> tuple[Counters, ...]:
        """Return the counters of each machine now: one reading of all these CPUs, or the server's and the client's."""
        if self.is_one:
            return (self.server.counters(sorted({*server_cpus, *client_cpus})),)
        return self.server.counters(server_cpus), self.client.counters(client_cpus)

    def sample(self, server_cpus: Sequence[int], client_cpus: Sequence[int], span_s: float) -> tuple[Telemetry, ...]:
        """Return what happens on each machine, one after the other, for so many seconds each."""
        if self.is_one:
            return (self.server.sample(sorted({*server_cpus, *client_cpus}), span_s),)
        return self.server.sample(server_cpus, span_s), self.client.sample(client_cpus, span_s)

    def _once(self, job: Job) -> RunOutput:
        with ExitStack() as folders:
            there = [folders.enter_context(self.server.site(job.files)) for _ in job.servers]
            here = folders.enter_context(self.client.site(job.files))
            sites = (*there, here)
            failure = _all_well(sites, sites[0], job.before, job.before_limit_s, BEFORE)
            began_s = time.monotonic()
            starting = [] if failure else zip(there, job.servers, strict=True)
            servers = [site.start(command, job.server_limit_s) for site, command in starting]
            failure = failure or self._await_ready(there, servers, job)
            ready_s = time.monotonic() - began_s
            failure = failure or _all_well(sites, here, job.warm_up, job.before_limit_s, WARM_UP)
            client = None if failure else here.start(job.client, job.time_limit_s)
            if client is not None:
                failure = _await_client(sites, servers, client, watch=job.watch_sockets)
            for server in servers:
                server.weigh()
                _stop(sites, server, failed=failure is not None)
            return RunOutput(
                tuple(server.result() for server in servers),
                client.result() if client is not None else None,
                sites[0].started_at,
                sites[0].age_s(),
                failure,
                written=sites[0].written(job.wanted) | here.written(job.wanted),
                log=here.opened(job.log) if job.log else None,
                further_written=tuple(site.written(job.wanted) for site in there[1:]),
                ready_s=ready_s,
            )

    def _await_ready(self, sites: Sequence[Site], servers: Sequence[Process], job: Job) -> str | None:
        """Return why a server is not ready, None when all are."""

        def late() -> list[Process]:
            both = zip(sites, servers, strict=True)
            return [server for site, server in both if not self._is_ready(site, server, job)]

        look_s = READY_LOOK_S if job.ready_place or job.ready_file else job.ready_limit_s
        deadline_s = time.monotonic() + job.ready_limit_s
        while late() and not _gone(servers) and (left_s := deadline_s - time.monotonic()) > 0:
            _listen_until(sites, lambda: not late() or _gone(servers) is not None, min(look_s, left_s))
        if gone := _gone(servers):
            return f"the server ended before it was ready{_by_signal(gone)}: {gone.said()}"
        for server in late():
            server.stopped = True
            return f"the server was not ready within {job.ready_limit_s:g} s: {server.said()}"
        return None

    def _is_ready(self, site: Site, server: Process, job: Job) -> bool:
        """Return whether a server has shown all that says that it is ready."""
        if job.ready and server.printed(job.ready) < job.ready_count:
            return False
        if job.ready_file and not site.written((job.ready_file,)):
            return False
        place = job.ready_place
        return place is None or self.server.refusal(place.protocol, place.address, place.port) is not None


def on_one(host: Host) -> Pair:
    """Return a pair whose ends are one machine."""
    return Pair(host, host)


def _listen_until(sites: Sequence[Site], done: Callable[[], bool], limit_s: float) -> bool:
    """Collect the output of all sites until `done` or until the limit; return whether it is done."""
    if done():
        return True
    deadline = time.monotonic() + limit_s
    with selectors.DefaultSelector() as selector:
        for site in sites:
            selector.register(site, selectors.EVENT_READ, site)
        while not done():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            for key, _ in selector.select(left_s):
                key.data.hear()
    return True


def _all_well(sites: Sequence[Site], site: Site, commands: Sequence[Command], limit_s: float, what: str) -> str | None:
    """Start commands one after the other; return why one did not end well and `what` it was, None where all did."""
    made = (_ended_well(sites, site, command, limit_s) for command in commands)
    return next((f"{why} ({what})" for why in made if why), None)


def _ended_well(sites: Sequence[Site], site: Site, command: Command, limit_s: float) -> str | None:
    """Start a command and wait for its end; return why it did not end well, None where it did."""
    process = site.start(command, limit_s)
    if not _listen_until(sites, lambda: process.silent, limit_s + 2 * KILL_AFTER_S):
        _kill(sites, process)
    ended = process.result()
    if ended.timed_out:
        return f"{command.argv[0]} did not end within {limit_s:g} s: {process.said()}"
    if ended.exit_status:
        return f"{command.argv[0]} ended with status {ended.exit_status}: {process.said()}"
    return None


def _gone(servers: Sequence[Process]) -> Process | None:
    """Return a server that ended, None while all live."""
    return next((server for server in servers if server.silent), None)


def _by_signal(server: Process) -> str:
    """Return by which signal a server ended, empty where it ended by itself."""
    words = _signal_words("server", server.result().exit_status)
    return f", by {words.rpartition(' ')[2]}" if words else ""


def _watch_sockets(sites: Sequence[Site], servers: Sequence[Process], client: Process) -> None:
    """Note what the programs' sockets are while the test begins."""
    for _ in range(LOOKS):
        if _listen_until(sites, lambda: client.silent or _gone(servers) is not None, LOOK_EVERY_S):
            return
        for process in (*servers, client):
            process.look()


def _await_client(sites: Sequence[Site], servers: Sequence[Process], client: Process, *, watch: bool) -> str | None:
    """Return why the client gave nothing, None when it ended by itself while the servers lived."""
    if watch:
        _watch_sockets(sites, servers, client)
    _listen_until(sites, lambda: client.silent or _gone(servers) is not None, client.limit_s + 2 * KILL_AFTER_S)
    if client.silent:
        ended = client.result()
        overdue = f"the client did not end within {client.limit_s:g} s"
        return overdue if ended.timed_out else _signal_words("client", ended.exit_status)
    _kill(sites, client)
    if gone := _gone(servers):
        client.stopped = False
        return f"the server ended during the run{_by_signal(gone)}: {gone.said()}"
    return f"the client did not end within {client.limit_s:g} s"


def _signal_words(who: str, status: int) -> str | None:
    """Return which signal ended a program. `timeout` repeats it on itself or adds it to 128, as a shell does."""
    number = -status if status < 0 else status - 128
    known = number > 0 and number in signal.valid_signals()
    return f"the {who} was ended by {signal.Signals(number).name}" if known else None


def _stop(sites: Sequence[Site], server: Process, *, failed: bool) -> None:
    """Interrupt the server, so that it prints its totals in time; end it by force where that does not help."""
    limit_s = HASTY_STOP_S if failed else STOP_LIMIT_S
    for number in (signal.SIGINT, signal.SIGTERM):
        if server.silent:
            return
        server.signal(number)
        if _listen_until(sites, lambda: server.silent, limit_s):
            return
        server.stopped = server.stopped or not failed
    _kill(sites, server)


def _kill(sites: Sequence[Site], process: Process) -> None:
    """End a process that does not end by itself, and take what it wrote last."""
    process.stopped = True
    process.kill_group()
    _listen_until(sites, lambda: process.silent, KILL_AFTER_S)
