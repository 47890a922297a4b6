"""What a session starts with on its host: the benchmark, the stack's library and what else is preloaded, looked up and checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tuner import stacks
from tuner.catalogue import facts as stack_facts
from tuner.errors import MissingTool, StoreError, TunerError, UsageError, doubt_to_json, error
from tuner.hosts import cpus, facts
from tuner.hosts.host import Host, has_file, printed
from tuner.runs.chosen import BENCHMARK
from tuner.runs.launch import Loading, unsupported
from tuner.runs.workload import Workload
from tuner.stacks import probe
from tuner.stacks.preloads import faststart_library, stackname_library
from tuner.stacks.stack import Stack


def examine(stack_name: str, lib: Path | None, program: str, results: Path, host: Host) -> list[dict[str, Any]]:
    """Return each thing that a session needs on this host: whether it is there, what it says, and what to do."""
    stack = stacks.named(stack_name)
    parts = {
        BENCHMARK.name: lambda: program_path(program, host, ()),
        f"library of {stack.name}": lambda: _loads(stack, lib, host),
        "fast start": lambda: str(faststart_library()),
        "CPUs": lambda: _cpus_found(cpus.placement(host.topology())),
        "results": lambda: _writable(results),
    }
    return [_part(name, look) for name, look in parts.items()]


def host_facts(stack: str, host: Host) -> dict[str, Any]:
    """Return what a host is and the reasons to distrust it, as JSON-ready values."""
    found = host.facts()
    doubts = facts.doubts(found, needs_hugepages=stack_facts.load(stack).bypass)
    return found.to_dict() | {"doubts": list(map(doubt_to_json, doubts))}


def _part(name: str, look: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"part": name, "ok": True, "says": look(), "advice": ""}
    except TunerError as reason:
        return {"part": name, "ok": False, "says": reason.message, "advice": reason.advice}


def _loads(stack: Stack, lib: Path | None, host: Host) -> str:
    """Return what the stack's library says of itself when a harmless program runs under it."""
    library = probe.usable(stack, lib, host)
    proof = probe.proof(stack, [library], {}, host)
    if not proof.loaded:
        raise MissingTool(f"{library} does not work: {proof.reason}", advice=stack.advice)
    return f"{library}, {proof.banner.tag} {proof.banner.release}"


def _cpus_found(placed: cpus.Placement) -> str:
    note = f" ({placed.note})" if placed.note else ""
    return f"server on {placed.server}, client on {placed.client}{note}"


def _writable(results: Path) -> str:
    existing = next(path for path in (results.absolute(), *results.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise StoreError(f"{existing} cannot be written", advice="name another folder with --results DIR")
    return str(results)


def preloads(
    stack: Stack, library: Path, further: Sequence[Path], host: Host, *, named: bool, fast_start: bool
) -> tuple[Path, ...]:
    """Return what is preloaded, the stack's library first; raise `MissingTool` naming every file that is not there."""
    if named and not stack.facts.named_stacks:
        able = " or ".join(each.name for each in stack_facts.every() if each.named_stacks)
        raise UsageError(f"stack {stack.name} has no names", advice=f"--stackname is for --stack {able}")
    naming = [stackname_library()] if named else []
    wanted = [library, *naming, *further, *([faststart_library()] if fast_start else [])]
    missing = [error(str(path), "no such file") for path in wanted if not has_file(host, path)]
    if missing:
        raise MissingTool("a library that should be preloaded is not there", findings=missing, advice=stack.advice)
    return tuple(path.absolute() for path in wanted)


def program_path(
    name: str, host: Host, workloads: Sequence[Workload], loading: Loading = Loading.PRELOAD, stack: str = "kernel"
) -> str:
    """Return the path of the installed benchmark; raise `MissingTool`, or `UsageError` saying all that it cannot do."""
    path = host.which(name)
    if path is None:
        raise MissingTool(f"there is no program {name!r}", advice=BENCHMARK.install)
    able = BENCHMARK.features(*(printed(host, path, *asked) for asked in BENCHMARK.questions))
    cannot = [finding for each in workloads for finding in BENCHMARK.unsupported(each, able)]
    cannot += unsupported(loading, stack, BENCHMARK, able)
    if cannot:
        raise UsageError(f"{path} cannot do this", findings=cannot)
    return path
