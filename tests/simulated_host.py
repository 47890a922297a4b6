"""A host on which runs take no time: sockperf's output in its true form, from a latency that a test decides."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tuner.hosts.host import Command, ProcessResult, RunOutput, RunPlan
from tuner.hosts.telemetry import Counters

Latency = Callable[[Mapping[str, str]], float]
BANNER = " XLIO INFO   : TUNER_KERNEL_VERSION: 0.1.0\n"


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
sockperf: [Total Run] RunTime=1.000 sec; Warm up time=400 msec; SentMessages={n}; ReceivedMessages={n}
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
SERVER = "sockperf: Test end (interrupted by user)\nsockperf: Total {n} messages received and handled\n"


def report(latency_us: float, p99: float = 1.8) -> str:
    """Return what a ping-pong client prints at this median half round trip; its p99 is `p99` times as much."""
    n = int(0.55e6 / (2 * latency_us))
    shape = {"p50": 1.0, "p90": 1.2, "p99": p99, "p999": max(4.0, p99), "max": max(20.0, p99), "min": 0.7}
    return CLIENT.format(n=n, each=n / 100, **{name: factor * latency_us for name, factor in shape.items()})


def under_load(latency_us: float, offered_mps: int, capacity_mps: float, duration_s: int) -> tuple[str, str, bytes]:
    """Return what client, server and full log say of a load: the nearer the capacity the slower, and never above it."""
    busy = min(0.99, offered_mps / capacity_mps)
    loaded_us = latency_us / (1 - busy) * (1 if offered_mps <= capacity_mps else 100)
    arrived = round(min(offered_mps, capacity_mps) * duration_s)
    client = report(loaded_us).replace("RunTime=1.000", f"RunTime={duration_s:.3f}")
    return client, SERVER.format(n=arrived), full_log(loaded_us, offered_mps)


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
        factor = 1.8 if row % 50 == 49 else 1.0
        came_us = sent_us + 2 * factor * latency_us
        lines.append(f"{row}, {2 + sent_us / 1e6:.9f}, {2 + came_us / 1e6:.9f}, {factor * latency_us:.3f}")
    dashes, header = "------------------------------", "packet, txTime(sec), rxTime(sec), latency(usec)"
    return "\n".join([dashes, "parameters", dashes, header, *lines, dashes, ""]).encode()


@dataclass
class SimulatedHost:
    """`latency` gives a run's median in µs from its environment; it may raise to stop a session in the middle.

    `noise` is the relative spread of runs. `steal` is the share of CPU time that the hypervisor takes during the run
    with a number (from 1). `capacity_mps` gives from the environment what the server can handle under load,
    and `log` says whether sockperf writes its full log.
    """

    latency: Latency
    noise: float = 0.02
    wall_s: float = 0.001
    rng: random.Random = field(default_factory=lambda: random.Random(5))
    runs: list[RunPlan] = field(default_factory=list)
    banner: Callable[[Mapping[str, str]], str] = lambda _environment: BANNER
    steal: Callable[[int], float] = lambda _run: 0.0
    stolen_s: float = 0.0
    capacity_mps: Latency = lambda _environment: 1e9
    log: bool = True

    def run(self, plan: RunPlan) -> RunOutput:
        """Return what a run under the plan's environment would print."""
        self.runs.append(plan)
        self.stolen_s += self.steal(len(self.runs))
        environment = plan.client.environment
        median = self.latency(environment) * self.rng.lognormvariate(0.0, self.noise)
        banner = self.banner(environment)
        hung = median == float("inf")
        if plan.log and not hung and "under-load" in plan.client.argv:
            return self._loaded(plan, median, banner)
        client = ProcessResult(0, "" if hung else report(median), banner, 0.5, timed_out=hung)
        server = ProcessResult(0, SERVER.format(n=1000), banner, 0.5)
        return RunOutput(server, client, "2026-01-02T03:04:05", self.wall_s)

    def _loaded(self, plan: RunPlan, median_us: float, banner: str) -> RunOutput:
        argv = plan.client.argv
        offered, duration_s = (int(argv[argv.index(name) + 1]) for name in ("--mps", "-t"))
        said = under_load(median_us, offered, self.capacity_mps(plan.client.environment), duration_s)
        client, server = (ProcessResult(0, text, banner, 0.5) for text in said[:2])
        log = io.BytesIO(said[2]) if self.log else None
        return RunOutput(server, client, "2026-01-02T03:04:05", self.wall_s, log=log)

    def output_of(self, command: Command, time_limit_s: float = 10.0) -> ProcessResult:
        """Return what sockperf says of its version, whatever is asked."""
        return ProcessResult(0, "sockperf, version 3.7-no.git\n", "", 0.0)

    def free_ports(self, count: int, protocol: str, address: str) -> tuple[int, ...]:
        """Return ports that nobody uses, because nothing listens here."""
        return tuple(range(20000, 20000 + count))

    def counters(self, cpus: Sequence[int]) -> Counters:
        """Return counters of a calm machine on which each run takes one second, but for what is stolen."""
        now = float(len(self.runs))
        return Counters(now, now, busy_s=now, idle_s=now - self.stolen_s, steal_s=self.stolen_s)
