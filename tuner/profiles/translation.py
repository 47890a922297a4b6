"""A profile of one stack as a profile of another: the same ideas in other units, and what there is no word for.

Which setting becomes what stands in `catalogue/data/settings.translation.toml`. Stacks of one family
share the names behind their prefix and are translated by those.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from typing import Any, Final

from tuner import catalogue
from tuner.catalogue import facts
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.expressions import parse
from tuner.catalogue.rules import numbers
from tuner.errors import UsageError
from tuner.profiles.profile import Profile

TABLE: Final = catalogue.FOLDER / "settings.translation.toml"


class Fit(StrEnum):
    """How well a setting carries over: the same thing, the same idea, or nothing of the kind."""

    GOOD = "good"
    PARTIAL = "partial"
    NONE = "none"


_ORDER: Final = tuple(Fit)


@dataclass(frozen=True, slots=True)
class Line:
    """One setting of the source and what becomes of it, with the reason."""

    name: str
    value: str
    becomes: Mapping[str, str]
    fit: Fit
    why: str


@dataclass(frozen=True, slots=True)
class Translation:
    """The new profile, a line for each setting of the old one, and what the rules of the new stack changed."""

    profile: Profile
    lines: tuple[Line, ...]
    repaired: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Row:
    reads: str
    fit: Fit
    why: str
    when: str = ""
    set: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Table:
    """The rows by source and target, and the stack by way of which pairs without rows are translated."""

    hub: str
    rows: Mapping[tuple[str, str], tuple[_Row, ...]]


def translate(profile: Profile, to: str) -> Translation:
    """Return a profile as one of stack `to`, without what would be the default there anyway.

    The result passes the checks of its stack. Raise `UsageError` where there is no way to `to`.
    """
    known = catalogue.load(to)
    lines = tuple(_agreed(_lines(profile.settings, profile.stack, known)))
    settings = {name: value for line in lines for name, value in line.becomes.items()}
    repaired = known.repaired(settings)
    kept = known.changing(repaired)
    changes = {name: value for name, value in repaired.items() if settings.get(name) != value}
    reasons = {name: _reason(name, lines) for name in kept}
    made = Profile(
        profile.name,
        to,
        kept,
        summary=f"{profile.stack}/{profile.name}, translated; see which lines are partial, and measure.",
        reasons=reasons,
    )
    return Translation(made, tuple(_told(line, kept, known) for line in lines), changes)


def _lines(settings: Mapping[str, str], source: str, known: Catalogue) -> list[Line]:
    """Return what becomes of each setting, by way of the table's hub where the family of names is left or entered."""
    target = known.stack
    if source == target:
        return [Line(name, value, {name: value}, Fit.GOOD, "it is the same stack") for name, value in settings.items()]
    if _related(source, target):
        return [_renamed(name, value, source, known) for name, value in settings.items()]
    if _rows(source, target):
        return [_by_row(name, value, source, known) for name, value in settings.items()]
    hub = _table().hub
    if hub in {source, target}:
        raise UsageError(f"there is no translation from {source} to {target}", advice=f"add rows to {TABLE.name}")
    first = _lines(settings, source, catalogue.load(hub))
    return [_further(line, _lines(line.becomes, hub, known)) for line in first]


def _related(one: str, other: str) -> bool:
    """Return whether two stacks share the names behind their prefix."""
    family = facts.load(one).family
    return bool(family) and family == facts.load(other).family


def _renamed(name: str, value: str, source: str, known: Catalogue) -> Line:
    other = facts.load(known.stack).prefix + name.removeprefix(facts.load(source).prefix)
    parameter = known.parameters.get(other)
    if parameter is None:
        return Line(name, value, {}, Fit.NONE, f"{known.stack} has no such setting")
    wrong = parameter.problem(value)
    if wrong is not None:
        return Line(name, value, {}, Fit.NONE, f"{value!r} is not a valid value for {other}: it {wrong}")
    newest = known.releases[-1]
    choice = parameter.choice(value, newest)
    if not parameter.exists_in(newest) or (choice is not None and not choice.exists_in(newest)):
        return Line(name, value, {}, Fit.NONE, f"{known.stack} {newest} no longer reads it")
    return Line(name, value, {other: value}, Fit.GOOD, f"{known.stack} has it under the same name")


def _by_row(name: str, value: str, source: str, known: Catalogue) -> Line:
    rows = [row for row in _rows(source, known.stack) if row.reads == name]
    if not rows:
        return Line(name, value, {}, Fit.NONE, f"{known.stack} has nothing of the kind")
    values = numbers({name: catalogue.load(source).effective({name: value})[name]})
    row = next((row for row in rows if not row.when or parse(row.when).holds(values)), None)
    if row is None:
        why = f"{name}={value} is what {known.stack} does anyway"
        return Line(name, value, {}, Fit.NONE, why)
    becomes = {target: str(parse(text).value(values)) for target, text in row.set.items()}
    wrong = [target for target, text in becomes.items() if known.find(target).problem(text) is not None]
    if wrong:
        return Line(name, value, {}, Fit.NONE, f"{value!r} lies outside of what {wrong[0]} can be")
    return Line(name, value, becomes, row.fit, row.why)


def _further(line: Line, onward: Sequence[Line]) -> Line:
    """Return a line that went by way of another stack: as good as its worst step."""
    becomes = {name: value for step in onward for name, value in step.becomes.items()}
    if not onward or not becomes:
        why = onward[0].why if onward else line.why
        return replace(line, becomes={}, fit=Fit.NONE, why=why)
    arrived = [step for step in onward if step.becomes]
    worst = max((line.fit, *(step.fit for step in arrived)), key=_ORDER.index)
    whys = dict.fromkeys([line.why, *(step.why for step in arrived)])
    return Line(line.name, line.value, becomes, worst, "; ".join(whys))


def _agreed(lines: Iterable[Line]) -> Iterable[Line]:
    """Yield the lines so that no variable is set twice: what an earlier line set stays."""
    taken: dict[str, str] = {}
    for line in lines:
        clash = [name for name, value in line.becomes.items() if taken.get(name, value) != value]
        kept = {name: value for name, value in line.becomes.items() if name not in clash}
        taken |= kept
        if clash:
            settled = ", ".join(f"{name}={taken[name]}" for name in clash)
            yield replace(line, becomes=kept, fit=Fit.PARTIAL if kept else Fit.NONE, why=f"{line.why}; {settled} stays")
        else:
            yield line


def _told(line: Line, kept: Mapping[str, str], known: Catalogue) -> Line:
    """Return a line with what the profile holds of it in the end, and which of it is the default anyway."""
    idle = [name for name, value in line.becomes.items() if name not in kept]
    becomes = {name: kept[name] for name in line.becomes if name in kept}
    if not idle:
        return replace(line, becomes=becomes)
    note = f"{', '.join(idle)}: the default of {known.stack} already, left out"
    return replace(line, becomes=becomes, why=f"{line.why}; {note}")


def _reason(name: str, lines: Iterable[Line]) -> str:
    line = next((line for line in lines if name in line.becomes), None)
    if line is None:
        return "Set so that the rules of this stack hold."
    return f"{line.name}={line.value}, {line.fit}: {line.why}."


def _rows(source: str, target: str) -> tuple[_Row, ...]:
    return _table().rows.get((source, target), ())


@cache
def _table() -> _Table:
    data = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    rows: dict[tuple[str, str], tuple[_Row, ...]] = {}
    for row in data["rows"]:
        pair = (row["from"], row["to"])
        rows[pair] = (*rows.get(pair, ()), _row(row))
    return _Table(data["hub"], rows)


def _row(row: Mapping[str, Any]) -> _Row:
    plain = {key: row[key] for key in ("reads", "why", "when", "set") if key in row}
    return _Row(fit=Fit(row["fit"]), **plain)
