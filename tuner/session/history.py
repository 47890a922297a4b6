"""The same profile over months: one figure of each stored session, where it became another one, and what changed on the host there.

Sessions of different days share no block, so what is different between two of them may be the day. A change point is where
the days before and after differ by more than days do (`judging/change_points.py`).
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

from tuner.errors import StoreError, UsageError, did_you_mean
from tuner.intake.reference import meant
from tuner.judging.change_points import FEWEST_SESSIONS, Shift, shifts
from tuner.judging.metrics import reported
from tuner.judging.statistics import Estimate, Gain
from tuner.profiles.library import Shelf
from tuner.records import State, StoredSession
from tuner.runs.metric import Metric
from tuner.session.answer.answers import Answer, CompareAnswer, MeasureAnswer, MinimiseAnswer, TuneAnswer
from tuner.session.answer.json_form import Json, to_json
from tuner.session.answer.parts import Described
from tuner.session.answer.stored import answer_of
from tuner.session.setup.host_changes import Changed, changes
from tuner.session.setup.likeness import traffic
from tuner.session.setup.plan import Plan
from tuner.store import Store

GAIN: Final = "gain"
"""The metric of how many times better a profile is than its session's baseline: the only one that was measured in blocks."""
_GAIN: Final = Metric(GAIN, "×", higher_is_better=True)
# A change point is found within two sessions of where it is: what changed on the host is looked for as far away.
NEARBY: Final = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of which profile the history is: its settings (None for the one that most sessions measured), and by which metric."""

    settings: Mapping[str, str] | None = None
    stack: str | None = None
    metric: str | None = None
    """None for the first that its sessions judged."""
    every_host: bool = False
    """Whether sessions of other hosts may be meant in a store that many share."""
    of_host: str | None = None
    """The host whose sessions are meant, whichever asks; None where that is not said."""

    def takes(self, row: StoredSession, store: Store) -> bool:
        """Return whether a session may be meant, by how it ended and by its host."""
        by_host = row.host == self.of_host if self.of_host else self.every_host or store.is_mine(row)
        return row.state is State.DONE and by_host


def wanted(reference: str | None, asked: Wanted, shelves: Sequence[Shelf]) -> Wanted:
    """Return what is asked for with the settings of the profile that a reference means; raise `UsageError` where it means none."""
    if reference is None:
        return asked
    named = meant(reference, asked.stack, shelves).profile
    return replace(asked, settings=named.settings, stack=asked.stack or named.stack)


@dataclass(frozen=True, slots=True)
class Point:
    """What one session measured of the profile.

    >>> answer = tuner.measure("latency", runs=6)
    >>> (point,) = tuner.history("latency").points
    >>> point.session == answer.session, point.low <= point.value <= point.high
    (True, True)
    """

    session: str
    created_at: str
    value: float
    low: float
    high: float
    runs: int
    """Runs, or blocks of a gain, behind it."""
    changed: tuple[Changed, ...] = ()
    """What changed on the hosts since the session before it."""


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A session from which on the figure is another one.

    >>> answer = tuner.measure("latency", runs=6)
    >>> for change in tuner.history("latency").changes:
    ...     print(change.created_at, change.ratio, *change.changed)
    """

    session: str
    created_at: str
    before: str
    """When the session before it began: it changed after that."""
    ratio: float
    """The level from here on, by the level before."""
    low: float
    high: float
    better: bool | None
    """None where nobody said which way is better."""
    changed: tuple[Changed, ...]
    """What changed on the hosts there, or up to two sessions away."""


@dataclass(frozen=True, slots=True)
class History:
    """One figure of one profile over the sessions of one host that measured it under the same traffic, oldest first.

    >>> answer = tuner.measure("latency", runs=6)
    >>> found = tuner.history("latency")
    >>> found.profile, found.metric, found.enough
    ('latency', 'latency_p50_us', False)
    """

    profile: str
    settings: Mapping[str, str] = field(hash=False)
    stack: str
    metric: str
    unit: str
    host: str | None
    traffic: tuple[str, ...]
    points: tuple[Point, ...]
    changes: tuple[ChangePoint, ...]
    enough: bool
    """Whether there are sessions enough to tell a change from chance."""
    others: int
    """Sessions that measured the profile on another host, under other traffic or against another baseline."""
    unread: int
    """Sessions that cannot be read."""
    metrics: tuple[str, ...] = ()
    """Those that the sessions of this profile have, its gain first: of each there is a history."""

    def __repr__(self) -> str:
        counted = f"{len(self.points)} sessions, {len(self.changes)} changes"
        return f"<{type(self).__name__} {self.stack}/{self.profile}, {self.metric}: {counted}>"

    def to_dict(self) -> Json:
        """Return JSON-ready values."""
        return to_json(self)


@dataclass(frozen=True, slots=True)
class _Measured:
    """A profile in a stored session."""

    row: StoredSession
    plan: Plan
    described: Described
    gain: Gain | None

    @property
    def profile(self) -> tuple[str, frozenset[tuple[str, str]]]:
        return self.plan.stack, frozenset(self.described.settings.items())


def history(store: Store, wanted: Wanted) -> History:
    """Return the history of a profile; raise `UsageError` where no finished session measured it, or not by that metric."""
    rows = [row for row in store.readable()[0] if wanted.takes(row, store)]
    read = [_read(row) for row in rows]
    every = [each for found in read for each in found or ()]
    mine = _of_profile(every, wanted, store.where)
    metric = wanted.metric or _usual(mine[-1])
    known = _metrics(mine)
    with_metric = [each for each in mine if (metric == GAIN and each.gain) or metric in each.described.metrics]
    if not with_metric:
        raise UsageError(f"no session of this profile has metric {metric!r}", advice=did_you_mean(metric, known))
    last = _key(with_metric[-1], metric)
    same = [each for each in with_metric if _key(each, metric) == last]
    told = _told(same, metric)
    unread = sum(found is None for found in read)
    return replace(told, others=len({each.row.id for each in mine}) - len(same), unread=unread, metrics=known)


def _metrics(measured: Sequence[_Measured]) -> tuple[str, ...]:
    """Return the metrics that any of the sessions has."""
    gained = (GAIN,) if any(each.gain for each in measured) else ()
    return tuple(dict.fromkeys([*gained, *(name for each in measured for name in each.described.metrics)]))


def _read(row: StoredSession) -> list[_Measured] | None:
    """Return the profiles that a session measured, None where it cannot be read."""
    try:
        answer, plan = answer_of(row), Plan.from_dict(row.plan)
    except StoreError:
        return None
    return [_Measured(row, plan, each, gain) for each, gain in _profiles(answer)] if answer else []


def _profiles(answer: Answer) -> Iterator[tuple[Described, Gain | None]]:
    """Yield the profiles of an answer, each once, with its gain over the baseline."""
    seen: set[frozenset[tuple[str, str]]] = set()
    for described, gain in _named(answer):
        key = frozenset(described.settings.items())
        if key not in seen and described.metrics:
            seen.add(key)
            yield described, gain


def _named(answer: Answer) -> Iterator[tuple[Described, Gain | None]]:
    match answer:
        case TuneAnswer():
            yield answer.winner.described, answer.gain
            yield from ((each.described, each.gain) for each in answer.finalists)
            yield answer.baseline, None
            yield from ((each, None) for each in answer.known)
        case MinimiseAnswer():
            yield answer.winner.described, answer.gain
            yield answer.baseline, None
            yield from ((each, None) for each in answer.known)
        case CompareAnswer():
            yield answer.b, answer.gain
            yield answer.a, None
        case MeasureAnswer():
            yield answer.described, None


def _of_profile(every: Sequence[_Measured], wanted: Wanted, where: str) -> list[_Measured]:
    """Return what sessions measured of the profile that is meant, oldest first."""
    stack = [each for each in every if wanted.stack in {None, each.plan.stack}]
    if wanted.settings is not None:
        found = [each for each in stack if dict(each.described.settings) == dict(wanted.settings)]
    else:
        counts = Counter(each.profile for each in stack)
        most = max((each.profile for each in reversed(stack)), key=lambda profile: counts[profile], default=None)
        found = [each for each in stack if each.profile == most]
    if not found:
        message = f"no finished session of {where} measured this profile"
        raise UsageError(message, advice="`tuner sessions list` has the sessions, `tuner measure PROFILE` makes one")
    return found


def _usual(measured: _Measured) -> str:
    """Return the metric that a session judged first, of those that it has."""
    judged = [term.metric for term in measured.plan.objective.terms]
    return next((name for name in judged if name in measured.described.metrics), next(iter(measured.described.metrics)))


def _key(measured: _Measured, metric: str) -> tuple[object, ...]:
    """Return what must be the same of sessions whose figures stand in one history."""
    plan = measured.plan
    against = (plan.objective.name, frozenset(plan.baseline.settings.items())) if metric == GAIN else ()
    return measured.row.host, plan.stack, tuple(map(traffic, plan.workloads)), against


def _told(same: Sequence[_Measured], metric: str) -> History:
    last = same[-1]
    found = [(each, value) for each in same if (value := _value(each, metric)) is not None]
    rows = [each.row for each, _ in found]
    since = [(), *(changes(before, after).changed for before, after in pairwise(rows))]
    points = tuple(_point(each.row, value, new) for (each, value), new in zip(found, since, strict=False))
    known = _GAIN if metric == GAIN else reported(last.plan.workloads).get(metric)
    moved = shifts(*_series(points)) if points else ()
    return History(
        profile=last.described.profile,
        settings=last.described.settings,
        stack=last.plan.stack,
        metric=metric,
        unit=known.unit if known else "",
        host=last.row.host,
        traffic=tuple(each.key() for each in last.plan.workloads),
        points=points,
        changes=tuple(_change_point(each, points, known) for each in moved),
        enough=len(points) >= FEWEST_SESSIONS,
        others=0,
        unread=0,
    )


def _value(measured: _Measured, metric: str) -> Estimate | None:
    """Return a figure with its interval, None where it cannot be on a logarithmic scale."""
    gain = measured.gain
    if metric == GAIN:
        found = Estimate(gain.ratio, gain.low, gain.high, gain.blocks, gain.confidence) if gain else None
    else:
        found = measured.described.metrics[metric]
    positive = found is not None and 0.0 < found.low <= found.value <= found.high < math.inf
    return found if positive else None


def _point(row: StoredSession, found: Estimate, changed: tuple[Changed, ...]) -> Point:
    return Point(row.id, row.created_at, found.value, found.low, found.high, found.count, changed)


def _series(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    """Return the logarithms of the figures, and their standard errors by their intervals of 95 %."""
    reach = 2 * statistics.NormalDist().inv_cdf(0.975)
    return [math.log(each.value) for each in points], [math.log(each.high / each.low) / reach for each in points]


def _change_point(found: Shift, points: Sequence[Point], known: Metric | None) -> ChangePoint:
    here, higher = points[found.at], known.higher_is_better if known else None
    nearby = points[max(1, found.at - NEARBY) : found.at + NEARBY + 1]
    return ChangePoint(
        session=here.session,
        created_at=here.created_at,
        before=points[found.at - 1].created_at,
        ratio=math.exp(found.difference),
        low=math.exp(found.low),
        high=math.exp(found.high),
        better=None if higher is None else (found.difference > 0.0) is higher,
        changed=tuple(dict.fromkeys(each for point in nearby for each in point.changed)),
    )


def change_words(found: ChangePoint, metric: str) -> str:
    """Return when a figure became another one, how much higher or lower it is, and whether that is better."""
    amount, way = abs(100 * (found.ratio - 1)), "higher" if found.ratio > 1.0 else "lower"
    bounds = sorted(abs(100 * (bound - 1)) for bound in (found.low, found.high))
    judged = "" if found.better is None else " (better)" if found.better else " (worse)"
    when = f"between {found.before[:10]} and {found.created_at[:10]}"
    return f"{when}: {metric} became {amount:.1f} % {way}{judged}, 95 % CI {bounds[0]:.1f} to {bounds[1]:.1f} %: from session {found.session} on"


def too_few(found: History) -> str:
    """Return that a history has not sessions enough, with how many it lacks."""
    more = FEWEST_SESSIONS - len(found.points)
    return f"too few sessions to tell a change from chance: {more} more are needed"
