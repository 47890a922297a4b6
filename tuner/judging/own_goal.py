"""Objectives over the metrics of a recipe: `max requests_per_s where p99_ms < 2`, from text to terms and limits.

    GOAL [and GOAL …] [where LIMIT [and LIMIT …]]      GOAL: [WEIGHT] (max | min) METRIC

Weights are those of log ratios: with `2 max a and 1 min b`, 10 % more of a weigh as much as 20 % less of b. What stands behind
`where` are guards: no profile is recommended that breaks one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tuner.errors import Finding, UsageError, did_you_mean, error
from tuner.judging import guards
from tuner.judging.guards import Guard
from tuner.runs import chosen
from tuner.runs.metric import Metric
from tuner.runs.workload import Workload

GOAL_EXAMPLE: Final = "max requests_per_s where p99_ms < 2"
_SHOWN: Final = 200
_WAYS: Final = {"max": True, "min": False}
_WEIGHT: Final = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")
_WHERE: Final = re.compile(r"\swhere\s", re.IGNORECASE)
_AND: Final = re.compile(r"\sand\s", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Goal:
    """One metric, which way is better, and its weight among the goals."""

    metric: str
    higher_is_better: bool
    weight: float = 1.0

    def __str__(self) -> str:
        weight = "" if self.weight == 1.0 else f"{self.weight:g} "
        return f"{weight}{'max' if self.higher_is_better else 'min'} {self.metric}"


@dataclass(frozen=True, slots=True)
class OwnGoal:
    """What is better, and the limits that are kept."""

    goals: tuple[Goal, ...]
    limits: tuple[Guard, ...] = ()

    def __str__(self) -> str:
        where = f" where {' and '.join(map(str, self.limits))}" if self.limits else ""
        return f"{' and '.join(map(str, self.goals))}{where}"


def usual(workload: Workload) -> str:
    """Return the objective of a recipe where nobody says one: its own, or its first metric that has a better way.

    Raise `UsageError` where there is none.
    """
    recipe, reported = workload.recipe, chosen.of(workload).metrics(workload)
    if recipe and recipe.objective:
        return recipe.objective
    first = next((each for each in reported if each.higher_is_better is not None), None)
    if first is None:
        named = " or ".join(f"--objective 'max {each.name}'" for each in reported[:2])
        raise UsageError("nothing says what is better", advice=f"write {named}, or better = in the recipe")
    return str(Goal(first.name, bool(first.higher_is_better)))


def own_goal(text: str, workload: Workload) -> OwnGoal:
    """Return what a text says of a recipe's metrics; raise `UsageError` with everything that is wrong with it."""
    known = {each.name: each for each in chosen.of(workload).metrics(workload)}
    head, *rest = _WHERE.split(f" {text} ")
    findings: list[Finding] = []
    goals = [goal for clause in _AND.split(head) if (goal := _goal(clause.split(), known, findings))]
    findings += _twice(goals)
    limits = _limits([" ".join(each.split()) for each in rest], workload, findings)
    if findings:
        example = GOAL_EXAMPLE if "requests_per_s" in known else _example(known)
        raise UsageError(
            f"objective {text[:_SHOWN]!r} is not understood", findings=findings, advice=f"for example {example!r}"
        )
    return OwnGoal(tuple(goals), limits)


def _example(known: Mapping[str, Metric]) -> str:
    first = next(iter(known.values()))  # a workload reports something
    return f"{'min' if first.higher_is_better is False else 'max'} {first.name}"


def _limits(texts: Sequence[str], workload: Workload, findings: list[Finding]) -> tuple[Guard, ...]:
    try:
        return guards.parse(texts, [workload])
    except UsageError as reason:
        findings += reason.findings
        return ()


def _goal(words: Sequence[str], known: Mapping[str, Metric], findings: list[Finding]) -> Goal | None:
    """Return the goal that words say, None where something is wrong, which goes into the findings."""
    said = " ".join(words) or "nothing"
    weight = float(words[0]) if words and _WEIGHT.fullmatch(words[0]) else 1.0
    rest = words[1:] if words and _WEIGHT.fullmatch(words[0]) else words
    if len(rest) != 2 or rest[0].casefold() not in _WAYS:  # noqa: PLR2004 - which way, and of what
        findings.append(error(said, "is not a goal", "write max METRIC or min METRIC, before it perhaps a weight"))
        return None
    way, name = _WAYS[rest[0].casefold()], rest[1]
    metric = known.get(name)
    if metric is None:
        findings.append(error(said, f"unknown metric {name!r}", did_you_mean(name, known)))
    elif metric.higher_is_better is not None and metric.higher_is_better is not way:
        better = "higher" if metric.higher_is_better else "lower"
        findings.append(error(said, f"of {name} {better} is better", f"write {'min' if way else 'max'} {name}"))
    elif weight <= 0.0:
        findings.append(error(said, "a goal of no weight is none", "leave it out"))
    else:
        return Goal(name, way, weight)
    return None


def _twice(goals: Sequence[Goal]) -> list[Finding]:
    names = [each.metric for each in goals]
    return [error(name, "is named twice", "name it once") for name in dict.fromkeys(names) if names.count(name) > 1]


def shares(goals: Sequence[Goal]) -> list[float]:
    """Return the weights of goals so that they sum to 1."""
    whole = math.fsum(each.weight for each in goals)
    return [each.weight / whole for each in goals]
