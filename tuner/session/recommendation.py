"""What stored sessions of all hosts say of a host like this one: the profile, on what evidence, and what would make it sure.

Nothing here is a claim about this host. A profile is recommended only where a session of a host alike judged it better than
the baseline; of several, the one whose gains, measured in all those sessions, promise the most in a bad case.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tuner import catalogue, stacks
from tuner.catalogue import facts as catalogue_facts
from tuner.errors import Finding, StoreError
from tuner.hosts import path
from tuner.hosts.pair import Pair
from tuner.judging.objective import named_by, objective
from tuner.judging.power import smallest_difference
from tuner.judging.statistics import LEAST_SD, Gain, mean_interval, pooled_sd
from tuner.profiles import library
from tuner.records import Kind, Phase, State, Status, StoredSession
from tuner.session.answer.answers import TuneAnswer
from tuner.session.answer.parts import Decision
from tuner.session.answer.stored import answer_of
from tuner.session.measuring.evidence import Evidence
from tuner.session.phases.prior import OTHER_DAY_SD
from tuner.session.setup.likeness import Asked, Likeness, asked_of, likeness, traffic
from tuner.session.setup.prepare import address_in
from tuner.session.setup.request import Task
from tuner.session.setup.workloads import workloads_of
from tuner.session.workspace import Workspace
from tuner.store import Store
from tuner.store.columns import host_named

MOST_READ: Final = 50
"""The latest sessions whose runs are read: older ones are further from what hosts are now."""
_ONE_SIDED: Final = 1.645
_FEWEST_BLOCKS: Final = 6
_MOST_BLOCKS: Final = 400


@dataclass(frozen=True, slots=True)
class Told:
    """A session that was asked the same, of a host alike, and what it answered."""

    session: str
    host: str | None
    created_at: str
    likeness: Likeness
    verdict: Decision
    profile: str
    settings: Mapping[str, str] = field(hash=False)
    gain: Gain | None
    """Of its winner over the baseline, as it judged it."""
    doubts: int
    """How many reasons it gave to distrust its measurements."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one session measured of the recommended settings."""

    session: str
    host: str | None
    gain: Gain | None
    """None where they failed."""
    judged: bool
    """Whether it is the session's own verdict; otherwise they were one of many that it tried."""
    doubts: int = 0
    """How many reasons the session gave to distrust its measurements."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A variable that winners set: how many of them, and to what."""

    name: str
    winners: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to try on a host, and why.

    >>> answer = tuner.tune("latency", budget="60s")
    >>> found = tuner.recommend()
    >>> found.chosen.session == answer.session, len(found.told)
    (True, 1)
    """

    asked: Asked
    here: str | None
    """The host's name."""
    told: tuple[Told, ...]
    """The finished sessions of hosts alike, oldest first."""
    others: int
    """Sessions that were asked the same on hosts that are not alike; they have no say."""
    unread: int
    """Sessions of hosts alike beyond the latest `MOST_READ`, and those that cannot be read."""
    chosen: Told | None = None
    """The session whose winner is recommended, None where no session of a host alike found anything better."""
    seen: tuple[Seen, ...] = ()
    agreement: tuple[Agreement, ...] = ()
    budget_s: float = 0.0
    """What a comparison here needs to find a gain as small as the smallest that a session judged."""
    faults: tuple[Finding, ...] = ()
    """What makes no sense in sessions of the store, of which it is then not known what they were asked; they have no say."""

    @property
    def hosts(self) -> int:
        """How many hosts the sessions are of."""
        return len({each.host for each in self.told})

    @property
    def measured_here(self) -> bool:
        """Whether a session of this very host measured what is recommended."""
        return any(each.host == self.here and each.gain for each in self.seen)

    @property
    def improved(self) -> tuple[Told, ...]:
        """The sessions that found something better."""
        return tuple(each for each in self.told if each.gain and each.verdict is Decision.IMPROVED)


def for_host(task: Task, baseline: str, at: Workspace) -> Recommendation:
    """Return what a workspace's store says of its host; raise `UsageError` for a task that no session could have."""
    stack = stacks.named(task.stack or catalogue_facts.DEFAULT)
    goal = objective(task.objective or named_by(""))
    way = None if at.pair.is_one else path.between(at.pair, address_in(task.workload))
    workloads = tuple(map(traffic, workloads_of(goal, task.workload, at.pair, way)))
    settings = dict(library.load(baseline, stack.name, at.shelves).settings)
    store = Store.reading(at.results)
    return recommended(store, Asked(Kind.TUNE, stack.name, goal, workloads, settings), _facts(at.pair, way))


def _facts(pair: Pair, way: path.Path | None) -> Mapping[str, Any]:
    """Return what the hosts are, as sessions between them would store it."""
    client = pair.client.facts().to_dict()
    ends = {"server": pair.server.facts().to_dict(), "client": client}
    return client if way is None else {**client, "ends": ends, "path": way.to_dict()}


def recommended(store: Store, asked: Asked, here: Mapping[str, Any]) -> Recommendation:
    """Return what the finished tunings of a store say of a host with these facts."""
    readable, faults = store.readable()
    same = [row for row in readable if row.state is State.DONE and asked_of(row) == asked]
    alike = [row for row in same if likeness(row.facts, here).alike]
    told = tuple(found for row in alike[-MOST_READ:] if (found := _told(row, here)) is not None)
    name = host_named(here.get("hostname"))
    bare = Recommendation(asked, name, told, len(same) - len(alike), len(alike) - len(told), faults=faults)
    if not bare.improved:
        return bare
    evidence = {row.id: read for row in alike if (read := _evidence(store, row, told)) is not None}
    candidates = {frozenset(each.settings.items()): each for each in bare.improved if each.session in evidence}
    if not candidates:  # answers are stored, and the runs behind them are damaged
        return bare
    seen = {key: tuple(_seen(each, told, evidence)) for key, each in candidates.items()}
    best = max(candidates, key=lambda key: _in_a_bad_case(seen[key]))
    if _in_a_bad_case(seen[best]) == -math.inf:
        return bare
    budget_s = _budget_s(seen[best], [evidence[each.session] for each in seen[best] if each.session in evidence])
    agreement = tuple(_agreement(bare.improved))
    return replace(bare, chosen=candidates[best], seen=seen[best], agreement=agreement, budget_s=budget_s)


def _told(row: StoredSession, here: Mapping[str, Any]) -> Told | None:
    try:
        answer = answer_of(row)
    except StoreError:
        return None
    if not isinstance(answer, TuneAnswer) or answer.verdict is Decision.FAILED:
        return None
    winner = answer.winner.described
    if not winner.settings.keys() <= catalogue.load(answer.task.stack).parameters.keys():
        return None  # a store may be anybody's
    like = likeness(row.facts, here)
    return Told(
        row.id,
        row.host,
        row.created_at,
        like,
        answer.verdict,
        winner.profile,
        winner.settings,
        answer.gain,
        len(answer.doubts),
    )


def _evidence(store: Store, row: StoredSession, told: Sequence[Told]) -> Evidence | None:
    if row.id not in {each.session for each in told}:
        return None
    try:
        return Evidence.read(store, row)
    except StoreError:
        return None


def _seen(winner: Told, told: Sequence[Told], evidence: Mapping[str, Evidence]) -> Iterator[Seen]:
    """Yield what each session measured of a winner's settings; nothing of one that never tried them."""
    for each in told:
        if each.settings == winner.settings and each.gain:
            yield Seen(each.session, each.host, each.gain, judged=True, doubts=each.doubts)
        elif each.session in evidence:
            yield from _tried(each, winner.settings, evidence[each.session])


def _tried(told: Told, settings: Mapping[str, str], evidence: Evidence) -> Iterator[Seen]:
    trial = evidence.ledger.find(settings)
    if trial is None or trial == evidence.baseline:
        return
    gains = [gain for phase in Phase if phase is not Phase.CALIBRATE for gain in evidence.gains.of(trial.number, phase)]
    status = evidence.ledger.status(trial.number)
    if status not in {Status.OK, Status.INVALID}:
        yield Seen(told.session, told.host, None, judged=False, doubts=told.doubts)
    elif gains:
        found = mean_interval(gains)
        bounds = (math.exp(each) if math.isfinite(each) else None for each in (found.low, found.high))
        low, high = (
            bound if bound is not None else extreme for bound, extreme in zip(bounds, (0.0, math.inf), strict=True)
        )
        gain = Gain(math.exp(found.value), low, high, found.count, found.confidence)
        yield Seen(told.session, told.host, gain, judged=False, doubts=told.doubts)


def _in_a_bad_case(seen: Sequence[Seen]) -> float:
    """Return the log gain that a profile's sessions promise nineteen times in twenty, minus infinity where it failed in one.

    Sessions vary beyond their own intervals: by what they show of it, and at least by the guess of `OTHER_DAY_SD`.
    """
    if any(each.gain is None for each in seen):
        return -math.inf
    gains = [math.log(each.gain.ratio) for each in seen if each.gain]
    within = statistics.fmean(_variance(each.gain) for each in seen if each.gain)
    between = max(statistics.variance(gains), OTHER_DAY_SD**2) if len(gains) > 1 else OTHER_DAY_SD**2
    return statistics.fmean(gains) - _ONE_SIDED * math.sqrt((between + within) / len(gains))


def _variance(gain: Gain) -> float:
    if gain.low <= 0.0 or math.isinf(gain.high):
        return OTHER_DAY_SD**2  # of one block, which says nothing of its own spread
    return ((math.log(gain.high) - math.log(gain.low)) / 2 / 1.96) ** 2


def _agreement(improved: Sequence[Told]) -> Iterator[Agreement]:
    """Yield the variables of all winners, those that most of them set first."""
    names = {name for each in improved for name in each.settings}
    values = {name: [each.settings[name] for each in improved if name in each.settings] for name in names}
    for name in sorted(names, key=lambda name: (-len(values[name]), name)):
        yield Agreement(name, len(values[name]), tuple(sorted(set(values[name]))))


def _budget_s(seen: Sequence[Seen], evidence: Sequence[Evidence]) -> float:
    """Return the wall time of a comparison that finds the smallest gain that was judged, at the noise that was seen."""
    confirmed = [each.gains.of(trial.number, Phase.CONFIRM) for each in evidence for trial in each.ledger.trials[1:]]
    sd = max(pooled_sd(confirmed), LEAST_SD)
    least = min((abs(math.log(each.gain.ratio)) for each in seen if each.gain and each.judged), default=0.0)
    blocks = next((n for n in range(_FEWEST_BLOCKS, _MOST_BLOCKS) if smallest_difference(sd, n) <= least), _MOST_BLOCKS)
    block_s = statistics.fmean(each.block_cost_s(1) for each in evidence)
    return 10.0 * math.ceil((blocks + 1) * block_s / 10.0)
