"""Variables as they stand in a file of an environment: `NAME=value`, `export NAME="a value"`, comments.

Nothing is expanded or executed: `$HOME` and `$(…)` stay text, and that is said.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final

from tuner.errors import Finding, error, warning
from tuner.terminal_text import CONTROL

MAX_BYTES: Final = 256 * 1024
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_EXPANDED: Final = re.compile(r"[$`]")


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables that a text sets, the last one of a name, and what is wrong with it."""

    settings: dict[str, str]
    findings: tuple[Finding, ...]


def parse(text: str, source: str) -> Environment:
    """Return the variables in `text`; `source` names it in findings. No text raises."""
    settings: dict[str, str] = {}
    findings: list[Finding] = []
    # Only these end a line in a shell; str.splitlines knows many more.
    for number, line in enumerate(re.split(r"\r?\n", text), 1):
        found = _assignment(line, f"{source}: line {number}")
        if isinstance(found, Finding):
            findings.append(found)
        elif found is not None:
            settings[found[0]] = found[1]
            if _EXPANDED.search(found[1]):
                message = f"{found[0]} holds a $ or `, which a shell would replace and which is taken as text here"
                findings.append(warning(f"{source}: line {number}", message))
    return Environment(settings, tuple(findings))


def _assignment(line: str, where: str) -> tuple[str, str] | Finding | None:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as reason:
        return error(where, f"cannot be read: {str(reason).lower()}", "close the quotes")
    words = words[1:] if words[:1] == ["export"] else words
    if not words:
        return None
    name, equals, value = words[0].partition("=")
    if len(words) > 1 or not equals or not _NAME.fullmatch(name):
        return error(where, f"{_shown(line)!r} is no NAME=VALUE", "write one variable a line, quotes around blanks")
    if CONTROL.search(value):
        return error(where, f"the value of {name} holds control characters")
    return name, value


def _shown(line: str) -> str:
    return CONTROL.sub("?", line.strip())[:60]
