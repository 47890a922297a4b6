"""Which settings of a profile may be left out, and in which order they are suspected: before anything is measured."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Final

from tuner import catalogue
from tuner.catalogue import presets
from tuner.profiles.profile import errors_in
from tuner.records import Phase
from tuner.session.measuring.gains import Gains
from tuner.session.phases.propose import search_space, shipped
from tuner.session.setup.plan import Plan

_NOT_SEARCHED: Final = 99


def without(settings: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Return settings less those of `names`."""
    return {name: value for name, value in settings.items() if name not in names}


def idle(plan: Plan, settings: Mapping[str, str]) -> list[str]:
    """Return the settings that should not matter here: those without effect, and those nobody would search.

    Without effect is what leaves the values in effect as they are (a default, spelled out). Nobody would search a
    variable that the stack's search space does not have for this objective, multiplexer and protocol, as polling in
    `select` for a program that blocks in `recvfrom`. Whether that is true is measured all the same.
    """
    known = catalogue.load(plan.stack)
    # A preset sets many others at once, so that no list of what is worth searching has it.
    preset = presets.variable(plan.stack)
    searched = _priorities(plan)
    needed = _requirements(plan)
    found: list[str] = []
    for name in settings:
        useless = bool(searched) and name not in searched and name not in needed and name != preset
        if (useless or known.changes_nothing(name, settings, plan.release)) and removable(
            plan, settings, [*found, name]
        ):
            found.append(name)
    return found


def removable(plan: Plan, settings: Mapping[str, str], names: Collection[str]) -> bool:
    """Return whether settings may be left out: no rule of the stack is broken by it that was not before."""
    known = catalogue.load(plan.stack)
    shorter, whole = (_errors(known, _key(each), plan.release) for each in (without(settings, names), settings))
    return shorter <= whole


def _key(settings: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(settings.items())


@lru_cache(maxsize=1 << 12)
def _errors(known: catalogue.Catalogue, settings: frozenset[tuple[str, str]], release: str | None) -> frozenset[str]:
    # Remembered, because a check of a long profile takes some 10 ms in which nothing is measured.
    return frozenset(str(finding) for finding in errors_in(known.check(dict(settings), str, release)))


def by_promise(plan: Plan, gains: Gains, settings: Mapping[str, str]) -> list[str]:
    """Return the settings, the least promising first: the less urgent to search, the less the search saw in it."""
    priorities = _priorities(plan)
    seen = [(trial.settings, gains.of(trial.number, Phase.SEARCH)) for trial in gains.ledger.trials[1:]]
    return sorted(settings, key=lambda name: (-priorities.get(name, _NOT_SEARCHED), _seen(seen, name, settings[name])))


def _seen(seen: Sequence[tuple[Mapping[str, str], Sequence[float]]], name: str, value: str) -> float:
    """Return how much better trials with a setting were than those without, as a mean log ratio."""
    groups: dict[bool, list[float]] = {True: [], False: []}
    for settings, gains in seen:
        groups[settings.get(name) == value] += gains
    return statistics.fmean(groups[True]) - statistics.fmean(groups[False]) if all(groups.values()) else 0.0


def _priorities(plan: Plan) -> dict[str, int]:
    """Return the priority of each parameter that is worth searching here, or that the user had searched."""
    full = shipped(plan)
    asked = search_space(plan).dimensions if plan.space else ()
    return {dimension.parameter: dimension.priority for dimension in (*full.dimensions, *asked)}


def _requirements(plan: Plan) -> set[str]:
    return {name for dimension in shipped(plan).dimensions for name, _ in dimension.requires}
