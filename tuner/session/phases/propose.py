"""Proposals that can be run: the search space of a plan, and what a candidate must pass before it is run."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Final

from tuner import catalogue
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.room import Room
from tuner.errors import UsageError, error
from tuner.profiles.profile import errors_in
from tuner.search import registry, space
from tuner.search.optimizer import Optimizer, Repair
from tuner.search.restriction import restrict
from tuner.session.measuring.proposals import Proposals
from tuner.session.setup.plan import Plan
from tuner.session.setup.readback import too_large

REMEMBERED: Final = 1 << 12
# A space of which fewer than 3 of 100 samples can be run is no space to search: most of its time would be lost.
DRAWS: Final = 100
LEAST_RUNNABLE: Final = 3
MOST_REASONS: Final = 3


def optimizer_for(plan: Plan, count: Proposals | None = None) -> Optimizer:
    """Return the optimizer of a plan, which counts what it turns down where asked.

    Raise `UsageError` or `MissingTool` when it cannot be made.
    """
    return registry.make(plan.optimizer, search_space(plan), plan.seed, _repairer_of(plan, count))


def _repairer_of(plan: Plan, count: Proposals | None) -> Repair:
    return repairer(catalogue.load(plan.stack), plan.release, plan.room, count)


def search_space(plan: Plan) -> space.SearchSpace:
    """Return the space that a plan searches; raise `UsageError` when its restriction makes no sense."""
    full = shipped(plan)
    return replace(restrict(full, plan.space) if plan.space else full, fixed=plan.fixed)


def shipped(plan: Plan) -> space.SearchSpace:
    """Return what is worth searching on a plan's stack, in the release that answers, for its objective and workload."""
    workload, wanted = plan.workloads[0], plan.objective.space
    # How the programs of a recipe wait for their sockets is not known: nothing is left out for it.
    waits = None if workload.recipe else workload.multiplexer
    return space.load(plan.stack, wanted, multiplexer=waits, protocol=workload.protocol, release=plan.release)


def check_runnable(plan: Plan) -> None:
    """Raise `UsageError` with what is in the way when hardly anything of a plan's space can be run."""
    searched, count = search_space(plan), Proposals()
    repair = _repairer_of(plan, count)
    rng = random.Random(plan.seed)  # noqa: S311 - what is looked at is no secret
    runnable = (repair(searched.sample(rng)) is not None for _ in range(DRAWS))
    if sum(islice((each for each in runnable if each), LEAST_RUNNABLE)) < LEAST_RUNNABLE:
        raise UsageError(
            f"almost nothing in this search space can run: fewer than {LEAST_RUNNABLE} of {DRAWS} samples",
            findings=[error(where, count.examples[where]) for where, _ in count.turned_down.most_common(MOST_REASONS)],
            advice="search other parameters or values with --space, or start from another profile",
        )


def repairer(
    catalogue: Catalogue, release: str | None = None, room: Room | None = None, count: Proposals | None = None
) -> Repair:
    """Return the function that repairs candidates of a stack's release, or turns them down with None.

    Turned down is also what a host with this `room` has not the memory for. `count` is told of each.

    A setting that equals the stack's default does nothing and is left out, so that no two trials are the same
    profile in two spellings.
    """

    # Remembered, because an optimizer asks again and again for the same ones once a small space is used up.
    @lru_cache(maxsize=REMEMBERED)
    def mended(settings: tuple[tuple[str, str], ...]) -> dict[str, str] | None:
        found = catalogue.repaired(dict(settings), release)
        wrong = [*errors_in(catalogue.check(found, str, release)), *too_large(catalogue, found, release, room)]
        if wrong:
            if count is not None:
                count.turn_down(wrong)
            return None
        return catalogue.changing(found, release)

    def repair(settings: dict[str, str]) -> dict[str, str] | None:
        found = mended(tuple(settings.items()))
        return None if found is None else dict(found)

    return repair
