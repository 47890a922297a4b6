"""What the shell offers after TAB: names of profiles, variables, sessions and choices.

Which names an argument takes follows from what it is called, so that every command with a `profile` completes it.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import typer


def attach(command: Callable[..., Any]) -> None:
    """Let every parameter of a command complete by its name; before typer reads it."""
    annotations = inspect.get_annotations(command, eval_str=True)
    for name in annotations.keys() & SOURCES.keys():
        for info in getattr(annotations[name], "__metadata__", ()):
            info.autocompletion = _beginning_with(SOURCES[name])
    # What was evaluated here is what typer must read: evaluated again it would be other objects.
    command.__annotations__ = annotations


def _beginning_with(source: Source) -> Callable[[typer.Context, str], list[str]]:
    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        from tuner.catalogue import places

        places.use(places.of_user(os.environ))
        return sorted(found for found in source(ctx.params, incomplete) if found.startswith(incomplete))

    return complete


def profiles(given: Mapping[str, Any], incomplete: str) -> Iterator[str]:
    """Yield the profiles that can be named: `latency`, `xlio/latency`, `default`, and files that fit what was typed."""
    from tuner.profiles.library import names, shelves

    stack = given.get("stack")
    known = list(names(shelves(os.environ, Path.cwd()), stack))
    yield from {"default", *(name for _, name in known)}
    yield from {f"{of}/{name}" for of, name in known}
    yield from _files(incomplete)


def _files(incomplete: str) -> Iterator[str]:
    """Yield the folders, and the files that end in .toml, whose path begins with what was typed."""
    folder = incomplete.rpartition("/")[0]
    if not incomplete:
        return
    try:
        entries = list(os.scandir(folder or ("/" if incomplete.startswith("/") else ".")))
    except OSError:
        return
    for entry in entries:
        path = f"{folder}/{entry.name}" if "/" in incomplete else entry.name
        if entry.is_dir():
            yield f"{path}/"
        elif path.endswith(".toml"):
            yield path


def variables(given: Mapping[str, Any], _incomplete: str) -> Iterable[str]:
    """Return the variables of a stack, of the first catalogue when none is named: the default stack's are among them."""
    from tuner import catalogue
    from tuner.catalogue import facts

    stack = given.get("stack")
    return catalogue.load(stack if stack and catalogue.is_stack(stack) else facts.first()).parameters


def sessions(given: Mapping[str, Any], _incomplete: str) -> list[str]:
    """Return the sessions of the results folder that is named, or of the usual one, and `latest`."""
    from tuner.results import FOLDER, Results

    listed = Results(Path(given.get("results") or FOLDER), given.get("store")).listed()
    return ["latest", *(session.id for session in listed)]


def stacks(_given: Mapping[str, Any], _incomplete: str) -> Iterable[str]:
    """Return the stacks."""
    from tuner import catalogue

    return catalogue.stacks()


def objectives(_given: Mapping[str, Any], _incomplete: str) -> Iterable[str]:
    """Return the objectives."""
    from tuner.judging.objective import OBJECTIVES

    return OBJECTIVES


def _members(of: str) -> Source:
    """Return what offers the values of one of the workload's enumerations."""

    def source(_given: Mapping[str, Any], _incomplete: str) -> Iterable[str]:
        from tuner.runs import workload

        return [member.value for member in getattr(workload, of)]

    return source


Source = Callable[[Mapping[str, Any], str], Iterable[str]]
SOURCES: Final[Mapping[str, Source]] = {
    **dict.fromkeys(("profile", "profiles", "a", "b", "baseline", "base"), profiles),
    **dict.fromkeys(("session", "sessions"), sessions),
    "name": variables,
    "stack": stacks,
    "objective": objectives,
    "mode": _members("Mode"),
    "protocol": _members("Protocol"),
    "multiplexer": _members("Multiplexer"),
}
