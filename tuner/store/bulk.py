"""What of a finished session is large and decides nothing: the output of its programs, beside the numbers that were read from it.

Verdict, settings, metrics, counters and telemetry stay, so that `tuner sessions judge`, summaries and reports find what they
need. What is dropped is named in its place, so that nobody takes it for an empty output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tuner.records import Run, State, StoredSession
from tuner.store.database import Store

DROPPED: Final = "dropped by `tuner sessions gc`"
_ENDS: Final = ("server", "client")
_FURTHER: Final = "further_servers"
_STREAMS: Final = ("stdout", "stderr")
KEPT_CHARACTERS: Final = 1000
"""Of an output: its beginning, in which programs say their version."""


@dataclass(frozen=True, slots=True)
class Slimmed:
    """A session, and how many characters of output it has that may go."""

    session: StoredSession
    runs: tuple[Run, ...]
    characters: int


def slimmed(store: Store, session: StoredSession) -> Slimmed:
    """Return what of a session's runs becomes of them without their bulk; only those that change."""
    changed, characters = [], 0
    for run in store.one_by_one(session.id):
        evidence = _without(run.evidence)
        if evidence != run.evidence:
            characters += _size(run.evidence) - _size(evidence)
            changed.append(replace(run, evidence=evidence))
    return Slimmed(session, tuple(changed), characters)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which sessions are meant: how old they are at least, and how much of them may go at least."""

    older_than_days: float = 0.0
    larger_than: int = 0


def bulky(store: Store, asked: Asked) -> list[Slimmed]:
    """Return the finished sessions that are meant and have bulk, oldest first."""
    before = (datetime.now(UTC) - timedelta(days=asked.older_than_days)).isoformat()
    meant = (each for each in store.sessions() if is_over(each) and each.created_at <= before)
    found = (slimmed(store, each) for each in meant)
    return [each for each in found if each.runs and each.characters >= asked.larger_than]


def drop(store: Store, found: Sequence[Slimmed]) -> None:
    """Drop the bulk of these sessions, each in one transaction, and give its room back."""
    for each in found:
        with store.writing(each.session.id):
            store.amend_runs(each.session.id, each.runs)
    if found:
        store.compact()


def is_over(session: StoredSession) -> bool:
    """Return whether nobody goes on with a session, which would want to know how its runs failed."""
    return session.state in {State.DONE, State.FAILED}


def _without(evidence: Mapping[str, Any]) -> dict[str, object]:
    found = dict(evidence)
    for end in _ENDS:
        if isinstance(found.get(end), Mapping):
            found[end] = _quiet(found[end])
    if isinstance(found.get(_FURTHER), Sequence):
        found[_FURTHER] = [_quiet(each) if isinstance(each, Mapping) else each for each in found[_FURTHER]]
    return found


def _quiet(process: Mapping[str, Any]) -> dict[str, object]:
    return {name: _cut(value) if name in _STREAMS else value for name, value in process.items()}


def _cut(text: object) -> object:
    if not isinstance(text, str) or len(text) <= KEPT_CHARACTERS + len(DROPPED) + 3:
        return text
    return f"{text[:KEPT_CHARACTERS]}\n[{DROPPED}]"


def _size(evidence: Mapping[str, Any]) -> int:
    ends = [evidence.get(end) for end in _ENDS] + list(evidence.get(_FURTHER) or ())
    texts = [end.get(stream) for end in ends if isinstance(end, Mapping) for stream in _STREAMS]
    return sum(len(text) for text in texts if isinstance(text, str))
