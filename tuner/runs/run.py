"""One run: a profile's settings and a workload in, a status and a measurement out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tuner.errors import UsageError
from tuner.hosts import cpus, telemetry
from tuner.hosts.host import Command, ProcessResult
from tuner.hosts.local import first_bytes
from tuner.hosts.pair import Job, Pair, RunOutput
from tuner.measurement import Measurement
from tuner.records import Run, Status
from tuner.runs import launch
from tuner.runs.benchmark import Benchmark, ParseError
from tuner.runs.chosen import BENCHMARK
from tuner.runs.launch import Launch
from tuner.runs.time_limits import GENEROUS, TimeLimits, Took
from tuner.runs.workload import PLAYBACK_BYTES, Workload
from tuner.stacks.stack import PAD, Seen, Stack, environment

TOOK: Final = "took"
"""The part of a run's evidence that says what its parts took."""


@dataclass(frozen=True, slots=True)
class ServerEnd:
    """What the server's end has that is not the client's: on another host other paths, or settings of its own (None: the same)."""

    program: str
    preloads: tuple[Path, ...]
    settings: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Rig:
    """Everything that stays the same from run to run: the two hosts, the stack, the benchmark, and the libraries put under it.

    `program` is the path of the benchmark. `preloads` come in the loader's order: the stack's library first. `launch` says how that one is loaded,
    `further` are variables for libraries of ours.
    """

    pair: Pair
    stack: Stack
    preloads: tuple[Path, ...]
    program: str
    launch: Launch = field(default_factory=Launch)
    further: Mapping[str, str] = field(default_factory=dict)
    benchmark: Benchmark = BENCHMARK
    server: ServerEnd | None = None
    """What is otherwise at the server, None where nothing is."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Further files in the folder of each end, name to text."""
    os_sockets: bool = False
    """Whether runs count whose sockets the stack's library leaves to the operating system."""

    def execute(
        self,
        settings: Mapping[str, str],
        workload: Workload,
        index: int = 0,
        *,
        full_log: bool = False,
        limits: TimeLimits = GENEROUS,
    ) -> Run:
        """Return one run of `workload` under `settings`, in fresh processes, and what the host did.

        With `full_log` the client writes down every message, and the measurement has what can be made of that. A run
        that takes longer than `limits` allows is a time-out.
        """
        watched = cpus.parse(workload.server_cpus) or (), cpus.parse(workload.client_cpus) or ()
        before = self.pair.counters(*watched)
        job, output = self.pair.carry_out_on_free_ports(
            lambda ports: limits.limiting(self._job(settings, workload, ports, full_log=full_log), workload),
            workload.ports_needed,
            workload.protocol.value,
            workload.address,
        )
        happened = list(map(telemetry.between, before, self.pair.counters(*watched)))
        with output.log or nullcontext():  # read when the counters are, so that reading does not count as disturbance
            status, reason, measurement = self._judge(settings, workload, output)
        if status is Status.TIMEOUT:
            reason = limits.given_up(reason, workload, ready=output.client is not None)
        evidence = _evidence(job, output) | {"telemetry": telemetry.stored(happened), TOOK: _took(output, workload)}
        evidence |= launch.evidence(self.stack.name, output)
        return Run(status, reason, output.started_at, output.wall_s, measurement, evidence, index)

    def _at(self, end: str, settings: Mapping[str, str]) -> tuple[ServerEnd, dict[str, str]]:
        """Return what is started at `server` or `client`, and its environment under these settings."""
        own = ServerEnd(self.program, self.preloads)
        has = self.server or own if end == "server" else own
        asked = self.launch.variables(self.stack.name, settings if has.settings is None else has.settings)
        variables = environment(self.stack, self.launch.preloads(has.preloads), asked, self.further)
        return has, launch.at(end, self.stack.name, variables)

    def _job(self, settings: Mapping[str, str], workload: Workload, ports: tuple[int, ...], *, full_log: bool) -> Job:
        benchmark = self.benchmark
        logged = benchmark.full_log(workload) if full_log else ()
        port = ports[0] if ports else 0
        (there, theirs), (here, ours) = self._at("server", settings), self._at("client", settings)
        loading = self.launch.arguments(self.stack.name, here.preloads)
        client = (here.program, *benchmark.client_arguments(workload, port), *logged, *loading)
        loading = self.launch.arguments(self.stack.name, there.preloads)
        first, *further = [
            Command(
                (there.program, *benchmark.server_arguments(workload, port, receiver), *loading),
                theirs,
                workload.server_cpus,
            )
            for receiver in range(workload.receivers)
        ]
        return Job(
            server=first,
            further=tuple(further),
            client=Command(client, ours, workload.client_cpus),
            ready=benchmark.ready,
            ready_count=workload.server_threads,
            time_limit_s=workload.time_limit_s,
            files={**self.files, **benchmark.files(workload, ports, _playback(workload))},
            wanted=launch.wanted(self.stack.name),
            watch_sockets=self.stack.recognise is not None,
            log=benchmark.log_file if logged else "",
        )

    def _judge(
        self, settings: Mapping[str, str], workload: Workload, output: RunOutput
    ) -> tuple[Status, str, Measurement | None]:
        """Return what a run's output amounts to: the stack must have been there before its numbers are believed."""
        fixed = self.server.settings if self.server else None
        theirs = settings if fixed is None else fixed
        ends = [*(("server", each, theirs) for each in output.servers), ("client", output.client, settings)]
        for who, process, given in ends:
            if process is not None and not output.timed_out:
                proof = self.stack.proof(process.stderr, process.stdout, Seen(given, process.links))
                if not proof.loaded:
                    return Status.NOT_LOADED, f"{who}: {proof.reason}", None
        if output.timed_out:
            return Status.TIMEOUT, output.failure or "it did not end", None
        if output.failure is not None or output.client is None:
            return Status.FAILED, output.failure or "the client was not started", None
        if not self.os_sockets and (why := launch.unproven(self.stack.name, output)):
            return Status.NOT_LOADED, why, None
        try:
            heard = "".join(map(_said, output.servers))
            found = self.benchmark.parse(_said(output.client), heard, workload)
            _check_trips(found, workload)
            found = self.benchmark.with_log(found, output.log, workload) if output.log else found
        except ParseError as reason:
            return Status.FAILED, reason.message, None
        return Status.OK, "", _with_cost(found, output.client, output.servers)


def _with_cost(found: Measurement, client: ProcessResult, servers: Sequence[ProcessResult]) -> Measurement:
    """Return a measurement with the CPU time of both ends and the servers' memory, where all of that is known."""
    memory_mb = [each.memory_mb for each in servers if each.memory_mb is not None]
    return replace(
        found,
        client_cpu_s=client.cpu_s,
        server_cpu_s=math.fsum(each.cpu_s for each in servers),
        server_memory_mb=math.fsum(memory_mb) if len(memory_mb) == len(servers) else None,
    )


def _took(output: RunOutput, workload: Workload) -> dict[str, float]:
    lived_s = output.client.lived_s if output.client else 0.0
    return Took(output.ready_s, lived_s - workload.duration_s).to_dict()


def _check_trips(found: Measurement, workload: Workload) -> None:
    """Raise `ParseError` where latencies are whole round trips that should be halves, or the other way round."""
    if found.observations and found.half_round_trip is workload.full_rtt:
        reported = "half round trips" if found.half_round_trip else "round trips"
        raise ParseError(f"the benchmark reported {reported}, which was not asked")


def _playback(workload: Workload) -> str:
    return "" if workload.playback is None else playback_text(Path(workload.playback))


def playback_text(path: Path) -> str:
    """Return the text of a playback on this machine; raise `UsageError` where it cannot be read whole."""
    try:
        data = first_bytes(path, PLAYBACK_BYTES + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as reason:
        raise UsageError(f"cannot read the playback {path}: {reason}") from reason
    if len(data) > PLAYBACK_BYTES:
        raise UsageError(f"the playback {path} is larger than {PLAYBACK_BYTES} bytes", advice="use a shorter one")
    return text


def _said(process: ProcessResult) -> str:
    return f"{process.stdout}\n{process.stderr}"


def _evidence(job: Job, output: RunOutput) -> dict[str, object]:
    """Return what is kept of a run beside its numbers: the commands, the environment, everything printed."""
    kept = {name: value for name, value in job.client.environment.items() if name != PAD}
    servers = list(map(_process_evidence, job.servers, (*output.servers, *[None] * len(job.servers))))
    return {
        "environment": kept,
        "files": dict(job.files),
        **({"server": servers[0]} if servers else {}),
        "client": _process_evidence(job.client, output.client),
        **({"further_servers": servers[1:]} if job.further else {}),
    }


def _process_evidence(command: Command, result: ProcessResult | None) -> dict[str, object]:
    return {
        "argv": list(command.argv),
        "cpus": command.cpus,
        "exit_status": result.exit_status if result else None,
        "stdout": result.stdout if result else "",
        "stderr": result.stderr if result else "",
        **({"sockets": list(result.links)} if result and result.links else {}),
        **({"migrations": result.migrations} if result and result.migrations is not None else {}),
    }
