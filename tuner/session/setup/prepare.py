"""From what the user asked to a plan that can run: everything is looked up and checked before the first run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tuner import catalogue, stacks
from tuner.catalogue import facts
from tuner.catalogue.memory import Room
from tuner.errors import Finding, UsageError, error
from tuner.hosts import cpus
from tuner.hosts.host import Host
from tuner.hosts.pair import Pair
from tuner.intake.reference import meant
from tuner.judging.objective import Objective, named_by, objective
from tuner.measure import workload
from tuner.measure.chosen import BENCHMARK
from tuner.measure.launch import Launch, Loading
from tuner.measure.run import Rig, playback_text
from tuner.measure.workload import Mode, Workload
from tuner.profiles import library
from tuner.profiles.library import Shelf
from tuner.profiles.profile import DEFAULT, Profile, errors_in
from tuner.records import Kind
from tuner.session.setup import budget_shares, policy, preflight, readback, rule_file
from tuner.session.setup.plan import Contender, Plan
from tuner.stacks import probe
from tuner.stacks.stack import Stack

_MIGRATE: Final = "see `tuner profiles migrate {name} --to {release}`"
# A measurement ends with its runs, not with a budget.
UNLIMITED_S: Final = 1e9


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for, as text and paths. `profile` is the start (tune), A (compare) or the only one (the others)."""

    kind: Kind
    profile: str | None = None
    other: str | None = None
    stack: str | None = None
    baseline: str | None = None
    objective: str | None = None
    workload: Mapping[str, object] | None = None
    budget_s: float = 60.0
    blocks: int = policy.MOST_BLOCKS
    seed: int = 0
    space: str = ""
    optimizer: str = "skopt"
    program: str = BENCHMARK.name
    lib: Path | None = None
    preload: Sequence[Path] = ()
    fast_start: bool = True
    warm_start: bool = False
    load: str = Loading.PRELOAD
    conf: Path | None = None
    stackname: Mapping[str, str] = field(default_factory=dict)


def plan(request: Request, host: Host, shelves: Sequence[Shelf]) -> Plan:
    """Return the plan of a request; raise `UsageError` or `MissingTool` saying everything that is in the way."""
    start = meant(request.profile, request.stack, shelves).profile if request.profile else None
    stack = stacks.named(request.stack or (start.stack if start else facts.DEFAULT))
    goal = objective(request.objective or named_by(start.name if start else ""))
    workloads = _workloads(goal, request, host)
    baseline, known = _contenders(request, start, stack, shelves)
    _check_budget(request, goal, workloads)
    of_stack = probe.usable(stack, request.lib, host)
    named = bool(request.stackname)
    preloads = preflight.preloads(stack, of_stack, request.preload, host, named=named, fast_start=request.fast_start)
    release = probe.release(stack, preloads[:1], host)
    room = _room(stack, host)
    load = preflight.loading_called(request.load)
    asked = [baseline, *([_contender(start)] if start else []), *(known if request.kind is Kind.COMPARE else ())]
    _check_asked(asked, stack, release, room)
    return Plan(
        kind=request.kind,
        stack=stack.name,
        preloads=tuple(map(str, preloads)),
        program=preflight.program_path(request.program, host, workloads, load, stack.name),
        objective=goal,
        workloads=workloads,
        baseline=baseline,
        known=known,
        start=start.name if start else None,
        fixed=_fixed(start),
        space=request.space,
        optimizer=request.optimizer,
        seed=request.seed,
        budget_s=request.budget_s,
        blocks=request.blocks,
        fast_start=request.fast_start,
        warm_start=() if request.warm_start else None,
        adaptable=request.kind is Kind.TUNE and "duration_s" not in (request.workload or {}),
        load=load,
        conf=rule_file.carried(request.conf, stack.name),
        further=dict(request.stackname),
        release=release,
        room=room,
    )


def _room(stack: Stack, host: Host) -> Room | None:
    """Return the memory of the host where the stack would take it."""
    return host.room() if stack.facts.pools and host.has_card() else None


def _check_asked(contenders: Iterable[Contender], stack: Stack, release: str | None, room: Room | None) -> None:
    """Raise `UsageError` when what was asked for by name is not what the library of this release would run here."""
    asked = {each.profile: each.settings for each in contenders}
    wrong = {name: readback.refusal(stack.name, settings, release) for name, settings in asked.items()}
    findings = [error(name, why, _MIGRATE.format(name=name, release=release)) for name, why in wrong.items() if why]
    known = catalogue.load(stack.name)
    large = {name: readback.too_large(known, settings, release, room) for name, settings in asked.items()}
    findings += [replace(each, where=f"{name}: {each.where}") for name, found in large.items() for each in found]
    if findings:
        raise UsageError(f"{stack.name} {release or ''} would not run this as written", findings=findings)


def rig(made: Plan, pair: Pair) -> Rig:
    """Return what the runs of a plan are made with on two hosts."""
    launch = Launch(made.load, rule_file.unchanged(made.conf))
    return Rig(pair, stacks.named(made.stack), tuple(map(Path, made.preloads)), made.program, launch, made.further)


def _contenders(
    request: Request, start: Profile | None, stack: Stack, shelves: Sequence[Shelf]
) -> tuple[Contender, tuple[Contender, ...]]:
    """Return the baseline and what it is compared with before any proposal."""
    if request.kind in {Kind.MEASURE, Kind.CALIBRATE}:
        return _contender(start or Profile.defaults(stack.name)), ()
    if request.kind is Kind.COMPARE:
        other = meant(request.other or DEFAULT, stack.name, shelves).profile
        return _contender(start or Profile.defaults(stack.name)), (_contender(other),)
    baseline = library.load(request.baseline or DEFAULT, stack.name, shelves)
    if request.kind is Kind.MINIMISE:
        return _contender(baseline), (_contender(_with_settings(start)),)
    return _contender(baseline), _known(start, stack, shelves)


def _with_settings(profile: Profile | None) -> Profile:
    if profile is None or not profile.settings:
        name = profile.name if profile else DEFAULT
        raise UsageError(f"profile {name} has no settings to leave out", advice="see `tuner profiles list`")
    return profile


def _known(start: Profile | None, stack: Stack, shelves: Sequence[Shelf]) -> tuple[Contender, ...]:
    """Return the start and the stack's stored profiles, each settings dictionary once, the start first."""
    listed = (item.profile for item in library.listing(shelves, stack.name) if not item.shadowed)
    offered = (found for found in listed if found and not stack.excluded_settings & found.settings.keys())
    whole = (library.load(f"{stack.name}/{found.name}", None, shelves) for found in offered)
    every = [*([start] if start else []), Profile.defaults(stack.name), *whole]
    distinct = {frozenset(profile.settings.items()): profile for profile in reversed(every)}
    return tuple(_contender(profile) for profile in every if distinct[frozenset(profile.settings.items())] is profile)


def _contender(profile: Profile) -> Contender:
    return Contender(profile.name, dict(profile.settings))


def _fixed(start: Profile | None) -> dict[str, str]:
    """Return the settings of the start that candidates keep; those that are searched override them."""
    return dict(start.settings) if start else {}


def _workloads(goal: Objective, request: Request, host: Host) -> tuple[Workload, ...]:
    asked = dict(request.workload or {})
    if "mode" in asked and len(goal.workloads) > 1:
        raise UsageError(
            f"objective {goal.name} measures {len(goal.workloads)} modes and takes no --mode",
            advice="choose objective latency, tail or throughput with --mode",
        )
    if goal.limits and (beside := _beside_limits(asked)):
        raise UsageError(f"objective {goal.name!r} searches for the rate itself", findings=beside)
    made = [_shaped(default, asked) for default in goal.workloads]
    placed = tuple(_placed(_timed(each, host), host.topology()) for each in made)
    wrong = errors_in([finding for each in placed for finding in each.problems()])
    if wrong := (*wrong, *_unjudged(goal, placed)):
        raise UsageError("this workload cannot be measured", findings=dict.fromkeys(wrong))
    return placed


def _beside_limits(asked: Mapping[str, object]) -> list[Finding]:
    """Return what was asked of a workload that a search over the load decides itself."""
    found = (
        [error("workload.rate_mps", f"{asked['rate_mps']} is one rate", "leave --rate out")]
        if "rate_mps" in asked
        else []
    )
    mode = asked.get("mode", Mode.UNDER_LOAD)
    if mode != Mode.UNDER_LOAD:
        found.append(error("workload.mode", f"{mode} keeps no constant rate", "leave --mode out"))
    return found


def _shaped(default: Workload, asked: Mapping[str, object]) -> Workload:
    """Return the objective's own workload with what the user asked; another mode has nothing of its rate and replies."""
    base = default if asked.get("mode", default.mode) == default.mode else Workload()
    return workload.from_dict({**base.to_dict(), **asked})


def _timed(each: Workload, host: Host) -> Workload:
    """Return a playback with its file's absolute path and the seconds that the file lasts, others as they are."""
    if each.playback is None:
        return each
    path = Path(each.playback).absolute()
    text = playback_text(path, host)
    try:
        lasts_s = BENCHMARK.playback_time_s(text)
    except UsageError as reason:
        raise UsageError(f"{path}: {reason.message}", findings=reason.findings) from reason
    return replace(each, playback=str(path), duration_s=max(1, math.ceil(lasts_s)))


def _placed(each: Workload, found: cpus.Topology) -> Workload:
    """Return the workload with CPUs chosen where the user named none: server and client on different cores."""
    chosen = cpus.placement(found, each.server_threads, each.client_threads)
    allowed = [cpu.number for cpu in found.cpus]
    named = {
        "server_cpus": each.server_cpus and cpus.cpu_list(each.server_cpus, allowed, "workload.server_cpus"),
        "client_cpus": each.client_cpus and cpus.cpu_list(each.client_cpus, allowed, "workload.client_cpus"),
    }
    return replace(
        each, server_cpus=named["server_cpus"] or chosen.server, client_cpus=named["client_cpus"] or chosen.client
    )


def _unjudged(goal: Objective, workloads: Sequence[Workload]) -> Iterable[Finding]:
    for term in goal.terms:
        if workloads[term.workload].mode is Mode.THROUGHPUT and term.metric.startswith("latency"):
            message = f"objective {goal.name} judges {term.metric}, which mode throughput does not measure"
            yield error("workload.mode", message, "choose another --mode or --objective")


def _check_budget(request: Request, goal: Objective, workloads: Sequence[Workload]) -> None:
    whole = budget_shares.load_search_s if goal.limits else budget_shares.expected_s
    run_s = whole(workloads, fast_start=request.fast_start)
    what_runs = "search over the load" if goal.limits else "run"
    search_s, confirm_s = 2 * run_s / budget_shares.SEARCH_SHARE, 4 * run_s / (1 - budget_shares.SEARCH_SHARE)
    what, least = {
        Kind.TUNE: ("two blocks of two runs, after one to search", max(search_s, confirm_s)),
        Kind.MINIMISE: ("three blocks of three runs", budget_shares.LEAST_RUNS * run_s),
    }.get(request.kind, ("two blocks of two runs", 4 * run_s))
    if request.budget_s < least:
        raise UsageError(
            f"a budget of {request.budget_s:g} s is too small: the least that can be judged are {what}, each {what_runs} of "
            f"{run_s:.1f} s",
            advice=f"--budget {least + 1:.0f}s is the least",
        )
