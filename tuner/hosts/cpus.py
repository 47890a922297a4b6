"""Which CPUs server and client run on. Two ends on one physical core measure each other's waiting."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from tuner.errors import UsageError, error

ROOT: Final = Path("/sys/devices/system/cpu")
_REFUSED: Final = "taskset: failed to set"
"""What util-linux's taskset says before it starts nothing: of the CPUs none may be used."""
_ITEM = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Cpu:
    """One logical CPU: its number, its package (socket), and its core within the package.

    CPUs of the same package and core are SMT siblings.
    """

    number: int
    package: int
    core: int


@dataclass(frozen=True, slots=True)
class Topology:
    """The CPUs that this process may use, by number. `known` is False where the machine does not say who shares a core."""

    cpus: tuple[Cpu, ...]
    known: bool = True


def taken_away(said: str) -> bool:
    """Return whether what was printed in place of a program's own words says that it may have none of its CPUs any more."""
    return said.startswith(_REFUSED)


@dataclass(frozen=True, slots=True)
class Placement:
    """The CPUs of server and client as lists such as `1` or `2,3`, and the doubt about them (empty when there is none)."""

    server: str
    client: str
    note: str = ""


def topology(root: Path = ROOT, allowed: Iterable[int] | None = None) -> Topology:
    """Return the CPUs of this machine below `root` that may be used (by this process, unless `allowed` is given)."""
    numbers = sorted(os.sched_getaffinity(0) if allowed is None else allowed)
    found = [(n, _number(root, n, "physical_package_id"), _number(root, n, "core_id")) for n in numbers]
    known = all(package is not None and core is not None for _, package, core in found)
    # Without the files each CPU counts as a core of its own; the note of a placement says so.
    cpus = (Cpu(n, package or 0, core or 0) if known else Cpu(n, 0, n) for n, package, core in found)
    return Topology(tuple(cpus), known)


def placement(found: Topology, server_threads: int = 1, client_threads: int = 1) -> Placement:
    """Return CPUs for server and client, on different physical cores of one package wherever that is possible.

    Each busy thread gets a core while there are enough. The core of CPU 0, where most interrupts land, is used last.
    """
    cores = _cores(found)
    if len(cores) == 1:
        return _on_one_core(cores[0])
    wanted = server_threads + client_threads
    servers = server_threads if len(cores) >= wanted else max(1, len(cores) * server_threads // wanted)
    chosen = [core[0] for core in cores[:wanted]]
    return Placement(_text(chosen[:servers]), _text(chosen[servers:]), _doubt(found, chosen, wanted))


def apart(there: Topology, here: Topology, server_threads: int = 1, client_threads: int = 1) -> Placement:
    """Return CPUs for a server on one machine and a client on another: each busy thread gets a core while there are enough."""
    server, client = _alone(there, server_threads), _alone(here, client_threads)
    doubts = {"server": _doubt(there, server, server_threads), "client": _doubt(here, client, client_threads)}
    return Placement(_text(server), _text(client), "; ".join(f"{end}: {note}" for end, note in doubts.items() if note))


def _alone(found: Topology, threads: int) -> list[int]:
    return [core[0] for core in _cores(found)[:threads]]


def cpu_list(text: str, allowed: Iterable[int], where: str = "cpus") -> str:
    """Return the CPUs that a user named (`0`, `2-3`, `0,2`) as a list; raise `UsageError` with all that is wrong."""
    named = parse(text)
    if named is None:
        message = f"{text!r} is not a CPU list such as 0 or 2-3 or 0,2"
        raise UsageError(message, findings=[error(where, message)])
    usable = sorted(allowed)
    findings = [error(where, f"CPU {n} may not be used", f"allowed: {_text(usable)}") for n in named if n not in usable]
    if findings:
        raise UsageError(f"{text!r} names CPUs that may not be used", findings=findings)
    return _text(named)


def parse(text: str) -> tuple[int, ...] | None:
    """Return the numbers of a list such as `0,2-3`, each once, in order; None when it is no such list."""
    numbers: set[int] = set()
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            return None
        numbers.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(sorted(numbers))


def _number(root: Path, cpu: int, name: str) -> int | None:
    try:
        return int((root / f"cpu{cpu}" / "topology" / name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _cores(found: Topology) -> list[list[int]]:
    """Return the CPU numbers of each core: the package with most room first, within it the core of CPU 0 last."""

    def core_of(cpu: Cpu) -> tuple[int, int]:
        return cpu.package, cpu.core

    ordered = sorted(found.cpus, key=lambda cpu: (*core_of(cpu), cpu.number))
    cores = [(key[0], [cpu.number for cpu in group]) for key, group in groupby(ordered, core_of)]
    room = {package: sum(p == package and 0 not in core for p, core in cores) for package, _ in cores}
    cores.sort(key=lambda item: (-room[item[0]], item[0], 0 in item[1], item[1]))
    return [core for _, core in cores]


def _on_one_core(core: list[int]) -> Placement:
    if len(core) == 1:
        note = "only one CPU may be used: client and server share it and wait for each other"
        return Placement(str(core[0]), str(core[0]), note)
    return Placement(str(core[0]), str(core[1]), "client and server share one physical core")


def _doubt(found: Topology, chosen: list[int], wanted: int) -> str:
    if not found.known:
        return "this machine does not say which CPUs share a core"
    if len(chosen) < wanted:
        return f"{wanted} busy threads share {len(chosen)} physical cores"
    packages = {cpu.package for cpu in found.cpus if cpu.number in chosen}
    return "client and server are on different CPU packages" if len(packages) > 1 else ""


def _text(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))
