"""Who takes part in a session: the profiles that a request names, looked up, and the stack and objective that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tuner import stacks
from tuner.catalogue import facts
from tuner.errors import UsageError
from tuner.intake.reference import meant
from tuner.judging.objective import Objective, named_by, objective
from tuner.judging.own_goal import usual
from tuner.profiles import library
from tuner.profiles.library import Shelf
from tuner.profiles.profile import DEFAULT, Profile
from tuner.records import Kind
from tuner.runs.recipe import FIRST, OTHER, SECOND, Recipe
from tuner.runs.workload import of_recipe
from tuner.session.setup.request import Request, Task
from tuner.stacks.stack import Stack


@dataclass(frozen=True, slots=True)
class Contest:
    """What is compared with what, by which objective."""

    kind: Kind
    stack: Stack
    objective: Objective
    start: Profile | None
    """The profile that the request names first, None where it names none."""
    baseline: Profile
    known: tuple[Profile, ...]
    """What the baseline is compared with before any proposal."""

    @property
    def named(self) -> tuple[Profile, ...]:
        """Those that the request names; what is wrong with another one does not refuse the session."""
        beside = self.known if self.kind is Kind.COMPARE else ()
        return (self.baseline, *([self.start] if self.start else []), *beside)


def contest(request: Request, shelves: Sequence[Shelf]) -> Contest:
    """Return who takes part; raise `UsageError` for a profile, stack or objective that is not there."""
    task = request.task
    first = meant(request.profile, task.stack, shelves).profile if request.profile else None
    stack = stacks.named(task.stack or (first.stack if first else facts.DEFAULT))
    goal = _goal(task, first)
    baseline, known = _opponents(request, first, stack, shelves)
    return Contest(request.kind, stack, goal, first, baseline, known)


def _goal(task: Task, first: Profile | None) -> Objective:
    """Return what is judged: of a recipe what it says itself, else what the first profile's name means, unless the task says it."""
    recipe = task.workload.get("recipe")
    if not isinstance(recipe, Recipe):
        return objective(task.objective or named_by(first.name if first else ""))
    workload = of_recipe(recipe)
    return objective(task.objective or usual(workload), workload)


def _opponents(
    request: Request, first: Profile | None, stack: Stack, shelves: Sequence[Shelf]
) -> tuple[Profile, tuple[Profile, ...]]:
    """Return the baseline and what it is compared with before any proposal."""
    recipe = request.task.workload.get("recipe")
    if isinstance(recipe, Recipe) and recipe.other:
        return _commands(request, recipe, stack)
    only = first or Profile.defaults(stack.name)
    if request.kind in {Kind.MEASURE, Kind.CALIBRATE}:
        return only, ()
    if request.kind is Kind.COMPARE:
        return only, (meant(request.other, stack.name, shelves).profile,)
    baseline = library.load(request.search.baseline, stack.name, shelves)
    if request.kind is Kind.MINIMISE:
        return baseline, (_with_settings(first),)
    return baseline, _known(first, stack, shelves)


def _commands(request: Request, recipe: Recipe, stack: Stack) -> tuple[Profile, tuple[Profile, ...]]:
    """Return the two commands of a recipe as profiles; raise `UsageError` where something else is to be compared."""
    if request.kind is not Kind.COMPARE:
        raise UsageError(f"recipe {recipe.name} compares two commands", advice="use tuner compare, without profiles")
    if (request.profile or DEFAULT, request.other) != (DEFAULT, DEFAULT):
        raise UsageError(f"recipe {recipe.name} compares its two commands and no profiles", advice="leave them out")
    plain = Profile.defaults(stack.name)
    return replace(plain, name=FIRST), (replace(plain, name=SECOND, settings={OTHER: "1"}),)


def _with_settings(profile: Profile | None) -> Profile:
    if profile is None or not profile.settings:
        name = profile.name if profile else DEFAULT
        raise UsageError(f"profile {name} has no settings to leave out", advice="see `tuner profiles list`")
    return profile


def _known(first: Profile | None, stack: Stack, shelves: Sequence[Shelf]) -> tuple[Profile, ...]:
    """Return the first and the stack's stored profiles, each settings dictionary once, the first first."""
    listed = (item.profile for item in library.listing(shelves, stack.name) if not item.shadowed)
    offered = (found for found in listed if found and not stack.excluded_settings & found.settings.keys())
    whole = (library.load(f"{stack.name}/{found.name}", None, shelves) for found in offered)
    return distinct([*([first] if first else []), Profile.defaults(stack.name), *whole])


def distinct(profiles: Sequence[Profile]) -> tuple[Profile, ...]:
    """Return the profiles without those that set the same as an earlier one."""
    first = {frozenset(profile.settings.items()): profile for profile in reversed(profiles)}
    return tuple(profile for profile in profiles if first[frozenset(profile.settings.items())] is profile)
