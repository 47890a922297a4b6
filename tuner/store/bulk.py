"""What of a finished session is large and decides nothing: the output of its programs, beside the numbers that were read from it.

Verdict, settings, metrics, counters and telemetry stay, so that `tuner sessions judge`, summaries and reports find what they
need. What is dropped is named in its place, so that nobody takes it for an empty output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from tuner.records import State, StoredSession
from tuner.store import outputs
from tuner.store.database import Store

DROPPED: Final = "dropped by `tuner sessions gc`"
_AT_ONCE: Final = 200
"""Runs of a transaction."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """A session, how many of its runs have output that may go, and how many characters."""

    session: StoredSession
    runs: int
    characters: int


def bulk_of(store: Store, session: StoredSession) -> Bulk:
    """Return what of a session may go."""
    sizes = [outputs.size(whole) - outputs.size(less) for _, whole, less in _slimmed(store, session.id)]
    return Bulk(session, len(sizes), sum(sizes))


def _slimmed(store: Store, session: str) -> Iterator[tuple[int, Mapping[str, Any], Mapping[str, Any]]]:
    """Yield the runs of a session that have bulk by their numbers, each with its evidence and what becomes of that."""
    for number, whole in store.said(session, outputs.MOST_WHOLE):
        less = outputs.cut(whole, DROPPED, outputs.MOST_WHOLE)
        if outputs.size(less) < outputs.size(whole):
            yield number, whole, less


@dataclass(frozen=True, slots=True)
class Asked:
    """Which sessions are meant: how old they are at least, and how much of them may go at least."""

    older_than_days: float = 0.0
    larger_than: int = 0


def bulky(store: Store, asked: Asked) -> list[Bulk]:
    """Return the finished sessions that are meant and have bulk, oldest first."""
    before = (datetime.now(UTC) - timedelta(days=asked.older_than_days)).isoformat()
    meant = (each for each in store.sessions() if is_over(each) and each.created_at <= before)
    found = (bulk_of(store, each) for each in meant)
    return [each for each in found if each.runs and each.characters >= asked.larger_than]


def drop(store: Store, found: Sequence[Bulk]) -> None:
    """Drop the bulk of these sessions and give its room back; who is ended half-way has dropped that of some runs."""
    for each in found:
        with store.writing(each.session.id):
            slimmed = ((number, less) for number, _, less in _slimmed(store, each.session.id))
            while some := dict(islice(slimmed, _AT_ONCE)):
                store.amend_runs(each.session.id, some)
    if found:
        store.compact()


def is_over(session: StoredSession) -> bool:
    """Return whether nobody goes on with a session, which would want to know how its runs failed."""
    return session.state in {State.DONE, State.FAILED}
