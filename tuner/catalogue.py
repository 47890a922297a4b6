"""All parameters of a stack and the rules between them, read from its data file `stacks/catalogue/<stack>.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from tuner.errors import Finding, UsageError, did_you_mean, error, nearest, warning
from tuner.expressions import Values, parse
from tuner.parameters import Choice, Default, Kind, Parameter, Type, in_window
from tuner.rules import Broken, Rule, RuleKind, broken, numbers, repaired

FOLDER: Final = Path(__file__).parent / "stacks" / "catalogue"
# Defaults that depend on other settings settle in one pass, or two where one feeds another.
_MOST_PASSES: Final = 5


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The parameters of one stack by name, the releases that the data covers, oldest first, and the rules."""

    stack: str
    releases: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    rules: tuple[Rule, ...] = ()

    def find(self, name: str) -> Parameter:
        """Return the parameter called `name`; raise `UsageError` with the nearest known name otherwise.

        An alias is found under its own name: its `kind` says so and `alias_of` is the name to use.
        """
        found = self.parameters.get(name)
        if found is None:
            raise UsageError(f"{self.stack} has no parameter {name!r}", advice=self.suggest(name))
        return found

    def suggest(self, name: str) -> str:
        """Return "did you mean …?" for an unknown name, or where to look when nothing is near."""
        if nearest(name, self.parameters) is None:
            return f"see `tuner params list --stack {self.stack}`"
        return did_you_mean(name, self.parameters)

    def settings(self) -> tuple[Parameter, ...]:
        """Return the parameters that can be set, without aliases and names that only look like settings."""
        return tuple(p for p in self.parameters.values() if p.kind is Kind.SETTING)

    def effective(self, settings: Mapping[str, str], release: str | None = None) -> dict[str, str]:
        """Return what is in effect in `release` (the newest when None): its defaults, and `settings` over them.

        Values are in their canonical spelling; one that is no value stands as it is written. The values of a preset
        (`XLIO_SPEC`) and what the stack corrects by itself (`rules`) are not in it.
        """
        release = release or self.releases[-1]
        explicit = {name: _spelled(self.parameters.get(name), text, release) for name, text in settings.items()}
        values = {p.name: value for p in self.settings() if (value := p.default(release)) is not None} | explicit
        for _ in range(_MOST_PASSES):
            changed = values | self._dependent(self._sound(values, explicit), release) | explicit
            if changed == values:
                break
            values = changed
        return values

    def check(
        self, settings: Mapping[str, str], where: Callable[[str], str], release: str | None = None
    ) -> list[Finding]:
        """Return everything that is wrong with `settings`; `where` says where the setting of a name stands.

        Found are unknown and foreign names, names that are no settings, bad values, what `release` does not know,
        and broken rules. Without a release, what the newest one no longer knows is only a warning.
        """
        singly = [found for name, text in settings.items() for found in self._doubts(name, text, where(name), release)]
        return singly + [_rule_finding(one, settings, where) for one in self.broken(settings, release)]

    def repaired(self, settings: Mapping[str, str], release: str | None = None) -> dict[str, str]:
        """Return `settings` changed so that the rules that concern them hold in `release` (the newest when None).

        Only variables that a repair names are changed or added. A rule without a repair may still be broken.
        """
        return repaired(self.rules, settings, lambda changed: self._readable(changed, release), release)

    def broken(self, settings: Mapping[str, str], release: str | None = None) -> list[Broken]:
        """Return the rules of `release` that `settings` break, looking only at rules on a variable that they set.

        No rule is held against a value that is none.
        """
        values = numbers(self._readable(settings, release))
        return [one for one in broken(self.rules, values, release) if one.rule.names & settings.keys()]

    def _readable(self, settings: Mapping[str, str], release: str | None) -> dict[str, str]:
        return self._sound(self.effective(settings, release), settings)

    def _sound(self, values: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
        """Return `values` without those of `settings` that are no values of their parameter."""
        known = {name: self.parameters.get(name) for name in settings}
        bad = {name for name, p in known.items() if p is None or p.problem(values[name]) is not None}
        return {name: value for name, value in values.items() if name not in bad}

    def _dependent(self, values: Mapping[str, str], release: str) -> dict[str, str]:
        """Return the defaults that other settings change, as far as `values` are known."""
        read = numbers(values)
        found = {}
        for parameter in self._with_dependent_defaults():
            for default in parameter.defaults:
                if _in_force(default, parameter, release, read):
                    found[parameter.name] = (
                        str(parse(default.formula).value(read)) if default.formula else default.value
                    )
        return found

    def _with_dependent_defaults(self) -> Iterator[Parameter]:
        return (p for p in self.parameters.values() if any(d.when or d.formula for d in p.defaults))

    def _doubts(self, name: str, text: str, where: str, release: str | None) -> Iterator[Finding]:
        parameter = self.parameters.get(name)
        if parameter is None:
            yield self._unknown(name, where)
        elif parameter.kind is not Kind.SETTING:
            yield error(where, f"{name} is {_NO_SETTING[parameter.kind]}, not a setting", _instead(parameter))
        elif (problem := parameter.problem(text)) is not None:
            yield error(
                where, f"{text!r} is no value of {name}: it {problem}", _nearest_value(parameter, text, release)
            )
        else:
            yield from self._out_of_window(parameter, text, where, release)

    def _unknown(self, name: str, where: str) -> Finding:
        if name.startswith(tuple(self._prefixes())):
            others = [stack for stack in stacks() if stack != self.stack and name in load(stack).parameters]
            hint = f"{others[0]} has it, {self.stack} would ignore it" if others else self.suggest(name)
            return error(where, f"{self.stack} has no parameter {name}", hint)
        hint = did_you_mean(name, self.parameters) if nearest(name, self.parameters) else ""
        return error(where, f"{name} is no variable of {self.stack}: a profile sets only those of its stack", hint)

    def _prefixes(self) -> set[str]:
        return {parameter.name.partition("_")[0] + "_" for parameter in self.settings()}

    def _out_of_window(self, parameter: Parameter, text: str, where: str, release: str | None) -> Iterator[Finding]:
        tell = warning if release is None else error
        target = release or self.releases[-1]
        choice = parameter.choice(text, target)
        if not parameter.exists_in(target):
            window = _window_words(parameter.since, parameter.last)
            yield tell(where, f"{self.stack} {target} does not read {parameter.name}: it is read {window}", "remove it")
        elif choice is not None and not choice.exists_in(target):
            window = _window_words(choice.since, choice.last)
            hint = f"in {target} it {_must(parameter, target)}"
            yield tell(where, f"{parameter.name}={text} is known {window} and ignored by {self.stack} {target}", hint)


_NO_SETTING: Final[Mapping[Kind, str]] = {
    Kind.ALIAS: "a spelling that nothing reads",
    Kind.BANNER_TAG: "a mark in the start-up banner",
    Kind.VALUE: "a value",
    Kind.NONEXISTENT: "a name that no release reads",
    Kind.JSON_ONLY: "a key of the JSON configuration only",
}


def stacks() -> tuple[str, ...]:
    """Return the names of the stacks that have a catalogue."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml") if "." not in path.stem))


@cache
def load(stack: str) -> Catalogue:
    """Return the catalogue of `stack`; raise `UsageError` naming the known stacks when there is none."""
    path = FOLDER / f"{stack}.toml"
    if stack not in stacks():
        raise UsageError(f"unknown stack {stack!r}", advice=did_you_mean(stack, stacks()))
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    parameters = {name: _parameter(name, stack, entry) for name, entry in data["parameters"].items()}
    return Catalogue(stack, tuple(data["releases"]), parameters, tuple(_rule(row) for row in data.get("rules", ())))


def _parameter(name: str, stack: str, entry: Mapping[str, Any]) -> Parameter:
    plain = {key: value for key, value in entry.items() if key not in _SHAPED}
    shaped = {key: shape(entry[key]) for key, shape in _SHAPED.items() if key in entry}
    return Parameter(name=name, stack=stack, **plain, **shaped)


def _choice(row: Mapping[str, Any]) -> Choice:
    lists = {key: tuple(row[key]) for key in ("also", "words") if key in row}
    return Choice(**{**row, **lists})


def _rule(row: Mapping[str, Any]) -> Rule:
    return Rule(**{**row, "kind": RuleKind(row["kind"]), "repair": tuple(row.get("repair", {}).items())})


_SHAPED: Final[Mapping[str, Any]] = {
    "kind": Kind,
    "type": Type,
    "defaults": lambda rows: tuple(Default(**row) for row in rows),
    "choices": lambda rows: tuple(_choice(row) for row in rows),
    "special": lambda table: tuple(table.items()),
    "constraints": tuple,
}


def _in_force(default: Default, parameter: Parameter, release: str, read: Values) -> bool:
    if not all(parse(text).names <= read.keys() for text in (default.when, default.formula) if text):
        return False
    if default.when:
        return in_window(release, default.since, default.last) and parse(default.when).holds(read)
    plain = [d for d in parameter.defaults if not d.when and in_window(release, d.since, None)]
    return bool(default.formula) and bool(plain) and plain[-1] is default


def _spelled(parameter: Parameter | None, text: str, release: str) -> str:
    try:
        return text if parameter is None else parameter.canonical(text, release)
    except ValueError:
        return text


def _instead(parameter: Parameter) -> str:
    return f"use {parameter.alias_of} instead" if parameter.alias_of else "remove it"


def _must(parameter: Parameter, release: str | None) -> str:
    return f"must be {parameter.allowed(release)}"


def _nearest_value(parameter: Parameter, text: str, release: str | None) -> str:
    try:
        return f"write {parameter.canonical(text, release)}"
    except ValueError:
        spellings = parameter.spellings(release)
        return did_you_mean(text, spellings) if nearest(text, spellings) else ""


def _window_words(since: str, last: str | None) -> str:
    if last is None:
        return f"from {since} on"
    return f"until {last}" if not since else f"from {since} to {last}"


def _rule_finding(one: Broken, settings: Mapping[str, str], where: Callable[[str], str]) -> Finding:
    named = next(name for name in settings if name in one.rule.names)
    hint = " and ".join(f"{name}={text}" for name, text in one.repair)
    tell = error if one.rule.kind is RuleKind.HARD_FAIL or _overruled(one, settings) else warning
    return tell(where(named), one.rule.message, f"set {hint}" if hint else "")


def _overruled(one: Broken, settings: Mapping[str, str]) -> bool:
    """Return whether the stack would replace a value that was set: what runs is then not what was written."""
    changed = [name for name, text in one.repair if name in settings and settings[name] != text]
    return one.rule.kind is not RuleKind.RISK and bool(changed)
