"""A profile carried to another release, or between XLIO and VMA: what keeps its meaning is kept, the rest is named.

A preset that the target does not know is spelled out; a value is carried by what it means, not by its number. What has
no equivalent is left out and said. Sources: the windows, choices and equivalents of the catalogues.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from tuner import catalogue
from tuner.catalogue import facts, memory, presets
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.effective import effective
from tuner.catalogue.parameters import Choice, Parameter, Type, as_integer
from tuner.catalogue.presets import Preset
from tuner.catalogue.releases import Releases
from tuner.catalogue.rules import numbers
from tuner.errors import UsageError
from tuner.profiles.profile import Profile

# The unit of a variable whose number is the exponent of what its successor counts.
_POWER: Final = "log2 of bytes"


class Step(StrEnum):
    """What was done with a setting."""

    RENAMED = "renamed"
    RESPELLED = "respelled"
    EXPANDED = "expanded"
    CHANGED = "changed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that is not as it was: the variable, what was done with it, and why."""

    name: str
    step: Step
    message: str

    def __str__(self) -> str:
        return f"{self.step}: {self.name}: {self.message}"


@dataclass(frozen=True, slots=True)
class Edition:
    """One release of one stack; `remark` is what has to be said of one that the catalogue does not list."""

    known: Catalogue
    release: str
    remark: str = ""

    def __str__(self) -> str:
        return f"{self.known.stack} {self.release}"


@dataclass(slots=True)
class _Carried:
    """What was carried so far. A setting of the profile stands over one that a preset brought."""

    settings: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def note(self, name: str, step: Step, message: str) -> None:
        self.notes.append(Note(name, step, message))


def edition(stack: str, release: str) -> Edition:
    """Return the newest release that `release` names (`3.61` is 3.61.2), or the one that an unknown one is read as.

    Raise `UsageError` for text that is no release.
    """
    known = catalogue.load(stack)
    named = [each for each in known.releases if each == release or each.startswith(f"{release}.")]
    if named:
        return Edition(known, named[-1])
    found = known.taken(release)
    return Edition(known, found.release, found.remark)


def migrate(profile: Profile, source: Edition, target: Edition) -> tuple[Profile, tuple[Note, ...]]:
    """Return `profile`, written for `source`, as one that means the same in `target`, and what became of its settings."""
    if target.known.stack not in facts.load(source.known.stack).migrates:
        hint = "use `tuner profiles translate`" if source.known.stack != target.known.stack else ""
        raise UsageError(f"{source.known.stack} and {target.known.stack} share no variables", advice=hint)
    carried = _Carried()
    chooser = presets.variable(source.known.stack)
    if chooser in profile.settings:
        _carry_preset(profile.settings, source, target, carried)
    for name, text in profile.settings.items():
        if name != chooser:
            _carry(name, text, source, target, carried)
            _keep_reason(name, profile, source, target, carried)
    whole = _repaired(carried, target)
    bound = Releases(((">=", target.release), ("<=", target.release)))
    made = replace(
        profile, stack=target.known.stack, settings=whole, reasons=carried.reasons, releases=bound, extends=None,
        path=None, origin={"migrated_from": str(source), "profile": profile.name},
    )  # fmt: skip
    return made, tuple(dict.fromkeys(carried.notes))


def record(profile: Profile, notes: tuple[Note, ...], source: Edition, target: Edition) -> dict[str, object]:
    """Return a migration as JSON."""
    return {
        "from": str(source),
        "to": str(target),
        "stack": profile.stack,
        "settings": dict(profile.settings),
        "notes": [{"name": note.name, "step": note.step, "message": note.message} for note in notes],
    }


def _carry_preset(settings: Mapping[str, str], source: Edition, target: Edition, carried: _Carried) -> None:
    chooser = presets.variable(source.known.stack)
    parameter = source.known.parameters[chooser]
    choice = parameter.choice(settings[chooser], source.release)
    old = presets.find(source.known.stack, choice.value, source.release) if choice else None
    if old is None:
        carried.note(chooser, Step.DROPPED, f"{source} ignores {settings[chooser]}: it sets nothing there")
        return
    spelled = _spelling(old.name, target)
    values = effective(source.known, {chooser: old.name, **_kept(settings, old)}, source.release).values()
    was = old.values(numbers(values))
    new = presets.find(target.known.stack, spelled, target.release) if spelled else None
    if new is None:
        carried.note(chooser, Step.EXPANDED, f"{target} ignores {old.name}: its {len(was)} values are spelled out")
        for name, text in was.items():
            _carry(name, text, source, target, carried)
            carried.reasons.setdefault(_named(name, source, target) or name, f"From the preset {old.name} of {source}.")
        return
    variable = presets.variable(target.known.stack)
    carried.settings[variable] = new.name
    if new.name != old.name or variable != chooser:
        carried.note(chooser, Step.RESPELLED, f"{variable}={new.name} in {target}")
    for line in _differences(was, new.values(numbers(values)), source, target):
        carried.note(chooser, Step.CHANGED, f"the preset itself is another: {line}")


def _kept(settings: Mapping[str, str], preset: Preset) -> dict[str, str]:
    """Return the settings that decide what a preset sets."""
    return {name: text for name, text in settings.items() if name in preset.reads}


def _spelling(name: str, target: Edition) -> str | None:
    plain = name.replace("-", "_")
    choices = target.known.parameters[presets.variable(target.known.stack)].choices_in(target.release)
    return next((choice.value for choice in choices if choice.value.replace("-", "_") == plain), None)


def _differences(was: Mapping[str, str], now: Mapping[str, str], source: Edition, target: Edition) -> Iterator[str]:
    named = {_named(name, source, target) or name: text for name, text in was.items()}
    for name in dict.fromkeys((*named, *now)):
        known = target.known.parameters.get(name)
        if known is None or not known.exists_in(target.release) or named.get(name) == now.get(name):
            continue
        yield f"{name} was {named.get(name, 'not set')} and is {now.get(name, 'not set')}"


def _carry(name: str, text: str, source: Edition, target: Edition, carried: _Carried) -> None:
    """Carry one setting by its name and meaning, or say why not."""
    to = _named(name, source, target)
    parameter = target.known.parameters.get(to) if to else None
    if to is None or parameter is None or not parameter.exists_in(target.release):
        carried.note(name, Step.DROPPED, f"{target} has nothing that means the same")
        return
    if to.partition("_")[2] in _other_units(source, target):
        carried.note(name, Step.DROPPED, f"{to} counts something else in {target}: set it by measurement")
        return
    old = source.known.parameters.get(name)
    value = _value(old, text, parameter, source, target)
    if value is None:
        carried.note(name, Step.DROPPED, f"{text} has no equivalent: {to} must be {parameter.allowed(target.release)}")
        return
    carried.settings[to] = value
    if to != name:
        carried.note(name, Step.RENAMED, f"{to}={value}")
    elif value != text:
        carried.note(name, Step.RESPELLED, f"{text} is written {value} in {target}")
    if parameter.is_inert(target.release) and not (old and old.is_inert(source.release)):
        carried.note(to, Step.CHANGED, f"has no effect in {target}: {parameter.inert}")


def _named(name: str, source: Edition, target: Edition) -> str | None:
    """Return the target's variable for a variable of the source, None where there is none."""
    to = _equivalent(name, source, target)
    parameter = target.known.parameters.get(to or "")
    if parameter is None or parameter.exists_in(target.release):
        return to
    return parameter.successor or _predecessor(parameter.name, target) or to


def _predecessor(name: str, target: Edition) -> str | None:
    """Return the name that a variable still has in an older release, None where it has none there."""
    older = (each for each in target.known.settings() if each.successor == name)
    return next((each.name for each in older if each.exists_in(target.release)), None)


def _equivalent(name: str, source: Edition, target: Edition) -> str | None:
    """Return the variable of the target's stack that means the same, whether or not its release reads it."""
    if source.known.stack == target.known.stack:
        return name
    if target.known.stack == facts.load(source.known.stack).equivalents:
        return source.known.parameters[name].equivalent if name in source.known.parameters else None
    return next((p.name for p in target.known.settings() if p.equivalent == name), None)


def _other_units(source: Edition, target: Edition) -> frozenset[str]:
    """Return the variables, without prefix, that count something else in the other stack."""
    if source.known.stack == target.known.stack:
        return frozenset()
    return frozenset(facts.load(source.known.stack).other_unit + facts.load(target.known.stack).other_unit)


def _value(old: Parameter | None, text: str, new: Parameter, source: Edition, target: Edition) -> str | None:
    """Return the text that means in the target what `text` means in the source, None where nothing does."""
    if old is not None and old.unit != new.unit and _POWER in {old.unit, new.unit}:
        return _power(old, text)
    choice = old.choice(text, source.release) if old and old.choices else None
    if choice is not None and choice.exists_in(source.release):
        return _switch(choice) if new.type is Type.BOOL else _choice(choice.value, choice.meaning, new, target)
    if new.choices and (same := new.choice(text, target.release)):
        return same.value
    return text if new.problem(text, target.release) is None else None


def _switch(choice: Choice) -> str | None:
    """Return the number of a switch that a word of an enumeration also has, None for a word that is neither on nor off."""
    return next((number for number in ("0", "1") if number in {choice.value, *choice.also}), None)


def _choice(value: str, meaning: str, new: Parameter, target: Edition) -> str | None:
    choices = new.choices_in(target.release)
    same = next((each.value for each in choices if each.meaning == meaning), None)
    # Without the same meaning, the same word still says the same; a number may not.
    return same or next((each.value for each in choices if each.value == value and not value.isdigit()), None)


def _power(old: Parameter, text: str) -> str | None:
    number = as_integer(text) or 0
    if old.unit == _POWER:
        return str(1 << number) if 0 < number < 63 else None  # noqa: PLR2004 - what fits into 64 bits
    return str(number.bit_length() - 1) if number > 0 and number & (number - 1) == 0 else None


def _keep_reason(name: str, profile: Profile, source: Edition, target: Edition, carried: _Carried) -> None:
    to = _named(name, source, target)
    if to in carried.settings:
        carried.reasons[to] = profile.reasons.get(name) or f"From {profile.name}, written for {source}."


def _repaired(carried: _Carried, target: Edition) -> dict[str, str]:
    whole = target.known.repaired(carried.settings, target.release)
    values = effective(target.known, whole, target.release).values()
    whole |= memory.grown(target.known.stack, target.release, values)
    for name, text in whole.items():
        if carried.settings.get(name) != text:
            carried.note(
                name, Step.CHANGED, f"{text} instead of {carried.settings.get(name, 'nothing')}: a rule of {target}"
            )
            carried.reasons.setdefault(name, f"A rule of {target} asks for it.")
    return whole
