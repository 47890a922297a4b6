"""What a session that is over answered, for its page: from its stored answer alone, so that none of its runs is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tuner.errors import Finding, doubt
from tuner.judging.statistics import Gain
from tuner.records import State, StoredSession
from tuner.session.answer import answers
from tuner.session.answer.answers import Answer, CompareAnswer, MeasureAnswer
from tuner.session.answer.parts import Decision, Described
from tuner.session.answer.stored import answer_of


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer of a session in words and figures."""

    headline: str
    why: str
    gain: Gain | None
    baseline: str
    profile: str
    """The profile that the answer is about, empty where there is none."""
    settings: Mapping[str, str] = field(hash=False)
    doubts: tuple[Finding, ...]


def ended(session: StoredSession) -> Ended:
    """Return what a session answered; raise `StoreError` where what is stored is no answer."""
    answer = answer_of(session)
    described = _described(answer) if answer else None
    return Ended(
        headline=_headline(session, answer),
        why=_why(session, answer),
        gain=answers.gain(answer) if answer else None,
        baseline=str(session.plan.get("baseline", {}).get("profile", "")),
        profile=described.profile if described else "",
        settings=described.settings if described else {},
        doubts=(
            *(doubt(each["what"], each["advice"]) for each in session.facts.get("doubts", ())),
            *(answers.doubts(answer) if answer else ()),
        ),
    )


def _described(answer: Answer) -> Described | None:
    if isinstance(answer, CompareAnswer):
        return answer.b
    if isinstance(answer, MeasureAnswer):
        return answer.described
    final = answers.winner(answer)
    return final.described if final else None


def _headline(session: StoredSession, answer: Answer | None) -> str:
    if answer is None:
        return "Stopped before a verdict" if session.state is State.STOPPED else "No verdict"
    decided = answers.decision(answer)
    told = {Decision.NOT_IMPROVED: "No improvement was found", Decision.FAILED: "The session failed", None: "Measured"}
    return told.get(decided, str(decided).capitalize())


def _why(session: StoredSession, answer: Answer | None) -> str:
    if answer is None:
        return f"All runs that ended are kept. To go on: tuner sessions resume {session.id}"
    return answers.reason(answer)
