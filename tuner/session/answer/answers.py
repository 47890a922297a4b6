"""What each kind of session answers: one record a kind, JSON only by `to_dict`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tuner.errors import Finding
from tuner.judging.statistics import Estimate, Gain
from tuner.records import Kind, Status
from tuner.session.answer import words
from tuner.session.answer.costs import Beside, in_verdict
from tuner.session.answer.json_form import INLINE, OMIT, Json, to_json
from tuner.session.answer.pareto_front import OnFront
from tuner.session.answer.parts import (
    Advice,
    Calibration,
    Circumstances,
    Decision,
    Described,
    Detectable,
    Finalist,
    Minimisation,
    OnPairs,
    Regression,
    Searched,
    Sequential,
    Source,
    Task,
    Time,
    WarmStart,
    Winner,
)


def _on_a_line(answer: Answer) -> str:
    """Return an answer as Python shows it: what it is in one sentence, because all of it is a page (`to_dict()`)."""
    match answer:
        case MeasureAnswer():
            said = answer.why or f"{answer.described.profile}, {len(answer.metrics)} metrics"
        case CalibrateAnswer():
            said = answer.profile
        case _:
            said = f"{answer.verdict}: {reason(answer)}"
    return f"<{type(answer).__name__} {answer.session}: {said}>"


@dataclass(frozen=True, slots=True)
class TuneAnswer:
    """What a tuning found.

    >>> answer = tuner.tune("latency", budget="60s")
    >>> answer.winner.profile, answer.baseline.profile
    ('...', 'default')
    """

    session: str
    verdict: Decision
    """Improved, not improved or failed."""
    why: str
    """The verdict in words, with its interval."""
    task: Task = field(metadata=INLINE)
    baseline: Described
    winner: Winner
    known: tuple[Described, ...]
    """The stack's known profiles that were measured."""
    gain: Gain | None
    """How many times better the winner is than the baseline, by the confirmation; None where nothing was judged."""
    gain_over_start: Gain | None
    """The same over the profile that the search started from, None where that was not measured beside it."""
    finalists: tuple[Finalist, ...]
    doubts: tuple[Finding, ...]
    minimised: Minimisation | None
    """None where nothing was minimised: no winner, no setting, or no budget for it."""
    trials: Mapping[Status, int]
    """How many trials ended in each status."""
    runs: int
    calibration: Calibration | None
    """None where the budget was too small for one."""
    circumstances: Circumstances = field(metadata=INLINE)
    time: Time
    pareto: tuple[OnFront, ...] | None = field(default=None, metadata=OMIT)
    """The handful of profiles that are each better in something than every other; None unless the objective is `balanced`."""
    warm_start: WarmStart | None = None
    """None where it was not asked for."""
    proposals: Searched | None = field(default=None, metadata=OMIT)
    """What became of the search's candidates; None in answers of before this was counted."""
    beside: Beside = field(default=Beside(), metadata=INLINE)
    """What the winner costs."""
    advice: Advice = field(default=Advice(), metadata=INLINE)
    """What to set, whether it beats what is known, and why each setting is there."""
    on_pairs: OnPairs | None = field(default=None, metadata=OMIT)
    """What the winner is worth on each of many pairs of hosts; None where there is one."""

    __repr__ = _on_a_line

    def to_dict(self) -> Json:
        """Return JSON-ready values."""
        return to_json(self)


@dataclass(frozen=True, slots=True)
class CompareAnswer:
    """Whether one profile is better than another.

    >>> answer = tuner.compare("default", "latency")
    >>> answer.a.profile, answer.b.profile
    ('default', 'latency')
    >>> sorted(answer.to_dict())[:4]
    ['a', 'b', 'costs', 'doubts']
    """

    session: str
    verdict: Decision
    """Improved (b is better than a), not improved or failed."""
    why: str
    a: Described
    b: Described
    gain: Gain | None
    """How many times better b is than a, None where that could not be judged."""
    doubts: tuple[Finding, ...]
    circumstances: Circumstances = field(metadata=INLINE)
    time: Time
    beside: Beside = field(default=Beside(), metadata=INLINE)
    """What b costs."""
    on_pairs: OnPairs | None = field(default=None, metadata=OMIT)
    """What b is worth on each of many pairs of hosts; None where there is one."""
    sequential: Sequential | None = field(default=None, metadata=OMIT)
    """How it came to its end, where it was to end as soon as it is decided; None elsewhere."""
    regression: Regression | None = field(default=None, metadata=OMIT)
    """Whether b still gives what was promised of it, where that was asked."""

    __repr__ = _on_a_line

    def to_dict(self) -> Json:
        """Return JSON-ready values."""
        return to_json(self)


@dataclass(frozen=True, slots=True)
class MeasureAnswer:
    """What one profile gives.

    >>> answer = tuner.measure("latency", runs=3)
    >>> answer.described.profile, answer.metrics["latency_p50_us"].count
    ('latency', 3)
    """

    described: Described = field(metadata=INLINE)
    circumstances: Circumstances = field(metadata=INLINE)
    why: str | None = field(default=None, metadata=OMIT)
    """Why there is no rate, where none that was tried holds the limits of the objective."""
    session: str | None = field(default=None, metadata=OMIT)
    """None in answers of a release that did not say it."""

    @property
    def metrics(self) -> Mapping[str, Estimate]:
        """The median of each metric with its interval."""
        return self.described.metrics

    __repr__ = _on_a_line

    def to_dict(self) -> Json:
        """Return JSON-ready values."""
        return to_json(self)


@dataclass(frozen=True, slots=True)
class MinimiseAnswer:
    """Which settings of a profile earn their place.

    >>> answer = tuner.minimise("latency", budget="60s")
    >>> list(answer.winner.settings)
    ['XLIO_RX_POLL']
    """

    session: str
    verdict: Decision
    """Minimised, minimal, or failed when no setting could be judged."""
    why: str
    task: Task = field(metadata=INLINE)
    baseline: Described
    known: tuple[Described, ...]
    """The profile that was minimised."""
    winner: Winner
    """What is left of it."""
    gain: Gain | None
    """How many times better what is left is than the baseline, None where the blocks are too few."""
    minimised: Minimisation
    trials: Mapping[Status, int]
    runs: int
    circumstances: Circumstances = field(metadata=INLINE)
    time: Time
    beside: Beside = field(default=Beside(), metadata=INLINE)
    """What the winner costs."""

    __repr__ = _on_a_line

    def to_dict(self) -> Json:
        """Return JSON-ready values."""
        return to_json(self)


@dataclass(frozen=True, slots=True)
class CalibrateAnswer:
    """How far runs of one profile differ where nothing differs.

    >>> answer = tuner.calibrate(runs=12)
    >>> [each.budget_s for each in answer.budgets]
    [60.0, 300.0, 3600.0]
    """

    session: str
    profile: str
    task: Task = field(metadata=INLINE)
    calibration: Calibration | None
    """None where too few runs were ok."""
    budgets: tuple[Detectable, ...]
    """What a minute, five and an hour can detect."""
    circumstances: Circumstances = field(metadata=INLINE)

    __repr__ = _on_a_line

    def to_dict(self) -> Json:
        """Return JSON-ready values."""
        return to_json(self)


@dataclass(frozen=True, slots=True)
class Failure:
    """A session of any kind that an error ended.

    >>> tuner.Failure("20260101-000000-tune-kernel-latency-1a2b", "the disk is full").to_dict()["verdict"]
    'failed'
    """

    session: str
    why: str
    """The error's message."""
    verdict: Decision = Decision.FAILED

    __repr__ = _on_a_line

    def to_dict(self) -> Json:
        """Return JSON-ready values."""
        return to_json(self)


Answer = TuneAnswer | CompareAnswer | MeasureAnswer | MinimiseAnswer | CalibrateAnswer | Failure

OF_KIND: Final[Mapping[Kind, type[Answer]]] = {
    Kind.TUNE: TuneAnswer,
    Kind.COMPARE: CompareAnswer,
    Kind.MEASURE: MeasureAnswer,
    Kind.MINIMISE: MinimiseAnswer,
    Kind.CALIBRATE: CalibrateAnswer,
}
"""The answer of each kind of session that no error ended."""


def decision(answer: Answer) -> Decision | None:
    """Return what was decided, None for a kind of session that decides nothing."""
    return None if isinstance(answer, MeasureAnswer | CalibrateAnswer) else answer.verdict


def reason(answer: Answer) -> str:
    """Return the answer in words, empty where its figures say everything.

    An improvement is worded from the figures, so that one that an earlier release stored reads as one of today.
    """
    if isinstance(answer, TuneAnswer) and answer.verdict is Decision.IMPROVED and answer.gain:
        said = ". ".join(_improvement(answer, answer.gain))
        return "; ".join([said, *remarks(answer.circumstances, answer.task.stack)])
    return "" if isinstance(answer, CalibrateAnswer) else answer.why or ""


def remarks(found: Circumstances, stack: str) -> Iterator[str]:
    """Yield what every verdict must say of how it was measured."""
    if noisy := words.not_calm(found.host):
        yield noisy
    if found.waited_s:
        yield words.waited(found.waited_s)
    if found.sockets:
        yield words.os_sockets(stack)


def _improvement(answer: TuneAnswer, gained: Gain) -> Iterator[str]:
    yield words.compared(answer.winner.described.profile, gained, answer.baseline.profile)
    if costs := in_verdict(answer.beside):
        yield costs
    yield from beside_known(answer)
    whole = _whole(answer)
    shorter = (
        [name for name in whole.described.settings if name not in answer.winner.described.settings] if whole else []
    )
    if shorter and whole and whole.gain:
        yield words.before_removing(shorter, whole.gain)
    if answer.gain_over_start and whole:
        yield words.over_start(whole.described.profile, answer.gain_over_start)
    yield from exceptions(answer.on_pairs)


def exceptions(found: OnPairs | None) -> Iterator[str]:
    """Yield on which pairs of hosts something harms that helps on the others."""
    yield from (each.sentence for each in found.exceptions) if found else ()


def beside_known(answer: TuneAnswer) -> Iterator[str]:
    """Yield how the best that was found and the best that was known compare, where there are both."""
    known, tried = answer.advice.best_known, answer.proposals.measured if answer.proposals else 0
    found = next((row for row in answer.finalists if known and row.gain and row.described != known.described), None)
    if known and answer.winner.role is Source.KNOWN and tried:
        yield words.use_known(
            known.described.profile, tried, found.described.profile if found else None, answer.advice.over_known
        )
    elif known and found and answer.advice.over_known:
        yield words.over_known(found.described.profile, answer.advice.over_known, known.described.profile)


def _whole(answer: TuneAnswer) -> Finalist | None:
    """Return the profile that was judged, before settings were removed from it."""
    name = answer.minimised.original if answer.minimised else answer.winner.described.profile
    judged = [*answer.finalists, *([answer.advice.best_known] if answer.advice.best_known else [])]
    return next((row for row in judged if row.gain and row.described.profile == name), None)


def gain(answer: Answer) -> Gain | None:
    """Return the gain that was judged, None where none was."""
    return answer.gain if isinstance(answer, TuneAnswer | CompareAnswer | MinimiseAnswer) else None


def doubts(answer: Answer) -> tuple[Finding, ...]:
    """Return the reasons to distrust the answer."""
    return answer.doubts if isinstance(answer, TuneAnswer | CompareAnswer) else ()


def beside(answer: Answer) -> Beside:
    """Return what the profile of an answer costs; nothing for a kind of session that compares nothing."""
    return answer.beside if isinstance(answer, TuneAnswer | CompareAnswer | MinimiseAnswer) else Beside()


def winner(answer: Answer) -> Winner | None:
    """Return the profile that the session ends with, None for a kind of session that ends with none."""
    return answer.winner if isinstance(answer, TuneAnswer | MinimiseAnswer) else None


def minimisation(answer: Answer) -> Minimisation | None:
    """Return what minimising found, None where nothing was minimised."""
    return answer.minimised if isinstance(answer, TuneAnswer | MinimiseAnswer) else None


def searched(answer: Answer) -> Searched | None:
    """Return what became of the search's candidates, None where nothing was searched or it was not counted."""
    return answer.proposals if isinstance(answer, TuneAnswer) else None


def noise(answer: Answer) -> Calibration | None:
    """Return the calibration, None where none was made."""
    return answer.calibration if isinstance(answer, TuneAnswer | CalibrateAnswer) else None


def on_pairs(answer: Answer) -> OnPairs | None:
    """Return what the profile of an answer is worth on each of many pairs, None where there is one, or nothing is compared."""
    return answer.on_pairs if isinstance(answer, TuneAnswer | CompareAnswer) else None
