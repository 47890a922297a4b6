"""What a session starts with on its host: the benchmark, the stack's library and what else is preloaded, looked up and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuner.catalogue import facts as stack_facts
from tuner.catalogue.releases import reached, release_key
from tuner.errors import Finding, MissingTool, UsageError, doubt, doubt_to_json, error
from tuner.hosts import calm, facts, path
from tuner.hosts.host import Host, has_file, printed
from tuner.hosts.pair import Pair
from tuner.runs import chosen
from tuner.runs.benchmark import Features
from tuner.runs.chosen import BENCHMARK
from tuner.runs.launch import Loading, unsupported
from tuner.runs.workload import Workload
from tuner.session.setup.plan import Plan
from tuner.stacks.library import problem
from tuner.stacks.preloads import faststart_library, stackname_library
from tuner.stacks.stack import Stack


def host_facts(stack: str, host: Host, cpus: Sequence[int] = ()) -> dict[str, Any]:
    """Return what a host is and the reasons to distrust it, as JSON-ready values; `cpus` are to be measured on, all if empty."""
    found = host.facts()
    doubts = facts.doubts(found, needs_hugepages=stack_facts.load(stack).bypass)
    others = calm.doubts(host.sample(cpus, calm.SAMPLE_S))
    return found.to_dict() | {"doubts": list(map(doubt_to_json, (*doubts, *others)))}


def facts_of(plan: Plan, pair: Pair) -> Mapping[str, Any]:
    """Return what the hosts of a plan are and the reasons to distrust them: the client's facts, and in `ends` those of both."""
    if pair.is_one:
        found = host_facts(plan.stack, pair.client, plan.measured_cpus)
        return found if pair.is_here else found | {"doubts": _named(found["doubts"], pair.client)}
    server = host_facts(plan.stack, pair.server, plan.server_cpus)
    client = host_facts(plan.stack, pair.client, plan.client_cpus)
    doubts = [*_named(server.pop("doubts"), pair.server), *_named(client.pop("doubts"), pair.client)]
    way = path.between(pair, plan.workloads[0].address if not plan.workloads[0].is_multicast else None)
    ends = {"server": {"host": pair.server.name, **server}, "client": {"host": pair.client.name, **client}}
    return client | {"doubts": [*doubts, *map(doubt_to_json, way.doubts)], "ends": ends, "path": way.to_dict()}


def _named(doubts: Sequence[Mapping[str, str]], host: Host) -> list[dict[str, str]]:
    return [{**each, "what": f"{host.name}: {each['what']}"} for each in doubts]


def hangs(stack: str, release: str | None, system: str) -> list[Finding]:
    """Return that this release of a stack's library hangs on this system (`Linux 6.18.1`), nothing where it does not."""
    told = stack_facts.load(stack)
    name, _, linux = system.partition(" ")
    if not told.hangs_before or release is None or name != "Linux":
        return []
    if reached(release, told.hangs_before) or release_key(linux) < release_key(told.hangs_on_linux):
        return []
    what = f"{told.title} before {told.hangs_before} hangs in its first socket on Linux from {told.hangs_on_linux} on: this is {release} on {linux}"
    return [doubt(what, f"use {told.title} {told.hangs_before} or later, or a kernel before {told.hangs_on_linux}")]


def card(stack: str, host: Host) -> str:
    """Return which device a stack has on a host; raise `MissingTool` where there is none."""
    if not host.has_card():
        title = stack_facts.load(stack).title
        advice = "without one the library leaves every socket to the operating system, or ends: install a card with its driver"
        raise MissingTool(f"no device that {title} could use: /sys/class/infiniband is empty", advice=advice)
    return "a device is in /sys/class/infiniband"


def preloads(
    stack: Stack, library: Path, further: Sequence[Path], host: Host, *, named: bool, fast_start: bool
) -> tuple[Path, ...]:
    """Return what is preloaded, the stack's library first; raise `MissingTool` naming every file that cannot be."""
    if named and not stack.facts.named_stacks:
        able = " or ".join(each.name for each in stack_facts.every() if each.named_stacks)
        raise UsageError(f"stack {stack.name} has no names", advice=f"--stackname is for --stack {able}")
    naming = [host.brought(stackname_library())] if named else []
    wanted = [library, *naming, *further, *([host.brought(faststart_library())] if fast_start else [])]
    missing = [error(str(path), "no such file") for path in wanted if not has_file(host, path)]
    if missing:
        raise MissingTool("a library that should be preloaded was not found", findings=missing, advice=stack.advice)
    if unfit := [found for path in further if (found := problem(path, host)) is not None]:
        raise MissingTool("what should be preloaded is no library", findings=unfit, advice="see --preload")
    return tuple(path.absolute() for path in wanted)


def program(
    name: str, host: Host, workloads: Sequence[Workload], loading: Loading = Loading.PRELOAD, stack: str = "kernel"
) -> tuple[str, Features]:
    """Return the path of the installed benchmark and what it can do.

    Raise `MissingTool`, or `UsageError` saying all that it cannot do.
    """
    path = host.which(name)
    if path is None:
        raise MissingTool(f"there is no program {name!r} on {host.name}", advice=BENCHMARK.install)
    able = BENCHMARK.features(*(printed(host, path, *asked) for asked in BENCHMARK.questions))
    cannot = [finding for each in workloads for finding in BENCHMARK.unsupported(each, able)]
    cannot += unsupported(loading, stack, BENCHMARK, able)
    if cannot:
        raise UsageError(f"{path} cannot do this", findings=cannot)
    return path, able


def recipe_programs(
    workload: Workload, host: Host, ends: Sequence[str], loading: Loading, stack: str
) -> dict[str, dict[str, str]]:
    """Return the paths of a recipe's programs on a host, by the end and by their names; raise `MissingTool` naming all that are not there."""
    benchmark = chosen.of(workload)
    if cannot := unsupported(loading, stack, benchmark, Features(())):
        raise UsageError("a recipe cannot do this", findings=cannot)
    wanted = benchmark.programs(workload, "")
    found = {end: {program: host.which(program) for program in wanted.get(end, ())} for end in ends}
    missing = dict.fromkeys(program for paths in found.values() for program, path in paths.items() if path is None)
    if missing:
        said = " and ".join(map(repr, missing))
        raise MissingTool(f"there is no program {said} on {host.name}", advice=benchmark.install)
    return {end: {program: path for program, path in paths.items() if path} for end, paths in found.items()}
