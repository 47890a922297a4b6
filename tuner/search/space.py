"""Which settings a search may propose.

Settings are text by variable name, as they stand in the environment. A space never proposes a value outside
its dimensions; what it is asked about may well lie outside, because known profiles do.
Pure Python: the commands that only print a space must not load numpy.
"""

from __future__ import annotations

import itertools
import math
import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from tuner import catalogue
from tuner.catalogue import places
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.parameters import Kind, Parameter, Type, as_integer
from tuner.errors import Finding, UsageError, did_you_mean, error
from tuner.search.dimension import Dimension, Scale

OBJECTIVES: Final = ("latency", "tail", "throughput", "balanced")
LOG_FROM_RATIO: Final = 100
"""A range given without a scale is logarithmic when its ends are at least this far apart."""


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """The dimensions of a search on one stack, and what is true beside them.

    `fixed` settings go into every proposal. `defaults` are the stack's own values of the variables concerned: a
    setting that a profile leaves out counts as its default, and a condition is judged by them.
    """

    stack: str
    dimensions: tuple[Dimension, ...]
    fixed: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that are searched, in the order of the dimensions."""
        return tuple(dimension.parameter for dimension in self.dimensions)

    @property
    def size(self) -> int:
        """The number of combinations, those that differ only in a setting without effect counted apart."""
        return math.prod(dimension.size for dimension in self.dimensions)

    def inside(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Return what this space can propose that is most like `settings`: the fixed ones and what has a place here."""
        given = ((d, settings[d.parameter]) for d in self.dimensions if d.parameter in settings)
        held = {d.parameter: value for d, text in given if (value := d.nearest(text)) is not None}
        return self.effective({**self.fixed, **held})

    def covers(self, settings: Mapping[str, str]) -> bool:
        """Return whether `settings` lie in this space, some of its variables perhaps left to the stack."""
        return self.inside(settings) == dict(settings)

    def effective(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Return `settings` without those dimensions whose requirements do not hold."""
        idle = {d.parameter for d in self.dimensions if not self._acts(d, settings)}
        return {name: text for name, text in settings.items() if name not in idle}

    def _acts(self, dimension: Dimension, settings: Mapping[str, str]) -> bool:
        if not dimension.requires:
            return True
        known = {**self.defaults, **self.fixed, **settings}
        held = all(known.get(name) == value for name, value in dimension.requires)
        needed = {name for name, _ in dimension.requires}
        return held and all(self._acts(d, settings) for d in self.dimensions if d.parameter in needed)

    def _text(self, dimension: Dimension, settings: Mapping[str, str]) -> str | None:
        if not self._acts(dimension, settings):
            return None
        return settings.get(dimension.parameter, self.defaults.get(dimension.parameter))

    def held(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Return the value of each dimension under `settings`, without those that have no effect or no place here.

        What is left out is at its default; a number outside a range counts as the nearer end.
        """
        texts = ((d, self._text(d, settings)) for d in self.dimensions)
        placed = {d.parameter: d.nearest(text) for d, text in texts if text is not None}
        return {name: value for name, value in placed.items() if value is not None}

    def sample(self, rng: random.Random) -> dict[str, str]:
        """Return settings drawn at random, every dimension with an effect set."""
        return self._settings([rng.random() for _ in self.dimensions])

    def at_fractions(self, fractions: Sequence[float], unchanged: Sequence[bool]) -> dict[str, str]:
        """Return the settings at a fraction of each dimension (see `Dimension.pick`), some at a default that is in it."""
        cells = zip(self.dimensions, fractions, unchanged, strict=True)
        picked = {d.parameter: (self._default(d) if same else None) or d.pick(fraction) for d, fraction, same in cells}
        return self.effective({**self.fixed, **picked})

    def _default(self, dimension: Dimension) -> str | None:
        default = self.defaults.get(dimension.parameter)
        return default if default is not None and dimension.holds(default) else None

    def _settings(self, fractions: list[float]) -> dict[str, str]:
        picked = {d.parameter: d.pick(f) for d, f in zip(self.dimensions, fractions, strict=True)}
        return self.effective({**self.fixed, **picked})

    def every(self) -> Iterator[dict[str, str]]:
        """Yield all settings of this space, each once. Ask `size` first."""
        seen: set[frozenset[tuple[str, str]]] = set()
        for values in itertools.product(*(tuple(d.texts()) for d in self.dimensions)):
            settings = self.effective({**self.fixed, **dict(zip(self.names, values, strict=True))})
            key = frozenset(settings.items())
            if key not in seen:
                seen.add(key)
                yield settings


def load(stack: str, objective: str, *, multiplexer: str, protocol: str, release: str | None = None) -> SearchSpace:
    """Return what is worth searching on `stack` for `objective` under a workload.

    Dimensions whose workload condition does not hold are left out, and those whose parameter `release` (the newest
    when None) does not read. A stack without a space of its own gives an empty one, for `restrict` to fill.
    Raises `UsageError` for an unknown stack or objective.
    """
    known = catalogue.load(stack)
    if objective not in OBJECTIVES:
        raise UsageError(f"unknown objective {objective!r}", advice=did_you_mean(objective, OBJECTIVES))
    rows = [row for row in _rows(stack).get(objective, ()) if _applies(row, multiplexer, protocol)]
    readable = [row for row in rows if _reads(known, row["parameter"], release)]
    dimensions = tuple(_dimension(row) for row in readable)
    return SearchSpace(stack, dimensions, defaults=_defaults(known, dimensions, release))


def _rows(stack: str) -> Mapping[str, list[dict[str, Any]]]:
    return _read(places.folder_of(stack) / f"{stack}.space.toml")


@cache
def _read(path: Path) -> Mapping[str, list[dict[str, Any]]]:
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _applies(row: Mapping[str, Any], multiplexer: str, protocol: str) -> bool:
    return multiplexer in row.get("multiplexers", (multiplexer,)) and protocol in row.get("protocols", (protocol,))


def _reads(known: Catalogue, name: str, release: str | None) -> bool:
    parameter = known.parameters.get(name)
    if parameter is None or parameter.kind is not Kind.SETTING:
        return False
    return parameter.exists_in(release) if release is not None else True


def _dimension(row: Mapping[str, Any]) -> Dimension:
    return Dimension(
        parameter=row["parameter"],
        scale=Scale(row["scale"]),
        low=row.get("low", 0),
        high=row.get("high", 0),
        special=tuple(row.get("special", ())),
        values=tuple(row.get("values", ())),
        power_of_two=row.get("power_of_two", False),
        step=row.get("step", 0) or 1,
        priority=row.get("priority", 1),
        requires=tuple(row.get("requires", {}).items()),
    )


def _defaults(known: Catalogue, dimensions: tuple[Dimension, ...], release: str | None) -> dict[str, str]:
    names = {d.parameter for d in dimensions} | {name for d in dimensions for name, _ in d.requires}
    found = {name: known.parameters[name].default(release) for name in sorted(names) if name in known.parameters}
    return {name: value for name, value in found.items() if value is not None}


def restrict(space: SearchSpace, text: str) -> SearchSpace:
    """Return the space of only those parameters that `text` names, as the option `--space` gives them.

    Items are separated by commas: `NAME` (the values that `space` has for it, or else all that the catalogue
    allows), `NAME=a|b|c` (these values), `NAME=lo..hi` (whole numbers, logarithmic from a ratio of 100 on), or both
    (`NAME=-1|1..1000`). Raises `UsageError` with a finding for each item that is wrong.
    """
    known = catalogue.load(space.stack)
    items = [_item(space, known, item.strip()) for item in text.split(",")]
    dimensions = tuple(item for item in items if isinstance(item, Dimension))
    findings = [item for item in items if isinstance(item, Finding)] + _repeated(dimensions)
    if findings:
        raise UsageError(f"cannot search {text!r}", findings=findings)
    return replace(space, dimensions=dimensions, defaults={**space.defaults, **_defaults(known, dimensions, None)})


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
        return error(f"--space: {name}", "is not a setting of its own", _instead(parameter))
    listed = next((d for d in space.dimensions if d.parameter == name), None)
    if equals:
        return _given(parameter, listed, values)
    return listed if listed is not None else _whole(parameter)


def _instead(parameter: Parameter) -> str:
    return f"use {parameter.alias_of}" if parameter.alias_of else ""


def _whole(parameter: Parameter) -> Dimension | Finding:
    special = tuple(value for value, _ in parameter.special)
    if parameter.choices or parameter.type is Type.BOOL:
        values = tuple(choice.value for choice in parameter.choices) or ("0", "1")
        return Dimension(parameter.name, Scale.CHOICE, values=values)
    if parameter.min is None or parameter.max is None or parameter.type not in {Type.INT, Type.SIZE}:
        example = f"{parameter.name}=a|b or {parameter.name}=lo..hi"
        return error(f"--space: {parameter.name}", "has no bounds of its own to search", f"give them: {example}")
    return _range(parameter, (parameter.min, parameter.max), special)


def _given(parameter: Parameter, listed: Dimension | None, text: str) -> Dimension | Finding:
    parts = [part.strip() for part in text.split("|")]
    ranges = [part.split("..", 1) for part in parts if ".." in part]
    singles = tuple(dict.fromkeys(part for part in parts if ".." not in part))
    problem = _problem(parameter, (*singles, *itertools.chain.from_iterable(ranges)), ranges)
    if problem:
        return error(f"--space: {parameter.name}", f"{text!r}: {problem}")
    found = _range(parameter, _ends(ranges[0]), singles) if ranges else None
    made = found or Dimension(parameter.name, Scale.CHOICE, values=singles)
    return made if listed is None else replace(made, priority=listed.priority, requires=listed.requires)


def _problem(parameter: Parameter, texts: tuple[str, ...], ranges: list[list[str]]) -> str | None:
    wrong = (f"{text!r} {problem}" for text in texts if (problem := parameter.problem(text)) is not None)
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
