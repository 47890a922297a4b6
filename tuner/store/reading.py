"""How much of a store is read at once, and in all: a store may be anybody's, and its reader stays within some hundred megabytes.

A database says how large rows are before any of them is read. Values become objects, which are several times their text: what
they will take is estimated from it. What programs said of a run stays text (`Said`), because it is most of a long session
and hardly ever asked for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from tuner.records import Run

MOST_BYTES: Final = 256 << 20
"""That one read may take, as estimated: some 40,000 runs of a session."""
LARGEST_ROW: Final = 16 << 20
MOST_VALUES: Final = 200_000
"""Of one text of JSON; ours have some hundred."""
_AT_ONCE_BYTES: Final = 8 << 20
_AT_ONCE: Final = 500
_OBJECT_BYTES: Final = 64
"""That a value inside lists and objects takes beside its text, in the mean."""
_NO_OBJECT: Final = 40
"""Characters of a text that is a name, a time or a word; a few values more are no matter."""


class Said(Mapping[str, Any]):
    """An object of JSON that is kept as its text and parsed when something of it is asked for.

    Who reads it has parsed it, to check it: that is remembered until the next one is, because of each several things are asked in turn.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str, found: Mapping[str, Any] | None = None) -> None:
        self._text = text
        if found is not None:
            _LATEST.found = text, found

    @property
    def text(self) -> str:
        """It as JSON."""
        return self._text

    @property
    def size(self) -> int:
        """How many characters it is."""
        return len(self._text)

    def __getitem__(self, name: str) -> Any:
        if f'"{name}"' not in self._text:  # our names need no escapes; most that is asked for is not there
            raise KeyError(name)
        return _object(self._text)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_object(self._text))

    def __len__(self) -> int:
        return len(_object(self._text))

    def __repr__(self) -> str:
        return repr(_object(self._text))


@dataclass(slots=True)
class _Latest:
    """The text that was parsed last, and what it says."""

    found: tuple[str, Mapping[str, Any]] = ("", {})


_LATEST: Final = _Latest()


def _object(text: str) -> Mapping[str, Any]:
    """Return what a text says that was checked when it was read."""
    known, found = _LATEST.found  # at once, because other threads ask too
    if text is not known:
        found = json.loads(text)
        _LATEST.found = text, found
    return found


def whole(evidence: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return evidence as what it says, for those who ask much of it."""
    return _object(evidence.text) if isinstance(evidence, Said) else evidence


def size_of(columns: Iterable[sa.ColumnElement[Any]]) -> sa.Label[int]:
    """Return how many characters these columns of a row have, as its database says it."""
    texts = (sa.func.coalesce(sa.func.length(sa.cast(each, sa.Text)), 0) for each in columns)
    return sum(texts, sa.literal(0)).label("size")


def slices(sizes: Sequence[int]) -> Iterator[int]:
    """Yield how many of the next rows are read at once."""
    count = held = 0
    for size in sizes:
        if count and (held + size > _AT_ONCE_BYTES or count == _AT_ONCE):
            yield count
            count = held = 0
        count, held = count + 1, held + size
    if count:
        yield count


def some_at_once(runs: Iterable[Run]) -> Iterator[list[Run]]:
    """Yield so many runs as are held at once."""
    some: list[Run] = []
    held = 0
    for run in runs:
        said = run.evidence.size if isinstance(run.evidence, Said) else 0
        if some and (held + said > _AT_ONCE_BYTES or len(some) == _AT_ONCE):
            yield some
            some, held = [], 0
        some.append(run)
        held += said
    if some:
        yield some


def taken(row: Mapping[str, Any]) -> int:
    """Return how many bytes the objects of a row will take, about."""
    held = 0
    for name, text in row.items():
        if isinstance(text, str | bytes):
            held += sys.getsizeof(text)
            if name != "evidence" and len(text) > _NO_OBJECT:
                held += _OBJECT_BYTES * values_in(text)
    return held


def values_in(text: str | bytes) -> int:
    """Return how many values a text of JSON has at most, lists and objects among them."""
    if isinstance(text, bytes):
        return text.count(b",") + text.count(b"[") + text.count(b"{")
    return text.count(",") + text.count("[") + text.count("{")
