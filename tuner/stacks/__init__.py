"""The stacks that can be tuned: a catalogue each, and a module of the same name with the record `STACK`.

A module of this package is found by its name, one of a user's folder beside its catalogue, one of another package by its
entry point; nothing lists them.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from tuner.catalogue import places
from tuner.plugins import Plugin
from tuner.stacks import own_module
from tuner.stacks.stack import Stack


def named(name: str) -> Stack:
    """Return the stack called `name`; raise `UsageError` naming the known ones, or what is wrong with its module."""
    return _record(name, places.folder_of(name))


def every() -> tuple[Stack, ...]:
    """Return all stacks, in the order of their names; raise `UsageError` for one whose module cannot be used."""
    return tuple(map(named, places.stacks()))


@cache
def _record(name: str, folder: Path) -> Stack:
    if plugin := places.plugin(name):
        return _of_plugin(plugin)
    if folder != places.SHIPPED:
        return own_module.record(folder / f"{name}.py")
    found: Stack = importlib.import_module(f"{__name__}.{name}").STACK
    return found


def _of_plugin(plugin: Plugin) -> Stack:
    found = plugin.load()
    if not isinstance(found, Stack) or found.name != plugin.name:
        raise plugin.broken(f"is no record of a stack {plugin.name}")
    return found
