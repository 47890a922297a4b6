"""What must hold between the settings of a stack, and what to change when it does not.

A library corrects many bad combinations itself, often without a word: what is measured then is not what was
asked for. A rule says so before a run is spent on it. Ranges of a single setting are no rules: a `Parameter`
knows its own.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

from tuner.catalogue.expressions import Value, parse
from tuner.catalogue.parameters import as_integer
from tuner.catalogue.releases import in_window

# More repairs than this mean that rules contradict each other.
_MOST_REPAIRS: Final = 30


Held = TypeVar("Held")


class RuleKind(StrEnum):
    """What a stack does where the rule is broken."""

    HARD_FAIL = "hard-fail"
    WARN_FIX = "warn-fix"
    INFO_FIX = "info-fix"
    SILENT_FIX = "silent-fix"
    RISK = "risk"
    CAUTION = "caution"

    @property
    def is_fix(self) -> bool:
        """Whether the stack itself changes a setting so that the rule holds."""
        return self in {RuleKind.WARN_FIX, RuleKind.INFO_FIX, RuleKind.SILENT_FIX}


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition over effective values, by environment variable, and the settings that make it true.

    `repair` maps a variable to the expression for its new value; it is empty where only a person can decide. `effect`
    is what the stack itself does instead, where that is not the same.
    `since` and `last` are the first and the last release that it concerns, None or empty without a limit. With
    `where_set` it is looked at only where that variable is set. A `late` one is applied when everything else is decided,
    and nothing is derived from what it sets.
    """

    id: str
    ok: str
    kind: RuleKind
    message: str
    repair: tuple[tuple[str, str], ...] = ()
    effect: tuple[tuple[str, str], ...] = ()
    since: str = ""
    last: str | None = None
    where_set: str = ""
    late: bool = False

    @property
    def names(self) -> frozenset[str]:
        """The variables that the condition reads."""
        return parse(self.ok).names

    @property
    def outcome(self) -> tuple[tuple[str, str], ...]:
        """What the stack itself makes of a broken rule: variables and the expressions for their new values."""
        return self.effect or self.repair

    def touches(self, settings: Container[str]) -> bool:
        """Return whether it is about any of these settings."""
        wanted = not self.where_set or self.where_set in settings
        return wanted and any(name in settings for name in self.names)

    def is_decided_by(self, values: Container[str]) -> bool:
        """Return whether every variable that the condition reads has a value."""
        return all(name in values for name in self.names)

    def concerns(self, release: str | None) -> bool:
        """Return whether the rule holds in `release`, in the newest one when it is None."""
        return in_window(release, self.since, self.last)


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that does not hold, and the values that would repair it, as the text of the environment."""

    rule: Rule
    repair: tuple[tuple[str, str], ...]


def broken(rules: Iterable[Rule], values: Mapping[str, Value], release: str | None = None) -> list[Broken]:
    """Return the rules of `release` that do not hold for `values`; rules on variables without a value are left out."""
    concerned = (rule for rule in rules if rule.concerns(release) and rule.is_decided_by(values))
    return [Broken(rule, _repair(rule, values)) for rule in concerned if not parse(rule.ok).holds(values)]


def repaired(
    rules: Sequence[Rule],
    settings: Mapping[str, str],
    effective: Callable[[Mapping[str, str]], Mapping[str, str]],
    release: str | None = None,
) -> dict[str, str]:
    """Return `settings` changed until the rules that concern them hold.

    `effective` gives the values in effect for some settings. A rule is looked at when its condition reads a
    variable that is set; only the variables that its repair names are changed. One rule is repaired at a time,
    since a repair can change the defaults that another one reads. What is still broken after a bounded number of
    repairs stays so: `broken` tells.
    """
    current = dict(settings)
    for _ in range(_MOST_REPAIRS):
        concerned = [rule for rule in rules if rule.touches(current)]
        changes = _first_repair(broken(concerned, numbers(effective(current)), release), current)
        if not changes:
            break
        current.update(changes)
    return current


def numbers(settings: Mapping[str, str]) -> Mapping[str, Value]:
    """Return settings as rules read them: numbers where the text is an integer or a size, text otherwise."""
    return Readings(settings, lambda _, text: number_or_text(text))


def number_or_text(text: str) -> Value:
    """Return the number that a text stands for, or the text where it stands for none."""
    return text if (number := as_integer(text)) is None else number


@dataclass(frozen=True, slots=True, eq=False)
class Readings(Mapping[str, Value], Generic[Held]):
    """Settings as `read` takes each, given its name: a rule asks for a few of a hundred, and only those are read."""

    settings: Mapping[str, Held]
    read: Callable[[str, Held], Value]

    def __getitem__(self, name: str) -> Value:
        """Return the value of a variable; raise `KeyError` for one without any."""
        return self.read(name, self.settings[name])

    def __contains__(self, name: object) -> bool:
        """Return whether a variable has a value."""
        return name in self.settings

    def __iter__(self) -> Iterator[str]:
        """Yield the variables."""
        return iter(self.settings)

    def __len__(self) -> int:
        """Return how many variables there are."""
        return len(self.settings)


def _first_repair(found: Iterable[Broken], settings: Mapping[str, str]) -> dict[str, str]:
    repairs = (dict(one.repair) for one in found)
    return next((repair for repair in repairs if not repair.items() <= settings.items()), {})


def _repair(rule: Rule, values: Mapping[str, Value]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(parse(text).value(values))) for name, text in rule.repair)
