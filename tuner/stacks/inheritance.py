"""A program under a profile: what it inherits, less what would change what runs, and what the profile sets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tuner.catalogue import places
from tuner.stacks.stack import Stack, preloadable

PRELOAD: Final = "LD_PRELOAD"
# ld.so(8): the list is separated by blanks or colons.
_BETWEEN: Final = re.compile(r"[ \t:]+")


@dataclass(frozen=True, slots=True)
class Inherited:
    """The whole environment of the program, and what of the inherited one was set aside, as NAME=value."""

    environment: Mapping[str, str]
    set_aside: tuple[str, ...]


def under(stack: Stack, library: Path, settings: Mapping[str, str], inherited: Mapping[str, str]) -> Inherited:
    """Return the environment of a program under `settings`, preloading the stack's library before what is preloaded.

    Inherited variables of the stack are set aside, and preloaded libraries of any stack. Raise `UsageError` for a
    library that the loader cannot preload.
    """
    ours = preloadable(library)
    present = [name for name in _BETWEEN.split(inherited.get(PRELOAD, "")) if name]
    # Two stacks at once would fight for the same calls.
    foreign = [name for name in present if name == ours or stack_of(name)]
    strays = {name: value for name, value in inherited.items() if name.startswith(stack.facts.prefix)}
    kept = {name: value for name, value in inherited.items() if name not in strays}
    preload = ":".join([ours, *(name for name in present if name not in foreign)])
    aside = [f"{name}={value}" for name, value in strays.items() if settings.get(name) != value]
    aside += [f"{PRELOAD}={name}" for name in foreign if name != ours]
    return Inherited({**kept, **settings, PRELOAD: preload}, tuple(aside))


def stack_of(preload: str) -> str | None:
    """Return the stack whose library stands first in a list of libraries to preload, None when there is none."""
    names = (name.rpartition("/")[2] for name in _BETWEEN.split(preload))
    libraries = {
        beginning: known for known in places.stacks() for beginning in (f"lib{known}.so", f"libtuner_{known}.so")
    }
    return next((libraries[begin] for name in names for begin in libraries if name.startswith(begin)), None)
