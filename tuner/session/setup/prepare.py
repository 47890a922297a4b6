"""From what the user asked to a plan that can run: everything is looked up and checked before the first run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tuner import catalogue, stacks
from tuner.catalogue.room import Room
from tuner.errors import UsageError, error
from tuner.hosts import path
from tuner.hosts.host import Host
from tuner.hosts.pair import Pair
from tuner.judging import sequential
from tuner.judging.objective import Objective
from tuner.profiles import library
from tuner.profiles.library import Shelf
from tuner.profiles.profile import Profile
from tuner.records import Kind
from tuner.runs.chosen import BENCHMARK
from tuner.runs.launch import Launch
from tuner.runs.recipe import OTHER
from tuner.runs.run import Rig, ServerEnd
from tuner.runs.workload import Workload, is_multicast
from tuner.session.setup import budget_shares, fitting, os_sockets, preflight, readback, rule_file
from tuner.session.setup.contest import Contest, contest
from tuner.session.setup.guarded import guards_of
from tuner.session.setup.plan import Contender, Ends, Plan
from tuner.session.setup.request import Request, Setup
from tuner.session.setup.workloads import workloads_of
from tuner.stacks import probe
from tuner.stacks.stack import Stack

_RULES: Final = "offload.conf"
"""The rule file in the folder of a run on another host."""
_SAME: Final = "install the same release on both hosts"
_MIGRATE: Final = "see `tuner profiles migrate {name} --to {release}`"


@dataclass(frozen=True, slots=True)
class Installed:
    """What a stack has on its host."""

    preloads: tuple[Path, ...]
    """What is put under the programs, the stack's library first."""
    release: str | None
    """The library's release, None where its banner does not say."""
    room: Room | None
    """The host's memory, None where the stack would not take it."""
    program: str
    """The path of the benchmark, and its version."""
    version: str
    ends: Ends | None = None
    """The hosts, and what the server's has; None where there is only this machine."""
    programs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The paths of a recipe's programs, by the end and by their names in it."""


def plan(request: Request, pair: Pair, shelves: Sequence[Shelf]) -> Plan:
    """Return the plan of a request; raise `UsageError` or `MissingTool` saying everything that is in the way."""
    found = contest(request, shelves)
    way = None if pair.is_one else path.between(pair, address_in(request.task.workload))
    workloads = workloads_of(found.objective, request.task.workload, pair, way)
    setup = _setup(request.setup, workloads)
    request = replace(request, setup=setup)
    if all(each.lasts_as_planned for each in workloads):
        check_budget(request.kind, request.budget_s, found.objective, workloads, fast_start=setup.fast_start)
    _check_way(pair, way, workloads)
    guards = guards_of(request, found.objective, workloads)
    installed = installed_on(pair, setup, found.stack, workloads)
    os_sockets.check(found.stack, workloads, allowed=setup.os_sockets)
    asked, found = found, fitting.fitted(found, installed.release)
    fixed = setup.server_profile
    server = library.load(fixed, found.stack.name, shelves) if fixed else None
    _check_named(found.stack.name, (*found.named, *([server] if server else [])), installed)
    made = _planned(request, found, workloads, installed)
    changes = tuple(map(str, fitting.changes(asked, found)))
    made = replace(made, fitted=changes, guards=guards, server_profile=_contender(server) if server else None)
    check_decidable(made)
    return made


def check_decidable(made: Plan) -> None:
    """Raise `UsageError` where looking after each block of a plan would let too many errors through, or decide nothing."""
    if not made.until_decided:
        return
    if made.guards or made.objective.limits:
        what = "a guard" if made.guards else f"objective {made.objective.name!r}"
        raise UsageError(f"{what} cannot be judged after each block", advice="use `tuner compare --budget`")
    most = budget_shares.most_blocks(made)
    fewest = sequential.fewest_blocks(most)
    if most < fewest and all(each.lasts_as_planned for each in made.workloads):
        needed_s = 1 + 2 * fewest * budget_shares.run_s(made)
        what = f"{made.budget_s:g} s have time for {most} blocks, and {fewest} are the fewest that can decide"
        raise UsageError(what, advice=f"--max {needed_s:.0f}s is the least")


def _check_way(pair: Pair, way: path.Path | None, workloads: Sequence[Workload]) -> None:
    """Raise `UsageError` where the client does not get through to the server."""
    for protocol in sorted({each.protocol.value for each in workloads if not (each.is_multicast or each.feed)}):
        if way is not None:
            path.check(pair, way, protocol)


def _setup(asked: Setup, workloads: Sequence[Workload]) -> Setup:
    """Return what the runs are made with: the sleep that is left out is that of our own benchmark."""
    return replace(asked, fast_start=False) if workloads[0].recipe else asked


def address_in(workload: Mapping[str, object]) -> str | None:
    """Return the server's address that was asked for, None where that is left to us or a group is named."""
    asked = workload.get("address")
    return asked if isinstance(asked, str) and not is_multicast(asked) else None


def rig(made: Plan, pair: Pair) -> Rig:
    """Return what the runs of a plan are made with on two hosts."""
    conf, files = rule_file.unchanged(made.conf), {}
    if made.conf and not pair.is_here:
        conf, files = _RULES, {_RULES: made.conf.text}  # no path of this machine is one of another
    stack, preloads = stacks.named(made.stack), tuple(map(Path, made.preloads))
    launch = Launch(made.load, conf)
    server = _server_end(made)
    return Rig(
        pair,
        stack,
        preloads,
        made.program,
        launch,
        made.further,
        server=server,
        files=files,
        os_sockets=made.os_sockets,
        programs=made.programs,
    )


def _server_end(made: Plan) -> ServerEnd | None:
    fixed = made.server_profile.settings if made.server_profile else None
    if made.ends is None and fixed is None:
        return None
    program, preloads = (made.ends.program, made.ends.preloads) if made.ends else (made.program, made.preloads)
    return ServerEnd(program, tuple(map(Path, preloads)), fixed)


def installed_on(pair: Pair, setup: Setup, stack: Stack, workloads: Sequence[Workload]) -> Installed:
    """Return what the stack and the benchmark are at the client's host, with the server's beside it where that is another.

    Raise `MissingTool` naming what is not there, and `UsageError` where the two hosts differ in what must be the same.
    """
    of_host = [("server", "client")] if pair.is_one else [("server",), ("client",)]
    each = [_installed(setup, stack, host, workloads, at) for host, at in zip(pair.hosts, of_host, strict=True)]
    if not pair.is_one:
        _check_alike(pair, each[0], each[1])
    ends = Ends(pair.server.name, pair.client.name, each[0].program, tuple(map(str, each[0].preloads)))
    found = replace(each[-1], programs={**each[0].programs, **each[-1].programs})
    return found if pair.is_here else replace(found, ends=ends)


def _check_alike(pair: Pair, server: Installed, client: Installed) -> None:
    """Raise `UsageError` where two hosts have other releases of the library or the benchmark: no difference could be told apart."""
    rows = ((BENCHMARK.name, server.version, client.version), ("the stack's library", server.release, client.release))
    wrong = [
        error(
            what, f"is {there or 'unknown'} on {pair.server.name} and {here or 'unknown'} on {pair.client.name}", _SAME
        )
        for what, there, here in rows
        if there != here
    ]
    if wrong:
        raise UsageError("both hosts must have the same programs", findings=wrong)


def _installed(setup: Setup, stack: Stack, host: Host, workloads: Sequence[Workload], ends: Sequence[str]) -> Installed:
    """Return what the stack has on a host, and the programs of these ends; raise `MissingTool` naming what is not there."""
    preloads = preflight.preloads(
        stack,
        probe.usable(stack, setup.lib, host),
        setup.preload,
        host,
        named=bool(setup.stackname),
        fast_start=setup.fast_start,
    )
    release, room = probe.release(stack, preloads[:1], host), _room(stack, host)
    if workloads[0].recipe:
        programs = preflight.recipe_programs(workloads[0], host, ends, setup.load, stack.name)
        main = next(iter(programs[ends[-1]].values()), "")
        return Installed(preloads, release, room, main, "", programs=programs)
    program, able = preflight.program(setup.program, host, workloads, setup.load, stack.name)
    return Installed(preloads, release, room, program, able.release)


def _room(stack: Stack, host: Host) -> Room | None:
    """Return the memory of the host where the stack would take it."""
    return host.room() if stack.facts.pools and host.has_card() else None


def _check_named(stack: str, profiles: Sequence[Profile], installed: Installed) -> None:
    """Raise `UsageError` when a profile that was named is not what the library of this release would run here."""
    release = installed.release
    named = {each.name: each.settings for each in profiles if OTHER not in each.settings}
    wrong = {name: readback.refusal(stack, settings, release) for name, settings in named.items()}
    findings = [error(name, why, _MIGRATE.format(name=name, release=release)) for name, why in wrong.items() if why]
    known = catalogue.load(stack)
    large = {name: readback.too_large(known, settings, release, installed.room) for name, settings in named.items()}
    findings += [replace(each, where=f"{name}: {each.where}") for name, wide in large.items() for each in wide]
    if findings:
        raise UsageError(f"{stack} {release or ''} would not run this as written", findings=findings)


def _planned(request: Request, found: Contest, workloads: tuple[Workload, ...], installed: Installed) -> Plan:
    task, search, setup = request.task, request.search, request.setup
    return Plan(
        kind=request.kind,
        stack=found.stack.name,
        preloads=tuple(map(str, installed.preloads)),
        program=installed.program,
        ends=installed.ends,
        programs=installed.programs,
        objective=found.objective,
        workloads=workloads,
        baseline=_contender(found.baseline),
        known=tuple(map(_contender, found.known)),
        start=found.start.name if found.start else None,
        fixed=dict(found.start.settings) if found.start else {},
        space=search.space,
        optimizer=search.optimizer,
        seed=task.seed,
        budget_s=request.budget_s,
        open_ended=request.open_ended,
        blocks=request.blocks,
        until_decided=request.until_decided,
        promise=request.promise,
        fast_start=setup.fast_start,
        warm_start=() if search.warm_start else None,
        adaptable=request.kind is Kind.TUNE and "duration_s" not in task.workload,
        load=setup.load,
        conf=rule_file.carried(setup.conf, found.stack.name),
        further=dict(setup.stackname),
        release=installed.release,
        room=installed.room,
        os_sockets=setup.os_sockets,
        wait_for_calm_s=setup.wait_for_calm_s,
    )


def _contender(profile: Profile) -> Contender:
    return Contender(profile.name, dict(profile.settings))


def check_budget(
    kind: Kind, budget_s: float, goal: Objective, workloads: Sequence[Workload], *, fast_start: bool
) -> None:
    """Raise `UsageError` for a budget in which a session of this kind could compare nothing."""
    whole = budget_shares.load_search_s if goal.limits else budget_shares.expected_s
    run_s = whole(workloads, fast_start=fast_start)
    what_runs = "search over the load" if goal.limits else "run"
    search_s, confirm_s = 2 * run_s / budget_shares.SEARCH_SHARE, 4 * run_s / (1 - budget_shares.SEARCH_SHARE)
    what, least = {
        Kind.TUNE: ("two blocks of two runs, after one to search", max(search_s, confirm_s)),
        Kind.MINIMISE: ("three blocks of three runs", budget_shares.LEAST_RUNS * run_s),
    }.get(kind, ("two blocks of two runs", 4 * run_s))
    if budget_s < least:
        raise UsageError(
            f"a budget of {budget_s:g} s is too small: the minimum is {what}, each {what_runs} of {run_s:.1f} s",
            advice=f"--budget {least + 1:.0f}s is the least",
        )
