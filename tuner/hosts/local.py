"""This machine as a host.

Each program is started as `timeout LIMIT [taskset -c CPUS] env -i NAME=VALUE … PROGRAM …`, a list of arguments that
no shell reads, in a session of its own. So its environment is exactly what was given; a preloaded library touches
the program and not the launchers. It ends when this process does (`keeping.py`), and within its limit even where all of that is killed.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from tuner import temporary
from tuner.catalogue.room import Room
from tuner.errors import Finding, MissingTool, TunerError, UsageError, error
from tuner.exclusive import Lock
from tuner.hosts import cpus, facts, links, reach, telemetry, terminal, turns
from tuner.hosts.cpus import Topology
from tuner.hosts.facts import Facts
from tuner.hosts.host import HERE, Command, ProcessResult
from tuner.hosts.links import Network, Route
from tuner.hosts.processes import KILL_AFTER_S, SEARCH_PATH, TERM_TO_KILL_S, Crew, Process
from tuner.hosts.reach import socket_of
from tuner.untrusted import opened

WRITTEN_BYTES: Final = 1 << 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class LocalHost:
    """This machine. `search_path` is where programs named without a folder are looked for."""

    search_path: str = SEARCH_PATH
    turns: Path | None = field(default_factory=turns.usual_folder)
    """The folder of the lock by which sessions take turns; None where nobody does."""

    @property
    def name(self) -> str:
        """Return that it is this machine."""
        return HERE

    def brought(self, path: Path) -> Path:
        """Return the path itself: it is here."""
        return path

    def reconnect(self) -> None:
        """Do nothing: this machine cannot be lost."""

    def listening(self, protocol: str, address: str) -> AbstractContextManager[int]:
        """Return what listens on a free port of an address while it is entered."""
        return reach.listening(protocol, address)

    def unreached(self, protocol: str, address: str, port: int) -> str | None:
        """Return why nothing comes back from a port where another host listens, None where it does."""
        return reach.unreached(protocol, address, port)

    def turn(self, what: str) -> AbstractContextManager[Lock | None]:
        """Return what holds this machine's turn to measure while it is entered."""
        return turns.taken(self.turns, what)

    def site(self, files: Mapping[str, str]) -> LocalSite:
        """Return a place to start processes in; its folder will hold `files`, name to text."""
        return LocalSite(self, files)

    def output_of(self, command: Command, time_limit_s: float = 10.0) -> ProcessResult:
        """Return what one short program did; raise `MissingTool` when there is none of its name."""
        argv = self.argv(command, time_limit_s)
        with temporary.folder("run") as folder, Crew(folder) as crew:
            process = crew.start(argv, time_limit_s)
            _await_end(crew, process)
            return process.result()

    def said_on_terminal(self, command: Command, time_limit_s: float = 10.0) -> str:
        """Return what one short program says where its output is a terminal; some libraries then say more."""
        return terminal.said(self.argv(command, time_limit_s), time_limit_s)

    def free_ports(self, count: int, protocol: str, address: str) -> tuple[int, ...]:
        """Return `count` different ports of `address` on which nobody listens; raise `UsageError` for no such address.

        Nothing holds them afterwards: a `Pair` tries again where another process is faster.
        """
        with contextlib.ExitStack() as stack:
            try:
                sockets = [stack.enter_context(socket_of(protocol, address)) for _ in range(count)]
                for one in sockets:
                    one.bind((address, 0))
            except OSError as problem:
                message = f"this machine cannot listen on {address}: {problem.strerror}"
                raise UsageError(message, findings=[error("workload.address", message)]) from problem
            return tuple(one.getsockname()[1] for one in sockets)

    def refusal(self, protocol: str, address: str, port: int) -> str | None:
        """Return why nobody can listen on a port of `address` now, None where it is free."""
        try:
            with socket_of(protocol, address) as one:
                # As servers do: a port whose last connection has just ended is free.
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(protocol == "tcp"))
                one.bind((address, port))
        except OSError as problem:
            return problem.strerror
        return None

    def counters(self, cpus: Sequence[int]) -> telemetry.Counters:
        """Return this machine's counters now."""
        return telemetry.read(cpus)

    def sample(self, cpus: Sequence[int], span_s: float) -> telemetry.Telemetry:
        """Return what happens on this machine from now on for so many seconds."""
        before = telemetry.read(cpus)
        time.sleep(span_s)
        return telemetry.between(before, telemetry.read(cpus))

    def topology(self) -> Topology:
        """Return the CPUs that this process may use."""
        return cpus.topology()

    def facts(self) -> Facts:
        """Return what this machine is."""
        return facts.read()

    def room(self) -> Room:
        """Return the memory that this machine has to give to this process."""
        return facts.room()

    def network(self) -> Network:
        """Return this machine's network devices."""
        return links.network()

    def route(self, address: str) -> Route | None:
        """Return how packets to an address leave this machine, None where they cannot."""
        return links.route(address)

    def has_card(self) -> bool:
        """Return whether there is a device that XLIO or VMA could use."""
        return facts.has_card()

    def machine(self) -> str:
        """Return the architecture of this machine's programs."""
        return platform.machine()

    def which(self, program: str) -> str | None:
        """Return the absolute path of a program, named by its path or found in this process's `PATH`."""
        found = shutil.which(program)
        return None if found is None else str(Path(found).absolute())

    def read(self, path: Path, most_bytes: int) -> bytes:
        """Return the first `most_bytes` of a file; raise `OSError` for what is none."""
        return first_bytes(path, most_bytes)

    def argv(self, command: Command, limit_s: float) -> list[str]:
        """Return the arguments that start a program under its launchers; raise as `Site.start` does."""
        program = self._program(command.argv[0])
        findings = [f for name, value in command.environment.items() for f in _environment_problems(name, value)]
        if "=" in program:
            findings.append(error(program, "a program's path must be without =", "use a link of another name"))
        findings += [error(program, f"the argument {a!r} holds a NUL") for a in command.argv if "\0" in a]
        if findings:
            raise UsageError("this program cannot be started as asked", findings=findings)
        # In the foreground `timeout` hands a signal on once; otherwise it also sends it to its whole group.
        limits = [self._program("timeout"), "--foreground", f"--kill-after={TERM_TO_KILL_S:g}", f"{limit_s:.3f}"]
        pin = [self._program("taskset"), "-c", command.cpus] if command.cpus else []
        settings = [f"{name}={value}" for name, value in command.environment.items()]
        return [*limits, *pin, self._program("env"), "-i", *settings, program, *command.argv[1:]]

    def _program(self, name: str) -> str:
        found = shutil.which(name, path=self.search_path)
        if found is None:
            where = "" if "/" in name else f" in {self.search_path}"
            raise MissingTool(f"there is no program {name}{where}", advice="install it or give its full path")
        return str(Path(found).absolute())


class LocalSite:
    """A fresh folder on this machine and the processes started in it."""

    def __init__(self, host: LocalHost, files: Mapping[str, str]) -> None:
        self._host = host
        self._files = files
        self._entered_s = time.monotonic()
        self._left = contextlib.ExitStack()
        self.started_at = ""

    def __enter__(self) -> Self:
        """Make the folder and write the files into it."""
        self._entered_s, self.started_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="milliseconds")
        with contextlib.ExitStack() as entered:
            self._folder = entered.enter_context(temporary.folder("run"))
            self._crew = entered.enter_context(Crew(self._folder))
            _write(self._files, self._folder)
            self._left = entered.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """End what still runs and take the folder away."""
        self._left.__exit__(kind, value, at)

    def fileno(self) -> int:
        """Return the selector's own descriptor: it can be read when one of the pipes can."""
        return self._crew.selector.fileno()

    def hear(self) -> None:
        """Take what the processes have written so far."""
        self._crew.hear(0.0)

    def age_s(self) -> float:
        """Return the seconds since the site was entered."""
        return time.monotonic() - self._entered_s

    def start(self, command: Command, limit_s: float) -> Process:
        """Start a program in the folder."""
        placed = replace(command, argv=command.argv_in(str(self._folder)), folder_mark="")
        return self._crew.start(self._host.argv(placed, limit_s), limit_s)

    def written(self, names: Sequence[str]) -> dict[str, str]:
        """Return the wanted files that are there, the first part of long ones."""
        paths = {name: self._folder / name for name in names}
        heads = {name: _head(path) for name, path in paths.items()}
        return {name: text for name, text in heads.items() if text is not None}

    def opened(self, name: str) -> BinaryIO | None:
        """Return a file of the folder, None where there is none. It outlives its name while it is open.

        Programs that are measured write here: a link, a pipe or a device in place of the file is none.

        Raises:
            TunerError: the disk is full, so that the file is not whole.

        """
        try:
            file = opened(self._folder / name, follow=False)
        except OSError:
            return None
        if _is_full(file.fileno()):
            file.close()
            message = f"no space is left in {self._folder.parent}: what a run writes there is cut off"
            raise TunerError(message, advice="make room there, or have TMPDIR name another folder")
        return file


def _is_full(descriptor: int) -> bool:
    """Return whether nothing more can be written beside a file by this user; root may use what is kept for it."""
    room = os.fstatvfs(descriptor)
    return (room.f_bfree if os.geteuid() == 0 else room.f_bavail) == 0


def _head(path: Path) -> str | None:
    try:
        with opened(path, follow=False) as file:
            return file.read(WRITTEN_BYTES).decode(errors="replace")
    except OSError:
        return None


def first_bytes(path: Path, most_bytes: int) -> bytes:
    """Return the beginning of a file of this machine; raise `OSError` for what is none: a pipe would be read for ever."""
    with opened(path) as file:
        return file.read(most_bytes)


def _environment_problems(name: str, value: str) -> list[Finding]:
    if not _NAME.fullmatch(name):
        return [error(f"environment.{name}", "is not a valid variable name: letters, digits and _ only")]
    return [error(f"environment.{name}", "the value holds a NUL")] if "\0" in value else []


def check_names(names: Iterable[str]) -> None:
    """Raise `UsageError` for a name that is not that of a file in a run's own folder."""
    for name in names:
        if Path(name).name != name or name in {"", ".", ".."}:
            raise UsageError(f"{name!r} is not the name of a file in the run's own folder")


def _write(files: Mapping[str, str], folder: Path) -> None:
    check_names(files)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def _await_end(crew: Crew, process: Process) -> None:
    if not crew.listen_until(lambda: process.silent, process.limit_s + 2 * KILL_AFTER_S):
        crew.kill(process)
