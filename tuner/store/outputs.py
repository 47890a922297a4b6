"""What programs printed, in the evidence of a run: most of a long session, and what decides nothing.

Where it is cut, that is said in its place, so that nobody takes it for an empty output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from tuner.records import Run

LEFT_OUT: Final = "left_out"
"""The part of evidence that says how many characters were not read."""
KEPT_CHARACTERS: Final = 1000
"""Of an output: its beginning, in which programs say their version."""
MOST_WHOLE: Final = 2 * KEPT_CHARACTERS
"""Of an output that is dropped from a store: to write a run anew for less would give back nothing."""
_UNREAD: Final = "left out: the session holds more than is read at once"
_ENDS: Final = ("server", "client")
_FURTHER: Final = "further_servers"
_STREAMS: Final = ("stdout", "stderr")


def cut(evidence: Mapping[str, Any], why: str, most_whole: int = KEPT_CHARACTERS) -> dict[str, object]:
    """Return evidence with the beginning of each output of more than `most_whole` characters, and `why` in place of the rest."""
    found = dict(evidence)
    for end in _ENDS:
        if isinstance(found.get(end), Mapping):
            found[end] = _quiet(found[end], why, most_whole)
    further = found.get(_FURTHER)
    if isinstance(further, Sequence):
        found[_FURTHER] = [_quiet(each, why, most_whole) if isinstance(each, Mapping) else each for each in further]
    return found


def to_be_shown(evidence: Mapping[str, Any]) -> dict[str, object]:
    """Return the evidence of one of too many runs, which says what of it was left out."""
    found = cut(evidence, _UNREAD)
    return found | {LEFT_OUT: size(evidence) - size(found)}


def left_out(runs: Iterable[Run]) -> int:
    """Return how many characters of output were not read."""
    counts: Iterator[int] = (run.evidence.get(LEFT_OUT, 0) for run in runs)
    return sum(counts)


def size(evidence: Mapping[str, Any]) -> int:
    """Return how many characters of output evidence has."""
    ends = [evidence.get(end) for end in _ENDS] + list(evidence.get(_FURTHER) or ())
    texts = [end.get(stream) for end in ends if isinstance(end, Mapping) for stream in _STREAMS]
    return sum(len(text) for text in texts if isinstance(text, str))


def _quiet(process: Mapping[str, Any], why: str, most_whole: int) -> dict[str, object]:
    return {name: _beginning(value, why, most_whole) if name in _STREAMS else value for name, value in process.items()}


def _beginning(text: object, why: str, most_whole: int) -> object:
    if not isinstance(text, str) or len(text) <= max(most_whole, KEPT_CHARACTERS + len(why) + 3):
        return text
    return f"{text[:KEPT_CHARACTERS]}\n[{why}]"
