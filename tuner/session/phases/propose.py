"""Proposals that can be run: the search space of a plan, and what a candidate must pass before it is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final

from tuner import catalogue
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.memory import Room
from tuner.profiles.profile import errors_in
from tuner.search import registry, space
from tuner.search.optimizer import Optimizer
from tuner.session.setup.plan import Plan
from tuner.session.setup.readback import too_large

REMEMBERED: Final = 1 << 12


def optimizer_for(plan: Plan) -> Optimizer:
    """Return the optimizer of a plan; raise `UsageError` or `MissingTool` when it cannot be made."""
    return registry.make(
        plan.optimizer, search_space(plan), plan.seed, repairer(catalogue.load(plan.stack), plan.release, plan.room)
    )


def search_space(plan: Plan) -> space.SearchSpace:
    """Return the space that a plan searches; raise `UsageError` when its restriction makes no sense."""
    workload = plan.workloads[0]
    wanted = plan.objective.space
    full = space.load(plan.stack, wanted, multiplexer=workload.multiplexer, protocol=workload.protocol)
    return replace(space.restrict(full, plan.space) if plan.space else full, fixed=plan.fixed)


def repairer(
    catalogue: Catalogue, release: str | None = None, room: Room | None = None
) -> Callable[[dict[str, str]], dict[str, str] | None]:
    """Return the function that repairs candidates of a stack's release, or turns them down with None.

    Turned down is also what a host with this `room` has not the memory for.

    A setting that equals the stack's default does nothing and is left out, so that no two trials are the same
    profile in two spellings.
    """

    # Remembered, because an optimizer asks again and again for the same ones once a small space is used up.
    @lru_cache(maxsize=REMEMBERED)
    def mended(settings: tuple[tuple[str, str], ...]) -> dict[str, str] | None:
        found = catalogue.repaired(dict(settings), release)
        if errors_in(catalogue.check(found, str, release)) or too_large(catalogue, found, release, room):
            return None
        return catalogue.changing(found, release)

    def repair(settings: dict[str, str]) -> dict[str, str] | None:
        found = mended(tuple(settings.items()))
        return None if found is None else dict(found)

    return repair
