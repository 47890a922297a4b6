"""The rule from measurements to one number: a log ratio to the baseline, higher is better.

`gain = Σ w · ln(baseline / candidate)` over the objective's terms, the sign turned for rates, so that
`exp(gain)` reads "1.42 times better". It is computed from stored metrics and can be made again at any time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tuner.errors import UsageError, did_you_mean
from tuner.judging import slo
from tuner.judging.guards import Guard
from tuner.judging.metrics import HELD_RATE
from tuner.judging.own_goal import own_goal, shares
from tuner.judging.slo import Limit
from tuner.runs.rate_search import LEAST_MPS
from tuner.runs.recipe import Recipe
from tuner.runs.workload import Mode, Workload, of_recipe


@dataclass(frozen=True, slots=True)
class Term:
    """One metric of an objective, its weight, and which of the objective's workloads reports it.

    Values below `least` count as `least`, so that one of 0 has a ratio: a gain from it is then more than what is said.
    """

    metric: str
    weight: float
    workload: int = 0
    least: float = 0.0
    higher_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Objective:
    """What "better" means: weighted terms (weights sum to 1) and the workloads that are measured by default.

    With `limits` it is an SLO: what is judged is the highest rate that holds them, found by a search over the load.
    """

    name: str
    summary: str
    terms: tuple[Term, ...]
    workloads: tuple[Workload, ...]
    limits: tuple[Limit, ...] = ()
    kept: tuple[Guard, ...] = ()
    """The guards that its name spells out."""

    @property
    def word(self) -> str:
        """The name without spaces and signs, for what is named after the objective."""
        return "slo" if self.limits else "-".join(_WORD.findall(self.name)[:_MOST_WORDS])

    @property
    def space(self) -> str:
        """The name of the objective whose search space serves this one: latency and rate may both matter where it has a text of its own."""
        return self.name if self.name in OBJECTIVES else "balanced"

    def metrics_of(self, workload: int) -> list[str]:
        """Return the metrics that are judged of one of the workloads."""
        return [term.metric for term in self.terms if term.workload == workload]

    def gain(self, baseline: Mapping[str, float], candidate: Mapping[str, float]) -> float | None:
        """Return the log ratio of `candidate` to `baseline`, or None where a term is missing or not positive."""
        parts = [_log_ratio(term, baseline, candidate) for term in self.terms]
        known = [part for part in parts if part is not None]
        return math.fsum(known) if len(known) == len(parts) else None

    def without(self, metrics: Container[str]) -> Objective:
        """Return the objective without the terms of these metrics; the weights of the others again sum to 1."""
        kept = [term for term in self.terms if term.metric not in metrics]
        whole = math.fsum(term.weight for term in kept)
        return replace(self, terms=tuple(replace(term, weight=term.weight / whole) for term in kept))


def _log_ratio(term: Term, baseline: Mapping[str, float], candidate: Mapping[str, float]) -> float | None:
    if term.metric not in baseline or term.metric not in candidate:
        return None
    base, cand = max(baseline[term.metric], term.least), max(candidate[term.metric], term.least)
    if base <= 0.0 or cand <= 0.0:
        return None
    sign = -1.0 if term.higher_is_better else 1.0
    return term.weight * sign * math.log(base / cand)


_WORD: Final = re.compile(r"[A-Za-z0-9_.]+")
_MOST_WORDS: Final = 2
_PING_PONG: Final = Workload(mode=Mode.PING_PONG)
# 20,000 msg/s, each answered: about 11,000 observations a second of test, so that p99.9 is not one message.
_UNDER_LOAD: Final = Workload(mode=Mode.UNDER_LOAD, rate_mps=20_000, reply_every=1)
_THROUGHPUT: Final = Workload(mode=Mode.THROUGHPUT)

OBJECTIVES: Final[Mapping[str, Objective]] = {
    objective.name: objective
    for objective in (
        Objective(
            "latency",
            "median and p99 of one message at a time",
            (Term("latency_p50_us", 0.5), Term("latency_p99_us", 0.5)),
            (_PING_PONG,),
        ),
        Objective(
            "tail",
            "p99 and p99.9 under a constant load",
            (Term("latency_p99_us", 0.5), Term("latency_p99_9_us", 0.5)),
            (_UNDER_LOAD,),
        ),
        Objective(
            "throughput",
            "messages received per second",
            (Term("rate_mps", 1.0, higher_is_better=True),),
            (_THROUGHPUT,),
        ),
        Objective(
            "balanced",
            "median and p99 of one message at a time, and messages received per second, half and half",
            (
                Term("latency_p50_us", 0.25),
                Term("latency_p99_us", 0.25),
                Term("rate_mps", 0.5, workload=1, higher_is_better=True),
            ),
            (_PING_PONG, _THROUGHPUT),
        ),
    )
}


def objective(name: str, workload: Workload | None = None) -> Objective:
    """Return the objective called `name`, or the SLO that it spells out, or what it says of the recipe of a workload.

    Raise `UsageError` for anything else.
    """
    if workload and workload.recipe:
        return _spelled_out(name, workload.recipe)
    if len(name.split()) > 1:
        return _service_level(slo.parse(name))
    found = OBJECTIVES.get(name)
    if found is None:
        raise UsageError(f"unknown objective {name!r}", advice=did_you_mean(name, OBJECTIVES))
    return found


def _spelled_out(name: str, recipe: Recipe) -> Objective:
    """Return the objective that is spelled out in the metrics of a recipe."""
    workload = of_recipe(recipe)
    found = own_goal(name, workload)
    weighed = zip(found.goals, shares(found.goals), strict=True)
    terms = tuple(Term(goal.metric, share, higher_is_better=goal.higher_is_better) for goal, share in weighed)
    told = ", ".join(f"{'highest' if each.higher_is_better else 'lowest'} {each.metric}" for each in found.goals)
    return Objective(str(found), f"{told} of {recipe.summary or recipe.name}", terms, (workload,), kept=found.limits)


def _service_level(limits: tuple[Limit, ...]) -> Objective:
    """Return the objective of limits: traffic as that of `tail`, its rate to be found."""
    terms = (Term(HELD_RATE, 1.0, least=LEAST_MPS, higher_is_better=True),)
    workloads = (replace(_UNDER_LOAD, rate_mps=None),)
    return Objective(slo.spoken(limits), "the highest rate that holds the limits", terms, workloads, limits)


def named_by(profile: str) -> str:
    """Return the objective that a profile's name means: nginx and nvme presets are for throughput, others latency."""
    if profile in OBJECTIVES:
        return profile
    return "throughput" if profile.startswith(("nginx", "nvme")) else "latency"
