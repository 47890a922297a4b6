"""What a shell's variables may hold: one text for sure, one of several by a condition, or what cannot be known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tuner.intake.shell_syntax import Body, Choice, Node


class Sure(StrEnum):
    """Whether something holds, as far as the text alone says."""

    NO = "no"
    MAYBE = "maybe"
    YES = "yes"


@dataclass(frozen=True, slots=True)
class Value:
    """A text that a variable was given in `line`; `unknown` says why it cannot be known, `written` how it is written.

    `under` is the condition that it stands under, empty for none; `elements` are those of an array.
    """

    text: str
    line: int
    unknown: str = ""
    written: str = ""
    under: str = ""
    elements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """The values that a variable may have, whether it may be unset too, whether it is exported.

    `doubt` says what else may have changed it; `fixed` that it was made read-only, or is no plain text.
    """

    values: tuple[Value, ...] = ()
    unset: bool = True
    exported: Sure = Sure.NO
    doubt: str = ""
    fixed: bool = False

    @property
    def known(self) -> Value | None:
        """The value that it has for sure, None where it has not."""
        if len({value.text for value in self.values}) != 1 or self.unset or self.doubt:
            return None
        return None if any(value.unknown for value in self.values) else self.values[-1]


ABSENT = Variable()


@dataclass(slots=True)
class State:
    """The variables, functions and options of a shell at one point; `over` where nothing follows that point."""

    variables: dict[str, Variable] = field(default_factory=dict)
    functions: dict[str, Node] = field(default_factory=dict)
    exports_all: Sure = Sure.NO
    over: bool = False

    def copy(self) -> State:
        """Return a state of its own."""
        return State(dict(self.variables), dict(self.functions), self.exports_all, self.over)

    def become(self, other: State) -> None:
        """Take over what holds in another state."""
        self.variables, self.functions = other.variables, other.functions
        self.exports_all, self.over = other.exports_all, other.over

    def get(self, name: str) -> Variable:
        """Return what is known of a variable."""
        return self.variables.get(name, ABSENT)

    def give(self, name: str, value: Value) -> None:
        """Set a variable."""
        before = self.get(name)
        exported = Sure.YES if Sure.YES in {before.exported, self.exports_all} else before.exported
        if exported is Sure.NO:
            exported = self.exports_all
        if before.fixed:
            value = replace(value, unknown="the variable is read-only, or no plain text, by then")
        self.variables[name] = Variable((value,), unset=False, exported=exported, fixed=before.fixed)

    def export(self, name: str, sure: Sure = Sure.YES) -> None:
        """Mark a variable as one that programs inherit, or no longer as one."""
        if sure is Sure.NO and self.exports_all is not Sure.NO:
            sure = Sure.MAYBE
        self.variables[name] = replace(self.get(name), exported=sure)

    def unset(self, name: str) -> None:
        """Forget a variable; that it was unset is known then."""
        before = self.get(name)
        self.variables[name] = replace(before, doubt="unset fails") if before.fixed else Variable()

    def doubt(self, why: str, names: Iterable[str] | None = None) -> None:
        """Note that something unknown may have changed some variables, or all."""
        for name in list(self.variables if names is None else names):
            before = self.get(name)
            kept = before.exported is not Sure.NO or self.exports_all is Sure.NO
            self.variables[name] = replace(before, doubt=why, exported=before.exported if kept else Sure.MAYBE)


def either(a: State, b: State) -> State:
    """Return what holds where one of two states does."""
    names = dict.fromkeys((*a.variables, *b.variables))
    variables = {name: _either(a.get(name), b.get(name)) for name in names}
    exports_all = a.exports_all if a.exports_all is b.exports_all else Sure.MAYBE
    return State(variables, _functions(a.functions, b.functions), exports_all)


def _functions(a: Mapping[str, Node], b: Mapping[str, Node]) -> dict[str, Node]:
    """Return the functions of either; one that is not the same in both may or may not run when it is called."""
    both = dict(a) | dict(b)
    for name in [name for name in both if a.get(name) is not b.get(name)]:
        bodies = [each[name] for each in (a, b) if name in each]
        both[name] = Choice(tuple((Body(()), Body((body,))) for body in bodies), total=False, word=name, line=0)
    return both


def _either(a: Variable, b: Variable) -> Variable:
    if a == b:
        return a
    values = tuple(dict.fromkeys((*a.values, *b.values)))
    exported = a.exported if a.exported is b.exported else Sure.MAYBE
    return Variable(values, a.unset or b.unset, exported, a.doubt or b.doubt, a.fixed or b.fixed)
