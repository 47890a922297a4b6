"""A shell that only thinks: the state it is in, what it left out, and the ways on which its text ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Final

from tuner.errors import Skipped
from tuner.shell.state import Cell, Doubt, State, Status, Text, either

MOST_STEPS: Final = 20_000
"""Commands that are followed before a text counts as one that never ends."""
MOST_CHARACTERS: Final = 64 * 1024
"""Of a variable's text: what a loop that doubles it can cost."""


class Way(StrEnum):
    """How a command leaves those behind it out."""

    BREAK = auto()
    CONTINUE = auto()
    RETURN = auto()
    EXIT = auto()


@dataclass(slots=True)
class Jump:
    """A way out that was taken: how, over how many loops, the state there, and why nobody knows whether it was."""

    way: Way
    state: State
    status: Status
    levels: int = 1
    doubt: Doubt | None = None


class Unknown(Exception):
    """What a word says cannot be known."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__(doubt.why)
        self.doubt = doubt


Hosted = Callable[["Shell", Sequence[Text], str], Status]
"""A command that the shell's user brings: it is given the arguments and the command as it is written."""


@dataclass(slots=True)
class Shell:
    """Where a text has come to. `state` is None behind a `return` or `exit`: nothing is done there.

    `hosted` are commands beside the shell's own. `skipped` is what was left out, `notes` what was assumed,
    `faults` the syntax errors.
    """

    state: State | None
    hosted: Mapping[str, Hosted] = field(default_factory=dict)
    file: str = ""
    line: int = 1
    status: Status = True
    jumps: list[Jump] = field(default_factory=list)
    skipped: dict[Skipped, None] = field(default_factory=dict)
    notes: dict[Skipped, None] = field(default_factory=dict)
    faults: list[Skipped] = field(default_factory=list)
    fixed: set[str] = field(default_factory=set)
    """The variables that are read-only somewhere in the text."""
    steps: int = 0
    depth: int = 0

    @property
    def place(self) -> str:
        """The file and line of the command that is looked at."""
        return f"{self.file}: line {self.line}"

    @property
    def ended(self) -> bool:
        """Whether nothing is done any more: a `return`, `exit` or the like was met."""
        return self.state is None

    @property
    def now(self) -> State:
        """The state, where there is one."""
        if self.state is None:
            raise ValueError("nothing is known behind the end of a text")
        return self.state

    def doubt(self, why: str, ask: str = "") -> Doubt:
        """Return a doubt that arises here."""
        return Doubt(self.place, why, ask)

    def skip(self, text: str, why: str) -> None:
        """Note that `text` is left out."""
        self.skipped[Skipped(self.place, text, why)] = None

    def note(self, text: str, why: str) -> None:
        """Note what was assumed."""
        self.notes[Skipped(self.place, text, why)] = None

    def assign(self, name: str, text: str | Doubt | None, *, export: bool | None = None) -> None:
        """Set a variable (None unsets it); programs see it where they did, or as `export` says."""
        old = self.now.cell(name)
        exported = (False if old is None else old.exported) if export is None else export
        if name in self.fixed:
            text = self.may_end(f"{name} is read-only, and some shells end where it is set")
        if isinstance(text, str) and len(text) > MOST_CHARACTERS:
            text = self.doubt(f"{name} becomes longer than {MOST_CHARACTERS} characters")
        self.now.put(name, Cell(text, exported))

    def leave(self, way: Way, levels: int = 1) -> None:
        """End the commands that would follow."""
        self.jumps.append(Jump(way, self.now, self.status, levels))
        self.state = None

    def fork(self, doubt: Doubt, one: Callable[[], object], other: Callable[[], object]) -> None:
        """Do either of two things where nobody knows which, and keep what is sure in both cases."""
        before, mark = self.now.copy(), len(self.jumps)
        one()
        after, self.state = self.state, before
        statuses = [self.status]
        other()
        self.state = either(after, self.state, doubt)
        for jump in self.jumps[mark:]:
            jump.doubt = jump.doubt or doubt
        self.status = self.status if statuses == [self.status] else doubt

    def may_end(self, why: str) -> Doubt:
        """Note that some shells, or all, may end here, and return the doubt about it."""
        doubt = self.doubt(why)
        self.fork(doubt, lambda: self.leave(Way.EXIT), lambda: None)
        return doubt

    def landed(self, mark: int, ways: Mapping[Way, object]) -> list[Jump]:
        """Take the jumps since `mark` that end here; those over several loops go on with one less."""
        ended: list[Jump] = []
        going: list[Jump] = []
        for jump in self.jumps[mark:]:
            jump.levels -= 1 if jump.way in ways else 0
            (ended if jump.way in ways and jump.levels <= 0 else going).append(jump)
        self.jumps[mark:] = going
        return ended

    def land(self, jumps: Sequence[Jump]) -> None:
        """Go on where jumps end, together with the way that ended without one."""
        for jump in jumps:
            doubt = jump.doubt or self.doubt("it ends in more than one way")
            self.status = jump.status if self.state is None else doubt
            self.state = either(self.state, jump.state, doubt)
