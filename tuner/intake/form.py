"""What a form is in which people have settings: how it is recognised, and what is read out of it.

A reader takes what is literal and names what is not, with its line. Nothing in a text is run or expanded, no text
raises anything but `UsageError`, and what belongs to another program is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tuner.errors import Finding, Skipped
from tuner.terminal_text import CONTROL

NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
PRELOAD: Final = "LD_PRELOAD"
MOST_BYTES: Final = 1024 * 1024
_MOST_SHOWN: Final = 120


@dataclass(frozen=True, slots=True)
class Source:
    """A text to be read: `where` names it in messages, `name` is that of its file."""

    text: str
    where: str
    name: str = ""

    def line(self, number: int) -> str:
        """Return how a finding names a line."""
        return f"{self.where}: line {number}"


@dataclass(frozen=True, slots=True)
class Assigned:
    """A variable that a text sets, the place where it does, and what has to be said of it (empty for nothing)."""

    name: str
    value: str
    where: str
    said: str = ""


class Scope(StrEnum):
    """Whose variables a group holds."""

    FILE = "file"
    SERVICE = "service"
    CONTAINER = "container"


@dataclass(frozen=True, slots=True)
class Group:
    """The variables of one program that a text configures: of a service, of a container, or of the whole text."""

    assigned: tuple[Assigned, ...]
    skipped: tuple[Skipped, ...] = ()
    name: str = ""
    scope: Scope = Scope.FILE


@dataclass(frozen=True, slots=True)
class Follow:
    """Another file that a text has read: its path as written, in which form, and the place that names it.

    `wins` where what it sets counts before what the text itself does, as in systemd.exec(5).
    """

    path: str
    form: str
    where: str
    wins: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text sets. `findings` are what has to be said of the whole, `follows` the files that it names."""

    groups: tuple[Group, ...]
    findings: tuple[Finding, ...] = ()
    follows: tuple[Follow, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """One form. `certainty` says how surely a text is in it: 0 it is not, 100 nothing else looks like it.

    `names_others` tells whether variables that are no stack's are named one by one: they are not in a dump of a whole
    environment. `stack` is set where only one stack has the form.
    """

    name: str
    summary: str
    certainty: Callable[[Source], int]
    read: Callable[[Source], Reading]
    names_others: bool = True
    stack: str = ""
    rewrites: bool = False
    also: tuple[str, ...] = ()


def only(assigned: list[Assigned], skipped: list[Skipped] | None = None) -> Reading:
    """Return the reading of a text that configures one program."""
    return Reading((Group(tuple(assigned), tuple(skipped or ())),))


def shown(text: str) -> str:
    """Return a text as a message can show it: one line, of bounded length."""
    line = CONTROL.sub(lambda found: repr(found[0])[1:-1], text.strip(" \t\n"))
    line = line.encode(errors="replace").decode()
    return line if len(line) <= _MOST_SHOWN else line[:_MOST_SHOWN] + "…"


def lines(text: str) -> list[tuple[int, str]]:
    """Return the numbered lines of a text; only a line feed ends one."""
    return list(enumerate(text.split("\n"), 1))


def is_name(text: str) -> bool:
    """Return whether a variable can be called so."""
    return re.fullmatch(NAME, text, re.ASCII) is not None


def is_json(text: str) -> bool:
    """Return whether a text begins as an object or a list of JSON does."""
    return re.match(r"\ufeff?\s*(?:\{\s*\"|\[\s*[{\"])", text) is not None
