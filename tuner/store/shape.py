"""What JSON of a store may look like: a shape says it once, and everything that does not fit is told by its place."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any, Final

_AGES_S: Final = 1e12
Shape = Callable[[Any, str], Sequence[str]]
"""Returns what is wrong with a value; the text is its place in the whole, empty for the whole itself.

Nearly every value fits: places are put into words only where one does not, because a long session has millions of values.
"""


def text(value: Any, at: str) -> Sequence[str]:
    """Text."""
    return () if isinstance(value, str) else _wrong(at, "is not text")


def flag(value: Any, at: str) -> Sequence[str]:
    """True or false."""
    return () if isinstance(value, bool) else _wrong(at, "is not true or false")


def whole(value: Any, at: str) -> Sequence[str]:
    """A whole number."""
    fits = isinstance(value, int) and not isinstance(value, bool)
    return () if fits else _wrong(at, "is not a whole number")


def count(value: Any, at: str) -> Sequence[str]:
    """A whole number of 0 or more."""
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return () if fits else _wrong(at, "is not a whole number of 0 or more")


def number(value: Any, at: str) -> Sequence[str]:
    """A number; an infinite one is one, and one that is not a number is none."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    return () if fits else _wrong(at, "is not a number")


def positive(value: Any, at: str) -> Sequence[str]:
    """A finite number above 0."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    return () if fits else _wrong(at, "is not a number above 0")


def budget(value: Any, at: str) -> Sequence[str]:
    """A time in seconds that somebody may wait for, or an infinite one."""
    fits = (
        isinstance(value, int | float) and not isinstance(value, bool) and (0 <= value <= _AGES_S or value == math.inf)
    )
    return () if fits else _wrong(at, "is not a time in seconds")


def anything(_value: Any, _at: str) -> Sequence[str]:
    """Whatever it is: its reader checks it, or nobody looks at it."""
    return ()


def maybe(of: Shape) -> Shape:
    """Return the shape of what may be null."""
    return lambda value, at: of(value, at) if value is not None else ()


def either(one: Shape, other: Shape) -> Shape:
    """Return the shape of what has one of two shapes; what is wrong is told by the second."""
    return lambda value, at: other(value, at) if one(value, at) else ()


def many(of: Shape) -> Shape:
    """Return the shape of a list."""

    def listed(value: Any, at: str) -> Sequence[str]:
        if not isinstance(value, list):
            return _wrong(at, "is not a list")
        if not any(map(of, value, repeat(at))):
            return ()
        return [wrong for place, each in enumerate(value) for wrong in of(each, f"{at}[{place}]")]

    return listed


def named(of: Shape) -> Shape:
    """Return the shape of an object with any names."""

    def mapped(value: Any, at: str) -> Sequence[str]:
        if not isinstance(value, Mapping):
            return _wrong(at, "is not an object")
        if not any(map(of, value.values(), repeat(at))):
            return ()
        return [wrong for name, each in value.items() for wrong in of(each, _beneath(at, name))]

    return mapped


def having(parts: Mapping[str, Shape], *, required: bool = False) -> Shape:
    """Return the shape of an object whose parts of these names have shapes; others are passed over, as a later release's."""

    def mapped(value: Any, at: str) -> Sequence[str]:
        if not isinstance(value, Mapping):
            return _wrong(at, "is not an object")
        wrong = [f"{_beneath(at, name)} is missing" for name in parts if name not in value] if required else []
        if not any(parts[name](each, at) for name, each in value.items() if name in parts):
            return wrong
        for name, of in parts.items():
            if name in value and of(value[name], at):
                wrong += of(value[name], _beneath(at, name))
        return wrong

    return mapped


def _beneath(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _wrong(at: str, words: str) -> Sequence[str]:
    return (f"{at} {words}" if at else words,)
