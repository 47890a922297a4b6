"""What a command gives the program that it starts, where a unit, an image, a service or a container says the command.

The command alone is read here: whether a file means a line for a shell or a list of words is what its form knows.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from tuner.errors import Skipped
from tuner.intake import environment, shell
from tuner.intake.form import Assigned, Group, Source, shown
from tuner.intake.owners import is_stacks
from tuner.intake.shell_programs import WRAPPED

_SURE: Final = 50


def of_words(words: Sequence[str], where: str, key: str) -> Group:
    """Return what a command gives that starts without a shell; `key` is what it stands under."""
    if not words or "=" in words[0]:  # a program is called so, and nothing is assigned
        return Group(())
    return of_line(shlex.join(words), where, key)


def of_line(text: str, where: str, key: str) -> Group:
    """Return what a command gives that a shell is to start: variables of stacks, and what was left out of those."""
    found = shell.read(Source(text, where)).groups[0]
    assigned = [
        Assigned(each.name, each.value, where, f"is given by {key}") for each in found.assigned if is_stacks(each.name)
    ]
    skipped = [
        Skipped(where, shown(f"{_under(key)}{each.text}") if each.why == WRAPPED else each.text, each.why)
        for each in found.skipped
        if each.why == WRAPPED or is_stacks(each.text.partition("=")[0])
    ]
    return Group(tuple(assigned), tuple(skipped))


def of_text(text: str, where: str, holder: str) -> Group:
    """Return what a file sets that is held whole in a text: a script, or an environment file."""
    source = Source(text, where, holder)
    found = (shell if shell.certainty(source) >= _SURE else environment).FORMS[0].read(source).groups[0]
    said = f"is part of {holder}"
    assigned = [replace(each, where=where, said="; ".join(filter(None, (said, each.said)))) for each in found.assigned]
    skipped = [replace(each, where=where) for each in found.skipped if is_stacks(each.text.partition("=")[0])]
    return Group(tuple(each for each in assigned if is_stacks(each.name)), tuple(skipped))


def _under(key: str) -> str:
    return key if key.endswith("=") else f"{key}: "
