"""Commands of the program: what one left behind when it ended (the fixture `tuner` carries one out), and how one reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from typer import Context
from typer.main import get_command

from tuner.cli.main import program


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Tuner = Callable[..., Ended]


def command(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command, or the noun, that the first words name, and the words behind it."""
    found: Any = get_command(program())
    while words and hasattr(found, "commands"):
        assert words[0] in found.commands, words
        _, found, words = found.resolve_command(Context(found), words)
    return found, words
