"""A host on which runs take no time: sockperf's output in its true form, from a latency that somebody decides."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tuner.hosts.host import Command, ProcessResult
from tuner.hosts.simulated import Machine, Words
from tuner.hosts.telemetry import Counters
from tuner.runs import sockperf

Latency = Callable[[Mapping[str, str]], float]
"""A median half round trip in µs for an environment; infinite for a run that hangs."""
BANNER: Final = " XLIO INFO   : TUNER_KERNEL_VERSION: 0.1.0\n"
"""What the kernel stack's library says."""


class Ends(NamedTuple):
    """The commands of one run."""

    server: Command
    client: Command


def stopping(host: SimulatedHost, run: int, latency: Latency) -> Latency:
    """Return `latency` with a Ctrl-C in it: the host's run with this number, from 1, is interrupted."""

    def stops(environment: Mapping[str, str]) -> float:
        if len(host.runs) == run:
            raise KeyboardInterrupt
        return latency(environment)

    return stops


CLIENT = """sockperf: == version #3.7-no.git ==
sockperf: Starting test...
sockperf: Test end (interrupted by timer)
sockperf: Test ended
sockperf: [Total Run] RunTime=1.000 sec; Warm up time=400 msec; SentMessages={sent}; ReceivedMessages={n}
sockperf: ========= Printing statistics for Server No: 0
sockperf: [Valid Duration] RunTime=0.550 sec; SentMessages={n}; ReceivedMessages={n}
sockperf: ====> avg-latency={p50:.3f} (std-dev=1.000)
sockperf: # dropped messages = 0; # duplicated messages = 0; # out-of-order messages = 0
sockperf: Summary: Latency is {p50:.3f} usec
sockperf: Total {n} observations; each percentile contains {each:.2f} observations
sockperf: ---> <MAX> observation = {max:.3f}
sockperf: ---> percentile 99.999 = {max:.3f}
sockperf: ---> percentile 99.990 = {max:.3f}
sockperf: ---> percentile 99.900 = {p999:.3f}
sockperf: ---> percentile 99.000 = {p99:.3f}
sockperf: ---> percentile 90.000 = {p90:.3f}
sockperf: ---> percentile 75.000 = {p50:.3f}
sockperf: ---> percentile 50.000 = {p50:.3f}
sockperf: ---> percentile 25.000 = {p50:.3f}
sockperf: ---> <MIN> observation = {min:.3f}
"""
SENT = """sockperf: == version #3.7-no.git ==
sockperf: Starting test...
sockperf: Test end (interrupted by timer)
sockperf: Test ended
sockperf: Total of {n} messages sent in 1.000 sec
sockperf: Summary: Message Rate is {n} [msg/sec]
sockperf: Summary: BandWidth is 0.100 MBps (0.800 Mbps)
"""
SERVER = "sockperf: Test end (interrupted by user)\nsockperf: Total {n} messages received and handled\n"


def report(latency_us: float, p99: float = 1.8, sent: int | None = None, p999: float = 4.0) -> str:
    """Return what a client prints at this median half round trip; its p99 and p99.9 are so many times as much.

    `sent` is how many messages it sent, None for one message at a time.
    """
    n = int(0.55e6 / (2 * latency_us))
    shape = {"p50": 1.0, "p90": 1.2, "p99": p99, "p999": max(p999, p99), "max": max(20.0, p99, p999), "min": 0.7}
    return CLIENT.format(
        n=n,
        sent=n if sent is None else sent,
        each=n / 100,
        **{name: factor * latency_us for name, factor in shape.items()},
    )


# How many times as slow as at 99 % of its capacity a server is beyond it; more would be latencies longer than a run.
OVERLOADED: Final = 5


def under_load(latency_us: float, offered_mps: int, capacity_mps: float, duration_s: int) -> tuple[str, int, bytes]:
    """Return what client and full log say of a load, and how many messages arrived: the nearer the capacity the slower, and never above it."""
    busy = min(0.99, offered_mps / capacity_mps)
    loaded_us = latency_us / (1 - busy) * (1 if offered_mps <= capacity_mps else OVERLOADED)
    arrived = round(min(offered_mps, capacity_mps) * duration_s)
    client = report(loaded_us, sent=offered_mps * duration_s).replace("RunTime=1.000", f"RunTime={duration_s:.3f}")
    return client, arrived, full_log(loaded_us, offered_mps)


def full_log(latency_us: float, offered_mps: int, stall: tuple[int, float] = (0, 0.0), rows: int = 200) -> bytes:
    """Return a full log at a constant rate, its p99 1.8 times the median; from one row on, messages catch up on a stall.

    `stall` is that row and how late its message was sent, in µs.
    """
    lines = []
    for row in range(rows):
        due_us = row * 1e6 / offered_mps
        sent_us = max(
            due_us, stall[0] * 1e6 / offered_mps + stall[1] + 0.1 * (row - stall[0]) if row >= stall[0] else 0
        )
        factor = 1.0 if (row + 1) % 50 else 1.8
        came_us = sent_us + 2 * factor * latency_us
        lines.append(f"{row}, {2 + sent_us / 1e6:.9f}, {2 + came_us / 1e6:.9f}, {factor * latency_us:.3f}")
    dashes, header = "------------------------------", "packet, txTime(sec), rxTime(sec), latency(usec)"
    return "\n".join([dashes, "parameters", dashes, header, *lines, dashes, ""]).encode()


def serving(command: Command, banner: str, arrived: Callable[[], int] = lambda: 1000) -> Words:
    """Return what a server does: each thread says that it listens, and in the end how many messages had arrived."""
    argv = command.argv
    threads = int(argv[argv.index("--threads-num") + 1]) if "--threads-num" in argv else 1
    ready = f"sockperf: using recvfrom() {sockperf.ready}\n" * threads
    return Words(ready, banner, serves=True, last=lambda: SERVER.format(n=arrived()))


@dataclass
class SimulatedHost(Machine):
    """`latency` gives a run's median in µs from its environment; it may raise to stop a session in the middle.

    `noise` is the relative spread of runs. `steal` is the share of CPU time that the hypervisor takes during the run
    with a number (from 1). `capacity_mps` gives from the environment what the server can handle under load,
    and `log` says whether sockperf writes its full log.
    """

    latency: Latency
    noise: float = 0.02
    wall_s: float = 0.001
    rng: random.Random = field(default_factory=lambda: random.Random(5))  # noqa: S311 - noise is no secret
    runs: list[Ends] = field(default_factory=list)
    banner: Callable[[Mapping[str, str]], str] = lambda _environment: BANNER
    steal: Callable[[int], float] = lambda _run: 0.0
    stolen_s: float = 0.0
    capacity_mps: Latency = lambda _environment: 1e9
    log: bool = True
    arrived: int = 1000
    server: Command = field(default_factory=lambda: Command((), {}))

    def speak(self, command: Command) -> Words:
        """Return what one end of a run would print."""
        if command.argv[1] == "server":
            self.server, self.arrived = command, 1000
            return serving(command, self.banner(command.environment), lambda: self.arrived)
        self.runs.append(Ends(self.server, command))
        self.stolen_s += self.steal(len(self.runs))
        return self.client(command)

    def client(self, command: Command) -> Words:
        """Return what the client of the latest run prints."""
        environment = command.environment
        median_us = self.latency(environment) * self.rng.lognormvariate(0.0, self.noise)
        banner = self.banner(environment)
        if math.isinf(median_us):
            return Words("", banner, hangs=True)
        if "--full-log" in command.argv and "under-load" in command.argv:
            return self._loaded(command, median_us, banner)
        if "throughput" in command.argv:
            self.arrived = round(1e6 / median_us)
            return Words(SENT.format(n=self.arrived), banner)
        return Words(report(median_us), banner)

    def _loaded(self, command: Command, median_us: float, banner: str) -> Words:
        argv = command.argv
        offered, duration_s = (int(argv[argv.index(name) + 1]) for name in ("--mps", "-t"))
        capacity_mps = self.capacity_mps(command.environment)
        client, self.arrived, log = under_load(median_us, offered, capacity_mps, duration_s)
        return Words(client, banner, files={sockperf.log_file: log} if self.log else {})

    def lasted_s(self) -> float:
        """Return what each run takes."""
        return self.wall_s

    def output_of(self, command: Command, time_limit_s: float = 10.0) -> ProcessResult:
        """Return what sockperf says of its version, whatever is asked."""
        return ProcessResult(0, "sockperf, version 3.7-no.git\n", "", 0.0)

    def counters(self, cpus: Sequence[int]) -> Counters:
        """Return counters of a calm machine on which each run takes one second, but for what is stolen."""
        now = float(len(self.runs))
        return Counters(now, now, busy_s=now, idle_s=now - self.stolen_s, steal_s=self.stolen_s)
