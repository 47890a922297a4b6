"""What a library will actually use for some settings, and why: every variable, in the library's own order.

Defaults, then what other settings make of them (`XLIO_STRQ`, worker counts), then the preset, then each explicit
variable as the library reads it, then what the library derives and forces. Nothing is refused. Sources: runs of XLIO
3.40.2 and 3.61.2 and of VMA 9.8.84 (start-up banners), src/core/util/sys_vars.cpp.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from tuner.catalogue import facts, presets
from tuner.catalogue.catalogue import Catalogue
from tuner.catalogue.expressions import Value, parse
from tuner.catalogue.parameters import Kind, Type
from tuner.catalogue.presets import Preset
from tuner.catalogue.reading import Fate, Read, compared, older_names, read, replaced, signed
from tuner.catalogue.releases import in_window
from tuner.catalogue.rules import Readings, Rule, RuleKind, broken, number_or_text, numbers

AS_SET: Final = "as set"
# What is derived settles in two or three passes; more would mean that rules contradict each other.
_MOST_PASSES: Final = 10


class Origin(StrEnum):
    """Where a value in effect comes from."""

    DEFAULT = "default"
    PRESET = "preset"
    EXPLICIT = "explicit"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class InEffect:
    """One value in effect: where it comes from and why, and what became of what was set (None when nothing was)."""

    value: str
    origin: Origin
    why: str
    fate: Fate | None = None


@dataclass(frozen=True, slots=True)
class Effective:
    """All values in effect in one release, and the variables that were set and are not read, each with the reason."""

    stack: str
    release: str
    settings: Mapping[str, InEffect]
    ignored: Mapping[str, str]

    def values(self) -> dict[str, str]:
        """Return the value of each variable."""
        return {name: found.value for name, found in self.settings.items()}


def effective(known: Catalogue, settings: Mapping[str, str], release: str | None = None) -> Effective:
    """Return what `release` (the newest when None) makes of an environment, for every variable that it reads."""
    release = known.read_as(release)
    ignored = dict(_ignored(known, settings, release))
    kept = {name: text for name, text in settings.items() if name not in ignored}
    found = _Model(known, release).worked_out(kept)
    return Effective(known.stack, release, dict(sorted(found.items())), ignored)


def _ignored(known: Catalogue, settings: Mapping[str, str], release: str) -> Iterator[tuple[str, str]]:
    """Yield the variables that are not read, with the reason."""
    told = facts.load(known.stack)
    by_file = reads_json(known, settings, release)
    for name in settings:
        parameter = known.parameters.get(name)
        if parameter is None:
            yield name, f"{known.stack} has no variable of that name and says nothing. {known.suggest(name)}"
        elif parameter.kind is not Kind.SETTING:
            yield name, f"nothing reads that name{f'; use {parameter.alias_of}' if parameter.alias_of else ''}"
        elif not parameter.exists_in(release):
            yield name, f"{known.stack} {release} does not read it: {parameter.window}"
        elif by_file and name not in told.json_names:
            yield name, f"{told.json_switch} makes the library read its JSON configuration instead of variables"


def reads_json(known: Catalogue, settings: Mapping[str, str], release: str) -> bool:
    """Return whether these variables make `release` read its JSON configuration instead of variables."""
    told = facts.load(known.stack)
    parameter = known.parameters.get(told.json_switch)
    if parameter is None or parameter.name not in settings or not parameter.exists_in(release):
        return False
    return settings[parameter.name] == "1" or not in_window(release, told.json_strict_since, None)


class _Model:
    """The layers of one release, each put over the one before."""

    def __init__(self, known: Catalogue, release: str) -> None:
        self.known = known
        self.release = release
        self.found: dict[str, InEffect] = {}
        fixes = [rule for rule in known.rules if rule.kind.is_fix and rule.concerns(release)]
        self.rules = [rule for rule in fixes if not rule.late]
        self.late = [rule for rule in fixes if rule.late]
        self.forced: set[str] = set()
        self.chooser = presets.variable(known.stack)

    def worked_out(self, settings: Mapping[str, str]) -> dict[str, InEffect]:
        plain = self.known.effective({}, self.release)
        self.found = {name: self._default(value) for name, value in plain.items()}
        self._depend({name: self._read(name, text).value for name, text in settings.items()})
        explicit = dict(self._explicit(settings))
        self._preset(explicit)
        self.found |= explicit
        self._settle(settings)
        self._finish(settings)
        return self.found

    def _default(self, value: str) -> InEffect:
        return InEffect(value, Origin.DEFAULT, f"the default of {self.known.stack} {self.release}")

    def _depend(self, explicit: Mapping[str, str]) -> None:
        """Put the defaults that other settings change in place of the plain ones, but for those that are set last."""
        values = {
            **self._values(),
            **{name: text for name, text in explicit.items() if not self._chooses_none(name, text)},
        }
        last = {name for rule in self.late for name, _ in rule.outcome}
        for each in self.known.conditional(self.release):
            # One conditional default is read by the next, as a worker count brings a preset.
            known = numbers(values)
            if not each.derived and each.formula is None and each.parameter not in last and each.in_force(known):
                if each.parameter not in explicit:
                    values[each.parameter] = each.value(known)
                why = f"the default where {each.when.text}" if each.when else ""
                self.found[each.parameter] = InEffect(each.value(known), Origin.DEFAULT, why)

    def _chooses_none(self, name: str, value: str) -> bool:
        return name == self.chooser and value == presets.NONE

    def _read(self, name: str, text: str) -> Read:
        default = self.found[name].value if name in self.found else ""
        return read(self.known.parameters[name], text, self.release, default)

    def _explicit(self, settings: Mapping[str, str]) -> Iterator[tuple[str, InEffect]]:
        for name, text in settings.items():
            if self._chooses_none(name, text) and self.found[name].value != presets.NONE:
                yield name, InEffect(self.found[name].value, Origin.DEFAULT, self.found[name].why, Fate.OVERRIDDEN)
            elif name == self.chooser and not self.known.knows_presets_of(self.release):
                why = f"which presets {self.known.stack} {self.release} has, and what they set, is not known"
                yield name, InEffect(text, Origin.EXPLICIT, why, Fate.UNKNOWN)
            else:
                yield name, self._idle(name, text, settings) or self._set(self._read(name, text), AS_SET)
        yield from self._copied(settings)

    def _copied(self, settings: Mapping[str, str]) -> Iterator[tuple[str, InEffect]]:
        """Yield the variables that take the value of an older name, which wins over the newer one."""
        for name in self.found:
            for older in older_names(name):
                if older in settings:
                    copied = self._set(self._read(name, settings[older]), f"set by its older name {older}")
                    lost = name in settings and self._read(name, settings[name]).value != copied.value
                    yield name, replace(copied, fate=Fate.OVERRIDDEN) if lost else copied

    def _idle(self, name: str, text: str, settings: Mapping[str, str]) -> InEffect | None:
        """Return what is in effect of a variable of which nothing comes, None for one that the library acts on."""
        parameter = self.known.parameters[name]
        if parameter.is_inert(self.release):
            return InEffect(
                self._read(name, text).value, Origin.EXPLICIT, f"{Fate.INERT}: {parameter.inert}", Fate.INERT
            )
        condition = parameter.read_when
        if not condition:
            return None
        other = {each: self._read(each, settings[each]).value for each in parse(condition).names if each in settings}
        if parse(condition).holds(numbers({**self._values(), **other})):
            return None
        return InEffect(self.found[name].value, Origin.DEFAULT, f"read only where {condition}", Fate.IGNORED)

    @staticmethod
    def _set(done: Read, plain: str) -> InEffect:
        origin = Origin.EXPLICIT if done.fate in {Fate.APPLIED, Fate.CLAMPED} else Origin.DEFAULT
        return InEffect(done.value, origin, done.why or plain, done.fate)

    def _preset(self, explicit: dict[str, InEffect]) -> None:
        """Put the preset's values over the defaults; a strict stack leaves them where it refuses the explicit one."""
        chosen = explicit.get(self.chooser, self.found.get(self.chooser))
        preset = presets.find(self.known.stack, chosen.value, self.release) if chosen else None
        if preset is None:
            return
        for name, text in self._of(preset, explicit).items():
            value = replaced(name, self._spelled(name, text))
            self.found[name] = InEffect(value, Origin.PRESET, f"{self.chooser}={preset.name}")
            if name in explicit and explicit[name].fate is Fate.IGNORED:
                explicit[name] = InEffect(value, Origin.PRESET, explicit[name].why, Fate.IGNORED)

    def _of(self, preset: Preset, explicit: Mapping[str, InEffect]) -> dict[str, str]:
        values = self._values() | {name: found.value for name, found in explicit.items()}
        return {name: text for name, text in preset.values(numbers(values)).items() if self._reads(name)}

    def _reads(self, name: str) -> bool:
        parameter = self.known.parameters.get(name)
        return parameter is not None and parameter.exists_in(self.release)

    def _spelled(self, name: str, text: str) -> str:
        try:
            return self.known.parameters[name].canonical(text, self.release)
        except ValueError:  # a preset may go beyond what a person may set
            return text

    def _settle(self, settings: Mapping[str, str]) -> None:
        """Apply what is derived and what rules force, until nothing changes."""
        for _ in range(_MOST_PASSES):
            before = self._values()
            self._derive(settings)
            for rule in self.rules:
                self._force(rule, settings)
            if self._values() == before:
                return

    def _finish(self, settings: Mapping[str, str]) -> None:
        """Apply what is decided last, and mark what keeps the library from starting."""
        for rule in self.late:
            self._force(rule, settings)
        # What several values together amount to is the account of the memory (`tuner.catalogue.memory`).
        hard = (rule for rule in self.known.rules if rule.kind is RuleKind.HARD_FAIL and len(rule.names) == 1)
        for one in broken((rule for rule in hard if rule.touches(settings)), self._compared(), self.release):
            (name,) = one.rule.names
            self.found[name] = replace(self.found[name], why=one.rule.message, fate=Fate.FATAL)

    def _derive(self, settings: Mapping[str, str]) -> None:
        for each in self.known.conditional(self.release):
            known = self._compared()
            free = each.parameter not in settings and each.parameter not in self.forced
            if free and (each.derived or each.formula) and each.in_force(known):
                self._put(each.parameter, each.value(known), _reason(each.when, each.formula))

    def _force(self, rule: Rule, settings: Mapping[str, str]) -> None:
        known = self._compared()
        unasked = rule.where_set and rule.where_set not in settings
        if unasked or not rule.is_decided_by(known) or parse(rule.ok).holds(known) or self._of_another_release(rule):
            return
        outcome = {name: str(parse(text).value(known)) for name, text in rule.outcome if self._reads(name)}
        for name, value in outcome.items():
            self._put(name, value, rule.message)
        self.forced.update(outcome)

    def _of_another_release(self, rule: Rule) -> bool:
        """Return whether a rule that was not read in this release is broken by the release's own defaults."""
        plain = all(self.found[name].origin is Origin.DEFAULT for name in rule.names)
        return plain and not self.known.is_read_whole(self.release)

    def _put(self, name: str, value: str, why: str) -> None:
        before = self.found.get(name)
        kept = self._kept(name, value)
        if before is None or before.value != kept:
            fate = Fate.OVERRIDDEN if before and before.fate else None
            self.found[name] = InEffect(kept, Origin.RULE, why, fate)

    def _kept(self, name: str, value: str) -> str:
        """Return a value as its variable holds it: numbers in 32 bits."""
        narrow = self.known.parameters[name].type is Type.INT and value.lstrip("-").isdigit()
        return str(signed(int(value))) if narrow else value

    def _compared(self) -> Mapping[str, Value]:
        """Return the values as the library compares them, those that are put in later too."""
        return Readings(self.found, _as_compared)

    def _values(self) -> dict[str, str]:
        return {name: found.value for name, found in self.found.items()}


def _as_compared(name: str, found: InEffect) -> Value:
    value = number_or_text(found.value)
    return compared(name, value) if isinstance(value, int) else value


def _reason(when: object, formula: object) -> str:
    conditions = [
        f"{word} {getattr(part, 'text', '')}" for word, part in (("because", when), ("from", formula)) if part
    ]
    return " ".join(conditions)
