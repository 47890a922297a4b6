"""What `--space` makes of a search space: only the parameters that its text names, with the values that it gives them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Final

from tuner import catalogue
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.parameters import Kind, Parameter, Type, as_integer
from tuner.errors import Finding, UsageError, error
from tuner.search.dimension import Dimension, Scale
from tuner.search.space import SearchSpace, defaults_of

LOG_FROM_RATIO: Final = 100
"""A range given without a scale is logarithmic when its ends are at least this far apart."""


def restrict(space: SearchSpace, text: str) -> SearchSpace:
    """Return the space of only those parameters that `text` names, as the option `--space` gives them.

    Items are separated by commas: `NAME` (the values that `space` has for it, or else all that the catalogue
    allows), `NAME=a|b|c` (these values), `NAME=lo..hi` (whole numbers, logarithmic from a ratio of 100 on), or both
    (`NAME=-1|1..1000`). Raises `UsageError` with a finding for each item that is wrong, one that the space's release does
    not read among them.
    """
    known = catalogue.load(space.stack)
    items = [_item(space, known, item.strip()) for item in text.split(",")]
    dimensions = tuple(item for item in items if isinstance(item, Dimension))
    findings = [item for item in items if isinstance(item, Finding)] + _repeated(dimensions)
    if findings:
        raise UsageError(f"cannot search {text!r}", findings=findings)
    defaults = {**space.defaults, **defaults_of(known, dimensions, space.release)}
    return replace(space, dimensions=dimensions, defaults=defaults, left_out=())


def _repeated(dimensions: tuple[Dimension, ...]) -> list[Finding]:
    names = [d.parameter for d in dimensions]
    return [
        error(f"--space: {name}", "is named more than once") for name in sorted(set(names)) if names.count(name) > 1
    ]


def _item(space: SearchSpace, known: Catalogue, text: str) -> Dimension | Finding:
    name, equals, values = (part.strip() for part in text.partition("="))
    parameter = known.parameters.get(name)
    if parameter is None:
        return error(f"--space: {name or '(empty)'}", f"{space.stack} has no such parameter", known.suggest(name))
    if parameter.kind is not Kind.SETTING:
        return error(f"--space: {name}", "is not a setting of its own", _instead(parameter.alias_of))
    if unread := known.unread(parameter, space.release):
        return error(f"--space: {name}", unread, _instead(parameter.successor))
    listed = next((d for d in space.dimensions if d.parameter == name), None)
    if equals:
        return _given(parameter, listed, values, space.release)
    return listed if listed is not None else _whole(parameter, space.release)


def _instead(name: str) -> str:
    return f"use {name}" if name else ""


def _whole(parameter: Parameter, release: str | None) -> Dimension | Finding:
    special = tuple(value for value, _ in parameter.special)
    if parameter.choices or parameter.type is Type.BOOL:
        values = tuple(choice.value for choice in parameter.choices_in(release)) or ("0", "1")
        return Dimension(parameter.name, Scale.CHOICE, values=values)
    if parameter.min is None or parameter.max is None or parameter.type not in {Type.INT, Type.SIZE}:
        example = f"{parameter.name}=a|b or {parameter.name}=lo..hi"
        return error(f"--space: {parameter.name}", "has no bounds of its own to search", f"give them: {example}")
    return _range(parameter, (parameter.min, parameter.max), special)


def _given(parameter: Parameter, listed: Dimension | None, text: str, release: str | None) -> Dimension | Finding:
    parts = [part.strip() for part in text.split("|")]
    ranges = [part.split("..", 1) for part in parts if ".." in part]
    singles = tuple(dict.fromkeys(part for part in parts if ".." not in part))
    problem = _problem(parameter, (*singles, *itertools.chain.from_iterable(ranges)), ranges, release)
    if problem:
        return error(f"--space: {parameter.name}", f"{text!r}: {problem}")
    found = _range(parameter, _ends(ranges[0]), singles) if ranges else None
    made = found or Dimension(parameter.name, Scale.CHOICE, values=singles)
    return made if listed is None else replace(made, priority=listed.priority, requires=listed.requires)


def _problem(parameter: Parameter, texts: tuple[str, ...], ranges: list[list[str]], release: str | None) -> str | None:
    wrong = (f"{text!r} {problem}" for text in texts if (problem := parameter.problem(text, release)) is not None)
    problem = next(wrong, None)
    if problem is not None or not ranges:
        return problem
    if len(ranges) > 1:
        return "at most one range lo..hi"
    numbers = [as_integer(end) for end in ranges[0]]
    if None in numbers:
        return "a range goes from one whole number to another"
    low, high = _ends(ranges[0])
    return "a range goes from the lower to the higher number" if low >= high else None


def _ends(words: list[str]) -> tuple[int, int]:
    low, high = (as_integer(word.strip()) for word in words)
    return low or 0, high or 0


def _range(parameter: Parameter, ends: tuple[int, int], special: tuple[str, ...]) -> Dimension:
    low, high = ends
    outside = tuple(value for value in special if (number := as_integer(value)) is None or not low <= number <= high)
    # A range that starts at "off" or "for ever" is still spread by orders of magnitude above it.
    if low in {-1, 0} and high >= LOG_FROM_RATIO and not parameter.power_of_two:
        outside = tuple(dict.fromkeys((*outside, *_below_one(parameter, low))))
        low = 1
    scale = Scale.LOG if low >= 1 and high >= LOG_FROM_RATIO * low else Scale.LINEAR
    return Dimension(parameter.name, scale, low, high, outside, power_of_two=parameter.power_of_two)


def _below_one(parameter: Parameter, low: int) -> tuple[str, ...]:
    return tuple(text for text in dict.fromkeys((str(low), "0")) if parameter.problem(text) is None)
