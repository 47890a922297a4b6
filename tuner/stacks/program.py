"""Whether a stack's library can be preloaded into a program, before a loader leaves it out without a word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tuner.errors import Finding, error, warning
from tuner.hosts.program import Image, Machine
from tuner.terminal_text import shown


@dataclass(frozen=True, slots=True)
class Caller:
    """Who starts a program: the numbers of user and group."""

    user: int
    group: int


def obstacles(image: Image, library: Machine, caller: Caller) -> Iterator[Finding]:
    """Yield why a library for `library` is not preloaded into a program, as errors; what only others would meet, warnings.

    Source: ld.so(8) and capabilities(7): in secure-execution mode the loader ignores a library that is named with a folder.
    """
    where = shown(str(image.path))
    if not image.interpreted and not image.path.name.startswith(("ld-", "ld.so")):
        yield error(
            where, "cannot be preloaded: it is statically linked, and no loader starts it", "link it dynamically"
        )
    if image.machine != library:
        hint = f"install the {image.machine} build of the library"
        yield error(where, f"cannot be preloaded: it is built for {image.machine}, the library for {library}", hint)
    yield from _secure(image, caller, where)


def _secure(image: Image, caller: Caller, where: str) -> Iterator[Finding]:
    if image.owner is not None:
        yield _ignored(where, f"set-user-ID (user {image.owner})", another=image.owner != caller.user)
    if image.group is not None:
        yield _ignored(where, f"set-group-ID (group {image.group})", another=image.group != caller.group)
    if image.capable:
        yield _ignored(where, "a file with capabilities", another=caller.user != 0)


def _ignored(where: str, what: str, *, another: bool) -> Finding:
    """Return that the loader ignores LD_PRELOAD: for this caller, or only for `another` than who has the rights anyway."""
    if another:
        hint = "start a copy of it without these rights"
        return error(where, f"cannot be preloaded: it is {what}, and the loader ignores LD_PRELOAD", hint)
    return warning(where, f"is {what}: it cannot be preloaded by users who do not have these rights already")
