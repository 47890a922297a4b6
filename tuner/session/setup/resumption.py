"""A stored plan on this host: a store names nothing that is started or loaded, whoever wrote it.

Programs and libraries are looked up anew, as for a new session, or named again; what differs from the stored ones is
told. What a plan and its trials put into an environment or a command line is held against the same rules as what a user
writes.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tuner import catalogue, stacks
from tuner.catalogue import named_files
from tuner.errors import Finding, UsageError, error
from tuner.hosts.host import HERE
from tuner.hosts.pair import Pair
from tuner.profiles.profile import errors_in
from tuner.records import Trial
from tuner.runs import shipped_recipes, workload_checks
from tuner.runs.chosen import BENCHMARK
from tuner.runs.recipe import OTHER, Recipe
from tuner.session.setup import prepare
from tuner.session.setup.plan import Plan
from tuner.session.setup.request import Setup


@dataclass(frozen=True, slots=True)
class Named:
    """What a user names when a session is gone on with, as `Setup` has it for a new one."""

    program: str = BENCHMARK.name
    """The benchmark: its path, or its name on the host's search path."""
    lib: Path | None = None
    """The stack's library; None for the one that the loader finds."""
    preload: Sequence[Path] = field(default=())
    """Further libraries, behind the stack's: those that the session began with, named again."""
    wait_for_turn: bool = True
    """Whether to wait while another session measures on the host; otherwise it is refused."""
    recipe: Recipe | None = None
    """The recipe that the session began with, named again; of one that this package ships that need not be."""

    @staticmethod
    def of(setup: Setup) -> Named:
        """Return what a new session names."""
        return Named(setup.program, setup.lib, setup.preload, setup.wait_for_turn)


def on_hosts(
    stored: Plan, trials: Iterable[Trial], named: Named, pair: Pair, *, any_release: bool = False
) -> tuple[Plan, list[str]]:
    """Return a plan with the programs and libraries of these hosts, and in which it differs from the stored one.

    With `any_release` the stack's library may be of another release than the one that the plan was made for.

    Raise `UsageError` for a plan that would put something else than its stack's settings into a run, and where other hosts or
    libraries that it began with are not named again; `MissingTool` as for a new session.
    """
    _check(stored, trials)
    _check_recipe(stored, named)
    _check_hosts(stored, pair)
    _check_further(stored, named)
    setup = Setup(named.program, named.lib, named.preload, stored.fast_start, stored.load, stackname=stored.further)
    found = prepare.installed_on(pair, setup, stacks.named(stored.stack), stored.workloads)
    if not any_release:
        _check_release(stored, found.release)
    plan = replace(
        stored, release=found.release, program=found.program, preloads=tuple(map(str, found.preloads)), ends=found.ends
    )
    plan = replace(plan, programs=found.programs)
    return plan, list(_differences(stored, plan))


def check_pairs(stored: Plan, named: Sequence[str]) -> None:
    """Raise `UsageError` unless the pairs that a session began with are named, all of them and no others; their hosts are checked as for one."""
    began = [each.name for each in stored.pairs]
    if sorted(began) == sorted(named):
        return
    message = f"the session began with {_pairs(began)}, and is to go on with {_pairs(named)}"
    advice = f"--pairs FILE names {', '.join(began)} again" if began else "leave --pairs out"
    raise UsageError(message, advice=f"{advice}, or start a new session")


def _pairs(names: Sequence[str]) -> str:
    return f"pairs {', '.join(names)}" if names else "one pair of hosts"


def _check_hosts(stored: Plan, pair: Pair) -> None:
    """Raise `UsageError` unless the user has named the hosts that the session began with: a store names nothing that is connected to."""
    began = (stored.ends.server, stored.ends.client) if stored.ends else (HERE, HERE)
    named = (pair.server.name, pair.client.name)
    if began == named:
        return
    message = (
        f"the session began with server {began[0]} and client {began[1]}, and is to go on with {' and '.join(named)}"
    )
    words = [
        f"--{end} {shlex.quote(name)}" for end, name in zip(("server", "client"), began, strict=True) if name != HERE
    ]
    advice = f"name them again: {' '.join(words)}" if words else "leave --server and --client out"
    raise UsageError(message, advice=f"{advice}, or start a new session")


def _differences(stored: Plan, plan: Plan) -> Iterator[str]:
    if stored.program != plan.program:
        yield f"the session began with {stored.program} and goes on with {plan.program}{_names_another(stored)}"
    if stored.ends and plan.ends and stored.ends.program != plan.ends.program:
        yield f"the server began with {stored.ends.program} and goes on with {plan.ends.program}"
    if _theirs(stored) != _theirs(plan):
        yield f"the session began with {stored.preloads[0]} and goes on with {plan.preloads[0]} (--lib names another)"
    if set(_further(stored)) != set(_further(plan)):
        yield f"the session began with {', '.join(_further(stored))} and goes on with {', '.join(_further(plan))}"


def _theirs(plan: Plan) -> tuple[str, ...]:
    """Return the path of the stack's library, nothing for one of ours that was brought to another host."""
    return plan.preloads[:1] if plan.ends is None or stacks.named(plan.stack).locate("") is None else ()


def _names_another(stored: Plan) -> str:
    return "" if stored.programs else f" (--{BENCHMARK.name} names another)"


def _check_recipe(stored: Plan, named: Named) -> None:
    """Raise `UsageError` where the stored commands are not those of this package and not those that the user names."""
    for recipe in filter(None, (each.recipe for each in stored.workloads)):
        known = {each.fingerprint for each in (*shipped_recipes.every().values(), *filter(None, [named.recipe]))}
        if recipe.fingerprint not in known:
            asked = "is another one" if named.recipe else "a store may be anybody's, and starts nothing"
            message = f"the session began with recipe {recipe.name}: {asked}"
            raise UsageError(message, advice="name it again: --workload FILE, or the same --client-cmd and the rest")


def _further(plan: Plan) -> tuple[str, ...]:
    """Return the libraries that a user named, which are between the stack's and ours."""
    ours = 1 + bool(plan.further)
    return plan.preloads[ours : len(plan.preloads) - plan.fast_start]


def _check_further(stored: Plan, named: Named) -> None:
    wanted = _further(stored)
    if len(wanted) > len(named.preload):
        message = f"the session began with further libraries: {', '.join(wanted)}"
        raise UsageError(message, advice=f"name them again: {' '.join(f'--preload {path}' for path in wanted)}")


def _check_release(stored: Plan, release: str | None) -> None:
    if stored.release != release:
        message = f"the session began with release {stored.release or 'unknown'}, this host has {release or 'unknown'}"
        raise UsageError(message, advice="name the library that it began with (--lib PATH), or start a new session")


def _check(stored: Plan, trials: Iterable[Trial]) -> None:
    """Raise `UsageError` for everything in a stored plan that a user could not have asked for."""
    compared = [OTHER] if any(each.recipe and each.recipe.other for each in stored.workloads) else []
    known = [*catalogue.load(stored.stack).parameters, *compared]
    fixed = [stored.server_profile] if stored.server_profile else []
    every = [
        (each.profile, each.settings) for each in (stored.baseline, *stored.known, *fixed)
    ]  # names may be there twice
    every += [("fixed", stored.fixed), *((f"trial {each.number}", each.settings) for each in trials)]
    found = [each for where, settings in every for each in _strange(where, settings, known)]
    for _, settings in every:
        found += named_files.outside(catalogue.load(stored.stack), settings)
    found += _strange("further", stored.further, stacks.named(stored.stack).told)
    for each in stored.workloads:
        found += errors_in(workload_checks.problems(each))
    if found:
        raise UsageError("the stored session asks for what no session may", findings=found, advice="start a new one")


def _strange(where: str, settings: Mapping[str, str], known: Iterable[str]) -> Iterator[Finding]:
    names = set(known)
    yield from (
        error(f"{where}: {name}", "is not a variable of the session's stack") for name in settings if name not in names
    )
