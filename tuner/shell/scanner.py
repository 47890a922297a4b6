"""Where a reader stands in a text: characters, lines, and what is skipped between words."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tuner.shell.syntax import Fault

_BLANKS: Final = re.compile(r"(?:[ \t]|\\\n)+")
DEEPEST: Final = 60
"""How deep quotes, substitutions and blocks may nest: far above what people write, below Python's own limit."""


@dataclass(slots=True)
class Scanner:
    """A text and a place in it. `skip_commands` reads the commands of `$(…)` up to the bracket that ends them."""

    text: str
    skip_commands: Callable[[Scanner], None]
    at: int = 0
    depth: int = 0
    newlines: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.newlines = [match.start() for match in re.finditer("\n", self.text)]

    @property
    def line(self) -> int:
        """The number of the line where the reader stands, from 1: also inside a command that goes over several."""
        return bisect_left(self.newlines, self.at) + 1

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self.text)

    def peek(self) -> str:
        """Return the next character, empty at the end."""
        return self.text[self.at : self.at + 1]

    def ahead(self, text: str) -> bool:
        """Return whether `text` comes next."""
        return self.text.startswith(text, self.at)

    def take(self, text: str) -> bool:
        """Go over `text` if it comes next, and return whether it did."""
        found = self.ahead(text)
        self.at += len(text) if found else 0
        return found

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Go over what `pattern` matches here, and return the match."""
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found

    def skip_blanks(self) -> None:
        """Go over blanks and lines that go on. A comment ends with its line, whatever its last character is."""
        self.match(_BLANKS)
        if self.ahead("#"):
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end

    def fault(self, why: str) -> Fault:
        """Return the syntax error that shows here."""
        return Fault(self.line, why)

    def deeper(self) -> None:
        """Go one level down; raise `Fault` where that is too deep to be anything but an attack."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.fault("it is nested too deeply to be read")

    def higher(self) -> None:
        """Come back one level."""
        self.depth -= 1
