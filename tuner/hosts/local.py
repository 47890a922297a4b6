"""Runs on this machine.

Each program is started as `timeout LIMIT [taskset -c CPUS] env -i NAME=VALUE … PROGRAM …`, a list of arguments that
no shell reads, in a session of its own. So its environment is exactly what was given; a preloaded library touches
the program and not the launchers; and it ends within its limit even where this process is killed outright.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from tuner.errors import Finding, MissingTool, UsageError, error
from tuner.hosts import descriptors, telemetry, terminal
from tuner.hosts.host import Command, ProcessResult, RunOutput, RunPlan
from tuner.hosts.processes import KILL_AFTER_S, SEARCH_PATH, Crew, Process

STOP_LIMIT_S: Final = 2.0
"""The seconds that an interrupted server has to print its totals; milliseconds are normal."""
WRITTEN_BYTES: Final = 1 << 20
LOOK_EVERY_S: Final = 0.2
LOOKS: Final = 5
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class LocalHost:
    """This machine. `search_path` is where programs named without a folder are looked for."""

    search_path: str = SEARCH_PATH

    def run(self, plan: RunPlan) -> RunOutput:
        """Return what the run gave, with no process left behind, whatever happens.

        A run that a Ctrl-C of the terminal struck while its processes were being born is made once more.

        Raises:
            UsageError: a name or value of the plan cannot stand in an environment or a folder.
            MissingTool: a program is not there.

        """
        output = self._once(plan)
        return self._once(plan) if _struck(output) else output

    def _once(self, plan: RunPlan) -> RunOutput:
        server_limit_s = plan.ready_limit_s + plan.time_limit_s + 2 * STOP_LIMIT_S + 2 * KILL_AFTER_S
        server_argv = self._argv(plan.server, server_limit_s)
        client_argv = self._argv(plan.client, plan.time_limit_s)
        started_at, began = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
        with tempfile.TemporaryDirectory(prefix="tuner-run-") as folder, Crew(Path(folder)) as crew:
            _write(plan.files, crew.folder)
            server = crew.start(server_argv, server_limit_s)
            failure = _await_ready(crew, server, plan)
            client = None if failure else crew.start(client_argv, plan.time_limit_s)
            if client is not None:
                failure = _await_client(crew, server, client, watch=plan.watch_sockets)
            _stop(crew, server)
            results = server.result(), client.result() if client is not None else None
            written = _written(plan.wanted, crew.folder)
            log = _opened(crew.folder / plan.log) if plan.log else None
        return RunOutput(*results, started_at, time.monotonic() - began, failure, written=written, log=log)

    def output_of(self, command: Command, time_limit_s: float = 10.0) -> ProcessResult:
        """Return what one short program did; raise `MissingTool` when there is none of its name."""
        argv = self._argv(command, time_limit_s)
        with tempfile.TemporaryDirectory(prefix="tuner-run-") as folder, Crew(Path(folder)) as crew:
            process = crew.start(argv, time_limit_s)
            _await_end(crew, process)
            return process.result()

    def said_on_terminal(self, command: Command, time_limit_s: float = 10.0) -> str:
        """Return what one short program says where its output is a terminal; some libraries then say more."""
        return terminal.said(self._argv(command, time_limit_s), time_limit_s)

    def free_ports(self, count: int, protocol: str, address: str) -> tuple[int, ...]:
        """Return `count` different ports of `address` on which nobody listens; raise `UsageError` for no such address.

        Nothing holds them afterwards: `run_on_free_ports` tries again where another process is faster.
        """
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with contextlib.ExitStack() as stack:
            try:
                sockets = [stack.enter_context(socket.socket(family, kind)) for _ in range(count)]
                for one in sockets:
                    one.bind((address, 0))
            except OSError as problem:
                message = f"this machine cannot listen on {address}: {problem.strerror}"
                raise UsageError(message, findings=[error("workload.address", message)]) from problem
            return tuple(one.getsockname()[1] for one in sockets)

    def counters(self, cpus: Sequence[int]) -> telemetry.Counters:
        """Return this machine's counters now."""
        return telemetry.read(cpus)

    def _argv(self, command: Command, limit_s: float) -> list[str]:
        program = self._program(command.argv[0])
        findings = [f for name, value in command.environment.items() for f in _environment_problems(name, value)]
        if "=" in program:
            findings.append(error(program, "a program's path must be without =", "use a link of another name"))
        findings += [error(program, f"the argument {a!r} holds a NUL") for a in command.argv if "\0" in a]
        if findings:
            raise UsageError("this program cannot be started as asked", findings=findings)
        # In the foreground `timeout` hands a signal on once; otherwise it also sends it to its whole group.
        limits = [self._program("timeout"), "--foreground", f"--kill-after={KILL_AFTER_S:g}", f"{limit_s:.3f}"]
        pin = [self._program("taskset"), "-c", command.cpus] if command.cpus else []
        settings = [f"{name}={value}" for name, value in command.environment.items()]
        return [*limits, *pin, self._program("env"), "-i", *settings, program, *command.argv[1:]]

    def _program(self, name: str) -> str:
        found = shutil.which(name, path=self.search_path)
        if found is None:
            where = "" if "/" in name else f" in {self.search_path}"
            raise MissingTool(f"there is no program {name}{where}", advice="install it or give its full path")
        return str(Path(found).absolute())


def _struck(output: RunOutput) -> bool:
    """Return whether a process died of SIGINT before it said anything.

    Between its birth and the session of its own it still belongs to the terminal, whose Ctrl-C it gets with this process.
    """
    ended = [process for process in (output.server, output.client) if process is not None]
    return any(each.exit_status == -signal.SIGINT and not each.stdout + each.stderr for each in ended)


def _environment_problems(name: str, value: str) -> list[Finding]:
    if not _NAME.fullmatch(name):
        return [error(f"environment.{name}", "is no name of a variable: letters, digits and _ only")]
    return [error(f"environment.{name}", "the value holds a NUL")] if "\0" in value else []


def _write(files: Mapping[str, str], folder: Path) -> None:
    for name, text in files.items():
        if Path(name).name != name or name in {"", ".", ".."}:
            raise UsageError(f"{name!r} is not the name of a file in the run's own folder")
        (folder / name).write_text(text, encoding="utf-8")


def _written(names: Sequence[str], folder: Path) -> dict[str, str]:
    """Return the wanted files that are there, the first part of long ones."""
    found = {}
    for name in names:
        if (folder / name).is_file():
            with (folder / name).open("rb") as file:
                found[name] = file.read(WRITTEN_BYTES).decode(errors="replace")
    return found


def _opened(path: Path) -> BinaryIO | None:
    """Return a file of the run's folder, None where the client wrote none. It outlives its name while it is open."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _await_ready(crew: Crew, server: Process, plan: RunPlan) -> str | None:
    """Return why the server is not ready, None when it is."""
    sign = plan.ready.encode()

    def ready() -> bool:
        return server.stdout.head.count(sign) >= plan.ready_count

    crew.listen_until(lambda: ready() or server.silent, plan.ready_limit_s)
    if server.silent:
        return f"the server ended before it was ready: {server.said()}"
    if not ready():
        server.stopped = True
        return f"the server was not ready within {plan.ready_limit_s:g} s: {server.said()}"
    return None


def _watch_sockets(crew: Crew, server: Process, client: Process) -> None:
    """Note what the programs' sockets are while the test begins; the last look that saw any counts."""
    for _ in range(LOOKS):
        if crew.listen_until(lambda: client.silent or server.silent, LOOK_EVERY_S):
            return
        for process in (server, client):
            process.links = descriptors.socket_links(process.popen.pid) or process.links


def _await_client(crew: Crew, server: Process, client: Process, *, watch: bool) -> str | None:
    """Return why the client gave nothing, None when it ended by itself while the server lived."""
    if watch:
        _watch_sockets(crew, server, client)
    crew.listen_until(lambda: client.silent or server.silent, client.limit_s + 2 * KILL_AFTER_S)
    if client.silent:
        status, _ = client.reap()
        overdue = client.result().timed_out
        return f"the client did not end within {client.limit_s:g} s" if overdue else _signal_words("client", status)
    crew.kill(client)
    if server.silent:
        client.stopped = False
        return f"the server ended during the run: {server.said()}"
    return f"the client did not end within {client.limit_s:g} s"


def _signal_words(who: str, status: int) -> str | None:
    """Return which signal ended a program. `timeout` repeats it on itself or adds it to 128, as a shell does."""
    number = -status if status < 0 else status - 128
    known = number in signal.valid_signals() and number > 0
    return f"the {who} was ended by {signal.Signals(number).name}" if known else None


def _await_end(crew: Crew, process: Process) -> None:
    if not crew.listen_until(lambda: process.silent, process.limit_s + 2 * KILL_AFTER_S):
        crew.kill(process)


def _stop(crew: Crew, server: Process) -> None:
    """Interrupt the server, so that it prints its totals; end it by force where that does not help."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if server.silent:
            return
        server.signal(number)
        if crew.listen_until(lambda: server.silent, STOP_LIMIT_S):
            return
    crew.kill(server)
