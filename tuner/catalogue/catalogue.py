"""All parameters of a stack and the rules between them, read from its data file `catalogue/data/<stack>.toml`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

from tuner.catalogue import facts, overlays, places
from tuner.catalogue.expressions import Expression, Value, Values, parse
from tuner.catalogue.parameters import Choice, Default, FileUse, Kind, Parameter, Type
from tuner.catalogue.parsed import parsed
from tuner.catalogue.places import stacks
from tuner.catalogue.releases import Taken, Window, in_window, taken, window_words
from tuner.catalogue.rules import Broken, Rule, RuleKind, broken, numbers, repaired
from tuner.errors import Finding, UsageError, did_you_mean, error, nearest, warning
from tuner.terminal_text import shown
from tuner.untrusted import text_of

FOLDER: Final = places.SHIPPED
# Defaults that depend on other settings settle in one pass, or two where one feeds another.
_MOST_PASSES: Final = 5
# The values that conditions read: a search looks at few of them again and again, and each entry has some kilobytes.
_REMEMBERED: Final = 1 << 10
# What is in effect has some hundred values.
_MOST_EFFECTIVE: Final = 1 << 9


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The parameters of one stack by name, the releases that the data covers, oldest first, and the rules.

    Each is loaded once and equal to itself alone, so that what is said of it can be remembered.

    Limits, choices and rules were read in the releases of `read_in`, in every one where it is empty; names and defaults
    in all. What was not read in a release is not held against it: it is a warning there.

    What follows from these alone is worked out once and kept: a search asks for what is in effect thousands of times.
    """

    stack: str
    releases: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    rules: tuple[Rule, ...] = ()
    read_in: tuple[str, ...] = ()

    def find(self, name: str) -> Parameter:
        """Return the parameter called `name`; raise `UsageError` with the nearest known name otherwise.

        An alias is found under its own name: its `kind` says so and `alias_of` is the name to use.
        """
        found = self.parameters.get(name)
        if found is None:
            title = facts.load(self.stack).title
            raise UsageError(f"{title} has no such variable: {name}", advice=self.suggest(name))
        return found

    def suggest(self, name: str) -> str:
        """Return "did you mean …?" for an unknown name, or where to look when nothing is near."""
        found = self.near(name)
        return f"did you mean {found}?" if found else f"see `tuner params list --stack {self.stack}`"

    def near(self, name: str) -> str | None:
        """Return the known name most like an unknown one, None when none is: what all names begin with does not count."""
        prefix, _, rest = name.partition("_")
        own = f"{prefix}_"
        same = {each.removeprefix(own): each for each in self.parameters if each.startswith(own)}
        found = nearest(rest, same) if rest and same else None
        return same[found] if found else None if rest and same else nearest(name, self.parameters)

    def taken(self, stated: str | None) -> Taken:
        """Return which release's facts hold for a stated one (the newest when None), and what has to be said of that.

        Raise `UsageError` for text that is no release.
        """
        try:
            return taken(self.stack, self.releases, stated)
        except ValueError as reason:
            raise UsageError(str(reason)) from reason

    def read_as(self, stated: str | None) -> str:
        """Return the release whose facts hold for a stated one, the newest when None; see `taken`."""
        return self.releases[-1] if stated is None else self.taken(stated).release

    def unread(self, parameter: Parameter, release: str | None = None) -> str:
        """Return why `release` (the newest when None) does not read a parameter, empty where it does."""
        target = self.read_as(release)
        if parameter.exists_in(target):
            return ""
        return f"{self.stack} {target} does not read {parameter.name}: it is read {parameter.window}"

    def is_read_whole(self, release: str | None) -> bool:
        """Return whether the limits, choices and rules of a release (the newest when None) were read too."""
        return not self.read_in or (self.releases[-1] if release is None else release) in self.read_in

    def knows_presets_of(self, release: str) -> bool:
        """Return whether it is known what the presets of a release set."""
        first = facts.load(self.stack).presets_since
        return not first or in_window(release, first, None)

    def settings(self) -> tuple[Parameter, ...]:
        """Return the parameters that can be set, without aliases and names that only look like settings."""
        return tuple(p for p in self.parameters.values() if p.kind is Kind.SETTING)

    def effective(self, settings: Mapping[str, str], release: str | None = None) -> dict[str, str]:
        """Return what is in effect in `release` (the newest when None): its defaults, and `settings` over them.

        Values are in their canonical spelling; one that is no value stands as it is written. The values of a preset
        (`XLIO_SPEC`) and what the stack corrects by itself (`rules`) are not in it.
        """
        return dict(self._effective(tuple(settings.items()), self.read_as(release)))

    def changes_nothing(self, name: str, settings: Mapping[str, str], release: str | None = None) -> bool:
        """Return whether everything in effect in `release` stays as it is when the setting `name` is left out."""
        return self.effective(_without(settings, name), release) == self.effective(settings, release)

    def changing(self, settings: Mapping[str, str], release: str | None = None) -> dict[str, str]:
        """Return the settings that change something in `release`: all that is in effect is so under these alone.

        They are judged one by one, because one may move another's default.
        """
        whole = self.effective(settings, release)
        kept = dict(settings)
        for name in settings:
            rest = _without(kept, name)
            if self.effective(rest, release) == whole:
                kept = rest
        return kept

    def check(
        self, settings: Mapping[str, str], where: Callable[[str], str], release: str | None = None
    ) -> list[Finding]:
        """Return everything that is wrong with `settings`; `where` says where the setting of a name stands.

        Found are unknown and foreign names, names that are no settings, bad values, what `release` does not know,
        and broken rules. Without a release, what the newest one no longer knows is only a warning.
        """
        release = release and self.read_as(release)
        singly = [
            replace(found, where=where(name))
            for name, text in settings.items()
            for found in (self._doubts(name, text, release) if name in self.parameters else [self._unknown(name)])
        ]
        broken = (_rule_finding(one, settings, where) for one in self.broken(settings, release))
        return singly + [self._held_against(one, release) for one in broken]

    def repaired(self, settings: Mapping[str, str], release: str | None = None) -> dict[str, str]:
        """Return `settings` changed so that the rules that concern them hold in `release` (the newest when None).

        Only variables that a repair names are changed or added. A rule without a repair may still be broken.
        """
        return repaired(self.rules, settings, lambda changed: self._readable(changed, release), release)

    def broken(self, settings: Mapping[str, str], release: str | None = None) -> list[Broken]:
        """Return the rules of `release` that `settings` break, looking only at rules on a variable that they set.

        No rule is held against a value that is none, and a caution is none that could be broken.
        """
        concerned = [rule for rule in self.rules if rule.touches(settings) and rule.kind is not RuleKind.CAUTION]
        return broken(concerned, numbers(self._readable(settings, release)), release) if concerned else []

    @cached_property
    def _effective(self) -> Callable[[tuple[tuple[str, str], ...], str], Mapping[str, str]]:
        """What is in effect for settings in a release: a profile is checked, repaired and run, and asked for each time."""
        return lru_cache(_MOST_EFFECTIVE)(self._settled)

    def _settled(self, settings: tuple[tuple[str, str], ...], release: str) -> Mapping[str, str]:
        explicit = {name: self._spelled(name, text, release) for name, text in settings}
        values = self._plain(release) | explicit
        for _ in range(_MOST_PASSES):
            # From the plain defaults each time: a condition that held at first may not hold in the end.
            changed = self._plain(release) | self._dependent(self._sound(values, explicit), release) | explicit
            if changed == values:
                break
            values = changed
        return values

    def _readable(self, settings: Mapping[str, str], release: str | None) -> dict[str, str]:
        return self._sound(self.effective(settings, release), settings)

    def _sound(self, values: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
        """Return `values` without those of `settings` that are no values of their parameter."""
        bad = {name for name in settings if not self.is_value(name, values[name])}
        return {name: value for name, value in values.items() if name not in bad} if bad else dict(values)

    def _dependent(self, values: Mapping[str, str], release: str) -> dict[str, str]:
        """Return the defaults that other settings change, as far as `values` are known."""
        return self._brought(tuple(values.get(name) for name in self._conditions(release)), release)

    @cached_property
    def _brought(self) -> Callable[[tuple[str | None, ...], str], dict[str, str]]:
        """The defaults that a release has where its conditions read these values: most candidates leave them as they are."""

        def brought(values: tuple[str | None, ...], release: str) -> dict[str, str]:
            named = zip(self._conditions(release), values, strict=True)
            read = dict(numbers({name: value for name, value in named if value is not None}))
            return {each.parameter: each.value(read) for each in self.conditional(release) if each.in_force(read)}

        return lru_cache(_REMEMBERED)(brought)

    @cached_property
    def _conditions(self) -> Callable[[str], tuple[str, ...]]:
        """The variables that the conditional defaults of a release read."""

        def conditions(release: str) -> tuple[str, ...]:
            return tuple(sorted({name for each in self.conditional(release) for name in each.names}))

        return cache(conditions)

    @cached_property
    def _plain(self) -> Callable[[str], dict[str, str]]:
        """The defaults of a release while every setting has its default."""

        def plain(release: str) -> dict[str, str]:
            return {p.name: value for p in self.settings() if (value := p.default(release)) is not None}

        return cache(plain)

    @cached_property
    def conditional(self) -> Callable[[str], tuple[Conditional, ...]]:
        """The defaults of a release that other settings change, in the order in which later ones win."""

        def conditional(release: str) -> tuple[Conditional, ...]:
            read = (p for p in self.parameters.values() if p.exists_in(release))
            return tuple(each for p in read for each in _conditionals(p, release))

        return cache(conditional)

    @cached_property
    def _spelled(self) -> Callable[[str, str, str], str]:
        """The canonical spelling of a value in a release; what is no value stays as it is written."""

        def spelled(name: str, text: str, release: str) -> str:
            return _spelled(self.parameters.get(name), text, release)

        return lru_cache(_REMEMBERED)(spelled)

    @cached_property
    def is_value(self) -> Callable[[str, str], bool]:
        """Whether a text is a value of the parameter of a name."""

        def is_value(name: str, text: str) -> bool:
            parameter = self.parameters.get(name)
            return parameter is not None and parameter.problem(text) is None

        return lru_cache(_REMEMBERED)(is_value)

    @cached_property
    def _doubts(self) -> Callable[[str, str, str | None], tuple[Finding, ...]]:
        """What is wrong with a value of a known name by itself, wherever it stands: profiles say the same again and again."""

        def doubts(name: str, text: str, release: str | None) -> tuple[Finding, ...]:
            return tuple(self._doubted(self.parameters[name], text, release))

        return lru_cache(_REMEMBERED)(doubts)

    def _doubted(self, parameter: Parameter, text: str, release: str | None) -> Iterator[Finding]:
        name = parameter.name
        if parameter.kind is not Kind.SETTING:
            yield error("", f"{name} is {_NO_SETTING[parameter.kind]}, not a setting", _instead(parameter))
        elif (problem := parameter.problem(text)) is not None:
            hint = _nearest_value(parameter, text, release)
            yield self._held_against(
                error("", f"{text!r} is not a valid value for {name}: it {problem}", hint), release
            )
        else:
            yield from self._out_of_window(parameter, text, release)
            yield from _undocumented(parameter, text)

    def _held_against(self, found: Finding, release: str | None) -> Finding:
        """Return what limits and rules say of a release, as a warning where they were not read in it."""
        if self.is_read_whole(release):
            return found
        message = f"{found.message} (so in {self.read_in[-1]}; not known for {release})"
        return warning(found.where, message, found.suggestion)

    def _unknown(self, name: str) -> Finding:
        if name.startswith(tuple(self._prefixes())):
            others = [each.stack for each in every() if each.stack != self.stack and name in each.parameters]
            hint = f"{others[0]} has it, {self.stack} would ignore it" if others else self.suggest(name)
            return error("", f"{self.stack} has no parameter {name}", hint)
        found = self.near(name)
        hint = f"did you mean {found}?" if found else ""
        return error("", f"{name} is not a variable of {self.stack}: a profile sets only those of its stack", hint)

    def _prefixes(self) -> set[str]:
        return {parameter.name.partition("_")[0] + "_" for parameter in self.settings()}

    def _out_of_window(self, parameter: Parameter, text: str, release: str | None) -> Iterator[Finding]:
        tell = warning if release is None else error
        target = self.read_as(release)
        if parameter.name == facts.load(self.stack).preset and not self.knows_presets_of(target):
            yield warning("", f"which presets {self.stack} {target} has, and what they set, is not known")
            return
        choice = parameter.choice(text, target)
        if unread := self.unread(parameter, target):
            yield tell("", unread, _succeeded(parameter))
        elif choice is not None and not choice.exists_in(target):
            window = window_words(choice.since, choice.last)
            hint = _respelled(parameter, text, target) or f"in {target} it {_must(parameter, target)}"
            yield tell("", f"{parameter.name}={text} is known {window} and ignored by {self.stack} {target}", hint)


@dataclass(frozen=True, slots=True)
class Conditional:
    """A default that holds only under a condition, or that is computed, in one release."""

    parameter: str
    names: frozenset[str]
    when: Expression | None
    formula: Expression | None
    plain: str
    derived: bool

    def in_force(self, read: Values) -> bool:
        """Return whether it holds for the values that are known."""
        return self.names <= read.keys() and (self.when is None or self.when.holds(read))

    def value(self, read: Mapping[str, Value]) -> str:
        """Return the default as the text of the environment."""
        return self.plain if self.formula is None else str(self.formula.value(read))


_NO_SETTING: Final[Mapping[Kind, str]] = {
    Kind.ALIAS: "a spelling that no release reads",
    Kind.BANNER_TAG: "a mark in the start-up banner",
    Kind.VALUE: "a value",
    Kind.NONEXISTENT: "a name that no release reads",
    Kind.JSON_ONLY: "a key of the JSON configuration only",
}


def load(stack: str) -> Catalogue:
    """Return the catalogue of `stack`, with what a user's own files add to it.

    Raise `UsageError` naming the known stacks when there is none, or for a file that is no catalogue.
    """
    facts.load(stack)  # what is wrong with the head is told before what is wrong with the rest
    return _extended(places.folder_of(stack) / f"{stack}.toml", places.overlays())


def every() -> tuple[Catalogue, ...]:
    """Return the catalogues that can be read, in the order of their stacks; a broken file of a user is left out."""
    return tuple(found for stack in stacks() if (found := _readable(stack)) is not None)


def _readable(stack: str) -> Catalogue | None:
    try:
        return load(stack)
    except UsageError:
        return None


@cache
def _extended(path: Path, folder: Path | None) -> Catalogue:
    plain = _read(path)
    added = overlays.found(plain.stack, folder)
    known = overlays.releases(plain.releases, added)
    return replace(plain, releases=known, parameters=overlays.applied(plain.parameters, added))


def _read(path: Path) -> Catalogue:
    text = text_of(path, facts.MOST_BYTES, "a catalogue")
    try:
        if isinstance(text, Finding):
            raise UsageError(f"{path} cannot be read", findings=[text])
        return _catalogue(path, parsed(path, text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as reason:
        finding = error(str(path), f"is not a catalogue of a stack: {shown(str(reason))[:200]}")
        raise UsageError(f"{path} cannot be used", findings=[finding], advice="see docs/adding-a-stack.md") from reason


def _catalogue(path: Path, data: Mapping[str, Any]) -> Catalogue:
    parameters = _Parameters(path.stem, data["parameters"], data.get("stack", {}).get("equivalents", ""))
    if path.parent != FOLDER:
        tuple(parameters.values())  # what is wrong with a user's file is said at once; tests hold those of the package
    rules = tuple(_rule(row) for row in data.get("rules", ()))
    return Catalogue(path.stem, tuple(data["releases"]), parameters, rules, tuple(data.get("read_in", ())))


class _Parameters(Mapping[str, Parameter]):
    """The parameters of a file, each made when it is asked for: most commands ask for few of some hundred."""

    def __init__(self, stack: str, rows: Mapping[str, Mapping[str, Any]], of_other: str) -> None:
        self._stack = stack
        self._of_other = of_other
        self._rows = rows
        self._made: dict[str, Parameter] = {}

    def __getitem__(self, name: str) -> Parameter:
        if name not in self._made:
            self._made[name] = _parameter(name, self._stack, _with_equivalent(self._rows[name], self._of_other))
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _with_equivalent(entry: Mapping[str, Any], of_other: str) -> dict[str, object]:
    """Return the entry of a parameter, in which a key with another stack's name says which of its variables is the same."""
    return {("equivalent" if key == of_other else key): value for key, value in entry.items()}


def _parameter(name: str, stack: str, entry: Mapping[str, Any]) -> Parameter:
    plain = {key: value for key, value in entry.items() if key not in _SHAPED}
    shaped = {key: shape(entry[key]) for key, shape in _SHAPED.items() if key in entry}
    return Parameter(name=name, stack=stack, **plain, **shaped)


def _choice(row: Mapping[str, Any]) -> Choice:
    lists = {key: tuple(row[key]) for key in ("also", "words") if key in row}
    return Choice(**{**row, **lists})


def _rule(row: Mapping[str, Any]) -> Rule:
    pairs = {key: tuple(row.get(key, {}).items()) for key in ("repair", "effect")}
    return Rule(**{**row, "kind": RuleKind(row["kind"]), **pairs})


_SHAPED: Final[Mapping[str, Any]] = {
    "kind": Kind,
    "file": FileUse,
    "type": Type,
    "defaults": lambda rows: tuple(Default(**row) for row in rows),
    "choices": lambda rows: tuple(_choice(row) for row in rows),
    "special": lambda table: tuple(table.items()),
    "constraints": tuple,
    "gaps": lambda rows: tuple(Window(**row) for row in rows),
}


def _conditionals(parameter: Parameter, release: str) -> Iterable[Conditional]:
    """Yield the defaults of a parameter that `release` makes of other settings."""
    plain = _unconditional(parameter, release)
    for default in parameter.defaults:
        under_condition = default.when and in_window(release, default.since, default.last)
        computed = default is plain and default.formula
        if under_condition or computed:
            yield _conditional(parameter.name, default)


def _unconditional(parameter: Parameter, release: str) -> Default | None:
    """Return the default that `release` has while no condition holds: the last one that was introduced."""
    introduced = (each for each in reversed(parameter.defaults) if not each.when)
    return next((each for each in introduced if in_window(release, each.since, None)), None)


def _conditional(name: str, default: Default) -> Conditional:
    when = parse(default.when) if default.when else None
    formula = parse(default.formula) if default.formula else None
    read = [each.names for each in (when, formula) if each is not None]
    return Conditional(name, frozenset().union(*read), when, formula, default.value, default.derived)


def _without(settings: Mapping[str, str], name: str) -> dict[str, str]:
    return {other: text for other, text in settings.items() if other != name}


def _spelled(parameter: Parameter | None, text: str, release: str) -> str:
    try:
        return text if parameter is None else parameter.canonical(text, release)
    except ValueError:
        return text


def _undocumented(parameter: Parameter, text: str) -> Iterator[Finding]:
    most = parameter.documented_max
    if most is not None and len(text.encode()) > most:
        message = f"{text!r} has {len(text.encode())} bytes: documented are {most}, more are read but not promised"
        yield warning("", message, f"use at most {most}")


def _instead(parameter: Parameter) -> str:
    return f"use {parameter.alias_of} instead" if parameter.alias_of else "remove it"


def _succeeded(parameter: Parameter) -> str:
    return f"use {parameter.successor} instead" if parameter.successor else "remove it"


def _respelled(parameter: Parameter, text: str, release: str) -> str:
    """Return the advice to write the same word as `release` spells it, empty where it has no such word."""
    plain = text.casefold().replace("-", "_")
    same = (c.value for c in parameter.choices_in(release) if c.value.casefold().replace("-", "_") == plain)
    return next((f"write {value}" for value in same), "")


def _must(parameter: Parameter, release: str | None) -> str:
    return f"must be {parameter.allowed(release)}"


def _nearest_value(parameter: Parameter, text: str, release: str | None) -> str:
    try:
        return f"write {parameter.canonical(text, release)}"
    except ValueError:
        spellings = parameter.spellings(release)
        return did_you_mean(text, spellings) if nearest(text, spellings) else ""


def _rule_finding(one: Broken, settings: Mapping[str, str], where: Callable[[str], str]) -> Finding:
    named = next(name for name in settings if name in one.rule.names)
    hint = " and ".join(f"{name}={text}" for name, text in one.repair)
    tell = error if one.rule.kind is RuleKind.HARD_FAIL or _overruled(one, settings) else warning
    return tell(where(named), one.rule.message, f"set {hint}" if hint else "")


def _overruled(one: Broken, settings: Mapping[str, str]) -> bool:
    """Return whether the stack would replace a value that was set: what runs is then not what was written."""
    changed = [name for name, text in one.repair if name in settings and settings[name] != text]
    return one.rule.kind is not RuleKind.RISK and bool(changed)
