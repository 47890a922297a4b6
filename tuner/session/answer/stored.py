"""The answer of a stored session, as the record of its kind."""

from __future__ import annotations

from tuner.errors import StoreError, UsageError
from tuner.records import Kind, State, StoredSession
from tuner.session.answer.answers import OF_KIND, Answer, Failure
from tuner.session.answer.json_form import from_json


def answer_of(session: StoredSession) -> Answer | None:
    """Return what a session answered, None before it has; raise `StoreError` when the stored text is no answer of its kind."""
    if session.verdict is None:
        return None
    record: type[Answer] = Failure if session.state is State.FAILED else OF_KIND[_kind(session)]
    try:
        found: Answer = from_json(record, session.verdict, f"the answer of session {session.id}")
    except UsageError as reason:
        raise StoreError(reason.message, findings=reason.findings, advice=_advice(session)) from reason
    return found


def _kind(session: StoredSession) -> Kind:
    try:
        return Kind(session.plan["kind"])
    except (KeyError, ValueError) as reason:
        raise StoreError(f"session {session.id}, column plan: {reason} is no kind of a session") from reason


def _advice(session: StoredSession) -> str:
    return f"its runs are untouched: `tuner sessions judge {session.id}` computes the answer from them"
