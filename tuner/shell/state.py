"""What is known of a shell's variables, functions and arguments at one point of its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tuner.shell.syntax import Command


@dataclass(frozen=True, slots=True)
class Doubt:
    """That something is not known: the place where it became so, why, and the variable that would say it (or empty)."""

    where: str
    why: str
    ask: str = ""


Text = str | Doubt
Status = bool | Doubt
"""Whether a command succeeds."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A variable: its text, None where it is not set, or why that is not known; and whether programs see it.

    `exported` is None where nobody knows that.
    """

    text: str | Doubt | None
    exported: bool | None = False


UNSET: Final = Cell(None)


@dataclass(slots=True)
class State:
    """Everything that commands change. Names that begin with `prefix` are not set unless somebody set them.

    `rest` is why nothing is known of variables that are not in `cells`; None where those are as the caller left them.
    `frames` are the variables that each open function hides, as they were before.
    """

    prefix: str
    cells: dict[str, Cell] = field(default_factory=dict)
    rest: Doubt | None = None
    functions: dict[str, Command] = field(default_factory=dict)
    arguments: tuple[str, ...] | Doubt = ()
    frames: list[dict[str, Cell | None]] = field(default_factory=list)

    def copy(self) -> State:
        """Return a state that changes on its own."""
        frames = [dict(frame) for frame in self.frames]
        return State(self.prefix, dict(self.cells), self.rest, dict(self.functions), self.arguments, frames)

    def cell(self, name: str) -> Cell | None:
        """Return a variable, None where only the caller knows whether it is set."""
        if name in self.cells:
            return self.cells[name]
        if self.rest is not None:
            return Cell(self.rest, exported=None)
        return UNSET if name.startswith(self.prefix) else None

    def put(self, name: str, cell: Cell) -> None:
        """Change a variable; its place among the others is where it was changed last."""
        self.cells.pop(name, None)
        self.cells[name] = cell

    def forget(self, doubt: Doubt) -> None:
        """Note that all variables and functions may have become something else."""
        self.cells = dict.fromkeys(self.cells, Cell(doubt, exported=None))
        self.rest = doubt


def either(one: State | None, other: State | None, doubt: Doubt) -> State | None:
    """Return what is known when one of two states holds and `doubt` says why nobody knows which; None is no state."""
    if one is None or other is None:
        return one or other
    joined = State(one.prefix, rest=one.rest or other.rest)
    for name in {**one.cells, **other.cells}:
        cell = _common(one.cell(name), other.cell(name), doubt)
        if cell is not None:
            joined.cells[name] = cell
    joined.functions = _functions(one.functions, other.functions)
    joined.arguments = one.arguments if one.arguments == other.arguments else doubt
    joined.frames = one.frames if one.frames == other.frames else _frames(one.frames, other.frames)
    return joined


def _common(one: Cell | None, other: Cell | None, doubt: Doubt) -> Cell | None:
    if one == other or one is None or other is None:
        return one if one == other else Cell(doubt, exported=None)
    exported = one.exported if one.exported == other.exported else None
    if one.text == other.text:
        return Cell(one.text, exported)
    known = next((text for text in (one.text, other.text) if isinstance(text, Doubt)), doubt)
    return Cell(known, exported)


def _functions(one: Mapping[str, Command], other: Mapping[str, Command]) -> dict[str, Command]:
    """Return the functions that are the same in both; others are called as if nobody knew them."""
    return {name: body for name, body in one.items() if other.get(name) == body}


def _frames(one: list[dict[str, Cell | None]], other: list[dict[str, Cell | None]]) -> list[dict[str, Cell | None]]:
    return [{**right, **left} for left, right in zip(one, other, strict=False)]
