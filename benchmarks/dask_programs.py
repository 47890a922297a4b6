"""A Dask scheduler and its workers on this machine, each in a session of its own, to be killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tuner.session.measuring.scheduler import Cluster

START_S: Final = 60.0


@dataclass
class DaskPrograms:
    """A scheduler on a port of the loopback, and its workers; `environment` is theirs, `folder` has what they write."""

    folder: Path
    environment: Mapping[str, str]
    port: int
    tls: Mapping[str, Path] = field(default_factory=dict)
    """The files of TLS, by what Dask calls them; none without it."""
    scheduler: list[subprocess.Popen[bytes]] = field(default_factory=list)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where the scheduler is."""
        return f"{'tls' if self.tls else 'tcp'}://127.0.0.1:{self.port}"

    @property
    def cluster(self) -> Cluster:
        """The scheduler as a session names it."""
        return Cluster(self.address, *self.tls.values())

    @property
    def running(self) -> set[int]:
        """Return the numbers of the processes that have not ended."""
        return {each.pid for each in (*self.scheduler, *self.workers) if each.poll() is None}

    def start_scheduler(self) -> None:
        """Start the scheduler."""
        self.scheduler.append(self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-jupyter"))

    def start_worker(self, at_once: int = 1) -> None:
        """Start a worker that measures so many blocks at once."""
        options = ("--nthreads", str(at_once), "--resources", f"pair={at_once}", "--no-nanny")
        self.workers.append(self._start("worker", self.address, *options))

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        options = zip(("--tls-ca-file", "--tls-cert", "--tls-key"), map(str, self.tls.values()), strict=False)
        secured = [word for each in options for word in each] + (["--protocol", "tls"] if self.tls else [])
        argv = [str(Path(sys.executable).with_name("dask")), *words, "--no-dashboard", *secured]
        here = {**self.environment, "DASK_TEMPORARY_DIRECTORY": str(self.folder)}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(argv, env=here, cwd=self.folder, stdout=log, stderr=log, start_new_session=True)

    def await_workers(self, count: int) -> None:
        """Return when the scheduler has so many workers."""
        import distributed

        connect: Any = distributed.Client  # Dask has no types
        secured: Any = distributed.Security
        named = {name: str(path) for name, path in self.tls.items()}
        security = secured(require_encryption=True, **named) if self.tls else None
        with connect(self.address, timeout=START_S, security=security, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=START_S)

    def end(self) -> None:
        """Kill all of them."""
        kill([*self.workers, *self.scheduler])


def on_this_machine(
    folder: Path, environment: Mapping[str, str] = os.environ, tls: Mapping[str, Path] | None = None
) -> DaskPrograms:
    """Return programs that write into a folder, on a port that is free; none is started."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return DaskPrograms(folder, environment, int(one.getsockname()[1]), tls or {})


def kill(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Kill processes with what they started."""
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
