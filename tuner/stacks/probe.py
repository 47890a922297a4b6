"""The library of a stack on a host: where it is, whether it can be used, and what it says of itself.

What it says is printed under a program that does nothing, before any measurement. It needs no card.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tuner import stacks
from tuner.catalogue import places
from tuner.errors import Finding, MissingTool, TunerError, UsageError, error
from tuner.hosts.host import Command, Host, has_file, printed
from tuner.stacks import library
from tuner.stacks.banner import Banner
from tuner.stacks.stack import Proof, Seen, Stack, environment, loader_words, preloadable

ONE_SOCKET: Final = (sys.executable, "-ISc", "import socket; socket.socket().close()")
"""The smallest program that uses a socket, which is when a library begins to take sockets over."""
_LIMIT_S: Final = 30.0
_MOST_REASONS: Final = 3


def located(stack: Stack, named: Path | None, host: Host) -> Path | None:
    """Return the stack's library, the one that is named or the loader's, unexamined; None where there is none.

    One of this package is brought to the host.
    """
    if named is not None:
        return named
    ours = stack.locate("")
    return stack.locate(_loader_cache(host)) if ours is None else host.brought(ours)


def preloaded(stack: Stack, named: str | None, host: Host) -> tuple[str, bool]:
    """Return what a file that deploys a stack preloads, and whether it is on the host.

    Files are often written for another host; a bare name is looked for by the loader of the host that runs it.
    """
    if named is not None and "/" not in named:
        return named, True
    path = located(stack, Path(named) if named else None, host)
    return (preloadable(path), True) if path is not None else (f"lib{stack.name}.so", False)


def found(stack: Stack, named: Path | None, host: Host) -> Path:
    """Return the stack's library, unexamined; raise `MissingTool` where there is no such file."""
    path = located(stack, named, host)
    if path is None or not has_file(host, path):
        raise MissingTool(f"the library of stack {stack.name} was not found: {path or 'none'}", advice=stack.advice)
    return path


def usable(stack: Stack, named: Path | None, host: Host) -> Path:
    """Return the stack's library, absolute; raise `MissingTool` where there is none, or none that is to be measured."""
    path = located(stack, named, host)
    if path is None:
        raise MissingTool(f"the library of stack {stack.name} was not found", advice=stack.advice)
    wrong = library.problem(path, host)
    if wrong is not None:
        raise MissingTool(f"the library of stack {stack.name} cannot be used", findings=[wrong], advice=stack.advice)
    if why := library.lacks(path, stack.mark, host) or _own_problem(stack, path.absolute(), host):
        raise MissingTool(f"{path} is not to be measured as {stack.name}: {why}", advice=stack.advice)
    return path.absolute()


def proof(
    stack: Stack,
    libraries: Sequence[Path],
    settings: Mapping[str, str],
    host: Host,
    program: Sequence[str] = (),
) -> Proof:
    """Return whether a harmless program runs under the stack, and what its library says at the level `details`.

    `libraries` are preloaded, the stack's first. The program is the stack's smallest unless another is given.
    """
    told = stack.facts.trace
    variables = environment(stack, libraries, settings) | ({told: "details"} if told else {})
    done = host.output_of(Command(tuple(program) or stack.smallest, variables), _LIMIT_S)
    return stack.proof(done.stderr, done.stdout, Seen(settings))


def banner(stack: Stack, libraries: Sequence[Path], settings: Mapping[str, str], host: Host) -> Banner:
    """Return the banner that the stack's library prints under `settings`; raise `MissingTool` when it prints none."""
    said = proof(stack, libraries, settings, host)
    if said.banner.tag != stack.version_tag:
        reasons = [_other(stack, libraries[0], said.banner), *_reasons(said)]
        raise MissingTool(f"stack {stack.name} was not loaded", findings=reasons, advice=stack.advice)
    return said.banner


def release(stack: Stack, libraries: Sequence[Path], host: Host) -> str | None:
    """Return the release that the library's banner names, None where there is no banner of settings to read."""
    if stack.recognise is not None:
        return None
    try:
        return banner(stack, libraries, {}, host).release or None
    except TunerError:
        return None


def _loader_cache(host: Host) -> str:
    try:
        return printed(host, "ldconfig", "-p")
    except MissingTool:
        return ""


def _own_problem(stack: Stack, path: Path, host: Host) -> str:
    """Return what is wrong with a library from what it prints when it is run; empty where it cannot be."""
    if stack.library_problem is None or host.which(str(path)) is None:
        return ""
    return stack.library_problem(printed(host, str(path)))


def _reasons(said: Proof) -> list[Finding]:
    words = [loader_words(said.reason), *said.banner.errors]
    return [error("output", each) for each in words if each][:_MOST_REASONS]


def _tag(name: str) -> str | None:
    """Return what the banner of a stack starts with, None for a stack of a user whose module cannot be used."""
    try:
        return stacks.named(name).version_tag
    except UsageError:
        return None


def _other(stack: Stack, path: Path, said: Banner) -> Finding:
    """Return that the library is another stack's, when its banner says so."""
    theirs = next((name for name in places.stacks() if _tag(name) == said.tag), None)
    if theirs is not None:
        return error(str(path), f"is the library of stack {theirs}, not of {stack.name}", f"use --stack {theirs}")
    return error(str(path), f"printed no {stack.version_tag} line when a program started under it")
