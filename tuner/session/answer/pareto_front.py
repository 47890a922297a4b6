"""The Pareto front of a session's trials, each with its name and why it is there; by all that was measured of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tuner.judging.metrics import HELD_RATE
from tuner.judging.pareto import Named, Seen, handful
from tuner.records import Role, Status, Trial
from tuner.runs import chosen
from tuner.session.answer.cost_words import name
from tuner.session.answer.described import described
from tuner.session.answer.json_form import INLINE
from tuner.session.answer.parts import Described
from tuner.session.measuring.evidence import Evidence

_RATE, _CPU, _MEDIAN = "rate_mps", "cpu_s", "latency_p50_us"
MOST_TELLING: Final = 2
"""The settings that stand for a candidate."""


@dataclass(frozen=True, slots=True)
class OnFront:
    """A profile of the front."""

    described: Described = field(metadata=INLINE)
    label: str = ""
    """Its name, and for a candidate the settings that make it what it is."""
    why: str = ""
    """What it is best in."""


def axes(evidence: Evidence) -> list[str]:
    """Return the metrics in which profiles are compared: what the objective judges, a latency, a rate, and CPU."""
    judged = [term.metric for term in evidence.objective.terms]
    if HELD_RATE in judged:
        return [HELD_RATE, _CPU]
    if evidence.plan.workloads[0].recipe:
        known = chosen.of(evidence.plan.workloads[0]).metrics(evidence.plan.workloads[0])
        able = [each.name for each in known if each.higher_is_better is not None and each.short]
        return [*judged, *(each for each in able if each not in judged), _CPU]
    latency = [] if any(metric.startswith("latency") for metric in judged) else [_MEDIAN]
    return [*judged, *latency, *([] if _RATE in judged else [_RATE]), _CPU]


def front_of(evidence: Evidence) -> list[OnFront]:
    """Return the handful of trials that ran well and that are each better in something than every other one."""
    able = [trial for trial in evidence.ledger.trials if evidence.ledger.status(trial.number) is Status.OK]
    seen = [_seen(evidence, trial, axes(evidence)) for trial in able]
    metrics = [metric for metric in axes(evidence) if any(each.costs.get(metric) for each in seen)]
    whole = [each for each in seen if not each.costs or metrics == list(each.costs)]
    if not metrics or len(whole) == 1:
        return []
    return [_on_front(evidence, each, whole) for each in handful(whole, metrics)]


def _seen(evidence: Evidence, trial: Trial, metrics: Sequence[str]) -> Seen:
    """Return a trial's log ratios to the baseline, block by block; none for the baseline itself, nor what nobody measured."""
    blocks = sorted({run.block for run in evidence.ledger.runs_of(trial.number)} - evidence.ledger.quarantined)
    of = evidence.metrics.of
    pairs = [(of(0, block), of(trial.number, block)) for block in blocks] if trial != evidence.baseline else []
    higher = _higher(evidence)
    found = {
        metric: [_cost(metric in higher, metric, *pair) for pair in pairs if _both_have(metric, *pair)]
        for metric in metrics
    }
    return Seen(str(trial.number), {metric: values for metric, values in found.items() if values})


def _both_have(metric: str, baseline: Mapping[str, float], profile: Mapping[str, float]) -> bool:
    return baseline.get(metric, 0.0) > 0.0 and profile.get(metric, 0.0) > 0.0


def _cost(higher: bool, metric: str, baseline: Mapping[str, float], profile: Mapping[str, float]) -> float:  # noqa: FBT001 - which way is better
    ratio = math.log(profile[metric] / baseline[metric])
    return -ratio if higher else ratio


def _higher(evidence: Evidence) -> set[str]:
    """Return the metrics of which more is better; what the objective says of one comes before what its recipe says."""
    known = {name for name, metric in evidence.reported.items() if metric.higher_is_better}
    return known | {term.metric for term in evidence.objective.terms if term.higher_is_better}


def _on_front(evidence: Evidence, found: Named, seen: Sequence[Seen]) -> OnFront:
    trial = evidence.ledger.trials[int(found.name)]
    best_in = [*found.leads, *(metric for metric, _ in found.better)]
    higher = _higher(evidence)
    told = [_superlative(metric, higher) for metric in found.leads]
    told += [f"{_comparative(metric, higher)} than {_profile(evidence, other)}" for metric, other in found.better]
    return OnFront(described(evidence, trial), _label(evidence, trial, seen, best_in), ", ".join(dict.fromkeys(told)))


def _profile(evidence: Evidence, number: str) -> str:
    return evidence.ledger.trials[int(number)].profile


def _superlative(metric: str, higher: Container[str]) -> str:
    return f"{'highest' if metric in higher else 'lowest'} {name(metric)}"


def _comparative(metric: str, higher: Container[str]) -> str:
    return f"{'higher' if metric in higher else 'lower'} {name(metric)}"


def _label(evidence: Evidence, trial: Trial, seen: Sequence[Seen], best_in: Sequence[str]) -> str:
    """Return a profile's name; for a candidate also the settings with which profiles are best in what it is best in."""
    if trial.role in {Role.BASELINE, Role.KNOWN} or not best_in:
        return trial.profile
    helps = {setting: _with_and_without(evidence, setting, seen, best_in[0]) for setting in trial.settings.items()}
    telling = sorted((setting for setting in helps if helps[setting] < 0.0), key=lambda setting: helps[setting])
    said = ", ".join(f"{variable}={value}" for variable, value in telling[:MOST_TELLING])
    return f"{trial.profile} ({said})" if said else trial.profile


def _with_and_without(evidence: Evidence, setting: tuple[str, str], seen: Sequence[Seen], metric: str) -> float:
    """Return by how much lower the costs of profiles with a setting are than those without it, 0 where all have it."""
    groups: dict[bool, list[float]] = {True: [], False: []}
    for each in seen:
        has = setting in evidence.ledger.trials[int(each.name)].settings.items()
        groups[has].append(statistics.fmean(each.costs[metric]) if each.costs else 0.0)
    return statistics.fmean(groups[True]) - statistics.fmean(groups[False]) if groups[False] else 0.0
