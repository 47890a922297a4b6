"""Judging a stored session again: its answer computed from the database alone, and held against the one it gave."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tuner.errors import BaselineFailed, StoreError, UsageError
from tuner.records import State, StoredSession
from tuner.session.answer.answers import Answer, CompareAnswer, Failure, MinimiseAnswer, TuneAnswer, winner
from tuner.session.answer.json_form import Json
from tuner.session.answer.stored import answer_of
from tuner.session.answering import answer
from tuner.session.measuring.clock import Ending
from tuner.session.measuring.evidence import Evidence
from tuner.session.phases.emit import with_paths
from tuner.session.phases.prior import load_prior
from tuner.store import Store
from tuner.version import __version__

# Sentences are those of the release that wrote them: what another release says in other words is no other answer.
SENTENCES: Final = frozenset(
    {"why", "what", "advice", "message", "suggestion", "example", "left_out", "sentence", "remark"}
)
RELEASE: Final = "tuner"
"""The fact that says which release measured."""
_NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """A field of an answer that is stored as one value and computed as another; None where one of them lacks it."""

    field: str
    """Its place, such as `gain.ratio` or `known[1].status`."""
    stored: Any
    computed: Any


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a session's records say today, and whether that is what it answered."""

    answer: Answer
    stored: bool
    """Whether the session has answered at all."""
    differences: tuple[Difference, ...]
    reworded: tuple[str, ...]
    """The fields that another release worded otherwise, which is no difference."""

    @property
    def equal(self) -> bool | None:
        """Whether the stored answer is the computed one, None where nothing is stored."""
        return not self.differences if self.stored else None

    def to_dict(self) -> Json:
        """Return JSON-ready values."""
        return {
            "equal": self.equal,
            "stored": self.stored,
            "differences": [{"field": d.field, "stored": d.stored, "computed": d.computed} for d in self.differences],
            "reworded": list(self.reworded),
            "answer": self.answer.to_dict(),
        }


def judge(store: Store, session: StoredSession) -> Judgement:
    """Compute the answer of a session from what `store` holds, and hold it against the stored one.

    Raise `UsageError` when it has measured nothing.
    """
    known = _readable(session)
    computed = _computed(store, session, known)
    if session.verdict is None:
        return Judgement(computed, stored=False, differences=(), reworded=())
    same_release = session.facts.get(RELEASE) == __version__
    found = list(_differences(session.verdict, json.loads(json.dumps(computed.to_dict())), same_release=same_release))
    reworded = [] if same_release else [each.field for each in found if _is_sentence(each.field)]
    differences = tuple(each for each in found if each.field not in reworded)
    return Judgement(computed, stored=True, differences=differences, reworded=tuple(reworded))


def _readable(session: StoredSession) -> Answer | None:
    """Return the stored answer; None also where it cannot be read, which the differences then show."""
    try:
        return answer_of(session)
    except StoreError:
        return None


def _computed(store: Store, session: StoredSession, known: Answer | None) -> Answer:
    evidence = Evidence.read(store, session)
    if not evidence.ledger.runs:
        raise UsageError(f"session {session.id} has measured nothing", advice=f"tuner sessions resume {session.id}")
    plan = evidence.plan
    used = None if plan.warm_start is None else load_prior(store, plan).used()
    try:
        return with_paths(answer(evidence, ending(session, known), used), *_paths(known))
    except (BaselineFailed, UsageError) as reason:
        return Failure(session.id, reason.message)


def _paths(known: Answer | None) -> tuple[str | None, str | None]:
    final = winner(known) if known else None
    minimal = known.advice.minimal if isinstance(known, TuneAnswer) else None
    return final.path if final else None, minimal.path if minimal else None


def ending(session: StoredSession, known: Answer | None) -> Ending:
    """Return how a stored session ended: its wall time, and whether that was before its budget did."""
    cut_off = session.state in {State.STOPPED, State.RUNNING}
    if not isinstance(known, TuneAnswer | CompareAnswer | MinimiseAnswer):
        return Ending(round(session.spent_s, 3), cut_off)
    # Before sessions stored their release, they stored a later reading of the clock than their answer has.
    spent_s = round(session.spent_s, 3) if RELEASE in session.facts else known.time.wall_s
    return Ending(spent_s, known.time.stopped or cut_off)


def _differences(stored: Any, computed: Any, where: str = "", *, same_release: bool) -> Iterator[Difference]:
    """Yield what differs. What an earlier release did not say at all is no difference."""
    if isinstance(stored, Mapping) and isinstance(computed, Mapping):
        names = [name for name in {**stored, **computed} if same_release or name in stored]
        for name in names:
            mine, other = stored.get(name, _NOTHING), computed.get(name, _NOTHING)
            yield from _differences(mine, other, f"{where}.{name}".removeprefix("."), same_release=same_release)
    elif isinstance(stored, list) and isinstance(computed, list) and len(stored) == len(computed):
        for at, (mine, other) in enumerate(zip(stored, computed, strict=True)):
            yield from _differences(mine, other, f"{where}[{at}]", same_release=same_release)
    elif stored != computed or isinstance(stored, bool) is not isinstance(computed, bool):
        yield Difference(where, _shown(stored), _shown(computed))


def _shown(value: Any) -> Any:
    return None if value is _NOTHING else value


def _is_sentence(field: str) -> bool:
    return field.rpartition(".")[2].partition("[")[0] in SENTENCES
