"""What a profile costs beside its gain: every metric that the objective does not judge, compared with the baseline's.

The blocks are those of the confirmation and of minimising that measured both. None of them was chosen by what is compared
here, so the intervals need no correction for that.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from tuner.judging.costs import Change, Compared, Paired, compared
from tuner.measurement import Measurement, percentile_of
from tuner.records import Phase, Run, Status, Trial
from tuner.runs import chosen
from tuner.runs.workload import Mode, Workload
from tuner.session.answer import cost_words
from tuner.session.answer.guarded import Guarded, Keeping, guarded_where_judged
from tuner.session.answer.json_form import OMIT
from tuner.session.measuring.evidence import Evidence
from tuner.session.setup import policy

_MEAN, _MEDIAN, _MAX = "latency_mean_us", "latency_p50_us", "latency_max_us"
LATENCIES: Final = (_MEAN, "latency_p99_us", "latency_p99_9_us", "latency_p99_99_us", _MAX)
"""The latencies that are looked at; the mean where the median is not judged."""
_CPU: Final = "cpu_s"
OF_THE_HOST: Final = (_CPU, "server_memory_mb")
# Maxima of so different numbers of messages differ by these numbers alone.
MOST_MESSAGES: Final = 1.1
# Below one observation beyond it a run, a percentile is the maximum under another name.
LEAST_A_RUN: Final = 1.0
# A process that used the CPU for this share of its test never waited for anything.
SPINS: Final = 0.95
# What got worse by less stands among the costs, but not in the verdict.
WORTH_TELLING: Final = 1.02


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of a profile compared with the baseline's in the same blocks."""

    metric: str
    unit: str
    workload: int
    """The place of the workload among the session's."""
    winner: float
    """The profile's median."""
    baseline: float
    ratio: float
    """The profile's value in relation to the baseline's: above 1 is higher, whichever way is better."""
    low: float
    high: float
    confidence: float
    """That of all intervals together."""
    blocks: int
    change: Change
    sentence: str
    remark: str = ""
    """What to keep in mind of it."""


@dataclass(frozen=True, slots=True)
class NotCompared:
    """A metric of which it is not known whether it got worse."""

    metric: str
    workload: int
    why: str


@dataclass(frozen=True, slots=True)
class Beside:
    """What became of the metrics beside the objective; all None in answers of before they were looked at."""

    costs: tuple[Difference, ...] | None = field(default=None, metadata=OMIT)
    """Those that got worse beyond noise, the largest first."""
    no_costs: tuple[Difference, ...] | None = field(default=None, metadata=OMIT)
    """Those of which that was not shown."""
    not_compared: tuple[NotCompared, ...] | None = field(default=None, metadata=OMIT)
    guards: tuple[Guarded, ...] | None = field(default=None, metadata=OMIT)
    """How the profile that was judged stands to each guard; None where there are none."""


def beside(evidence: Evidence, trial: Trial, refused: Trial | None = None) -> Beside:
    """Return how the metrics beside the objective differ between a profile and the baseline.

    Where a session ends with the baseline, guards are told of the profile that was judged and `refused`.
    """
    if trial == evidence.baseline:
        return Beside(guards=_guards(evidence, refused) if refused else None)
    sides = [_Side(evidence, trial, workload) for workload in range(len(evidence.plan.workloads))]
    left_out = [each for side in sides for each in side.left_out()]
    pairs = [each for side in sides for each in side.pairs() if each.enough]
    found = [_difference(evidence, sides[each.workload], each) for each in compared(pairs)]
    worse = [each for each in found if each.change is Change.WORSE]
    rest = [each for each in found if each.change is not Change.WORSE]
    return Beside(tuple(sorted(worse, key=_harm, reverse=True)), tuple(rest), tuple(left_out), _guards(evidence, trial))


def _guards(evidence: Evidence, trial: Trial) -> tuple[Guarded, ...] | None:
    return guarded_where_judged(evidence, trial) or None


def in_verdict(found: Beside) -> str:
    """Return what a verdict says of the guards that are kept and of the costs, empty where nothing was looked at."""
    kept = (f"Guard {each.sentence}" for each in found.guards or () if each.keeping is Keeping.KEPT)
    return ". ".join(filter(None, [*kept, _of_costs(found)]))


def _of_costs(found: Beside) -> str:
    if found.costs is None:
        return ""
    told = [each.sentence for each in found.costs if _harm(each) >= WORTH_TELLING]
    unharmed = [cost_words.name(each.metric) for each in found.no_costs or ()]
    unknown = [cost_words.name(each.metric) for each in found.not_compared or ()]
    return cost_words.summed_up(told, [*dict.fromkeys(unharmed)], [*dict.fromkeys(unknown)])


def sentences(found: Beside) -> Iterator[str]:
    """Yield what became of each guard and each metric beside the objective, a line each."""
    yield from (f"guard {each.sentence}" for each in found.guards or ())
    for each in (*(found.costs or ()), *(found.no_costs or ())):
        yield f"{each.sentence}: {each.change}, {each.ratio:.2f}× ({each.low:.2f}–{each.high:.2f}, n = {each.blocks})"
    for unknown in found.not_compared or ():
        yield f"{cost_words.name(unknown.metric)} not compared: {unknown.why}"


def _harm(found: Difference) -> float:
    return max(found.ratio, 1 / found.ratio)


def _difference(evidence: Evidence, side: _Side, found: Compared) -> Difference:
    return Difference(
        metric=found.metric,
        unit=evidence.reported[found.metric].unit,
        workload=found.workload,
        winner=found.profile,
        baseline=found.baseline,
        ratio=found.ratio.ratio,
        low=found.ratio.low,
        high=found.ratio.high,
        confidence=found.ratio.confidence,
        blocks=found.ratio.blocks,
        change=found.change,
        remark=side.remark(found.metric),
        sentence=_sentence(evidence, side, found),
    )


def _sentence(evidence: Evidence, side: _Side, found: Compared) -> str:
    mode, unit = side.mode_if_one_of_several(), evidence.reported[found.metric].unit
    if found.metric == _CPU:
        return cost_words.cpu(found, mode, side.spinning())
    if evidence.plan.workloads[found.workload].recipe or not found.metric.startswith("latency"):
        return cost_words.value(found, unit, mode)
    return cost_words.latency(found, mode, evidence.objective.name, side.remark(found.metric))


class _Side:
    """The runs of a profile and of the baseline under one workload, in the blocks that measured both."""

    def __init__(self, evidence: Evidence, trial: Trial, workload: int) -> None:
        self.evidence, self.workload = evidence, workload
        blocks = [block for phase in (Phase.CONFIRM, Phase.MINIMISE) for block in evidence.ledger.blocks(phase)]
        ends = [(self._runs(evidence.baseline, block), self._runs(trial, block)) for block in blocks]
        self.both = [(old, new) for old, new in ends if old and new]

    def _runs(self, trial: Trial, block: int) -> Sequence[Run]:
        runs = self.evidence.ledger.runs_of(trial.number, block)
        mine = [run for run in runs if run.workload == self.workload]
        return mine if all(run.status is Status.OK for run in mine) else ()

    def pairs(self) -> Iterator[Paired]:
        """Yield the values of each metric that can be compared."""
        for metric in self._looked_at():
            if not self._why_not(metric):
                yield self._paired(metric)

    def left_out(self) -> Iterator[NotCompared]:
        """Yield the metrics that cannot be compared, and why."""
        for metric in self._looked_at():
            if why := self._why_not(metric):
                yield NotCompared(metric, self.workload, why)

    def _looked_at(self) -> Iterator[str]:
        """Yield what is looked at: not what the objective judges, nor latencies where loads or modes have none to compare."""
        judged = self.evidence.objective.metrics_of(self.workload)
        if self._traffic.recipe:
            yield from (each for each in self._of_recipe() if each not in {*judged, *OF_THE_HOST})
        elif not self.evidence.objective.limits and self._traffic.mode is not Mode.THROUGHPUT:
            told = {*judged, *([_MEAN] if _MEDIAN in judged else ())}
            yield from (each for each in LATENCIES if each not in told)
        if not self.evidence.objective.limits and not self._traffic.recipe and "rate_mps" not in judged:
            yield "rate_mps"
        yield from OF_THE_HOST if not self._traffic.recipe or self._traffic.recipe.server else (_CPU,)

    def _of_recipe(self) -> Iterator[str]:
        """Yield the metrics of a recipe of which somebody said which way is better; of samples p50 and p99."""
        for metric in chosen.of(self._traffic).metrics(self._traffic):
            if metric.higher_is_better is not None and metric.short:
                yield metric.name

    @property
    def _traffic(self) -> Workload:
        return self.evidence.plan.workloads[self.workload]

    def mode_if_one_of_several(self) -> str:
        """Return the workload's mode, empty where the session has no other workload."""
        return self._traffic.mode if len(self.evidence.plan.workloads) > 1 else ""

    def _paired(self, metric: str) -> Paired:
        rows = [(self._value(metric, old), self._value(metric, new)) for old, new in self.both]
        found = [(old, new) for old, new in rows if old and new]
        higher = bool(self.evidence.reported[metric].higher_is_better)
        return Paired(metric, tuple(old for old, _ in found), tuple(new for _, new in found), self.workload, higher)

    def _value(self, metric: str, runs: Sequence[Run]) -> float | None:
        if self.evidence.objective.limits:
            return self.evidence.metrics.searches.metrics(runs).get(metric)
        return runs[-1].metrics().get(metric)

    def _why_not(self, metric: str) -> str:
        """Return why a metric cannot be compared, empty where it can."""
        paired = self._paired(metric)
        if not paired.baseline:
            return cost_words.NOT_MEASURED
        if not paired.enough:
            return cost_words.few_blocks(len(paired.baseline))
        if percentile_of(metric) is not None:
            beyond = self._beyond(metric)
            least = LEAST_A_RUN * max(1, len(self.both))
            return cost_words.few_beyond(beyond, policy.LEAST_BEYOND) if beyond < least else ""
        more = self._messages(1) / max(1, self._messages(0))
        uneven = metric == _MAX and not 1 / MOST_MESSAGES <= more <= MOST_MESSAGES
        return cost_words.other_number(more) if uneven else ""

    def remark(self, metric: str) -> str:
        """Return the reservation about a percentile that fewer observations show than the verdict asks for, else nothing."""
        beyond = self._beyond(metric) if percentile_of(metric) is not None else policy.LEAST_BEYOND
        return cost_words.few_beyond(beyond, policy.LEAST_BEYOND) if beyond < policy.LEAST_BEYOND else ""

    def _beyond(self, metric: str) -> float:
        """Return how many observations lie beyond a percentile, in the worse of the two."""
        return min(sum(each.beyond(metric) for each in self._measured(end)) for end in (0, 1))

    def _messages(self, end: int) -> int:
        return sum(each.observations for each in self._measured(end))

    def _measured(self, end: int) -> list[Measurement]:
        return [run.measurement for pair in self.both for run in pair[end] if run.measurement]

    def spinning(self) -> int:
        """Return how many more processes of the profile than of the baseline used one CPU for their whole test.

        0 where that cannot be told: threads share a process's time, and a sender at full speed has no time to wait.
        """
        several = self._traffic.recipe or self._traffic.receivers > 1 or self._traffic.server_threads > 1
        if several or self._traffic.mode is Mode.THROUGHPUT or self.evidence.objective.limits:
            return 0
        return _spinning(self._measured(1)) - _spinning(self._measured(0))


def _spinning(runs: Sequence[Measurement]) -> int:
    of_client = [_share(run.client_cpu_s, run.run_time_s) for run in runs]
    of_server = [_share(run.server_cpu_s, run.run_time_s) for run in runs]
    return sum(statistics.median(shares) >= SPINS for shares in (of_client, of_server) if shares)


def _share(cpu_s: float | None, run_time_s: float | None) -> float:
    return cpu_s / run_time_s if cpu_s and run_time_s else 0.0
