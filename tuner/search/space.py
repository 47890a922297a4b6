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
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from tuner import catalogue
from tuner.catalogue import places
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.parameters import Kind
from tuner.errors import UsageError, did_you_mean
from tuner.search.dimension import Dimension, Scale

OBJECTIVES: Final = ("latency", "tail", "throughput", "balanced")


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """The dimensions of a search on one stack, and what is true beside them.

    `fixed` settings go into every proposal. `defaults` are the stack's own values of the variables concerned: a
    setting that a profile leaves out counts as its default, and a condition is judged by them. `release` is the one
    that it was made for (the newest when None); `left_out` says what is worth searching and is not in that one.
    """

    stack: str
    dimensions: tuple[Dimension, ...]
    fixed: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    release: str | None = None
    left_out: tuple[str, ...] = ()

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


def load(
    stack: str, objective: str, *, multiplexer: str | None, protocol: str, release: str | None = None
) -> SearchSpace:
    """Return what is worth searching on `stack` for `objective` under a workload.

    Dimensions whose workload condition does not hold are left out; a `multiplexer` of None is one that nobody knows, so that all hold. So are, with a line in `left_out`, the parameters
    and values that `release` (the newest when None) does not read. A stack without a space of its own gives an empty
    one, for `restrict` to fill. Raises `UsageError` for an unknown stack or objective.
    """
    known = catalogue.load(stack)
    if objective not in OBJECTIVES:
        raise UsageError(f"unknown objective {objective!r}", advice=did_you_mean(objective, OBJECTIVES))
    rows = [row for row in _rows(stack).get(objective, ()) if _applies(row, multiplexer, protocol)]
    fitted = [fitting(known, _dimension(row), release) for row in rows]
    dimensions = tuple(each.dimension for each in fitted if each.dimension is not None)
    left_out = tuple(each.missing for each in fitted if each.missing)
    return SearchSpace(
        stack, dimensions, defaults=defaults_of(known, dimensions, release), release=release, left_out=left_out
    )


def _rows(stack: str) -> Mapping[str, list[dict[str, Any]]]:
    return _read(places.folder_of(stack) / f"{stack}.space.toml")


@cache
def _read(path: Path) -> Mapping[str, list[dict[str, Any]]]:
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _applies(row: Mapping[str, Any], multiplexer: str | None, protocol: str) -> bool:
    waits = multiplexer is None or multiplexer in row.get("multiplexers", (multiplexer,))
    return waits and protocol in row.get("protocols", (protocol,))


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a release can read of a dimension, None where nothing, and what of it is `missing` there and why."""

    dimension: Dimension | None
    missing: str = ""


def fitting(known: Catalogue, dimension: Dimension, release: str | None) -> Fitted:
    """Return what `release` (the newest when None) reads of a dimension."""
    names = (dimension.parameter, *(name for name, _ in dimension.requires))
    unread = next((why for name in names if (why := _unread(known, name, release))), "")
    if unread:
        return Fitted(None, f"{dimension.parameter} is not searched: {unread}")
    return _with_read_values(known, dimension, release)


def _unread(known: Catalogue, name: str, release: str | None) -> str:
    parameter = known.parameters.get(name)
    if parameter is None or parameter.kind is not Kind.SETTING:
        return f"{name} is not a setting of {known.stack}"
    return known.unread(parameter, release)


def _with_read_values(known: Catalogue, dimension: Dimension, release: str | None) -> Fitted:
    parameter, target = known.parameters[dimension.parameter], known.read_as(release)
    read = tuple(value for value in dimension.singles if parameter.problem(value, target) is None)
    if read == dimension.singles:
        return Fitted(dimension)
    lost = ", ".join(value for value in dimension.singles if value not in read)
    why = f"{dimension.parameter}={lost} is not searched: {known.stack} {target} does not read it"
    left = dimension.with_singles(read)
    return Fitted(left if left.size else None, why)


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


def defaults_of(known: Catalogue, dimensions: tuple[Dimension, ...], release: str | None) -> dict[str, str]:
    """Return the defaults in `release` of what `dimensions` search and require."""
    names = {d.parameter for d in dimensions} | {name for d in dimensions for name, _ in d.requires}
    found = {name: known.parameters[name].default(release) for name in sorted(names) if name in known.parameters}
    return {name: value for name, value in found.items() if value is not None}
