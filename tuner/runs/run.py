"""One run: a profile's settings and a workload in, a status and a measurement out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tuner.errors import Finding, TunerError, UsageError
from tuner.hosts import cpus, telemetry
from tuner.hosts.host import Command, ProcessResult
from tuner.hosts.local import first_bytes
from tuner.hosts.pair import Job, Pair, RunOutput
from tuner.measurement import Measurement
from tuner.records import Run, Status
from tuner.runs import chosen, launch
from tuner.runs.benchmark import Heard, ParseError
from tuner.runs.launch import Launch
from tuner.runs.time_limits import GENEROUS, TimeLimits, Took
from tuner.runs.workload import PLAYBACK_BYTES, Workload
from tuner.stacks.stack import PAD, Seen, Stack, environment

LACKING: Final = "lacking"
"""The part of the evidence of a run without a complete result that says what it lacks, each with its place."""
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

    `program` is the path of the benchmark, `programs` are those of a recipe, by the end and by their names in it. `preloads` come in the loader's order: the stack's library first. `launch` says how that one is loaded,
    `further` are variables for libraries of ours.
    """

    pair: Pair
    stack: Stack
    preloads: tuple[Path, ...]
    program: str
    launch: Launch = field(default_factory=Launch)
    further: Mapping[str, str] = field(default_factory=dict)
    server: ServerEnd | None = None
    """What is otherwise at the server, None where nothing is."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Further files in the folder of each end, name to text."""
    os_sockets: bool = False
    """Whether runs count whose sockets the stack's library leaves to the operating system."""
    programs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

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
        if workload.recipe:
            workload = replace(workload, recipe=workload.recipe.under(settings))
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
            status, reason, result = self._judge(settings, workload, output)
        if status is Status.TIMEOUT:
            reason = limits.given_up(reason, workload, ready=output.client is not None)
        evidence = _evidence(job, output) | {"telemetry": telemetry.stored(happened), TOOK: _took(output, workload)}
        evidence |= launch.evidence(self.stack.name, output)
        if isinstance(result, ParseError):
            evidence |= {LACKING: list(map(_lacking, result.findings))} if result.findings else {}
            result = None
        return Run(status, reason, output.started_at, output.wall_s, result, evidence, index)

    def _at(self, end: str, settings: Mapping[str, str]) -> tuple[ServerEnd, dict[str, str]]:
        """Return what is started at `server` or `client`, and its environment under these settings."""
        own = ServerEnd(self.program, self.preloads)
        has = self.server or own if end == "server" else own
        asked = self.launch.variables(self.stack.name, settings if has.settings is None else has.settings)
        variables = environment(self.stack, self.launch.preloads(has.preloads), asked, self.further)
        return has, launch.at(end, self.stack.name, variables)

    def _job(self, settings: Mapping[str, str], workload: Workload, ports: tuple[int, ...], *, full_log: bool) -> Job:
        at = {end: self._at(end, settings) for end in ("server", "client")}
        paths = self.programs or {end: {self.program: has.program} for end, (has, _) in at.items()}
        ends = chosen.of(workload).ends(workload, paths, ports, _playback(workload), full_log=full_log)
        bare = environment(self.stack, (), {})

        def made(end: str, argv: tuple[str, ...], cpus: str) -> Command:
            if end not in ends.under_stack:
                return Command(argv, bare, cpus, ends.folder_mark)
            has, variables = at[end]
            loading = self.launch.arguments(self.stack.name, has.preloads)
            return Command((*argv, *loading), variables, cpus, ends.folder_mark)

        def beside(commands: tuple[tuple[str, ...], ...], cpus: str) -> tuple[Command, ...]:
            return tuple(Command(argv, bare, cpus, ends.folder_mark) for argv in commands)

        servers = [made("server", argv, workload.server_cpus) for argv in ends.servers]
        return Job(
            server=servers[0] if servers else None,
            further=tuple(servers[1:]),
            client=made("client", ends.client, workload.client_cpus),
            before=beside(ends.before, workload.server_cpus),
            warm_up=beside(ends.warm_up, workload.client_cpus),
            ready=ends.ready,
            ready_count=ends.ready_count,
            ready_place=ends.ready_place,
            ready_file=ends.ready_file,
            time_limit_s=workload.time_limit_s,
            files={**self.files, **ends.files},
            wanted=(*launch.wanted(self.stack.name), *ends.wanted),
            watch_sockets=self.stack.recognise is not None,
            log=ends.log,
            ports=ends.ports,
        )

    def _judge(
        self, settings: Mapping[str, str], workload: Workload, output: RunOutput
    ) -> tuple[Status, str, Measurement | ParseError | None]:
        """Return what a run's output amounts to: the stack must have been there before its numbers are believed.

        The last is what was measured, or why that is no complete result. Raise `TunerError` where the host is at fault and no profile.
        """
        _check_cpus(output, workload)
        fixed = self.server.settings if self.server else None
        theirs = settings if fixed is None else fixed
        ends = [*(("server", each, theirs) for each in output.servers), ("client", output.client, settings)]
        for who, process, given in ends:
            if process is not None and not output.timed_out and who in workload.under_stack:
                proof = self.stack.proof(process.stderr, process.stdout, Seen(given, process.links))
                if not proof.loaded:
                    reasons = filter(None, [f"{who}: {proof.reason}", output.failure])  # it may not even have begun
                    return Status.NOT_LOADED, "; ".join(reasons), None
        if output.timed_out:
            return Status.TIMEOUT, output.failure or "it did not end", None
        if output.failure is not None or output.client is None:
            return Status.FAILED, output.failure or "the client was not started", None
        if not self.os_sockets and (why := launch.unproven(self.stack.name, output, workload.under_stack)):
            return Status.NOT_LOADED, why, None
        try:
            heard = Heard(output.client, output.servers, output.written, output.log)
            found = chosen.of(workload).measured(heard, workload)
        except ParseError as reason:
            return Status.FAILED, reason.message, reason
        return Status.OK, "", _with_cost(found, output.client, output.servers)


def _check_cpus(output: RunOutput, workload: Workload) -> None:
    """Raise `TunerError` where an end may not have its CPUs any more: that is no profile's doing."""
    ends = (*((each, workload.server_cpus) for each in output.servers), (output.client, workload.client_cpus))
    for process, pinned in ends:
        if process is not None and cpus.taken_away(process.stderr):
            message = f"CPU {pinned}, which this session measures on, was taken away: {process.stderr.splitlines()[0]}"
            raise TunerError(message, advice="give it back (cpuset, offline CPUs), then `tuner sessions resume`")


def _with_cost(found: Measurement, client: ProcessResult, servers: Sequence[ProcessResult]) -> Measurement:
    """Return a measurement with the CPU time of both ends and the servers' memory, where all of that is known."""
    memory_mb = [each.memory_mb for each in servers if each.memory_mb is not None]
    return replace(
        found,
        client_cpu_s=client.cpu_s,
        server_cpu_s=math.fsum(each.cpu_s for each in servers),
        server_memory_mb=math.fsum(memory_mb) if servers and len(memory_mb) == len(servers) else None,
    )


def _lacking(found: Finding) -> dict[str, str]:
    return {"where": found.where, "message": found.message, "suggestion": found.suggestion}


def _took(output: RunOutput, workload: Workload) -> dict[str, float]:
    lived_s = output.client.lived_s if output.client else 0.0
    return Took(output.ready_s, lived_s - workload.duration_s).to_dict()


def _playback(workload: Workload) -> str:
    return "" if workload.playback is None else playback_text(Path(workload.playback))


def playback_text(path: Path) -> str:
    """Return the text of a playback on this machine; raise `UsageError` where it cannot be read whole."""
    try:
        data = first_bytes(path, PLAYBACK_BYTES + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as reason:
        why = reason.strerror if isinstance(reason, OSError) else reason
        raise UsageError(f"cannot read the playback {path}: {why}") from reason
    if len(data) > PLAYBACK_BYTES:
        raise UsageError(f"the playback {path} is larger than {PLAYBACK_BYTES} bytes", advice="use a shorter one")
    return text


def _evidence(job: Job, output: RunOutput) -> dict[str, object]:
    """Return what is kept of a run beside its numbers: the commands, the environment, everything printed."""
    every = (job.client, *job.servers)
    under_stack = next((each for each in every if each.environment.get("LD_PRELOAD")), job.client)
    kept = {name: value for name, value in under_stack.environment.items() if name != PAD}
    servers = list(map(_process_evidence, job.servers, (*output.servers, *[None] * len(job.servers))))
    return {
        "environment": kept,
        "files": dict(job.files),
        **({"server": servers[0]} if servers else {}),
        "client": _process_evidence(job.client, output.client),
        **({"further_servers": servers[1:]} if job.further else {}),
        **({"ports": list(job.ports)} if job.ports else {}),
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
