"""What JSON of a store may look like: a shape says it once, and everything that does not fit is told by its place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

_AGES_S: Final = 1e12
Shape = Callable[[Any, str], Iterator[str]]
"""Yields what is wrong with a value; the text is its place in the whole, empty for the whole itself."""


def text(value: Any, at: str) -> Iterator[str]:
    """Text."""
    yield from _unless(isinstance(value, str), at, "is not text")


def flag(value: Any, at: str) -> Iterator[str]:
    """True or false."""
    yield from _unless(isinstance(value, bool), at, "is not true or false")


def whole(value: Any, at: str) -> Iterator[str]:
    """A whole number."""
    yield from _unless(isinstance(value, int) and not isinstance(value, bool), at, "is not a whole number")


def count(value: Any, at: str) -> Iterator[str]:
    """A whole number of 0 or more."""
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    yield from _unless(fits, at, "is not a whole number of 0 or more")


def number(value: Any, at: str) -> Iterator[str]:
    """A number; an infinite one is one, and one that is not a number is none."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    yield from _unless(fits, at, "is not a number")


def positive(value: Any, at: str) -> Iterator[str]:
    """A finite number above 0."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    yield from _unless(fits, at, "is not a number above 0")


def budget(value: Any, at: str) -> Iterator[str]:
    """A time in seconds that somebody may wait for, or an infinite one."""
    fits = (
        isinstance(value, int | float) and not isinstance(value, bool) and (0 <= value <= _AGES_S or value == math.inf)
    )
    yield from _unless(fits, at, "is not a time in seconds")


def anything(_value: Any, _at: str) -> Iterator[str]:
    """Whatever it is: its reader checks it, or nobody looks at it."""
    yield from ()


def maybe(of: Shape) -> Shape:
    """Return the shape of what may be null."""
    return lambda value, at: of(value, at) if value is not None else iter(())


def either(one: Shape, other: Shape) -> Shape:
    """Return the shape of what has one of two shapes; what is wrong is told by the second."""
    return lambda value, at: other(value, at) if any(one(value, at)) else iter(())


def many(of: Shape) -> Shape:
    """Return the shape of a list."""

    def listed(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield _placed(at, "is not a list")
            return
        for place, each in enumerate(value):
            yield from of(each, f"{at}[{place}]")

    return listed


def named(of: Shape) -> Shape:
    """Return the shape of an object with any names."""

    def mapped(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield _placed(at, "is not an object")
            return
        for name, each in value.items():
            yield from of(each, _beneath(at, name))

    return mapped


def having(parts: Mapping[str, Shape], *, required: bool = False) -> Shape:
    """Return the shape of an object whose parts of these names have shapes; others are passed over, as a later release's."""

    def mapped(value: Any, at: str) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield _placed(at, "is not an object")
            return
        for name, of in parts.items():
            if name in value:
                yield from of(value[name], _beneath(at, name))
            elif required:
                yield f"{_beneath(at, name)} is missing"

    return mapped


def _beneath(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _unless(fits: bool, at: str, words: str) -> Iterator[str]:  # noqa: FBT001 - what is asked of the value
    if not fits:
        yield _placed(at, words)


def _placed(at: str, words: str) -> str:
    return f"{at} {words}" if at else words
