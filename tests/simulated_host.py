"""A host on which runs take no time: sockperf's output in its true form, from a latency that a test decides."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tuner.hosts.host import Command, ProcessResult, RunOutput, RunPlan
from tuner.hosts.telemetry import Counters

Latency = Callable[[Mapping[str, str]], float]
BANNER = " XLIO INFO   : TUNER_KERNEL_VERSION: 0.1.0\n"

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


@dataclass
class SimulatedHost:
    """`latency` gives a run's median in µs from its environment; it may raise to stop a session in the middle.

    `noise` is the relative spread of runs. `steal` is the share of CPU time that the hypervisor takes during the run
    with a number (from 1).
    """

    latency: Latency
    noise: float = 0.02
    wall_s: float = 0.001
    rng: random.Random = field(default_factory=lambda: random.Random(5))
    runs: list[RunPlan] = field(default_factory=list)
    banner: Callable[[Mapping[str, str]], str] = lambda _environment: BANNER
    steal: Callable[[int], float] = lambda _run: 0.0
    stolen_s: float = 0.0

    def run(self, plan: RunPlan) -> RunOutput:
        """Return what a run under the plan's environment would print."""
        self.runs.append(plan)
        self.stolen_s += self.steal(len(self.runs))
        environment = plan.client.environment
        median = self.latency(environment) * self.rng.lognormvariate(0.0, self.noise)
        banner = self.banner(environment)
        hung = median == float("inf")
        client = ProcessResult(0, "" if hung else report(median), banner, 0.5, timed_out=hung)
        server = ProcessResult(0, SERVER.format(n=1000), banner, 0.5)
        return RunOutput(server, client, "2026-01-02T03:04:05", self.wall_s)

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
