"""A stored session at a glance: what a list says of it, and what it found of which profile."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tuner.errors import StoreError
from tuner.hosts import cpus
from tuner.judging.statistics import Gain
from tuner.records import Kind, State, StoredSession
from tuner.session.answer.answers import Answer, CompareAnswer, TuneAnswer
from tuner.session.answer.parts import Described
from tuner.session.answer.stored import answer_of


@dataclass(frozen=True, slots=True)
class Judged:
    """A profile that a session judged, and how many times better it found it than what it was compared with."""

    profile: str
    settings: Mapping[str, str] = field(hash=False)
    gain: Gain
    over: str
    known: bool
    """Whether it is one that has a name of its own; otherwise the session's search found it."""


@dataclass(frozen=True, slots=True)
class Glance:
    """A session at a glance. What a store does not say, or not as it should, is empty or None."""

    id: str
    created_at: str
    state: State
    host: str | None
    kind: str
    stack: str
    objective: str
    verdict: str
    ratio: float | None
    low: float | None
    high: float | None
    spent_s: float
    budget_s: float | None
    cpus: frozenset[int]
    """The CPUs that it measures on."""
    judged: tuple[Judged, ...] = ()

    @property
    def is_running(self) -> bool:
        """Return whether it has not said how it ended."""
        return self.state is State.RUNNING

    def words(self) -> str:
        """Return what a search for a session looks in, in small letters."""
        parts = (self.id, self.state, self.host, self.kind, self.stack, self.objective, self.verdict)
        return " ".join([*filter(None, parts), *(each.profile for each in self.judged)]).lower()


def glance(session: StoredSession) -> Glance:
    """Return a session at a glance."""
    plan, answer = session.plan, session.verdict or {}
    gain = answer.get("gain") or {}
    budget_s = _number(plan.get("budget_s"))
    return Glance(
        id=session.id,
        created_at=session.created_at,
        state=session.state,
        host=session.host,
        kind=_text(plan.get("kind")),
        stack=_text(plan.get("stack")),
        objective=_text(plan.get("objective")),
        verdict=_text(answer.get("verdict")),
        ratio=_number(gain.get("ratio")),
        low=_number(gain.get("low")),
        high=_number(gain.get("high")),
        spent_s=session.spent_s,
        budget_s=None if _is_endless(plan) else budget_s,
        cpus=_cpus(plan),
        judged=tuple(judged(session)),
    )


def judged(session: StoredSession) -> Iterator[Judged]:
    """Yield the profiles that a session judged, each once."""
    try:
        answer = answer_of(session)
    except StoreError:
        return
    seen: set[str] = set()
    for described, gain, over, known in _claims(answer):
        if gain is not None and described.profile not in seen:
            seen.add(described.profile)
            yield Judged(described.profile, described.settings, gain, over, known)


def _claims(answer: Answer | None) -> Iterator[tuple[Described, Gain | None, str, bool]]:
    if isinstance(answer, CompareAnswer):
        yield answer.b, answer.gain, answer.a.profile, True
    if isinstance(answer, TuneAnswer):
        baseline, named = answer.baseline.profile, {each.profile for each in answer.known}
        best = answer.advice.best_known
        for each in (*answer.finalists, *([best] if best else [])):
            yield each.described, each.gain, baseline, each.described.profile in named
        winner = answer.winner.described
        yield winner, answer.gain, baseline, winner.profile in named


def _is_endless(plan: Mapping[str, Any]) -> bool:
    return plan.get("kind") in {Kind.MEASURE, Kind.CALIBRATE} or plan.get("open_ended") is True


def _cpus(plan: Mapping[str, Any]) -> frozenset[int]:
    named = (each.get(end) for each in plan.get("workloads") or () for end in ("server_cpus", "client_cpus"))
    return frozenset(number for text in named if isinstance(text, str) for number in cpus.parse(text) or ())


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
