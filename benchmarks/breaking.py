"""What may break while hosts measure: at a host of a lab, at the session, or at a server that it uses; and what is to be said of each.

`STRIKES` has the faults by name. Each breaks one thing and returns what mends it again, where it does not mend itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import dask_programs

from tuner.hosts.lab import files
from tuner.hosts.lab.wires import MANAGEMENT

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import postgres

STAYING: Final = frozenset({"tmp/tuner-measures.lock"})
"""By which sessions of a host take turns; it is empty and stays, because who removes a lock may remove another one's."""
_KEY: Final = "run/lab/host_key"
HANG_S: Final = 20.0
"""How long what hangs does, besides an outage: longer than a scheduler's answer is waited for."""
LONG_HANG_S: Final = 60.0
"""The same, of the server of a store."""


@dataclass(frozen=True, slots=True)
class Far:
    """A host of the lab as a fault sees it: its name, and its first process, seen from this machine."""

    name: str
    first: int

    @property
    def root(self) -> Path:
        """Return its root directory."""
        return Path(f"/proc/{self.first}/root")

    def processes(self) -> dict[int, str]:
        """Return the processes of the host but its first, number to command line."""
        space = _space(self.first)
        return {pid: words for pid, words in everyone() if pid != self.first and _space(pid) == space}

    def listener(self) -> int | None:
        """Return the sshd that lets others in."""
        return next((pid for pid, words in self.processes().items() if "[listener]" in words), None)

    def agents(self) -> list[int]:
        """Return the agents: programs of ssh's sessions that are Python, but not those that such a one started."""
        found = {pid: _parent(pid) for pid, words in self.processes().items() if "python" in words.split(" ")[0]}
        return [pid for pid, parent in found.items() if parent not in found and parent != self.first]

    def files(self) -> set[str]:
        """Return the files in the folders that a host has for itself."""
        places = [self.root / each for each in ("tmp", "var/tmp", "dev/shm", "home", "run")]
        return {str(found.relative_to(self.root)) for place in places for found in below(place)} - STAYING


def everyone() -> Iterator[tuple[int, str]]:
    """Yield all processes of this machine, each with its command line."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield int(process.name), (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


def below(place: Path) -> Iterator[Path]:
    """Yield what is below a folder."""
    for folder, folders, names in os.walk(place):
        for name in (*folders, *names):
            yield Path(folder, name)


def _space(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except OSError:
        return 0


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault may strike: one host, the session's process, and the servers that the session uses, None where it uses none."""

    far: Far
    controller: int
    store: postgres.Server | None = None
    cluster: dask_programs.DaskPrograms | None = None


T = TypeVar("T")
Undo = Callable[[], None]


def _nothing() -> None:
    pass


def _kill(pids: Sequence[int], number: signal.Signals = signal.SIGKILL) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _used(server: T | None) -> T:
    """Return a server that the session uses; raise `ValueError` where it uses none."""
    if server is None:
        raise ValueError("a fault strikes a server that the session does not use")
    return server


def cut(scene: Scene) -> Undo:
    """Let the link that ssh comes by carry nothing for a while; neither end is told."""
    _ip(scene.far, "down")
    return lambda: _ip(scene.far, "up")


def _ip(far: Far, state: str) -> None:
    argv = ["nsenter", f"--net=/proc/{far.first}/ns/net", "ip", "link", "set", MANAGEMENT, state]
    subprocess.run(argv, check=False, capture_output=True, timeout=10)


def sshd_killed(scene: Scene) -> Undo:
    """Kill sshd, the connections' processes too; the host starts a new one."""
    _kill([pid for pid, words in scene.far.processes().items() if "sshd" in words])
    return _nothing


def host_deleted(scene: Scene) -> Undo:
    """End the host with its namespaces; the lab starts it again."""
    _kill([scene.far.first])
    return _nothing


def agent_killed(scene: Scene) -> Undo:
    """Kill the agent."""
    _kill(scene.far.agents())
    return _nothing


def agent_stopped(scene: Scene) -> Undo:
    """Stop the agent, and never let it go on."""
    _kill(scene.far.agents(), signal.SIGSTOP)
    return _nothing


def key_changed(scene: Scene) -> Undo:
    """Give the host another key, and end its connections; put the old one back later."""
    path = scene.far.root / _KEY
    kept = path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        files.make_key(Path(folder, "other"))
        path.write_bytes(Path(folder, "other").read_bytes())
    sshd_killed(scene)

    def undo() -> None:
        with contextlib.suppress(OSError):
            path.write_bytes(kept)
        sshd_killed(scene)

    return undo


def disk_full(scene: Scene) -> Undo:
    """Fill the host's /tmp for a while."""
    path = scene.far.root / "tmp" / "filled"
    with contextlib.suppress(OSError), path.open("wb") as file:
        while True:
            file.write(bytes(1 << 20))
    return lambda: path.unlink(missing_ok=True)


def controller_killed(scene: Scene) -> Undo:
    """Kill the session itself."""
    _kill([scene.controller])
    return _nothing


def postgresql_restarted(scene: Scene) -> Undo:
    """Stop the store's server at once, as a crash would; start it again later."""
    store = _used(scene.store)
    store.stop()
    return store.start


def worker_killed(scene: Scene) -> Undo:
    """Kill a worker of the cluster; start another one later."""
    cluster = _used(scene.cluster)
    dask_programs.kill(cluster.workers[:1])
    return cluster.start_worker


def scheduler_killed(scene: Scene) -> Undo:
    """Kill the scheduler, with which its workers end; start all of them again later."""
    cluster = _used(scene.cluster)
    workers = len(cluster.workers)
    dask_programs.kill(cluster.scheduler)

    def again() -> None:
        cluster.start_scheduler()
        for _ in range(workers):
            cluster.start_worker()

    return again


def worker_stopped(scene: Scene) -> Undo:
    """Stop a worker of the cluster, and never let it go on."""
    _kill([_used(scene.cluster).workers[0].pid], signal.SIGSTOP)
    return _nothing


def scheduler_stopped(scene: Scene) -> Undo:
    """Stop the scheduler for longer than its answer is waited for."""
    return _stopped([_used(scene.cluster).scheduler[-1].pid], HANG_S)


def postgresql_stopped(scene: Scene) -> Undo:
    """Stop the store's server with all its processes, for longer than its answer is waited for."""
    process = _used(scene.store).process
    if process is None:
        raise ValueError("the store's server does not run")
    return _stopped([process.pid, *(pid for pid, _ in everyone() if _parent(pid) == process.pid)], LONG_HANG_S)


def _stopped(pids: Sequence[int], for_s: float) -> Undo:
    _kill(pids, signal.SIGSTOP)
    time.sleep(for_s)
    return lambda: _kill(pids, signal.SIGCONT)


STRIKES: Final[Mapping[str, Callable[[Scene], Undo]]] = {
    "connection cut": cut,
    "sshd killed": sshd_killed,
    "host deleted": host_deleted,
    "agent killed": agent_killed,
    "agent stopped": agent_stopped,
    "host key changed": key_changed,
    "far disk full": disk_full,
    "controller killed": controller_killed,
    "PostgreSQL restarted": postgresql_restarted,
    "Dask worker killed": worker_killed,
    "scheduler killed": scheduler_killed,
    "PostgreSQL stopped": postgresql_stopped,
    "Dask worker stopped": worker_stopped,
    "scheduler stopped": scheduler_stopped,
}
ON_A_SERVER: Final = frozenset({"PostgreSQL restarted", "PostgreSQL stopped"})
"""The faults of sessions whose store is on a server."""
ON_A_CLUSTER: Final = frozenset({"Dask worker killed", "scheduler killed", "Dask worker stopped", "scheduler stopped"})
"""The faults of sessions whose blocks a cluster carries."""

_CONNECTION: Final = (
    "the connection ended",
    "nothing was heard of it",
    "it cannot be reached",
    "it closed the connection",
    "no answer within",
)
CAUSES: Final[Mapping[str, tuple[str, ...]]] = {
    "connection cut": _CONNECTION,
    "sshd killed": (*_CONNECTION, "no sshd listens there"),
    "host deleted": (*_CONNECTION, "no sshd listens there", "no agent could be started"),
    "agent killed": _CONNECTION,
    "agent stopped": _CONNECTION,
    "host key changed": ("its host key is another one than before", *_CONNECTION),
    "far disk full": (
        "no space is left in",
        "No space left on device",
        "its disk is full",
        "no run can be started there",
    ),
    "PostgreSQL restarted": ("was lost; it is tried again", "cannot use"),
    "Dask worker killed": ("went away",),
    "scheduler killed": ("does not answer any more",),
    "PostgreSQL stopped": ("was lost; it is tried again", "cannot use"),
    "Dask worker stopped": ("went away",),
    "scheduler stopped": ("does not answer any more",),
}
"""What a message may give as the cause of each fault, beside the name of what was lost; nothing need be said by what was killed itself."""
